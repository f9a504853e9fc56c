"""What a site has to offer, day by day: when it is open, which chairs can be used, who is on duty.

Sessions are not looked at here: `Day.taken` is empty and `Day.patient_free` full, for those who know of bookings.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from accounts.prepared import all_rows
from scheduler import walltime
from scheduler.day import ChairFacts, Day, StaffFacts
from scheduler.models import OpeningHours, ProviderRole, SiteClosure
from scheduler.suppose import Opening

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from uuid import UUID

    from accounts.models import Site

Spans = list[tuple[datetime, datetime]]


def supply_days(site: Site, first: date, last: date) -> tuple[Day, ...]:
    """The site's days from `first` to `last`, both included, in order; () where `last` is before `first`."""
    return supply_on(site, [first + n * walltime.DAY for n in range((last - first).days + 1)])


def supply_on(site: Site, dates: Collection[date]) -> tuple[Day, ...]:
    """The site's days at `dates` (dates of the site's calendar), in order. Seven queries, however much there is."""
    return days_from(load_supply(site, min(dates), max(dates)), dates) if dates else ()


def load_supply(site: Site, first: date, last: date) -> Supply:
    """What bears on the site's days from `first` to `last`, both included. Seven queries, however much there is."""
    zone = ZoneInfo(site.time_zone)
    window = (walltime.first_instant(first, zone), walltime.first_instant(last + walltime.DAY, zone))
    return _load(site.pk, zone, first, last, window)


def days_from(supply: Supply, dates: Collection[date]) -> tuple[Day, ...]:
    """The days at `dates`, all of them within `supply`, in order.

    Supply is rounded inward to slots, what is taken from it outward. A closure of the site closes it and leaves duty
    as it is. A weekly rule counts for the day on which its shift begins; what passes midnight reaches into the next.
    """
    return tuple(_day(supply, day, supply.zone) for day in sorted(set(dates)))


def closed_days(site: Site, dates: Collection[date]) -> dict[date, Opening]:
    """The dates that closures of the site touch, with what its hours alone would be. Two queries."""
    if not dates:
        return {}
    zone = ZoneInfo(site.time_zone)
    window = (walltime.first_instant(min(dates), zone), walltime.first_instant(max(dates) + walltime.DAY, zone))
    closures = [
        (row.during.lower, row.during.upper) for row in SiteClosure.objects.filter(site=site, during__overlap=window)
    ]
    hours = _by((row.weekday, row) for row in OpeningHours.objects.filter(site=site)) if closures else {}
    found = {}
    for day in dates if closures else ():
        first, slots = walltime.first_instant(day, zone), walltime.slots_in(day, zone)
        closed = _union(closures, first, slots, inward=False)
        if closed:
            shifts = [walltime.shift(day, row.opens, row.closes, zone) for row in hours.get(day.weekday(), ())]
            found[day] = Opening(_union(shifts, first, slots, inward=True), closed)
    return found


class Rule(NamedTuple):
    """A weekly shift in wall time and the dates on which it is in effect."""

    starts: time
    ends: time
    effective_from: date
    effective_until: date | None


@dataclass(frozen=True)
class Supply:
    """A site's rows of a window of days, by what they belong to.

    Chairs and people stand here with no slot free or on duty.
    """

    zone: ZoneInfo
    first: date
    last: date
    hours: dict[int, list[tuple[time, time]]]
    closures: Spans
    chairs: list[ChairFacts]
    chair_closures: dict[str, Spans]
    staff: list[StaffFacts]
    rules: dict[tuple[str, int], list[Rule]]
    time_off: dict[str, Spans]
    never_closed: dict[tuple[str, int], ChairFacts] = field(default_factory=dict)


# One question a table, and rows as they come: models would take longer than all that is made of them.
HOURS = "SELECT weekday, opens, closes FROM scheduler_openinghours WHERE site_id = %s"
CLOSURES = "SELECT lower(during), upper(during) FROM scheduler_siteclosure WHERE site_id = %s AND during && {window}"
CHAIRS = "SELECT id::text, kind, features FROM scheduler_chair WHERE site_id = %s AND is_active ORDER BY id"
CHAIR_CLOSURES = """
SELECT x.chair_id::text, lower(x.during), upper(x.during) FROM scheduler_chairclosure x
JOIN scheduler_chair c ON c.id = x.chair_id WHERE c.site_id = %s AND x.during && {window}
"""
STAFF = """
SELECT id::text, role, capacity, max_acuity FROM scheduler_provider WHERE site_id = %s AND is_active ORDER BY id
"""
RULES = """
SELECT r.provider_id::text, r.weekday, r.start_time, r.end_time, r.effective_from, r.effective_until
FROM scheduler_availabilityrule r JOIN scheduler_provider p ON p.id = r.provider_id
WHERE p.site_id = %s AND p.is_active AND r.effective_from <= %s
  AND (r.effective_until IS NULL OR r.effective_until >= %s)
"""
TIME_OFF = """
SELECT t.provider_id::text, lower(t.during), upper(t.during) FROM scheduler_timeoff t
JOIN scheduler_provider p ON p.id = t.provider_id WHERE p.site_id = %s AND t.during && {window}
"""
CLOSURES, CHAIR_CLOSURES, TIME_OFF = (
    text.format(window="tstzrange(%s, %s)") for text in (CLOSURES, CHAIR_CLOSURES, TIME_OFF)
)


