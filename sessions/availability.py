"""Who and which chairs are free when: supply less what is booked and held, as ranges of instants, without names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from scheduler.slots import mask
from scheduler.walltime import DAY, SLOT, bits, local_date
from sessions.facts import site_days

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from accounts.models import Site
    from scheduler.day import Day, StaffFacts, Taken

Ranges = list[tuple["datetime", "datetime"]]


@dataclass(frozen=True)
class Free:
    """The id of a chair or a provider, a provider's role, and when there is room: ranges in order that do not touch."""

    id: str
    role: str | None
    ranges: Ranges


def availability(site: Site, since: datetime, until: datetime, now: datetime) -> tuple[list[Free], list[Free]]:
    """Chairs and providers of the site, by id, each with its free time within [since, until).

    A chair is free while the site is open, the chair is not closed and nobody has it, turnover included. A provider is
    free while on duty, with fewer sessions than their capacity and, for a nurse, fewer points than their limit. Live
    holds count as booked. Ranges lie on slots of five minutes, rounded inward.
    """
    zone = ZoneInfo(site.time_zone)
    first, last = local_date(since, zone), local_date(until, zone)
    days = site_days(site, [first + n * DAY for n in range((last - first).days + 1)], None, None, now)
    if not days:
        return [], []

    chairs = [Free(chair.id, None, _ranges(days, _chair, chair.id, since, until)) for chair in days[0].chairs]
    staff = sorted([*days[0].nurses, *days[0].prescribers], key=lambda person: person.id)
    return chairs, [Free(one.id, one.role, _ranges(days, _provider, one.id, since, until)) for one in staff]


def _chair(day: Day, which: str) -> int:
    slots = day.open & next(chair.free for chair in day.chairs if chair.id == which)
    for item in day.taken:
        if item.chair == which:
            slots &= ~mask(item.start, item.turnover_end, day.slots)
    return slots


def _provider(day: Day, who: str) -> int:
    nurse = next((person for person in day.nurses if person.id == who), None)
    if nurse is not None:
        return _with_room(day, nurse, [(item.start, item.end, item) for item in day.taken if item.nurse == who])
    prescriber = next(person for person in day.prescribers if person.id == who)
    mine = [(item.infuse_start, item.end, item) for item in day.taken if item.prescriber == who]
    return _with_room(day, prescriber, mine)


def _with_room(day: Day, person: StaffFacts, taken: Iterable[tuple[int, int, Taken]]) -> int:
    """The slots on duty in which one more session would be within the person's limits."""
    counts, points = [0] * day.slots, [0] * day.slots
    for start, end, item in taken:
        for slot in range(max(start, 0), min(end, day.slots)):
            counts[slot] += 1
            points[slot] += item.acuity
    full = 0
    for slot in range(day.slots):
        limited = person.role == "nurse" and person.max_acuity is not None and points[slot] >= person.max_acuity
        if counts[slot] >= person.capacity or limited:
            full |= 1 << slot
    return person.on_duty & ~full


def _ranges(
    days: Sequence[Day], slots: Callable[[Day, str], int], which: str, since: datetime, until: datetime
) -> Ranges:
    """The instants within [since, until) of the slots of `which`; what goes on past midnight is one range."""
    found: Ranges = []
    for day in days:
        free = slots(day, which) & bits(day.first_instant, day.slots, since, until, inward=True)
        for first, last in _runs(free):
            start, end = day.first_instant + first * SLOT, day.first_instant + last * SLOT
            if found and found[-1][1] == start:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
    return found


def _runs(slots: int) -> Iterable[tuple[int, int]]:
    """The runs [first, last) of set bits, from the lowest."""
    while slots:
        first = (slots & -slots).bit_length() - 1
        length = (~(slots >> first) & ((slots >> first) + 1)).bit_length() - 1
        yield first, first + length
        slots &= ~(((1 << length) - 1) << first)
