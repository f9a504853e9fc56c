"""A site's days as everybody finds them, supply and bookings, kept in this process while nothing on them changes.

A copy is known by two numbers that the database moves with every change, whoever makes it: the site's supply, the day's
sessions. Both come from a sequence, so that a number never stands for two things. Numbers are read before the rows: a
copy may be newer than its numbers say, and is then simply read once more, but never older.

Within a transaction nothing is kept: what it sees may never come to be.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from django.db import connection

from accounts.prepared import all_rows
from scheduler.facts import Day, Seat, Taken
from scheduler.supply import supply_on
from scheduler.walltime import SLOT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import date
    from uuid import UUID

    from accounts.models import Site

# Days of all sites together. One with two hundred sessions takes about 100 KB.
AT_MOST = 1000

NUMBERS = """
SELECT NULL, version FROM scheduler_supplyversion WHERE site_id = %s
UNION ALL SELECT date, booked FROM infusion_sessions_siteday WHERE site_id = %s AND date BETWEEN %s AND %s
"""

# What sessions take of each day, in slots from its first instant, rounded outward. Slots are counted here since making
# an instant of Python of each column costs more than all the rest.
TAKEN = """
SELECT day.place, s.id::text, {start}, {infuse_start}, {end}, {turnover_end}, {hands_on_until}, s.acuity,
    s.chair_id::text, s.nurse_id::text, s.prescriber_id::text, s.status NOT IN ('booked', 'confirmed'),
    s.wished_provider_id::text, s.chair_kinds, s.chair_features, s.wished_chair_kind
FROM unnest(%s::timestamptz[], %s::timestamptz[]) WITH ORDINALITY AS day (since, until, place)
JOIN infusion_sessions_session s ON s.site_id = %s AND s.start >= day.since - interval '1 day' AND s.start < day.until
WHERE s.turnover_end > day.since AND s.status NOT IN ('cancelled', 'no_show')
ORDER BY day.place, s.id
""".format(
    **{name: f"floor(date_part('epoch', s.{name} - day.since) / 300)::int" for name in ("start", "infuse_start")},
    **{
        name: f"ceil(date_part('epoch', s.\"{name}\" - day.since) / 300)::int"
        for name in ("end", "turnover_end", "hands_on_until")
    },
)
FIELDS = (
    "id",
    "start",
    "infuse_start",
    "end",
    "turnover_end",
    "hands_on_until",
    "acuity",
    "chair",
    "nurse",
    "prescriber",
    "pinned",
    "provider",
)


@dataclass(frozen=True)
class Kept:
    """One day: its supply by itself, and with the sessions on it, each with its number."""

    supply_number: int
    supply: Day
    booked_number: int
    day: Day


_kept: OrderedDict[tuple[UUID, str, date], Kept] = OrderedDict()
_lock = Lock()


def days_of(site: Site, dates: Collection[date]) -> tuple[Day, ...]:
    """The site's days at `dates` in order, with their live sessions; begun ones are pinned. No patient is looked at."""
    wanted = sorted(set(dates))
    if not wanted:
        return ()
    if connection.in_atomic_block:
        return _filled(site, supply_on(site, wanted))
    supply_number, booked = _numbers(site, wanted)
    known = _known(site, wanted)
    supplies = {on: kept.supply for on, kept in known.items() if kept.supply_number == supply_number}
    days = {on: known[on].day for on in supplies if known[on].booked_number == booked.get(on, 0)}
    supplies |= {day.date: day for day in supply_on(site, [on for on in wanted if on not in supplies])}
    stale = [supplies[on] for on in wanted if on in supplies and on not in days]
    fresh = {day.date: day for day in _filled(site, stale)}
    _keep(site, {on: Kept(supply_number, supplies[on], booked.get(on, 0), day) for on, day in fresh.items()})
    days |= fresh
    return tuple(days[on] for on in wanted)


def forget() -> None:
    """Keep nothing of what was."""
    with _lock:
        _kept.clear()


def _numbers(site: Site, dates: Sequence[date]) -> tuple[int, dict[date, int]]:
    """The number of the site's supply, and of the sessions of each day that ever had one."""
    rows = dict(all_rows(NUMBERS, [site.pk, site.pk, dates[0], dates[-1]]))
    return rows.pop(None, 0), rows


def _known(site: Site, dates: Iterable[date]) -> dict[date, Kept]:
    with _lock:
        found = {on: _kept[site.pk, site.time_zone, on] for on in dates if (site.pk, site.time_zone, on) in _kept}
        for on in found:
            _kept.move_to_end((site.pk, site.time_zone, on))
    return found


def _keep(site: Site, days: dict[date, Kept]) -> None:
    """Remember these days; those not asked for longest are forgotten."""
    with _lock:
        for on, kept in days.items():
            _kept[site.pk, site.time_zone, on] = kept
            _kept.move_to_end((site.pk, site.time_zone, on))
        while len(_kept) > AT_MOST:
            _kept.popitem(last=False)


def _filled(site: Site, days: Sequence[Day]) -> tuple[Day, ...]:
    """The days with their live sessions."""
    if not days:
        return ()
    taken: list[list[Taken]] = [[] for _ in days]
    sinces = [day.first_instant for day in days]
    untils = [day.first_instant + day.slots * SLOT for day in days]
    with connection.cursor() as cursor:
        cursor.execute(TAKEN, [sinces, untils, site.pk])
        for place, *values in cursor.fetchall():
            taken[place - 1].append(_taken(values))
    return tuple(replace(day, taken=tuple(items)) for day, items in zip(days, taken, strict=True))


def _taken(values: Sequence[Any]) -> Taken:
    """A `Taken` of `FIELDS` and a seat. Setting each by itself, as a frozen dataclass does, is most of the time."""
    made = object.__new__(Taken)
    made.__dict__.update(zip(FIELDS, values, strict=False), seat=seat_of(*map(tuple, values[-3:-1]), values[-1]))
    return made


@lru_cache(maxsize=1024)
def seat_of(kinds: tuple[str, ...], features: tuple[str, ...], wished: str | None) -> Seat:
    """What a session asks of a chair; one value for all that ask the same."""
    return Seat(frozenset(kinds), frozenset(features), wished or None)
