"""Facts and `POST plans/`: from PostgreSQL to the planner's values, cold and warm, and what a client waits for.

The same site as in `planner.py`: 50 chairs, 24 nurses and 6 prescribers, 90 days. Facts stand beside the building of
80 bit sets from as many intervals and a question a table; a client's wait beside planner and empty view together.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import repeat
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import clock
from accounts.models import Role, Site, User
from benchmarks import planner as pure
from benchmarks.clinic import WEEK, make_patients
from benchmarks.common import load, percentile, request, say, spread, tell, web
from scheduler import treatment
from scheduler.models import Protocol, ProviderRole
from scheduler.planner import Wishes, plan
from scheduler.walltime import local_date
from sessions import kept_days
from sessions.facts import site_days
from sessions.models import Series
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psycopg

    from benchmarks.common import Servers
    from scheduler.facts import Day

PEOPLE = 3001
# Session n: its day, its chair, and the place in its day, 115 minutes each. Every third chair begins at the same
# time, so that a nurse starts one patient at a time.
FILL = """
INSERT INTO infusion_sessions_session (id, series_id, patient_id, site_id, phase, ordinal, sequence, status, start,
    hands_on_until, infuse_start, recover_start, "end", turnover_end, acuity, chair_id, nurse_id, prescriber_id,
    stop_reason, escort_name, gates, version)
SELECT uuidv7(), s.id, s.patient_id, s.site_id, 'induction', 1, 1 + %(from)s + n / %(people)s, 'booked', t,
    t + interval '15 min', t + interval '15 min', t + interval '75 min', t + interval '90 min',
    t + interval '105 min', 2, (%(chairs)s::uuid[])[n / %(days)s %% 50 + 1],
    (%(nurses)s::uuid[])[n / %(days)s %% 50 / 3 + 1], (%(prescribers)s::uuid[])[n / %(days)s %% 6 + 1], '', '', '{}', 1
FROM generate_series(0, %(sessions)s - 1) n CROSS JOIN LATERAL (
    SELECT (%(first)s::date + n %% %(days)s + time '08:00' + n / %(days)s / 50 * interval '115 min'
        + n / %(days)s %% 50 %% 3 * interval '15 min')
        AT TIME ZONE %(zone)s AS t) at
JOIN (SELECT row_number() OVER (ORDER BY id) - 1 AS place, * FROM infusion_sessions_series WHERE site_id = %(site)s) s
  ON s.place = n %% %(people)s
"""


@dataclass(frozen=True)
class Ground:
    """The site, its protocol and who asks."""

    site: Site
    protocol: Protocol
    desk: User
    token: str
    first: date

    @property
    def dates(self) -> list[date]:
        """The window's days."""
        return [self.first + timedelta(days=n) for n in range(pure.DAYS)]

    def facts(self) -> tuple[Day, ...]:
        """What the planner is given."""
        return site_days(self.site, self.dates, None, self.desk, clock.now())

    @property
    def body(self) -> bytes:
        """What a client asks."""
        asked = {"protocol": self.protocol.pk, "site": self.site.pk, "earliest_date": self.first, "limit": 1}
        return json.dumps(asked | {"latest_date": self.dates[-1]}, default=str).encode()


def main(servers: Servers, quick: bool) -> None:
    """Measure with nothing there, with 5,000 and with 20,000 sessions, then with as many outside the window."""
    rounds, sizes = (3, (0, 300)) if quick else (25, (0, 5_000, 20_000))
    with (
        servers.connect() as database,
        web(servers.folder, "benchmarks.bare") as bare,
        web(servers.folder, "config.wsgi") as port,
    ):
        grounds = {size: _ground(database, size, 0) for size in sizes}
        for size, ground in grounds.items():
            _measure(f"{size:,} sessions there", ground, size, (bare, port), rounds)
        _flatness(grounds[sizes[1]], _ground(database, sizes[1], sizes[-1]), sizes, port, rounds)


def _flatness(without: Ground, besides: Ground, sizes: Sequence[int], port: int, rounds: int) -> None:
    """Two sites with as much in the window, one with much outside it too, asked in turn: how much dearer is it?"""
    say(f"\n{sizes[1]:,} sessions in the window: with {sizes[-1]:,} outside beside none outside; 1 is flat")
    facts: dict[bool, list[float]] = {False: [], True: []}
    waits: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(rounds):
        for more, ground in ((False, without), (True, besides)):
            kept_days.forget()
            facts[more] += _times(1, ground.facts, warm_up=False)
            asked = request("POST", "/api/v1/plans/", ground.token, ground.body)
            waits[more] += load(port, [repeat(asked, 4)]).check(200).milliseconds[2:]
    for what, took in (("cold facts", facts), ("POST plans", waits)):
        say(f"  {what:12}{spread([more / none for more, none in zip(took[True], took[False], strict=True)])}")


