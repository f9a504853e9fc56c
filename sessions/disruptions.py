"""A provider, a chair or a site falls away: a draft says what that does and changes nothing. See `applying`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts import clock
from accounts.models import Role
from accounts.refusals import Conflict, Forbidden, RuleBroken
from accounts.rights import holds
from scheduler.models import ChairClosure, SiteClosure, TimeOff
from sessions.drafting import Missing, draft_items
from sessions.models import (
    Disruption,
    DisruptionItem,
    DisruptionKind,
    DisruptionStatus,
)

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Site, User
    from scheduler.models import Chair, Provider

MOST_DAYS = 400
RECORDS: Final[dict[DisruptionKind, tuple[str, type[Any], str]]] = {
    DisruptionKind.PROVIDER_ABSENCE: ("time_off", TimeOff, "provider"),
    DisruptionKind.CHAIR_CLOSURE: ("chair_closure", ChairClosure, "chair"),
    DisruptionKind.SITE_CLOSURE: ("site_closure", SiteClosure, "site"),
}


def draft(
    kind: str,
    site: Site,
    during: tuple[datetime, datetime],
    reason: str,
    actor: User,
    now: datetime,
    *,
    provider: Provider | None = None,
    chair: Chair | None = None,
) -> Disruption:
    """Say what it would do if this fell away; nothing is changed.

    Raises:
        RuleBroken: `in_past` for what is over, `too_long`. Conflict: `overlapping_absence` with the `record` of an
            absence that has part of that time already.
    """
    start, end = during
    if end <= now:
        raise RuleBroken("in_past", "This time has passed.")
    if (end - start).days > MOST_DAYS:
        raise RuleBroken("too_long", f"At most {MOST_DAYS} days at once.")
    _, model, name = RECORDS[DisruptionKind(kind)]
    subject = {"provider": provider, "chair": chair, "site": site}[name]
    other = model.objects.filter(**{name: subject, "during__overlap": during}).first()
    if other is not None:
        raise Conflict("overlapping_absence", "Part of that time is recorded as away already.", record=str(other.pk))
    found = Disruption(
        site=site, kind=kind, provider=provider, chair=chair, during=DateTimeTZRange(*during), reason=reason,
        created_by=actor, created_at=now,
    )  # fmt: skip
    return keep(found, now)


def draft_for(record: TimeOff | ChairClosure | SiteClosure, actor: User, now: datetime) -> Disruption | None:
    """The draft that mends what an absence, recorded just now, does to bookings; None where it hits none."""
    kind = next(kind for kind, (_, model, _) in RECORDS.items() if isinstance(record, model))
    column, _, name = RECORDS[kind]
    subject = getattr(record, name)
    site = subject if kind == DisruptionKind.SITE_CLOSURE else subject.site
    found = Disruption(
        site=site, kind=kind, during=record.during, reason=record.reason, created_by=actor, created_at=now,
        **({} if name == "site" else {name: subject}), **{column: record},
    )  # fmt: skip
    during = record.during
    missing = Missing(site, kind, found.provider_id, found.chair_id, during.lower, during.upper)
    return keep(found, now) if during.upper > now and missing.affected() else None


def open_draft(record: TimeOff | ChairClosure | SiteClosure, actor: User) -> UUID | None:
    """The id of `draft_for` as of now."""
    found = draft_for(record, actor, clock.now())
    return None if found is None else found.pk


def keep(disruption: Disruption, now: datetime) -> Disruption:
    """Write a draft, with what becomes of each session as the world stands."""
    items = draft_items(Missing.of(disruption), now)
    with transaction.atomic():
        disruption.save()
        for item in items:
            item.disruption = disruption
        DisruptionItem.objects.bulk_create(items)
    return disruption


def may_record(disruption: Disruption, actor: User) -> bool:
    """Whether the absence is the person's own, recorded already, or theirs to record as a manager."""
    recorded = disruption.time_off_id or disruption.chair_closure_id or disruption.site_closure_id
    own = disruption.provider is not None and disruption.provider.user_id == actor.pk
    return bool(holds(actor, Role.MANAGER) or recorded or own)


def check_may_record(disruption: Disruption, actor: User) -> None:
    """Refuse to apply or undo the absence of another to whoever is no manager; what is recorded is only mended.

    Raises:
        Forbidden: `not_your_hours`.
    """
    if not may_record(disruption, actor):
        raise Forbidden("not_your_hours", "You may record only your own absence; a manager records others.")


def drop_drafts(record: TimeOff | ChairClosure | SiteClosure) -> None:
    """Drop the draft that was to mend an absence which is taken back: applied, it would record it anew.

    Those that it was made in place of go before it, since they name it. What was applied stays as it was.
    """
    column = next(column for column, model, _ in RECORDS.values() if isinstance(record, model))
    of_it = Disruption.objects.filter(**{column: record}).order_by("id")
    if of_it.filter(status=DisruptionStatus.DRAFT).exists():
        for found in of_it.filter(status__in=(DisruptionStatus.REPLACED, DisruptionStatus.DRAFT)):
            found.delete()
