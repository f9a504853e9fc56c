"""Who works here: changing what somebody may do, sending them away and taking them back, and how they get in again.

A manager decides over people who work only where the manager does, an admin over everybody of the organization; nobody
over themselves, and only admins over admins. Somebody who may do so always remains: the database sees to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F, IntegerField, Value

from accounts import letters
from accounts.models import Letter, Organization, Passkey, Role, SecondFactor, Site, User
from accounts.queries import staffed_sites
from accounts.refusals import Conflict, Forbidden, Invalid, RuleBroken
from accounts.rights import CARE, holds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

_counters: list[Callable[[QuerySet[User]], QuerySet[User]]] = []


def count_with(annotate: Callable[[QuerySet[User]], QuerySet[User]]) -> None:
    """Have `annotate(people)` add `visits_to_come`: booked visits that somebody gives. This room knows of none."""
    _counters.append(annotate)


def with_visits(people: QuerySet[User]) -> QuerySet[User]:
    """The people with `visits_to_come`."""
    for annotate in _counters:
        return annotate(people)
    return people.annotate(visits_to_come=Value(0, IntegerField()))


# ---- who may --------------------------------------------------------------------------------------------------------


def check_may_decide(by: User, user: User) -> None:
    """Raise Forbidden (`not_yourself`, `admins_only`, `works_elsewhere`) where `by` does not decide over `user`.

    Both are of one organization, and `by` holds the right to what is to be done.
    """
    if by.pk == user.pk:
        raise Forbidden("not_yourself", "Somebody else has to change this for you.")
    if holds(by, Role.ADMIN):
        return
    if Role.ADMIN in user.roles:
        raise Forbidden("admins_only", "Only an admin decides over an admin.")
    if user.sites.exclude(pk__in=staffed_sites(by)).exists():
        raise Forbidden("works_elsewhere", "This person works at a site that is not yours. Ask an admin.")


def check_may_give(by: User, had: Collection[str], roles: Collection[str]) -> None:
    """Raise where `by` may not make the roles `had` to be `roles`.

    Raises:
        Forbidden: `admins_only`. RuleBroken: `patient_role` for a role that comes with a record and not from here.
    """
    changed = set(had) ^ set(roles)
    if Role.ADMIN in changed and not holds(by, Role.ADMIN):
        raise Forbidden("admins_only", "Only an admin makes somebody an admin, or takes that away.")
    if Role.PATIENT in changed:
        raise RuleBroken("patient_role", "Who is a patient is said by their record, not here.")


def check_places(roles: Collection[str], sites: Sequence[Site]) -> None:
    """Raise RuleBroken: `no_role` for who would not be staff, `no_site` for who would work nowhere (an admin may)."""
    if not set(roles) - {Role.PATIENT}:
        raise RuleBroken("no_role", "Somebody who works here has a role. Deactivate who has left.")
    if not sites and Role.ADMIN not in roles:
        raise RuleBroken("no_site", "Somebody who works here works at a site.")


def check_remains(user: User, roles: Collection[str], *, active: bool) -> None:
    """Raise Conflict (`last_admin`, `last_manager`) where nobody would be left who may decide over people.

    Call it with the organization's row locked; the database looks again.
    """
    if not user.is_active:
        return
    others = User.objects.filter(organization=user.organization_id, is_active=True).exclude(pk=user.pk)
    stays = set(roles) if active else set()
    if Role.ADMIN in user.roles and Role.ADMIN not in stays and not others.filter(roles__overlap=[Role.ADMIN]).exists():
        raise Conflict("last_admin", "This is the last admin. Make somebody else one first.")
    deciders = {Role.ADMIN, Role.MANAGER}
    lost = deciders & set(user.roles) and not deciders & stays
    if lost and not others.filter(roles__overlap=list(deciders)).exists():
        raise Conflict("last_manager", "This is the last manager. Make somebody else one first.")


def _locked(by: User, *people: UUID) -> list[User]:
    """The people and then their organization, locked in one order, whoever asks."""
    if by.organization_id is None:
        raise Forbidden
    rows = {each.pk: each for each in User.objects.select_for_update().filter(pk__in=people).order_by("pk")}
    Organization.objects.select_for_update(no_key=True).get(pk=by.organization_id)
    found = [rows[pk] for pk in people]
    check_may_decide(by, found[0])
    return found


# ---- what is done ---------------------------------------------------------------------------------------------------


@transaction.atomic
def change(by: User, user: User, values: dict[str, Any]) -> User:
    """Save name, language, roles or sites of a colleague; what they may do changes with their next request.

    Raises:
        Forbidden: as `check_may_decide` and `check_may_give`. RuleBroken: as `check_places` and `check_may_give`.
        Conflict: `last_admin`, `last_manager`.
    """
    (row,) = _locked(by, user.pk)
    roles, sites = values.get("roles", row.roles), values.get("sites", list(row.sites.all()))
    check_may_give(by, row.roles, roles)
    check_places(roles, sites)
    check_remains(row, roles, active=True)
    row.name, row.language = values.get("name", row.name), values.get("language", row.language)
    row.roles = [each for each in Role.values if each in roles]
    row.save(update_fields=["name", "language", "roles"])
    if "sites" in values:
        row.sites.set(sites)
    return row


@transaction.atomic
def deactivate(by: User, user: User, on_call: User | None = None) -> User:
    """Send somebody away: sessions and tokens end at once, and a link or a password lets nobody in.

    Their visits stay booked with them, and are counted (`visits_to_come`): an absence moves them. `on_call` takes their
    place at sites that would have nobody to tell of an alert.

    Raises:
        Forbidden: as `check_may_decide`. Conflict: `already_done`, `last_admin`, `last_manager`; `on_call` with the
            `sites` where somebody has to follow. Invalid: `not_care` for who cannot.
    """
    row, *_ = _locked(by, user.pk, *([on_call.pk] if on_call else []))
    check_active(row, True)
    check_remains(row, row.roles, active=False)
    _hand_over(row, on_call)
    row.is_active = False
    row.save(update_fields=["is_active"])
    return row


def _hand_over(user: User, to: User | None) -> None:
    """Somebody else is told of alerts where nobody else would be."""
    sites = list(Site.objects.select_for_update(no_key=True).filter(on_call=user).order_by("pk"))
    if sites and to is None:
        told = [str(site.pk) for site in sites]
        raise Conflict(
            "on_call", "Alerts go to this person where nobody else is on call. Name who follows.", sites=told
        )
    for site in sites:
        if to is None or not may_follow(site, user, to):
            raise Invalid("/on_call", "not_care", "Somebody of the site who nurses, prescribes or is an admin.")
        site.on_call = to
        site.save(update_fields=["on_call"])


def may_follow(site: Site, user: User, to: User) -> bool:
    """Whether `to` can be told of the site's alerts in place of `user`."""
    able = to.is_active and to.pk != user.pk and holds(to, *CARE)
    return able and (Role.ADMIN in to.roles or to.sites.filter(pk=site.pk).exists())


