"""Series booked by HTTP beside raw SQL that inserts as many rows under as many constraints in one transaction.

Two ways, eight clients each: everybody on days of their own, and everybody after the same days. Plans of a round are
made before it, so that booking alone is timed. Raw SQL runs on a table as large as ours, on the same server, in turn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from accounts import clock
from benchmarks import raw
from benchmarks.clinic import make_clinic, make_patients
from benchmarks.common import counting, load, request, say, tell, tell_latency, tell_spent, web
from scheduler import treatment
from sessions import booking
from sessions.facts import instants
from sessions.models import Plan
from sessions.planning import phases_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    import psycopg

    from benchmarks.clinic import Clinic
    from benchmarks.common import Load, Servers
    from scheduler.treatment import Visit

CLIENTS = 8
# What an empty day takes: twelve chairs, three times; six nurses start one patient each in every quarter of an hour.
STARTS = [time(hour, minute) for hour in (8, 11, 14) for minute in (0, 15) for _ in range(6)]
DOUBLED = """
SELECT count(*) FROM infusion_sessions_session a JOIN infusion_sessions_session b
    ON a.id < b.id AND b.start BETWEEN a.start - interval '1 day' AND a.start + interval '1 day' AND (
       (a.chair_id = b.chair_id AND tstzrange(a.start, a.turnover_end) && tstzrange(b.start, b.turnover_end))
    OR (a.patient_id = b.patient_id AND tstzrange(a.start, a."end") && tstzrange(b.start, b."end"))
    OR (a.nurse_id = b.nurse_id AND tstzrange(a.start, a.hands_on_until) && tstzrange(b.start, b.hands_on_until)))