def _load(site: UUID, zone: ZoneInfo, first: date, last: date, window: tuple[datetime, datetime]) -> Supply:
    touched = [site, *window]
    return Supply(
        zone=zone,
        first=first,
        last=last,
        hours=_by((weekday, (opens, closes)) for weekday, opens, closes in all_rows(HOURS, [site])),
        closures=[(start, end) for start, end in all_rows(CLOSURES, touched)],
        chairs=[ChairFacts(name, kind, frozenset(has), 0) for name, kind, has in all_rows(CHAIRS, [site])],
        chair_closures=_by((chair, (start, end)) for chair, start, end in all_rows(CHAIR_CLOSURES, touched)),
        staff=[StaffFacts(name, role, 0, most, points) for name, role, most, points in all_rows(STAFF, [site])],
        rules=_by(
            ((who, weekday), Rule(*rule)) for who, weekday, *rule in all_rows(RULES, [site, last, first - walltime.DAY])
        ),
        time_off=_by((who, (start, end)) for who, start, end in all_rows(TIME_OFF, touched)),
    )


def _by(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    """Values by key, in the order given."""
    found: dict[Any, list[Any]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return dict(found)


def _day(supply: Supply, day: date, zone: ZoneInfo) -> Day:
    first, slots = walltime.first_instant(day, zone), walltime.slots_in(day, zone)
    return Day.later(
        partial(_offered, supply, day, first, slots),
        date=day,
        first_instant=first,
        slots=slots,
        wall=walltime.wall_minutes(day, zone),
        taken=(),
        patient_free=(1 << slots) - 1,
        from_slot=0,
        numbers=None,
    )


def _offered(supply: Supply, day: date, first: datetime, slots: int) -> dict[str, Any]:
    """What takes long of a day: opening hours, chairs, who is on duty."""
    hours = [walltime.shift(day, *span, supply.zone) for span in supply.hours.get(day.weekday(), ())]
    staff = [_on_duty(supply, person, day, supply.zone, first, slots) for person in supply.staff]
    return {
        "open": _union(hours, first, slots, inward=True) & ~_union(supply.closures, first, slots, inward=False),
        "chairs": tuple(_free(supply, chair, first, slots) for chair in supply.chairs),
        "nurses": tuple(person for person in staff if person.role == ProviderRole.NURSE),
        "prescribers": tuple(person for person in staff if person.role == ProviderRole.PRESCRIBER),
    }


def _free(supply: Supply, chair: ChairFacts, first: datetime, slots: int) -> ChairFacts:
    spans = supply.chair_closures.get(chair.id)
    if spans:
        return replace(chair, free=((1 << slots) - 1) & ~_union(spans, first, slots, inward=False))
    # Nothing of most chairs' days differs, so they are one value.
    known = supply.never_closed.get((chair.id, slots))
    if known is None:
        known = supply.never_closed[chair.id, slots] = replace(chair, free=(1 << slots) - 1)
    return known


def _on_duty(supply: Supply, person: StaffFacts, day: date, zone: ZoneInfo, first: datetime, slots: int) -> StaffFacts:
    eve = day - walltime.DAY
    today = _shifts(supply.rules.get((person.id, day.weekday()), ()), day)
    before = _shifts(supply.rules.get((person.id, eve.weekday()), ()), eve)
    if walltime.is_steady(day, zone) and walltime.is_steady(eve, zone):
        duty = _steady_duty(today, before)
    else:
        duty = _duty(today, before, day, zone)
    spans = supply.time_off.get(person.id, ())
    off = _union(spans, first, slots, inward=False) if spans else 0
    return StaffFacts(person.id, person.role, duty & ~off, person.capacity, person.max_acuity)


Shifts = tuple[tuple[time, time], ...]


def _shifts(rules: Iterable[Rule], day: date) -> Shifts:
    """The shifts, in wall time, that begin on that day."""
    return tuple((rule.starts, rule.ends) for rule in rules if in_effect(rule, day))


def _duty(today: Shifts, before: Shifts, day: date, zone: ZoneInfo) -> int:
    """The day's slots in shifts that begin on it, and in those of the eve that pass midnight."""
    shifts = [walltime.shift(day, start, end, zone) for start, end in today]
    shifts += [walltime.shift(day - walltime.DAY, start, end, zone) for start, end in before if end <= start]
    return _union(shifts, walltime.first_instant(day, zone), walltime.slots_in(day, zone), inward=True)


@lru_cache(maxsize=4096)
def _steady_duty(today: Shifts, before: Shifts) -> int:
    """The same for any day whose clocks, and those of its eve, do not change: one such day is like another."""
    return _duty(today, before, date(2001, 1, 2), ZoneInfo("UTC"))


def in_effect(rule: Rule, day: date) -> bool:
    """Whether the rule's dates take in `day`, the day on which a shift begins; the weekday is not looked at."""
    return rule.effective_from <= day and (rule.effective_until is None or day <= rule.effective_until)


def _union(spans: Collection[tuple[datetime, datetime]], first: datetime, slots: int, *, inward: bool) -> int:
    """The slots of all the spans together. Spans that meet are made one first, else the slot between might be lost."""
    found = 0
    for start, end in _merged(spans) if spans else ():
        found |= walltime.bits(first, slots, start, end, inward=inward)
    return found


def _merged(spans: Collection[tuple[datetime, datetime]]) -> Spans:
    """The same instants as spans that neither meet nor overlap, in order."""
    merged: Spans = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif start < end:
            merged.append((start, end))
    return merged
