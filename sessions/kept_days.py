"""A site's days as everybody finds them, supply and bookings, kept in this process while nothing on them changes.

A copy is known by two numbers that the database moves with every change, whoever makes it: the site's supply, the day's
sessions. Both come from a sequence, so that a number never stands for two things. Numbers are read before the rows: a
copy may be newer than its numbers say, and is then simply read once more, but never older.

Within a transaction no sessions are kept or taken from what is kept: the number of a day moves only at commit. That of
the supply moves with the write itself, so it is true there as well, and one that is rolled back is never seen again.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from operator import attrgetter
from struct import Struct
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.prepared import all_rows
from scheduler.facts import Day, Seat, Taken
from scheduler.models import Chair, Provider, ProviderRole
from scheduler.supply import Supply, days_from, load_supply
from scheduler.walltime import DAY, SLOT, first_instant, local_date

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from accounts.models import Site

# Days of all sites together. One with two hundred sessions takes about 100 KB.
AT_MOST = 1000
AROUND = timedelta(days=100)

NUMBERS = """
SELECT NULL, version FROM scheduler_supplyversion WHERE site_id = %s
UNION ALL SELECT date, booked FROM infusion_sessions_siteday WHERE site_id = %s AND date BETWEEN %s AND %s
"""

# What sessions take, by the day on which they begin and what they have in common: of each, ids and instants as bytes.
# So much is read for days of which few are looked at that taking rows apart would be most of the time.
TAKEN = """
SELECT width_bucket(s.start, %s::timestamptz[]), s.status NOT IN ('booked', 'confirmed') OR s.placed_by_hand, s.acuity,
    s.wished_provider_id::text, s.chair_kinds, s.chair_features, s.wished_chair_kind, max(s.turnover_end),
    string_agg(uuid_send(s.id) || uuid_send(s.chair_id) || uuid_send(s.nurse_id) || uuid_send(s.prescriber_id)
        || timestamptz_send(s.start) || timestamptz_send(s.infuse_start) || timestamptz_send(s."end")
        || timestamptz_send(s.turnover_end) || timestamptz_send(s.hands_on_until), '')
FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS run (since, until)
JOIN infusion_sessions_session s ON s.site_id = %s AND s.start >= run.since AND s.start < run.until
WHERE s.start >= %s AND s.start < %s AND s.status NOT IN ('cancelled', 'no_show')
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
RECORD = Struct(">16s16s16s16sqqqqq")
# PostgreSQL counts microseconds from here.
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
SLOT_MICROSECONDS = SLOT // timedelta(microseconds=1)


class Alike(NamedTuple):
    """Sessions that begin on one day and are alike in all but who, where and when; `reach` is when the last one ends,
    with its turnover; `packed` holds a RECORD of each."""

    pinned: bool
    acuity: int
    provider: str | None
    seat: Seat
    reach: datetime
    packed: bytes


Key = tuple[int, str, "date"]  # site, its time zone, day


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


class Room(NamedTuple):
    """The chairs and nurses of a site, those that are no longer used included; to be read only, as many share them."""

    chairs: tuple[Chair, ...]
    nurses: tuple[Provider, ...]


# A site's rows and its room by its first key, then its days without and with their sessions.
rows: Shelf[Supply] = Shelf()
rooms: Shelf[Room] = Shelf()
supplies: Shelf[Day] = Shelf()
filled: Shelf[Day] = Shelf()


def days_of(
    site: Site, dates: Collection[date], numbers: tuple[int, Mapping[date, int]] | None = None
) -> tuple[Day, ...]:
    """The site's days at `dates` in order, with their live sessions. No patient is looked at.

    Begun ones are pinned, and those placed by hand. `numbers` are those of the supply and of the days, where somebody
    has just read them.
    """
    keys: list[Key] = [(site.pk.int, site.time_zone, on) for on in sorted(set(dates))]
    if not keys:
        return ()
    supply, booked = numbers or _numbers(site, keys[0][2], keys[-1][2])
    both = {key: (supply, booked.get(key[2], 0)) for key in keys}
    found = {} if connection.in_atomic_block else filled.find(both)
    stale = [key for key in keys if key not in found]
    fresh = dict(zip(stale, _filled(site, _supply(site, stale, supply), [both[key] for key in stale]), strict=True))
    if not connection.in_atomic_block:
        filled.put(both, fresh)
    found |= fresh
    return tuple(found[key] for key in keys)


def supply_of(site: Site, on: date, number: int) -> Day:
    """The supply of one day, without sessions; `number` is that of the site's supply, just read."""
    return _supply(site, [(site.pk.int, site.time_zone, on)], number)[0]


def room_of(site: Site, number: int) -> Room:
    """The site's chairs and nurses by name; `number` as in `supply_of`. Two queries where it has moved."""
    key: Key = (site.pk.int, site.time_zone, date.min)
    known = rooms.find({key: number}).get(key)
    if known is None:
        chairs = Chair.objects.filter(site=site).order_by("name", "id")
        nurses = Provider.objects.filter(site=site, role=ProviderRole.NURSE).order_by("name", "id")
        known = Room(tuple(chairs), tuple(nurses))
        rooms.put({key: number}, {key: known})
    return known


def _supply(site: Site, keys: Sequence[Key], number: int) -> list[Day]:
    """The supply of these days, without sessions."""
    numbers = dict.fromkeys(keys, number)
    found = supplies.find(numbers)
    missing = [key[2] for key in keys if key not in found]
    if missing:
        days = days_from(_rows(site, missing[0], missing[-1], number), missing)
        fresh: dict[Key, Day] = {(site.pk.int, site.time_zone, day.date): day for day in days}
        supplies.put(numbers, fresh)
        found |= fresh
    return [found[key] for key in keys]


