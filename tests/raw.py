"""Raw SQL on plain connections, for tests of what the database itself refuses; `sessions/conftest.py` opens them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Thread
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.db import connection as django_connection
from psycopg import IsolationLevel, sql

from accounts.ids import uuid7
from tests.factories import Clinic, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.models import Provider
    from sessions.models import Series

Row = dict[str, Any]
Connect = Callable[[IsolationLevel], psycopg.Connection]

MORNING = datetime(2031, 3, 3, 15, tzinfo=UTC)
DAY = timedelta(days=1)
LEVELS = [IsolationLevel.READ_COMMITTED, IsolationLevel.REPEATABLE_READ]
INSTANTS = ("start", "hands_on_until", "infuse_start", "recover_start", "end", "turnover_end")
at_both_levels = pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name.lower())
sequences = count(1)


def later(minutes: int) -> datetime:
    """The instant so many minutes after the first session's start."""
    return MORNING + timedelta(minutes=minutes)


@dataclass(frozen=True)
class Ground:
    """The clinic and what its sessions may be of: eight patients with a series each, and a second one of the first.

    `small` is a prescriber with room for two.
    """

    clinic: Clinic
    series: tuple[Series, ...]
    second_series: Series
    small: Provider

    @property
    def other(self) -> Clinic:
        """The clinic of the other organization."""
        assert self.clinic.other is not None
        return self.clinic.other

    def row(self, number: int, start: int = 0, **changes: Any) -> Row:
        """The columns of a session of patient `number` that starts `start` minutes in and clashes with no other number.

        `changes` replace columns, or the minutes of `blocks`.
        """
        clinic, series = self.clinic, self.series[number]
        minutes = {name: changes.pop(name) for name in ("prepare", "infuse", "recover", "turnover") if name in changes}
        return (
            {
                "id": uuid7(),
                "series_id": series.id,
                "patient_id": series.patient_id,
                "site_id": clinic.site.id,
                "phase": "induction",
                "ordinal": 1,
                "sequence": next(sequences),
                "status": "booked",
                "acuity": 1,
                "chair_id": clinic.chairs[number % 5].id,
                "nurse_id": clinic.nurses[number % 2].id,
                "prescriber_id": clinic.prescriber.id,
                "stop_reason": "",
                "escort_name": "",
                "gates": "{}",
                "version": 1,
            }
            | blocks(later(start), **minutes)
            | changes
        )


def open_connection(level: IsolationLevel) -> psycopg.Connection:
    """Open a plain connection to the test database."""
    where = django_connection.settings_dict
    assert where["NAME"].startswith("test_"), "the test database is not made yet: mark the test with django_db"
    made = psycopg.connect(
        host=where["HOST"] or where["OPTIONS"].get("host"),
        port=where["PORT"] or None,
        user=where["USER"],
        password=where["PASSWORD"] or None,
        dbname=where["NAME"],
        options="-c lock_timeout=20s",
    )
    made.isolation_level = level
    return made


def put(connection: psycopg.Connection, *rows: Row) -> None:
    """Insert sessions."""
    for row in rows:
        names = sql.SQL(", ").join(map(sql.Identifier, row))
        values = sql.SQL(", ").join(map(sql.Placeholder, row))
        connection.execute(sql.SQL("INSERT INTO infusion_sessions_session ({}) VALUES ({})").format(names, values), row)


def change(connection: psycopg.Connection, row: Row, **columns: Any) -> None:
    """Update these columns of a session."""
    parts = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(c), sql.Placeholder(c)) for c in columns)
    statement = sql.SQL("UPDATE infusion_sessions_session SET {} WHERE id = %(id)s").format(parts)
    assert connection.execute(statement, columns | {"id": row["id"]}).rowcount == 1


def check(connection: psycopg.Connection) -> None:
    """Run now what would be checked at commit."""
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    connection.execute("SET CONSTRAINTS ALL DEFERRED")


def shifted(row: Row, by: timedelta) -> Row:
    """The same session at another time."""
    return row | {name: row[name] + by for name in INSTANTS}


def sessions_now() -> int:
    """How many sessions are committed."""
    with open_connection(IsolationLevel.READ_COMMITTED) as connection:
        row = connection.execute("SELECT count(*) FROM infusion_sessions_session").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def refused(rule: str) -> Iterator[None]:
    """The context in which the database must refuse a change by the rule of this name."""
    with pytest.raises(psycopg.Error) as caught:
        yield
    assert caught.value.diag.constraint_name == rule, caught.value


def lost(error: BaseException | None, rule: str, level: IsolationLevel) -> bool:
    """Whether a transaction ended as it may: by the rule, or told to try again at the level that cannot look anew."""
    if isinstance(error, psycopg.errors.SerializationFailure):
        return level == IsolationLevel.REPEATABLE_READ
    return isinstance(error, psycopg.Error) and error.diag.constraint_name == rule


def commit_in_thread(
    connection: psycopg.Connection, work: Callable[[], None] | None = None
) -> Future[psycopg.Error | None]:
    """Do `work`, then commit, in a thread; the result is the database's refusal, or None where it was done."""
    end: Future[psycopg.Error | None] = Future()

    def run() -> None:
        try:
            if work is not None:
                work()
            connection.commit()
            end.set_result(None)
        except psycopg.Error as error:
            end.set_result(error)
        except BaseException as error:
            end.set_exception(error)

    Thread(target=run, daemon=True).start()
    return end


def wait_until_blocked(watcher: psycopg.Connection, waiting: psycopg.Connection, timeout: float = 20) -> None:
    """Return as soon as the connection waits for another one's lock; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        blocked = watcher.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [waiting.info.backend_pid]).fetchone()
        watcher.rollback()
        if blocked == (True,):
            return
        time.sleep(0.005)  # PostgreSQL tells nobody who waits; it must be asked.
    raise AssertionError("the connection never had to wait")
