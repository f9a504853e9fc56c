"""A weekly shift ends, or gets shorter, although visits need it: what falls away on which day, and agreeing to that.

On each day with such a visit the lost hours are time off with a draft that mends it, as if somebody had recorded it by
hand; then nothing stands on the shift any more, and it may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from scheduler.changes import keeping_bookings, lock_site
from scheduler.models import TimeOff
from scheduler.walltime import DAY, local_date, shift
from sessions.disruptions import draft_for
from sessions.facts import zone_of
from sessions.models import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date, datetime
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from accounts.models import User
    from scheduler.models import AvailabilityRule

    Span = tuple[datetime, datetime]


def lost_spans(rule: AvailabilityRule, after: AvailabilityRule | None, visits: Iterable[Session]) -> list[Span]:
    """The instants, span by span, that `rule` has and `after` (None: no shift) has not, where a visit is."""
    zone = zone_of(rule.provider.site)
    found: set[Span] = set()
    for visit in visits:
        first, last = local_date(visit.start, zone) - DAY, local_date(visit.end, zone)
        days = [first + number * DAY for number in range((last - first).days + 1)]
        lost = (span for day in days for span in _lost(rule, after, day, zone))
        found |= {(start, end) for start, end in lost if start < visit.end and visit.start < end}
    return sorted(found)


def _lost(rule: AvailabilityRule, after: AvailabilityRule | None, day: date, zone: ZoneInfo) -> list[Span]:
    """What the shift that begins on the day loses; one of the day before, or the next, may keep part of it."""
    before = _on(rule, day, zone)
    left = [] if before is None else [before]
    for each in (day - DAY, day, day + DAY):
        stays = None if after is None else _on(after, each, zone)
        if stays is not None:
            left = [part for start, end in left for part in ((start, min(end, stays[0])), (max(start, stays[1]), end))]
    return [(start, end) for start, end in left if start < end]


def _on(rule: AvailabilityRule, day: date, zone: ZoneInfo) -> Span | None:
    counts = rule.effective_from <= day <= (rule.effective_until or day) and day.weekday() == rule.weekday
    return shift(day, rule.start_time, rule.end_time, zone) if counts else None


def lose(
    rule: AvailabilityRule,
    after: AvailabilityRule | None,
    visits: Iterable[UUID],
    write: Callable[[], object],
    actor: User,
    now: datetime,
) -> list[UUID]:
    """Record the lost hours that `visits` need as time off, each with its draft, then `write`; the drafts' ids.

    All of it or nothing. Raises Conflict `bookings_affected` where other visits need the shift by now, and what
    `write` raises.
    """
    site = rule.provider.site_id
    drafts: list[UUID] = []
    with transaction.atomic():
        lock_site(site)
        stand = Session.objects.filter(pk__in=list(visits), site=site)
        for start, end in lost_spans(rule, after, stand):
            away = TimeOff.objects.create(provider=rule.provider, during=DateTimeTZRange(start, end))
            draft = draft_for(away, actor, now)
            drafts += [] if draft is None else [draft.pk]
        with keeping_bookings(site):
            write()
    return drafts
