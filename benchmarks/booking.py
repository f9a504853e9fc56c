"""Series booked by HTTP beside raw SQL that inserts as many rows under as many constraints in one transaction.

Two ways, eight clients each: everybody on days of their own, and everybody after the same days. Plans are made
beforehand, so that booking alone is timed. Raw SQL runs on a table as large as ours, on the same server, in turn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from accounts import clock
from benchmarks.clinic import FILLED_CHAIRS, PEOPLE, make_clinic, make_patients
from benchmarks.common import load, pgbench, request, say, tell, tell_latency, web
from scheduler import treatment
from sessions.facts import instants
from sessions.models import Plan
from sessions.planning import phases_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from benchmarks.clinic import Clinic
    from benchmarks.common import Load, Servers

CLIENTS = 8
SESSIONS = 6
# What a day without bookings takes: 12 chairs, three times a day; six nurses start one patient each a quarter of an hour.
A_DAY = 36
STARTS = [time(hour, minute) for hour in (8, 11, 14) for minute in (0, 15) for _ in range(6)]
RAW_DAYS = 60_000

RAW = """
CREATE TABLE benchmark_session (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, chair int NOT NULL, nurse int NOT NULL, patient int NOT NULL,
    taken tstzrange NOT NULL, stay tstzrange NOT NULL, hands_on tstzrange NOT NULL,
    EXCLUDE USING gist (chair WITH =, taken WITH &&),
    EXCLUDE USING gist (patient WITH =, stay WITH &&),
    EXCLUDE USING gist (nurse WITH =, hands_on WITH &&)
);
CREATE TABLE benchmark_day (day int PRIMARY KEY);
"""
RAW_FILL = """
INSERT INTO benchmark_session (chair, nurse, patient, taken, stay, hands_on)
SELECT c, c % 5, -(d * {chairs} + c) % {people} - 1, tstzrange(t, t + interval '165 min'),
    tstzrange(t, t + interval '150 min'), tstzrange(t, t + interval '15 min')
FROM generate_series(0, {days} - 1) d CROSS JOIN generate_series(0, {chairs} - 1) c
CROSS JOIN LATERAL (SELECT to_timestamp({epoch} + d * 86400 + CASE WHEN c < 5 THEN 0 ELSE 10800 END) AS t) at;
INSERT INTO benchmark_day SELECT generate_series(0, {raw_days});
VACUUM ANALYZE;
CHECKPOINT;
"""
# The n-th transaction of a client is number i of all; day0 is its first day, `at` the second of the day it starts at.
OWN_DAYS = """
\\set n :n + 1
\\set i :n * {clients} + :client_id
\\set chair {filled} + :i / {sets}
\\set nurse 100 + :i / {sets}
\\set day0 :i % {sets} * {sessions}
\\set at 0
BEGIN;
"""
SAME_DAYS = """
\\set n :n + 1
\\set i :n * {clients} + :client_id
\\set chair :i % 12
\\set nurse :i % 6
\\set day0 {days} + :i / {a_day} * {sessions}
\\set at :i % {a_day} / 12 * 10800 + :i / 6 % 2 * 900
BEGIN;
SELECT count(*) FROM (
    SELECT day FROM benchmark_day WHERE day BETWEEN :day0 AND :day0 + {last} ORDER BY day FOR UPDATE
) locked;
"""
DOUBLED = """
SELECT count(*) FROM infusion_sessions_session a JOIN infusion_sessions_session b ON a.id < b.id AND (
       (a.chair_id = b.chair_id AND tstzrange(a.start, a.turnover_end) && tstzrange(b.start, b.turnover_end))
    OR (a.patient_id = b.patient_id AND tstzrange(a.start, a."end") && tstzrange(b.start, b."end"))
    OR (a.nurse_id = b.nurse_id AND tstzrange(a.start, a.hands_on_until) && tstzrange(b.start, b.hands_on_until)))
