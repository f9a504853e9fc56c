"""Protocols: drafts are written and changed; what has been approved is never edited, a change makes a new version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Max

from accounts import clock
from accounts.models import Organization
from accounts.refusals import Conflict, Forbidden
from accounts.rights import holds
from scheduler import gates
from scheduler.models import Protocol

if TYPE_CHECKING:
    from uuid import UUID

    from accounts.models import User

# Questionnaires that a protocol may ask for; how each is asked and scored is known further up.
INSTRUMENT_CODES: Final = ("PHQ-9", "PHQ-2", "GAD-7", "PEG", "NRS", "PGIC", "PCL-5", "ASQ", "side-effects")

CONTENT: Final = (
    "name", "indications", "sources", "phases", "gates", "observation", "discharge", "reminders", "follow_ups",
)  # fmt: skip
Status = Protocol.Status
MOVES: Final = {Status.DRAFT: [Status.APPROVED], Status.APPROVED: [Status.RETIRED], Status.RETIRED: []}


@transaction.atomic
def create_protocol(user: User, values: dict[str, Any]) -> Protocol:
    """Save version 1 of a protocol in the user's organization: a draft, or approved where the user may approve.

    Raises Forbidden `may_not_approve` or `no_organization`, Conflict `code_taken` where the code has versions already.
    """
    organization = _lock_organization(user)
    if Protocol.objects.filter(organization=organization, code=values["code"]).exists():
        raise Conflict("code_taken", "There is a protocol with this code; change that one to make a new version.")
    protocol = Protocol(organization=organization, **{**values, "status": Status.DRAFT})
    _move(user, protocol, values.get("status", Status.DRAFT))
    protocol.save()
    gates.describe(organization, protocol.gates)
    return protocol


@transaction.atomic
def change_protocol(user: User, protocol: UUID, values: dict[str, Any]) -> Protocol:
    """Change a draft in place; of a version that was approved or is in use make the next version, and return that.

    A new version is a draft unless `values` ask for "approved". A mere change of `status` makes no new version.
    Raises Forbidden `may_not_approve`, Conflict `not_allowed` with the statuses `allowed`.
    """
    organization = _lock_organization(user)
    present = Protocol.objects.select_for_update().get(pk=protocol, organization=organization)
    content = {name: values[name] for name in CONTENT if name in values and values[name] != getattr(present, name)}
    status = values.get("status")
    if content and (present.status != Status.DRAFT or in_use(present)):
        present = _next_version(present)
        status = status if status == Status.APPROVED else None
    for name, value in content.items():
        setattr(present, name, value)
    _move(user, present, status or present.status)
    present.save()
    gates.describe(organization, present.gates)
    return present


def in_use(protocol: Protocol) -> bool:
    """Whether another record, in whichever room, refers to this version."""
    return any(
        relation.related_model._default_manager.filter(**{relation.field.name: protocol}).exists()
        for relation in Protocol._meta.related_objects
    )


def _next_version(protocol: Protocol) -> Protocol:
    """An unsaved draft with the same content and the next number of its code."""
    versions = Protocol.objects.filter(organization=protocol.organization, code=protocol.code)
    latest = versions.aggregate(latest=Max("version"))["latest"]
    content = {name: getattr(protocol, name) for name in CONTENT}
    return Protocol(organization=protocol.organization, code=protocol.code, version=latest + 1, **content)


def _move(user: User, protocol: Protocol, status: str) -> None:
    """Take the protocol to `status`, which may be the one it has."""
    if status == protocol.status:
        return
    allowed = MOVES[Status(protocol.status)]
    if status not in allowed:
        raise Conflict(
            "not_allowed", f"A protocol that is {protocol.status} cannot become {status}.", allowed=list(allowed)
        )
    if not holds(user, *protocol.organization.approver_roles):
        raise Forbidden("may_not_approve", "Your role may neither approve nor retire protocols here.")
    protocol.status = status
    if status == Status.APPROVED:
        protocol.approved_by = user
        protocol.approved_at = clock.now()


def _lock_organization(user: User) -> Organization:
    """The user's organization, locked, so that two people do not make the same version or code."""
    if user.organization_id is None:
        raise Forbidden("no_organization", "You belong to no organization.")
    return Organization.objects.select_for_update(no_key=True).get(pk=user.organization_id)