def _rows(site: Site, first: date, last: date, number: int) -> Supply:
    """The site's supply of these days at least, and of those around them: whoever asks for one asks for more."""
    key: Key = (site.pk.int, site.time_zone, date.min)
    known = rows.find({key: number}).get(key)
    if known is None or first < known.first or last > known.last:
        known = load_supply(site, first - AROUND, last + AROUND)
        rows.put({key: number}, {key: known})
    return known


def forget() -> None:
    """Keep nothing of what was."""
    for shelf in (rows, rooms, supplies, filled):
        with shelf.lock:
            shelf.days.clear()


def _numbers(site: Site, first: date, last: date) -> tuple[int, dict[date, int]]:
    """The number of the site's supply, and of the sessions of each day that ever had one."""
    rows = dict(all_rows(NUMBERS, [site.pk, site.pk, first, last]))
    return rows.pop(None, 0), rows


def _filled(site: Site, days: Sequence[Day], numbers: Sequence[tuple[int, int]]) -> tuple[Day, ...]:
    """The days with their live sessions, and the numbers that they had before anything was read."""
    zone = ZoneInfo(site.time_zone)
    # What reaches over midnight began on the eve: the date of the instant before, since a zone may leave one out.
    eves = {day.date: local_date(day.first_instant - SLOT, zone) for day in days}
    begun = _begun(site, zone, {*eves, *eves.values()}) if days else {}
    filled = []
    for day, both in zip(days, numbers, strict=True):
        before = [some for some in begun.get(eves[day.date], ()) if some.reach > day.first_instant]
        there = [*before, *begun.get(day.date, ())]
        known = {name: getattr(day, name) for name in ("date", "first_instant", "slots", "wall", "patient_free")}
        rest, mentions = partial(_with_sessions, day, there), partial(_mentions, there)
        filled.append(Day.later(rest, mentions, **known, from_slot=0, numbers=both))
    return tuple(filled)


def _begun(site: Site, zone: ZoneInfo, dates: Collection[date]) -> dict[date, list[Alike]]:
    """The live sessions that begin on each of the dates. One query; it reads no other dates."""
    bounds: list[tuple[datetime, date]] = []
    sinces: list[datetime] = []
    untils: list[datetime] = []
    for on in sorted(dates):
        since, until = first_instant(on, zone), first_instant(on + DAY, zone)
        if untils and untils[-1] == since:
            untils[-1] = until
        else:
            bounds += [(untils[-1], date.min)] if untils else []
            sinces.append(since)
            untils.append(until)
        bounds.append((since, on))
    begun: dict[date, list[Alike]] = defaultdict(list)
    # The ends of all runs stand there once more, so that nobody who plans the statement reads the whole site.
    values = [[bound for bound, _ in bounds], sinces, untils, site.pk, sinces[0], untils[-1]]
    for place, pinned, acuity, provider, kinds, features, wished, reach, packed in all_rows(TAKEN, values, binary=True):
        seat = seat_of(tuple(kinds), tuple(features), wished)
        begun[bounds[place - 1][1]].append(Alike(pinned, acuity, provider, seat, reach, packed))
    return begun


def _mentions(there: Sequence[Alike], names: frozenset[str]) -> bool:
    """Whether the bytes hold the id of one of these; by chance they may where it is none."""
    return any(UUID(name).bytes in some.packed for name in names for some in there)


def _with_sessions(day: Day, there: Sequence[Alike]) -> dict[str, Any]:
    """What takes long of a day: its supply, and its sessions in order of their ids."""
    offered = {name: getattr(day, name) for name in ("open", "chairs", "nurses", "prescribers")}
    since = (day.first_instant - EPOCH) // timedelta(microseconds=1)
    taken = [item for some in there for item in _unpacked(some, since)]
    return offered | {"taken": tuple(sorted(taken, key=attrgetter("id")))}


def _unpacked(alike: Alike, since: int) -> Iterator[Taken]:
    """The sessions of a day that begins so many microseconds after EPOCH, in slots from there, rounded outward."""
    common = {"acuity": alike.acuity, "pinned": alike.pinned, "seat": alike.seat, "provider": alike.provider}
    for name, chair, nurse, prescriber, start, infuse_start, end, turnover_end, hands_on in RECORD.iter_unpack(
        alike.packed
    ):
        if turnover_end > since:
            # Setting each by itself, as a frozen dataclass does, is most of the time.
            made = object.__new__(Taken)
            made.__dict__.update(
                common,
                id=_text(name),
                start=(start - since) // SLOT_MICROSECONDS,
                infuse_start=(infuse_start - since) // SLOT_MICROSECONDS,
                end=-((since - end) // SLOT_MICROSECONDS),
                turnover_end=-((since - turnover_end) // SLOT_MICROSECONDS),
                hands_on_until=-((since - hands_on) // SLOT_MICROSECONDS),
                chair=_known(chair),
                nurse=_known(nurse),
                prescriber=_known(prescriber),
            )
            yield made


def _text(packed: bytes) -> str:
    """An id as text, in a quarter of the time that UUID takes."""
    word = packed.hex()
    return f"{word[:8]}-{word[8:12]}-{word[12:16]}-{word[16:20]}-{word[20:]}"


# Of chairs and people there are few.
_known = lru_cache(maxsize=4096)(_text)


@lru_cache(maxsize=1024)
def seat_of(kinds: tuple[str, ...], features: tuple[str, ...], wished: str | None) -> Seat:
    """What a session asks of a chair; one value for all that ask the same."""
    return Seat(frozenset(kinds), frozenset(features), wished or None)
