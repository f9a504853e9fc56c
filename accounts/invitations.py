"""Inviting somebody to work here, and setting a password by the link in the mail.

The answer to an invitation is the same whether or not the address signs in elsewhere: only who opens the link is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts import letters
from accounts.audit import acting
from accounts.models import Invitation, Letter, Patient, Role, User
from accounts.refusals import Conflict, Forbidden, Gone, Invalid
from accounts.rights import is_staff, may
from accounts.staff import check_may_give, check_places, end_sessions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


OPEN_ONES = {"accepted_at": None, "withdrawn_at": None}


@transaction.atomic
def invite(by: User, values: dict[str, Any], now: datetime) -> Invitation:
    """Have a link sent to `email` by which somebody takes up `roles` at `sites`; `values` are those of the API.

    Raises:
        Forbidden: `admins_only`. RuleBroken: `no_site`, `patient_role`. Conflict: `already_here` for who works in the
            organization already, `already_invited` where an invitation waits.
    """
    email, sites, organization = values["email"].strip().lower(), list(values["sites"]), by.organization
    if organization is None:
        raise Forbidden
    check_may_give(by, (), values["roles"])
    check_places(values["roles"], sites)
    here = User.objects.filter(organization=organization, email=email).first()
    if here is not None and is_staff(here):
        raise Conflict("already_here", "Somebody with this address works here already, or did.")
    if Invitation.objects.filter(organization=organization, email=email, **OPEN_ONES).exists():
        raise Conflict("already_invited", "This address is invited already. Send that invitation again.")
    invitation = Invitation.objects.create(
        organization=organization,
        email=email,
        name=values["name"],
        roles=values["roles"],
        language=values.get("language", by.language),
        invited_by=by,
        invited_at=now,
        expires_at=now + letters.lasts(Letter.Kind.INVITATION),
    )
    invitation.sites.set(sites)
    letters.write(Letter.Kind.INVITATION, invitation, now)
    return invitation


@transaction.atomic
def resend(by: User, invitation: Invitation, now: datetime) -> Invitation:
    """Send a fresh link; the ones before open nothing. Who sends it answers for what it gives.

    Raises Forbidden `admins_only`, Conflict `already_done` for one that was accepted or withdrawn.
    """
    row = _locked(by, invitation)
    row.invited_by, row.expires_at = by, now + letters.lasts(Letter.Kind.INVITATION)
    row.save(update_fields=["invited_by", "expires_at"])
    letters.write(Letter.Kind.INVITATION, row, now)
    return row


@transaction.atomic
def withdraw(by: User, invitation: Invitation, now: datetime) -> Invitation:
    """Take it back: its link opens nothing. Raises as `resend` does."""
    row = _locked(by, invitation)
    row.withdrawn_at = now
    row.save(update_fields=["withdrawn_at"])
    letters.end(Letter.Kind.INVITATION, row, now)
    return row


def check_open(invitation: Invitation) -> None:
    """Raise Conflict `already_done` where it was accepted or withdrawn."""
    if invitation.accepted_at is not None or invitation.withdrawn_at is not None:
        raise Conflict("already_done", "This invitation was accepted or withdrawn.")


def _locked(by: User, invitation: Invitation) -> Invitation:
    row = Invitation.objects.select_for_update().get(pk=invitation.pk)
    check_open(row)
    check_may_give(by, (), row.roles)
    return row


def look(token: str, now: datetime) -> Letter:
    """The letter whose link this is, for the page that asks for a password.

    Raises:
        Gone: `link_spent`, also where who invited may not do so any more.
    """
    letter = letters.opened(token, now)
    _check_stands(letter)
    return letter


@transaction.atomic
def use(token: str, password: str, now: datetime) -> User:
    """Set the password of who comes with the link, and take up what they were invited to; gives the person.

    Raises:
        Gone: `link_spent`. Conflict: `address_taken` for who signs in at another organization. Invalid: `password`
            with the first rule that it breaks as `detail`.
    """
    letter = letters.opened(token, now, to_use=True)
    _check_stands(letter)
    invitation = letter.invitation
    user = letter.user if invitation is None else _who_joins(invitation)
    assert user is not None
    with acting(user.pk):
        _set_password(user, password)
        if invitation is not None:
            user.sites.add(*invitation.sites.all())
            invitation.accepted_at, invitation.user = now, user
            invitation.save(update_fields=["accepted_at", "user"])
    letter.used_at = now
    letter.save(update_fields=["used_at"])
    return user


def _check_stands(letter: Letter) -> None:
    """A link is worth what the person who sent it may do, and whom it is for."""
    invitation = letter.invitation
    if invitation is None:
        stands = letter.user is not None and letter.user.is_active
    else:
        stands = invitation.withdrawn_at is None and invitation.accepted_at is None and _still_may(invitation)
    if not stands or letter.kind not in letters.OPENING:
        raise Gone("link_spent", "This link has been used, or its time is over.")


def _still_may(invitation: Invitation) -> bool:
    by = invitation.invited_by
    if not may(by, "invitations.create") or by.organization_id != invitation.organization_id:
        return False
    try:
        check_may_give(by, (), invitation.roles)
    except Forbidden:
        return False
    return True


def _who_joins(invitation: Invitation) -> User:
    """The person whom the invitation makes: somebody new, or a patient of this organization who now works here too."""
    found = User.objects.select_for_update().filter(email=invitation.email).first()
    if found is None:
        return User(
            email=invitation.email,
            name=invitation.name,
            language=invitation.language,
            organization=invitation.organization,
            roles=_in_order(invitation.roles),
        )
    ours = found.organization_id == invitation.organization_id or (
        found.organization_id is None
        and Patient.objects.filter(user=found, site__organization=invitation.organization_id).exists()
    )
    if not ours or not found.is_active or is_staff(found):
        raise Conflict("address_taken", "This address signs in already. Ask to be invited by another one.")
    found.organization, found.roles = invitation.organization, _in_order([*found.roles, *invitation.roles])
    found.name = found.name or invitation.name
    return found


def _in_order(roles: Sequence[str]) -> list[str]:
    return [role for role in Role.values if role in roles]


def _set_password(user: User, password: str) -> None:
    """Save the person with this password; whatever let them in before is over."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid("/password", "password", str(error.messages[0])) from None
    known = not user._state.adding
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        raise Conflict("address_taken", "This address signs in already. Ask to be invited by another one.") from None
    if known:
        end_sessions([user.pk])
        user.refresh_from_db()