@transaction.atomic
def reactivate(by: User, user: User) -> User:
    """Take somebody back with what they had; nothing that let them in before does so again. Raises as `deactivate`."""
    (row,) = _locked(by, user.pk)
    check_active(row, False)
    row.is_active = True
    row.save(update_fields=["is_active"])
    return row


def check_active(user: User, wanted: bool) -> None:
    """Raise Conflict `already_done` unless the person's state is the one that is to be changed."""
    if user.is_active != wanted:
        raise Conflict("already_done", "This person is not here any more." if wanted else "This person is here.")


@transaction.atomic
def send_password_link(by: User, user: User, now: datetime) -> None:
    """Send a colleague a link that sets a new password; the old one opens until then.

    Raises Forbidden as `check_may_decide`, Conflict `inactive`.
    """
    (row,) = _locked(by, user.pk)
    check_here(row)
    letters.write(Letter.Kind.PASSWORD, row, now)


@transaction.atomic
def reset_second_factor(by: User, user: User, now: datetime) -> None:
    """Take codes and passkeys of a colleague who has lost them, end what they let in, and tell them by mail.

    The next sign-in asks for the password and, where one is demanded, sets up another. Raises Forbidden as
    `check_may_decide`, Conflict `inactive`, `no_second_factor`.
    """
    (row,) = _locked(by, user.pk)
    check_here(row)
    lost = [each.objects.filter(user=row).delete()[0] for each in (SecondFactor, Passkey)]
    if not any(lost):
        raise Conflict("no_second_factor", "This person has set up no second factor.")
    end_sessions([row.pk])
    letters.write(Letter.Kind.FACTOR_RESET, row, now)


def check_here(user: User) -> None:
    """Raise Conflict `inactive` for who is not here any more."""
    if not user.is_active:
        raise Conflict("inactive", "This person is not here any more.")


def end_sessions(people: Iterable[UUID]) -> None:
    """End whatever has let these people in: pages by the round that a session names, tokens by the database."""
    User.objects.filter(pk__in=people).update(session_round=F("session_round") + 1)
