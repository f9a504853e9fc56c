"""A closure that is recorded gets other hours: the visits that it hits then stand in one draft, in place of the old."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.refusals import Conflict, NotFound
from scheduler.changes import lock_site
from scheduler.models import ChairClosure, SiteClosure
from sessions.disruptions import draft_for, drop_drafts
from sessions.drafting import Missing
from sessions.models import DisruptionKind

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Site, User

    Span = tuple[datetime, datetime]


def site_of(closure: ChairClosure | SiteClosure) -> Site:
    """The site that is closed, or that the chair stands at."""
    return closure.chair.site if isinstance(closure, ChairClosure) else closure.site


def missing(closure: ChairClosure | SiteClosure, during: Span) -> Missing:
    """What falls away if the closure lasts from one instant to the other."""
    if isinstance(closure, ChairClosure):
        return Missing(site_of(closure), DisruptionKind.CHAIR_CLOSURE, None, closure.chair_id, *during)
    return Missing(closure.site, DisruptionKind.SITE_CLOSURE, None, None, *during)


@transaction.atomic
def change(
    closure: ChairClosure | SiteClosure,
    during: Span,
    reason: str,
    agreed: Collection[UUID],
    actor: User,
    now: datetime,
) -> UUID | None:
    """Give the closure this span and reason; the id of the draft that mends what it hits now, None where it hits none.

    `agreed` are the visits that the caller knows it to hit. Raises Conflict `bookings_affected` with the `sessions`
    that it hits besides, those aside that it hit before; NotFound where somebody has taken it back.
    """
    lock_site(site_of(closure).pk)
    row = type(closure).objects.filter(pk=closure.pk).first()
    if row is None:
        raise NotFound
    before = (row.during.lower, row.during.upper)
    row.during, row.reason = DateTimeTZRange(*during), reason
    row.save(update_fields=["during", "reason"])
    if before == during:
        return None
    hit = {visit.pk for visit in missing(row, during).affected()}
    unseen = hit - {visit.pk for visit in missing(row, before).affected()} - set(agreed)
    if unseen:
        words = f"{len(unseen)} booked sessions would be left without what they need."
        raise Conflict("bookings_affected", words, sessions=sorted(map(str, hit)))
    drop_drafts(row)
    draft = draft_for(row, actor, now)
    return None if draft is None else draft.pk
