"""Patients: who may write which part of a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Q

from accounts import clock, contacts
from accounts.models import Patient, Role
from accounts.queries import staffed_sites
from accounts.refusals import Forbidden, Invalid
from accounts.rights import holds, may

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from uuid import UUID

    from accounts.models import User

# What patients may change of their own record: how they are reached. Who they are is for the clinic to say.
OWN_FIELDS: Final = frozenset(
    {"email", "phone", "preferred_channels", "language", "time_zone", "quiet_from", "quiet_until", "texting_consent"}
)
LINKERS: Final = (Role.FRONT_DESK, Role.MANAGER, Role.ADMIN)
CONTACT: Final = ("email", "phone")


def check_may_change(user: User, patient: Patient, names: Collection[str]) -> None:
    """Raise Forbidden unless the person may change these fields of a record that they see.

    Staff of the patient's site may change all, but `user` only those who sign people up, and addresses only those who
    use or manage them; patients may change some of their own record.
    """
    works_there = staffed_sites(user).filter(pk=patient.site_id).exists()
    if works_there and may(user, "patients.partial_update"):
        check_may_link(user, names)
        if set(CONTACT) & set(names) and not holds(user, Role.FRONT_DESK, Role.MANAGER):
            raise Forbidden("may_not_change_contact", "Your role may not change how a patient is reached.")
    elif patient.user_id != user.pk or not OWN_FIELDS.issuperset(names):
        raise Forbidden


def check_may_link(user: User, names: Collection[str]) -> None:
    """Raise Forbidden where `user` is among the fields and the person may not tie a record to a sign-in."""
    if "user" in names and not holds(user, *LINKERS):
        raise Forbidden("may_not_link", "Your role may not tie a patient to a sign-in.")


def named(terms: Iterable[str]) -> Q:
    """Condition "each term begins a word of the given or the family name", in whatever case."""
    condition = Q()
    for term in terms:
        begins = Q(family_name__istartswith=term) | Q(given_name__istartswith=term)
        later = Q(family_name__icontains=f" {term}") | Q(given_name__icontains=f" {term}")
        condition &= begins | later
    return condition


def contact_as_seen(user: User, patient: Patient) -> dict[str, str]:
    """How the patient is reached, as far as the person may read it.

    Whole for those who call and write to patients, and for the patient; enough to recognise it for those who treat or
    manage; nothing for those who only audit.
    """
    if patient.user_id == user.pk or holds(user, Role.FRONT_DESK):
        return {"email": patient.email, "phone": patient.phone}
    if holds(user, Role.NURSE, Role.PRESCRIBER, Role.MANAGER):
        return {"email": _masked_email(patient.email), "phone": _masked_phone(patient.phone)}
    return {}


def _masked_email(email: str) -> str:
    name, at, domain = email.partition("@")
    return f"{name[:1]}***{at}{domain}" if email else ""


def _masked_phone(phone: str) -> str:
    return f"***{phone[-4:]}" if phone else ""


@transaction.atomic
def create_patient(user: User, values: dict[str, Any]) -> Patient:
    """Save a patient. The same name and birth date twice are two people until somebody says otherwise.

    Raises Forbidden `may_not_link`, Invalid `quiet_hours`.
    """
    check_may_link(user, [name for name, value in values.items() if value is not None])
    patient = Patient(**_with_consent(user, values))
    _check_quiet_hours(patient)
    patient.save(force_insert=True)
    return patient


@transaction.atomic
def change_patient(user: User, patient: Patient, values: dict[str, Any]) -> Patient:
    """Save these fields of a patient whose row is locked; the database moves `version` if anything differs.

    An address that is sent is tried again, even the one that was there before. Raises Invalid `quiet_hours` where one
    end of the quiet hours would stand without the other, or both alike.
    """
    for name, value in _with_consent(user, values).items():
        setattr(patient, name, value)
    _check_quiet_hours(patient)
    for channel, field in contacts.FIELDS.items():
        if values.get(field):
            contacts.revive(channel, values[field])
    if values:
        patient.save(update_fields=[*_with_consent(user, values)])
    return patient


@transaction.atomic
def change_reach(user: User, patient_id: UUID, values: dict[str, Any]) -> Patient:
    """Save how a patient wishes to be reached; raises as `check_may_change` and `change_patient` do."""
    patient = Patient.objects.select_for_update().get(pk=patient_id)
    check_may_change(user, patient, values)
    return change_patient(user, patient, values)


def _with_consent(user: User, values: dict[str, Any]) -> dict[str, Any]:
    """The values, and who said so when, where they say what the patient answered about texts."""
    if values.get("texting_consent") is None:
        gone = {"texting_consent_at": None, "texting_consent_by": None}
        return {**values, **gone} if "texting_consent" in values else values
    return {**values, "texting_consent_at": clock.now(), "texting_consent_by": user}


def _check_quiet_hours(patient: Patient) -> None:
    begins, ends = patient.quiet_from, patient.quiet_until
    if (begins is None) != (ends is None) or (begins is not None and begins == ends):
        raise Invalid("/quiet_from", "quiet_hours", "Quiet hours have a beginning and another end, or neither.")
