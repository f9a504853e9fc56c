"""The limit of booking: a bare table, three exclusion constraints, six rows in one transaction, by pgbench."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.clinic import FILLED_CHAIRS, PEOPLE
from benchmarks.common import pgbench

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from benchmarks.common import Load, Servers

EPOCH = 1_000_000_000 // 86_400 * 86_400 + 8 * 3600  # early, so that later days are still int4: so pgbench sends them
SETS = 10_000  # sets of six days that there are rows to lock for
TABLES = """
CREATE TABLE benchmark_session (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, chair int NOT NULL, nurse int NOT NULL, patient int NOT NULL,
    taken tstzrange NOT NULL, stay tstzrange NOT NULL, hands_on tstzrange NOT NULL,
    EXCLUDE USING gist (chair WITH =, taken WITH &&),
    EXCLUDE USING gist (patient WITH =, stay WITH &&),
    EXCLUDE USING gist (nurse WITH =, hands_on WITH &&)
);
CREATE TABLE benchmark_day (day int PRIMARY KEY);
"""
FILL = """
INSERT INTO benchmark_session (chair, nurse, patient, taken, stay, hands_on)
SELECT c, c % 5, -1 - (d * {chairs} + c) % {people}, tstzrange(t, t + interval '165 min'),
    tstzrange(t, t + interval '150 min'), tstzrange(t, t + interval '15 min')
FROM generate_series(0, {days} - 1) d CROSS JOIN generate_series(0, {chairs} - 1) c
CROSS JOIN LATERAL (SELECT to_timestamp({epoch} + d * 86400 + CASE WHEN c < 5 THEN 0 ELSE 10800 END) AS t) at;
INSERT INTO benchmark_day SELECT generate_series(0, {days} + 6 * {sets});
VACUUM ANALYZE benchmark_session, benchmark_day;
CHECKPOINT
"""
# Transaction number `i` of all: its first day, the seconds after eight at which it starts, chair, nurse.
OWN_DAYS = """
\\set n :n + 1
\\set i :n * {clients} + :client_id
\\set day :i % ({days} / 6) * 6
\\set at 0
\\set chair {chairs} + :i / ({days} / 6)
\\set nurse :chair
"""
SAME_DAYS = """
\\set n :n + 1
\\set i :n * {clients} + :client_id
\\set day {days} + :i / 36 * 6
\\set at :i % 36 / 12 * 10800 + :i / 6 % 2 * 900
\\set chair :i % 12
\\set nurse :i % 6
"""
LOCK = """
SELECT count(*) FROM (
    SELECT 1 FROM benchmark_day WHERE day BETWEEN :day AND :day + 5 ORDER BY day FOR UPDATE
) locked;
"""
ROW = (
    "(:chair, :nurse, :i + 1, tstzrange(to_timestamp(:t{j}), to_timestamp(:t{j} + 9900)),"
    " tstzrange(to_timestamp(:t{j}), to_timestamp(:t{j} + 9000)),"
    " tstzrange(to_timestamp(:t{j}), to_timestamp(:t{j} + 900)))"
)
INSERT = "INSERT INTO benchmark_session (chair, nurse, patient, taken, stay, hands_on) VALUES "


def make_table(database: psycopg.Connection, days: int) -> None:
    """Make the table, with as many rows as there are sessions in a clinic of so many days."""
    fill = FILL.format(chairs=FILLED_CHAIRS, people=PEOPLE, days=days, epoch=EPOCH, sets=SETS)
    for statement in (TABLES + fill).split(";"):
        if statement.strip():
            database.execute(statement.encode())


def on_own_days(clients: int, days: int) -> str:
    """The transaction in which each client books days of its own, among those that have sessions already."""
    return _transaction(OWN_DAYS.format(clients=clients, days=days, chairs=FILLED_CHAIRS), "")


def on_same_days(clients: int, days: int) -> str:
    """The transaction in which all clients book the same six days, which they lock in order, until these are full."""
    return _transaction(SAME_DAYS.format(clients=clients, days=days), LOCK)


def _transaction(variables: str, lock: str) -> str:
    times = "".join(f"\\set t{j} {EPOCH} + (:day + {j}) * 86400 + :at\n" for j in range(6))
    rows = ", ".join(ROW.format(j=j) for j in range(6))
    return f"{variables}{times}BEGIN;{lock}\n{INSERT}{rows};\nCOMMIT;\n"


def bodies(days: int, count: int) -> Iterator[bytes]:
    """What `benchmarks.bare: book` takes: as many transactions of `on_own_days`."""
    for number in range(count):
        again, place = divmod(number, days // 6)
        seconds = [EPOCH + (place * 6 + day) * 86_400 for day in range(6)]
        chair = FILLED_CHAIRS + again
        yield json.dumps({"chair": chair, "nurse": chair, "patient": number + 1, "seconds": seconds}).encode()


def run(servers: Servers, database: psycopg.Connection, script: str, clients: int, seconds: float) -> Load:
    """Run a transaction for so long, and take away again what it wrote: the table keeps its size."""
    row = database.execute("SELECT max(id) FROM benchmark_session").fetchone()
    assert row is not None
    came = pgbench(servers, script, clients, seconds, {"n": -1})
    database.execute("DELETE FROM benchmark_session WHERE id > %s", row)
    database.execute("VACUUM benchmark_session")
    return came
