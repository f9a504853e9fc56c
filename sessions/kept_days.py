"""A site's days as everybody finds them, supply and bookings, kept in this process while nothing on them changes.

A copy is known by two numbers that the database moves with every change, whoever makes it: the site's supply, the day's
sessions. Both come from a sequence, so that a number never stands for two things. Numbers are read before the rows: a
copy may be newer than its numbers say, and is then simply read once more, but never older.

Within a transaction no sessions are kept or taken from what is kept: the number of a day moves only at commit. That of
the supply moves with the write itself, so it is true there as well, and one that is rolled back is never seen again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.db import connection

from accounts.prepared import all_rows
from scheduler.facts import Day, Seat, Taken
from scheduler.supply import Supply, days_from, load_supply
from scheduler.walltime import SLOT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    from accounts.models import Site

# Days of all sites together. One with two hundred sessions takes about 100 KB.
AT_MOST = 1000
AROUND = timedelta(days=100)

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


Key = tuple["UUID", str, "date"]  # site, its time zone, day


Value = TypeVar("Value")


class Shelf(Generic[Value]):
    """What is known of a day or of a site, each with its number; those not asked for longest are forgotten."""

    def __init__(self) -> None:
        self.days: OrderedDict[Key, tuple[Any, Value]] = OrderedDict()
        self.lock = Lock()

    def find(self, numbers: Mapping[Key, Any]) -> dict[Key, Value]:
        """Those whose number is still the one given."""
        with self.lock:
            found = {key: self.days[key][1] for key, number in numbers.items() if self._holds(key, number)}
            for key in found:
                self.days.move_to_end(key)
        return found

    def _holds(self, key: Key, number: Any) -> bool:
        return key in self.days and self.days[key][0] == number

    def put(self, numbers: Mapping[Key, Any], days: Mapping[Key, Value]) -> None:
        """Remember these under their numbers."""
        with self.lock:
            for key, day in days.items():
                self.days[key] = (numbers[key], day)
                self.days.move_to_end(key)
            while len(self.days) > AT_MOST:
                self.days.popitem(last=False)


# A site's rows by its first key, then its days without and with their sessions.
rows: Shelf[Supply] = Shelf()
supplies: Shelf[Day] = Shelf()
filled: Shelf[Day] = Shelf()


def days_of(site: Site, dates: Collection[date]) -> tuple[Day, ...]:
    """The site's days at `dates` in order, with their live sessions; begun ones are pinned. No patient is looked at."""
    keys: list[Key] = [(site.pk, site.time_zone, on) for on in sorted(set(dates))]
    if not keys:
        return ()
    supply, booked = _numbers(site, keys[0][2], keys[-1][2])
    both = {key: (supply, booked.get(key[2], 0)) for key in keys}
    found = {} if connection.in_atomic_block else filled.find(both)
    stale = [key for key in keys if key not in found]
    fresh = dict(zip(stale, _filled(site, _supply(site, stale, supply), [both[key] for key in stale]), strict=True))
    if not connection.in_atomic_block:
        filled.put(both, fresh)
    found |= fresh
    return tuple(found[key] for key in keys)


def _supply(site: Site, keys: Sequence[Key], number: int) -> list[Day]:
    """The supply of these days, without sessions."""
    numbers = dict.fromkeys(keys, number)
    found = supplies.find(numbers)
    missing = [key[2] for key in keys if key not in found]
    if missing:
        days = days_from(_rows(site, missing[0], missing[-1], number), missing)
        fresh: dict[Key, Day] = {(site.pk, site.time_zone, day.date): day for day in days}
        supplies.put(numbers, fresh)
        found |= fresh
    return [found[key] for key in keys]


def _rows(site: Site, first: date, last: date, number: int) -> Supply:
    """The site's supply of these days at least, and of those around them: whoever asks for one asks for more."""
    key: Key = (site.pk, site.time_zone, date.min)
    known = rows.find({key: number}).get(key)
    if known is None or first < known.first or last > known.last:
        known = load_supply(site, first - AROUND, last + AROUND)
        rows.put({key: number}, {key: known})
    return known


def forget() -> None:
    """Keep nothing of what was."""
    for shelf in (rows, supplies, filled):
        with shelf.lock:
            shelf.days.clear()


def _numbers(site: Site, first: date, last: date) -> tuple[int, dict[date, int]]:
    """The number of the site's supply, and of the sessions of each day that ever had one."""
    rows = dict(all_rows(NUMBERS, [site.pk, site.pk, first, last]))
    return rows.pop(None, 0), rows


def _filled(site: Site, days: Sequence[Day], numbers: Sequence[tuple[int, int]]) -> tuple[Day, ...]:
    """The days with their live sessions, and the numbers that they had before anything was read."""
    if not days:
        return ()
    taken: list[list[Taken]] = [[] for _ in days]
    sinces = [day.first_instant for day in days]
    untils = [day.first_instant + day.slots * SLOT for day in days]
    for place, *values in all_rows(TAKEN, [sinces, untils, site.pk]):
        taken[place - 1].append(_taken(values))
    each = zip(days, taken, numbers, strict=True)
    return tuple(replace(day, taken=tuple(items), numbers=both) for day, items, both in each)


def _taken(values: Sequence[Any]) -> Taken:
    """A `Taken` of `FIELDS` and a seat. Setting each by itself, as a frozen dataclass does, is most of the time."""
    made = object.__new__(Taken)
    made.__dict__.update(zip(FIELDS, values, strict=False), seat=seat_of(*map(tuple, values[-3:-1]), values[-1]))
    return made


@lru_cache(maxsize=1024)
def seat_of(kinds: tuple[str, ...], features: tuple[str, ...], wished: str | None) -> Seat:
    """What a session asks of a chair; one value for all that ask the same."""
    return Seat(frozenset(kinds), frozenset(features), wished or None)