"""


@dataclass
class Way:
    """One way of booking: what raw SQL does, how plan number so and so is made, and what came of the rounds."""

    name: str
    target: str
    limit: str
    plan: Callable[[Clinic, int], Plan]
    limits: list[Load] = field(default_factory=list)
    ours: list[Load] = field(default_factory=list)
    spent: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class Bare:
    """A handler that inserts six rows and does nothing else, on our server and our way to the database."""

    loads: list[Load] = field(default_factory=list)
    spent: list[tuple[float, float]] = field(default_factory=list)

    def round(self, database: psycopg.Connection, port: int, days: int, each: int) -> None:
        """One round; what it wrote is taken away again."""
        (last,) = database.execute("SELECT max(id) FROM benchmark_session").fetchone() or (0,)
        bodies = raw.bodies(days, each)
        with counting("benchmarks.bare", self.spent, each):
            clients = [(request("POST", "/book", "", body) for body in bodies) for _ in range(CLIENTS)]
            self.loads.append(load(port, clients).check(201))
        database.execute("DELETE FROM benchmark_session WHERE id > %s", [last])
        database.execute("VACUUM benchmark_session")

    def tell(self, limits: list[float], ours: list[float]) -> None:
        """Beside raw SQL, and ours beside it; the first round only warmed up."""
        rates = [one.rate for one in self.loads[1:]]
        tell("a bare handler on days of its own", "series a second", limits, rates, "none: what our stack leaves of it")
        tell_spent("bare", self.spent[1:])
        tell("ours beside the bare handler", "series a second", rates, ours, "none")


def main(servers: Servers, quick: bool) -> None:
    """Measure both ways; tell limit, ours, ratio and latencies, then what was doubled and how many deadlocks."""
    days, rounds, seconds, each = (120, 2, 1.0, 18) if quick else (2400, 5, 2.0, 144)
    with servers.connect() as database:
        clinic = make_clinic(database, days, CLIENTS)
        raw.make_table(database, days)
        say(f"{clinic.sessions:,} sessions; {CLIENTS} clients, {rounds} rounds of {each} series each")
        ways = _ways(clinic)
        bare = Bare()
        with web(servers.folder, "config.wsgi") as port, web(servers.folder, "benchmarks.bare") as other:
            for number in range(rounds + 1):
                for way in ways:
                    limit = raw.run(servers, database, way.limit, CLIENTS, seconds)
                    bodies = _bodies(clinic, [way.plan(clinic, number * each + n) for n in range(each)])
                    spent: list[tuple[float, float]] = []
                    with counting("config.wsgi", spent, each):
                        mine = load(port, [_posts(token, bodies) for token in clinic.tokens]).check(201)
                    if number:  # the first round only warms up
                        way.limits.append(limit)
                        way.ours.append(mine)
                        way.spent += spent
                bare.round(database, other, days, each)
        for way in ways:
            rates = [one.rate for one in way.limits], [one.rate for one in way.ours]
            tell(way.name, "series a second", *rates, way.target)
            tell_latency("limit", way.limits)
            tell_latency("ours", way.ours)
            tell_spent("ours", way.spent)
        bare.tell([one.rate for one in ways[0].limits], [one.rate for one in ways[0].ours])
        booked, doubled = Plan.objects.exclude(booked_as=None).count(), _number(database, DOUBLED)
    say(f"\nof {booked:,} series: doubled {doubled}, deadlocks {servers.deadlocks()}   target: 0 and 0")


def _ways(clinic: Clinic) -> tuple[Way, Way]:
    return (
        Way(
            "series on days of their own",
            "at least 0.20, then 0.30",
            raw.on_own_days(CLIENTS, clinic.days),
            _on_own_days,
        ),
        Way(
            "series on the same days",
            "at least 0.4, p99 at most 250 ms",
            raw.on_same_days(CLIENTS, clinic.days),
            _on_same_days,
        ),
    )


def _posts(token: str, bodies: Iterator[bytes]) -> Iterator[bytes]:
    """The requests of one client, who takes the next booking that nobody has taken yet."""
    for body in bodies:
        yield request("POST", "/api/v1/series/", token, body)


def _bodies(clinic: Clinic, plans: list[Plan]) -> Iterator[bytes]:
    """Save the plans; one booking of each, for a patient of its own."""
    Plan.objects.bulk_create(plans, batch_size=200)
    patients = make_patients(clinic.site, len(plans))
    return iter(
        json.dumps({"patient": str(patient.pk), "protocol": str(clinic.protocol.pk), "plan": str(plan.pk)}).encode()
        for patient, plan in zip(patients, plans, strict=True)
    )


def _on_own_days(clinic: Clinic, number: int) -> Plan:
    """A plan that shares no day with those made shortly before and after; its chair and nurse are free."""
    place, again = number % (clinic.days // 6), number // (clinic.days // 6)
    first = clinic.first + timedelta(days=place // 2 * 12 + place % 2)
    return _plan(clinic, first, STARTS[again * 6], chair=10 + again % 2, nurse=5)


def _on_same_days(clinic: Clinic, number: int) -> Plan:
    """A plan for the same six days as its neighbours; all want one chair and one nurse, so most are given others."""
    first = clinic.first + timedelta(days=clinic.days + number // len(STARTS) * 12)
    return _plan(clinic, first, STARTS[number % len(STARTS)], chair=0, nurse=0)


def _plan(clinic: Clinic, first: date, at: time, chair: int, nurse: int) -> Plan:
    """A plan of six sessions, every second day from `first` on, with what a plan remembers."""
    now = clock.now()
    plan = Plan(
        site=clinic.site,
        protocol=clinic.protocol,
        created_by=clinic.desk[0],
        created_at=now,
        expires_at=now + timedelta(days=1),
        request={
            "earliest": first.isoformat(),
            "latest": (first + timedelta(days=20)).isoformat(),
            "weekdays": None,
            "time_windows": [],
            "provider": None,
            "chair_kind": None,
            "same_time_of_day": False,
            "sessions": None,
            "limit": 1,
        },
        sessions=[
            _row(clinic, visit, first + timedelta(days=2 * place), at, chair, nurse)
            for place, visit in enumerate(treatment.visits(phases_of(clinic.protocol)))
        ],
    )
    room = booking.find_room(plan, None, clinic.desk[0], now)
    plan.sessions, plan.numbers = room.rows, room.numbers
    return plan


def _row(clinic: Clinic, visit: Visit, day: date, at: time, chair: int, nurse: int) -> dict[str, Any]:
    start = datetime.combine(day, at, clinic.zone).astimezone(UTC)
    return {
        "sequence": visit.sequence,
        "phase": visit.phase,
        "ordinal": visit.ordinal,
        "acuity": visit.acuity,
        "chair": str(clinic.chairs[chair].pk),
        "nurse": str(clinic.nurses[nurse].pk),
        "prescriber": str(clinic.prescribers[0].pk),
        **{name: instant.isoformat() for name, instant in instants(visit, start).items()},
    }


def _number(database: psycopg.Connection, query: str) -> int:
    row = database.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])