def _ground(database: psycopg.Connection, inside: int, outside: int) -> Ground:
    """Save a site with so many sessions in the window, and so many after it."""
    organization = factories.make_organization()
    doctor = factories.make_user(organization, Role.PRESCRIBER)
    site = factories.make_site(organization, doctor)
    factories.make_opening_hours(site, weekdays=WEEK)
    desk = factories.make_user(organization, Role.FRONT_DESK, sites=(site,))
    protocol = factories.make_protocol(organization, doctor, *pure.PHASES)
    chairs = [factories.make_chair(site) for _ in range(pure.CHAIRS)]
    nurses = [
        factories.make_provider(site, ProviderRole.NURSE, capacity=4, max_acuity=8, weekdays=WEEK)
        for _ in range(pure.NURSES)
    ]
    prescribers = [
        factories.make_provider(site, ProviderRole.PRESCRIBER, capacity=12, weekdays=WEEK)
        for _ in range(pure.PRESCRIBERS)
    ]
    first = local_date(clock.now(), ZoneInfo(site.time_zone)) + timedelta(days=7)
    patients = make_patients(site, PEOPLE if inside + outside else 0)
    Series.objects.bulk_create(Series(patient=patient, protocol=protocol, site=site) for patient in patients)
    database.execute("SET session_replication_role = replica")
    for sessions, begins, sequence in ((inside, first, 0), (outside, first + timedelta(days=pure.DAYS), 100)):
        wanted = {
            "sessions": sessions,
            "first": begins,
            "from": sequence,
            "days": pure.DAYS,
            "people": PEOPLE,
            "zone": site.time_zone,
            "site": site.pk,
            "chairs": [chair.pk for chair in chairs],
            "nurses": [nurse.pk for nurse in nurses],
            "prescribers": [prescriber.pk for prescriber in prescribers],
        }
        database.execute(FILL, wanted)
    database.execute("SET session_replication_role = DEFAULT")
    database.execute("VACUUM ANALYZE")
    return Ground(site, protocol, desk, factories.make_token(desk), first)


def _measure(name: str, ground: Ground, size: int, ports: tuple[int, int], rounds: int) -> None:
    intervals = pure.busy_intervals(pure.site_days(size))
    visits = treatment.visits(treatment.parse_phases(ground.protocol.phases))
    wishes = Wishes(earliest=ground.dates[0], latest=ground.dates[-1])

    def cold() -> tuple[Day, ...]:
        kept_days.forget()
        return ground.facts()

    with CaptureQueriesContext(connection) as first:
        cold()
    with CaptureQueriesContext(connection) as second:
        ground.facts()
    days = ground.facts()
    plan(visits, days, wishes)

    def bare_facts() -> None:
        pure.free_sets(intervals)
        for _ in first:
            connection.cursor().execute("SELECT 1")

    def bare() -> None:
        pure.best_six(pure.all_starts(pure.free_sets(intervals)))
        for _ in first:
            connection.cursor().execute("SELECT 1")

    limits = _times(rounds, bare_facts)
    tell(f"{name}: cold facts", "ms", limits, _times(rounds, cold), "at most 3")
    # Days are worked out when the search asks for them: what that takes is in this one.
    planned = _times(rounds, lambda: plan(visits, cold(), wishes))
    tell(f"{name}: cold facts and a plan from them", "ms", _times(rounds, bare), planned, "at most 3")
    tell(f"{name}: warm facts", "ms", limits, _times(rounds, ground.facts), "at most 1 ms")
    say(f"  queries  {len(first)} cold, {len(second)} warm")
    core = _times(rounds, lambda: plan(visits, days, wishes))
    empty = load(ports[0], [repeat(request("GET", "/empty"), rounds + 1)]).check(200).milliseconds[1:]
    asked = request("POST", "/api/v1/plans/", ground.token, ground.body)
    # The first few only warm up each process.
    waits = load(ports[1], [repeat(asked, rounds + 10)]).check(200).milliseconds[10:]
    floor = [one + other for one, other in zip(core, empty, strict=True)]
    tell(f"{name}: POST plans", "ms", floor, waits, "p50 at most 2, p99 at most 5")
    for what, values in (("planner", core), ("view", empty)):
        say(f"  {what:8} {spread(values)}")
    say(f"  p50 {percentile(waits, 0.5):.1f} ms, p99 {percentile(waits, 0.99):.1f} ms")


def _times(rounds: int, work: Callable[[], object], warm_up: bool = True) -> list[float]:
    """Milliseconds of each round, after one that only warms up."""
    if warm_up:
        work()
    took = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        took.append((time.perf_counter() - begin) * 1000)
    return took