WHERE a.start >= %(since)s AND a.start < %(until)s AND b.start BETWEEN a.start - interval '1 day' AND a.start + '1 day'
"""


@dataclass
class Way:
    """One way of booking: what raw SQL does, the bookings still to be made, and what came of the rounds."""

    name: str
    target: str
    script: str
    bookings: Iterator[bytes]
    limits: list[Load] = field(default_factory=list)
    ours: list[Load] = field(default_factory=list)


def main(servers: Servers, quick: bool) -> None:
    """Measure both ways; tell limit, ours, ratio and latencies, then what was doubled and how many deadlocks."""
    days, rounds, seconds, each = (48, 2, 1.0, A_DAY // 2) if quick else (2400, 5, 2.0, 4 * A_DAY)
    with servers.connect() as database:
        clinic = make_clinic(database, days, CLIENTS)
        _make_raw(database, days)
        say(f"{clinic.sessions:,} sessions; {CLIENTS} clients, {rounds} rounds of {each} series of {SESSIONS} each")
        count = each * (rounds + 1)
        values = {"sets": days // SESSIONS, "days": days}
        own = Way(
            "series on days of their own",
            "at least 0.20, then 0.30",
            _script(OWN_DAYS, **values),
            _bookings(clinic, _own_days(clinic, count)),
        )
        same = Way(
            "series on the same days",
            "at least 0.4; p99 at most 250 ms",
            _script(SAME_DAYS, **values),
            _bookings(clinic, _same_days(clinic, count)),
        )
        with web(servers.folder, "config.wsgi") as port:
            for number in range(rounds + 1):
                for way in (own, same):
                    limit = _raw(servers, database, way, seconds)
                    mine = load(port, _shared(way, each)).check(201)
                    if number:  # the first round only warms up
                        way.limits.append(limit)
                        way.ours.append(mine)
        for way in (own, same):
            rates = [one.rate for one in way.limits], [one.rate for one in way.ours]
            tell(way.name, "series a second", *rates, way.target)
            tell_latency("limit", way.limits)
            tell_latency("ours", way.ours)
        say(f"\ndoubled {_doubled(database, clinic)}, deadlocks {servers.deadlocks()}   target: 0 and 0")


def _make_raw(database: psycopg.Connection, days: int) -> None:
    """The table of the limit, as large as ours."""
    epoch = int(datetime(2030, 1, 1, 8, tzinfo=UTC).timestamp())
    values = {"chairs": FILLED_CHAIRS, "people": PEOPLE, "days": days, "epoch": epoch, "raw_days": RAW_DAYS}
    for statement in (RAW + RAW_FILL.format(**values)).split(";"):
        if statement.strip():
            database.execute(statement.encode())


def _script(beginning: str, **values: int) -> str:
    """A transaction that inserts the rows of a series, for pgbench."""
    epoch = int(datetime(2030, 1, 1, 8, tzinfo=UTC).timestamp())
    lines = [
        beginning.format(
            clients=CLIENTS, filled=FILLED_CHAIRS, sessions=SESSIONS, last=SESSIONS - 1, a_day=A_DAY, **values
        ).strip()
    ]
    lines.insert(-1, "") if False else None
    times = [f"\\set t{j} {epoch} + (:day0 + {j}) * 86400 + :at" for j in range(SESSIONS)]
    rows = [
        f"(:chair, :nurse, :i + 1, tstzrange(to_timestamp(:t{j}), to_timestamp(:t{j} + 9900)),"
        f" tstzrange(to_timestamp(:t{j}), to_timestamp(:t{j} + 9000)),"
        f" tstzrange(to_timestamp(:t{j}), to_timestamp(:t{j} + 900)))"
        for j in range(SESSIONS)
    ]
    insert = "INSERT INTO benchmark_session (chair, nurse, patient, taken, stay, hands_on) VALUES " + ", ".join(rows)
    return "\n".join([*times, *lines, insert + ";", "COMMIT;", ""])
