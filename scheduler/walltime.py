"""Between a site's wall clock and instants. The only place that turns one into the other.

A day is counted in slots of five minutes of elapsed time from its first instant, so that a day with a clock change has
276 or 300 slots (282 and 294 where clocks move by half an hour) and no slot is skipped or doubled.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

SLOT = timedelta(minutes=5)
DAY = timedelta(days=1)


@lru_cache(maxsize=65536)
def instant(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which the clock of `zone` shows `wall` (naive) on `day`.

    A wall time that a forward change skips becomes the instant of the change; one that a backward change repeats is the
    first of the two. So a later wall time is never an earlier instant, and no span of wall time turns round.
    """
    local = datetime.combine(day, wall, tzinfo=zone)
    found = local.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return found
    return _change(local.replace(fold=1).astimezone(UTC), found, zone)


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant, to the second, in (before, after] at which the zone's offset from UTC changes."""
    old = before.astimezone(zone).utcoffset()
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return before + timedelta(seconds=high)


def first_instant(day: date, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which the day begins; where clocks go forward at midnight, that is not 00:00."""
    return instant(day, time.min, zone)


def slots_in(day: date, zone: ZoneInfo) -> int:
    """How many slots the day has: 288, fewer or more where clocks change, 0 for a date that the zone left out."""
    return (first_instant(day + DAY, zone) - first_instant(day, zone)) // SLOT


@lru_cache(maxsize=4096)
def is_steady(day: date, zone: ZoneInfo) -> bool:
    """Whether the day begins at midnight, has 24 hours and no change of clocks at either end."""
    return wall_minutes(day, zone) == _steady(0, DAY // SLOT)


@lru_cache(maxsize=4096)
def wall_minutes(day: date, zone: ZoneInfo) -> tuple[int, ...]:
    """The minute of the wall clock (0..1439) at which each slot of the day begins."""
    first, slots = first_instant(day, zone), slots_in(day, zone)
    start = first.astimezone(zone)
    if start.utcoffset() == (first + slots * SLOT).astimezone(zone).utcoffset():
        return _steady(start.hour * 60 + start.minute, slots)
    clocks = ((first + slot * SLOT).astimezone(zone) for slot in range(slots))
    return tuple(clock.hour * 60 + clock.minute for clock in clocks)


@lru_cache(maxsize=16)
def _steady(minute: int, slots: int) -> tuple[int, ...]:
    """`wall_minutes` of a day without a change of clocks; one tuple for all such days."""
    return tuple(range(minute, minute + 5 * slots, 5))


def bits(day_start: datetime, slots: int, start: datetime, end: datetime, *, inward: bool) -> int:
    """The slots of the instants [start, end) in a day of `slots` slots from `day_start`: bit i stands for slot i.

    Supply is rounded inward (only slots that lie in it whole), what is taken outward (each slot that it touches). What
    lies outside the day is cut off; an empty or reversed span gives 0.
    """
    if end <= start:
        return 0
    low = _ceiling(start - day_start) if inward else (start - day_start) // SLOT
    high = (end - day_start) // SLOT if inward else _ceiling(end - day_start)
    low, high = max(low, 0), min(high, slots)
    return (1 << high) - (1 << low) if low < high else 0


def _ceiling(span: timedelta) -> int:
    return -(-span // SLOT)


def shift(day: date, start: time, end: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The instants of a span of wall time that begins on `day`; an `end` at or before `start` is on the next day."""
    return instant(day, start, zone), instant(day if start < end else day + DAY, end, zone)


def local_date(moment: datetime, zone: ZoneInfo) -> date:
    """The calendar date that `zone` shows at the aware instant `moment`."""
    return moment.astimezone(zone).date()
