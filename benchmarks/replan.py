"""Drafts for days of 20 chairs and 60 visits that lose a nurse, a chair or everything; and everybody rebooked instead.

A draft is timed as a person waits for it: who is affected, the days as facts, the repair, the rows that are kept. To
rebook takes the same visits off the same days and books each in turn by the best plan for it; nothing is written.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from django.db import connection

from accounts import clock
from accounts.models import Role
from benchmarks.clinic import make_patients
from benchmarks.common import percentile, say, tell
from scheduler.day import Need, Placement, place
from scheduler.planner import Wishes, plan
from scheduler.treatment import parse_phases, visits
from scheduler.walltime import DAY, SLOT, local_date
from sessions import disruptions
from sessions.drafting import Missing
from sessions.facts import site_days, zone_of
from sessions.models import Outcome, Series, Session
from tests import factories
from tests.scheduler.clinic import MONDAY
from tests.scheduler.disturbed import TOLERANCES, filled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from accounts.models import Site, User
    from benchmarks.common import Servers
    from scheduler.day import Day
    from scheduler.models import Protocol
    from scheduler.treatment import Visit

GAP, WEEKDAYS, HIT = 14, 8, range(2, 6)
OPENS, SHIFTS = datetime(2000, 1, 1, 8, tzinfo=UTC), ((0, 100), (20, 120), (0, 120))
NAMES = {"provider_absence": "one nurse out", "chair_closure": "one chair down", "site_closure": "one closed day"}


@dataclass
class Ground:
    """A clinic of eight full weekdays. By session id its treatment, which is what planning it anew asks for."""

    site: Site
    user: User
    people: dict[str, Any]
    dates: list[date]
    visits: dict[str, Visit]


@dataclass
class Told:
    """What came of one disturbance: milliseconds, people without a place, people moved and minutes moved."""

    milliseconds: float
    nowhere: int
    people: int
    minutes: int


def main(servers: Servers, quick: bool) -> None:
    """Fill clinics, disturb each day in each way, tell."""
    ours: dict[str, list[Told]] = {kind: [] for kind in NAMES}
    anew: dict[str, list[Told]] = {kind: [] for kind in NAMES}
    for seed in range(1 if quick else 5):
        ground = fill(seed, 20 if quick else 60)
        for missing in disturbances(ground, Random(seed), 1 if quick else len(HIT)):
            ours[missing.kind].append(draft(ground, missing))
            anew[missing.kind].append(rebook(ground, missing))
    for kind, name in NAMES.items():
        times, limits = ([one.milliseconds for one in told[kind]] for told in (ours, anew))
        tell(name, "ms, the limit is rebooking everybody", limits, times, "none; p95 at most 2,000 ms")
        say(f"  p50 {percentile(times, 0.5):,.0f} ms, p95 {percentile(times, 0.95):,.0f} ms, {len(times)} drafts")
        say(f"  draft     {_summed(ours[kind])}")
        say(f"  rebooking {_summed(anew[kind])}")


def _summed(told: list[Told]) -> str:
    nowhere, people = sum(one.nowhere for one in told), sum(one.people for one in told)
    return f"{people} people moved, {nowhere} without a place, {sum(one.minutes for one in told):,} minutes"


def disturbances(ground: Ground, luck: Random, days: int) -> Iterator[Missing]:
    """For some of the days: a nurse, a chair, the whole site from morning to evening."""
    for on in [ground.dates[number] for number in HIT][:days]:
        start = datetime(on.year, on.month, on.day, 7, tzinfo=UTC)
        during = (start, start + timedelta(hours=12))
        who = [ground.people[name].pk for name in (f"nurse-{luck.randrange(8)}", f"chair-{luck.randrange(10):02}")]
        yield Missing(ground.site, "provider_absence", who[0], None, *during)
        yield Missing(ground.site, "chair_closure", None, who[1], *during)
        yield Missing(ground.site, "site_closure", None, None, *during)


def draft(ground: Ground, missing: Missing) -> Told:
    """Draft it as the service does."""
    people = {each.pk: each for each in ground.people.values()}
    who = {"provider": people.get(missing.provider), "chair": people.get(missing.chair)}
    begin = time.perf_counter()
    found = disruptions.draft(
        missing.kind, ground.site, (missing.start, missing.end), "ill", ground.user, clock.now(), **who
    )
    took = (time.perf_counter() - begin) * 1000
    items = list(found.items.all())
    nowhere = [item for item in items if item.outcome == Outcome.UNRESOLVED]
    moved = [_apart(item.before, item.after) for item in items if item.after and item.outcome == Outcome.MOVED]
    return Told(took, len(nowhere), len(moved), sum(moved))


def _apart(one: dict[str, Any], other: dict[str, Any]) -> int:
    """Minutes between two starts."""
    start, then = (datetime.fromisoformat(each["start"]) for each in (one, other))
    return int(abs((then - start).total_seconds())) // 60


def rebook(ground: Ground, missing: Missing) -> Told:
    """Take the same visits off and book each by the best plan for it, in order of their start."""
    begin, now = time.perf_counter(), clock.now()
    sessions = missing.affected()
    own, told = [session.pk for session in sessions], Told(0, 0, 0, 0)
    days = {day.date: missing.without(day) for day in site_days(ground.site, ground.dates, None, None, now, own)}
    for session in sessions:
        on, visit = local_date(session.start, zone_of(ground.site)), ground.visits[str(session.pk)]
        gap = visit.gap
        assert gap is not None
        first = on - GAP * DAY
        wishes = Wishes(first + gap.min_days * DAY, first + gap.max_days * DAY)
        open_ = [day for day in days.values() if wishes.earliest <= day.date <= wishes.latest]
        found = plan([visit], open_, wishes, before=[first]) if open_ else ()
        if not found:
            told.nowhere += 1
            continue
        chosen = found[0].sessions[0]
        days[chosen.date] = _booked(days[chosen.date], Need.of(visit), chosen.start, str(session.pk))
        away = int(abs((chosen.instant - session.start).total_seconds())) // 60
        told.people, told.minutes = told.people + (away > 0), told.minutes + away
    told.milliseconds = (time.perf_counter() - begin) * 1000
    return told


def _booked(day: Day, need: Need, start: int, name: str) -> Day:
    """The day with one more session on it."""
    found = place(day, need, start, name=name)
    if not isinstance(found, Placement):
        raise SystemExit(f"A start was chosen that cannot be taken: {found.detail}")
    who: dict[str, Any] = {"chair": found.chair, "nurse": found.nurse, "prescriber": found.prescriber}
    laid = [replace(one, **found.moved[one.id]._asdict()) if one.id in found.moved else one for one in day.taken]
    return replace(day, taken=(*laid, replace(need.at(start, name), **who)), numbers=None)


def fill(seed: int, count: int) -> Ground:
    """A clinic in UTC with eight full weekdays, some weeks ahead; each visit is the second of two, two weeks apart."""
    luck, organization = Random(seed), factories.make_organization()
    doctor = factories.make_user(organization, Role.PRESCRIBER)
    site = factories.make_site(organization, doctor, time_zone="UTC")
    factories.make_opening_hours(site, opens=OPENS.time(), closes=(OPENS + 120 * SLOT).time())
    user = factories.make_user(organization, Role.MANAGER, sites=(site,))
    today = local_date(clock.now(), zone_of(site))
    monday = today + (35 - today.weekday()) * DAY
    dates = [on for on in (monday + n * DAY for n in range(WEEKDAYS + 4)) if on.weekday() < 5][:WEEKDAYS]
    days = [filled(luck, MONDAY + number * DAY, sessions=count) for number in range(WEEKDAYS)]
    people = _people(site, days[0])
    protocols = [factories.make_protocol(organization, doctor, _phase(early, late)) for early, late in TOLERANCES]
    ground = Ground(site, user, people, dates, {})
    with connection.cursor() as cursor:
        # Triggers would take minutes: what the generator lays is sound, and the first visits are only dates.
        cursor.execute("SET session_replication_role = replica")
        for day, on in zip(days, dates, strict=True):
            _write(ground, luck, day, on, protocols)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("ANALYZE")
    return ground


def _people(site: Site, day: Day) -> dict[str, Any]:
    """Records for the chairs and the people of the generator, by its names."""
    found: dict[str, Any] = {each.id: factories.make_chair(site, kind=each.kind) for each in day.chairs}
    for number, nurse in enumerate(day.nurses):
        made = factories.make_provider(site, capacity=nurse.capacity, max_acuity=nurse.max_acuity, weekdays=range(0))
        begin, end = (OPENS + slot * SLOT for slot in SHIFTS[number % 3])
        factories.make_availability(made, start=begin.time(), end=end.time())
        found[nurse.id] = made
    for each in day.prescribers:
        found[each.id] = factories.make_provider(site, each.role, capacity=each.capacity)
    return found


def _phase(early: int, late: int, **more: Any) -> dict[str, Any]:
    spacing = {"anchor": "previous", "min_days": GAP - early, "target_days": GAP, "max_days": GAP + late}
    return factories.phase(sessions=2, spacing=spacing, **more)


def _write(ground: Ground, luck: Random, day: Day, on: date, protocols: list[Protocol]) -> None:
    """The day's visits as rows, and the first ones of their series two weeks before."""
    patients = make_patients(ground.site, len(day.taken))
    which = [luck.randrange(len(TOLERANCES)) for _ in day.taken]
    series = Series.objects.bulk_create(
        Series(patient=patient, protocol=protocols[kind], site=ground.site)
        for patient, kind in zip(patients, which, strict=True)
    )
    rows = []
    for row, item, kind in zip(series, day.taken, which, strict=True):
        start = datetime(on.year, on.month, on.day, 8, tzinfo=UTC) + item.start * SLOT
        minutes = {
            "prepare": 5 * (item.infuse_start - item.start),
            "infuse": 5 * (item.end - item.infuse_start - 1),
            "recover": 5,
            "turnover": 5 * (item.turnover_end - item.end),
        }
        people = {name: ground.people[getattr(item, name)] for name in ("chair", "nurse", "prescriber")}
        kinds = sorted(item.seat.kinds)
        for sequence, at in ((1, start - GAP * DAY), (2, start)):
            made = Session(
                series=row, patient=row.patient, site=ground.site, phase="induction", ordinal=sequence,
                sequence=sequence, status="booked", acuity=item.acuity, chair_kinds=kinds, **people,
                **factories.blocks(at, **minutes),
            )  # fmt: skip
            rows.append(made)
        treated = _phase(*TOLERANCES[kind], minutes=minutes, acuity=item.acuity, chair={"kinds": kinds, "features": []})
        ground.visits[str(made.pk)] = visits(parse_phases([treated]))[1]
    Session.objects.bulk_create(rows)
