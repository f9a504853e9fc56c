"""Patients: who may write which part of a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Q

from accounts.models import Patient, Role
from accounts.queries import staffed_sites
from accounts.refusals import Forbidden
from accounts.rights import holds, may

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from accounts.models import User

# What patients may change of their own record: how they are reached. Who they are is for the clinic to say.
OWN_FIELDS: Final = frozenset({"email", "phone", "preferred_channels", "language"})
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

    Raises Forbidden `may_not_link`.
    """
    check_may_link(user, [name for name, value in values.items() if value is not None])
    return Patient.objects.create(**values)


@transaction.atomic
def change_patient(patient: Patient, values: dict[str, Any]) -> Patient:
    """Save these fields of a patient whose row is locked; the database moves `version` if anything differs."""
    for name, value in values.items():
        setattr(patient, name, value)
    if values:
        patient.save(update_fields=list(values))
    return patient
