"""A session goes where the table of states says, and what happened to it stays written: raw SQL, at both levels."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import IsolationLevel

from accounts.ids import uuid7
from sessions.models import SessionStatus
from tests.raw import MORNING, Connect, Ground, at_both_levels, change, check, put, refused

# Only so that the test database is made: the tests themselves do not use Django's connection.
pytestmark = pytest.mark.django_db

MOVES = {
    "booked": {"confirmed", "arrived", "cancelled", "no_show"},
    # Back to booked: a session that is moved wants to be confirmed anew.
    "confirmed": {"booked", "arrived", "cancelled", "no_show"},
    "arrived": {"infusing", "cancelled"},
    "infusing": {"recovering"},
    "recovering": {"completed", "stopped_early"},
    "completed": set(),
    "stopped_early": set(),
    "cancelled": set(),
    "no_show": set(),
}


@at_both_levels
@pytest.mark.parametrize("status", SessionStatus.values)
def test_a_session_goes_only_where_the_table_says(
    status: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    connection = connect(level)
    row = ground.row(0, status=status)
    put(connection, row)
    reached, refusals = set(), set()
    for wanted in SessionStatus.values:
        try:
            with connection.transaction():
                change(connection, row, status=wanted)
                check(connection)
                reached.add(wanted)
                raise psycopg.Rollback
        except psycopg.errors.CheckViolation as error:
            refusals.add(error.diag.constraint_name)
    assert reached == MOVES[status] | {status}
    assert refusals == {"session_moves"}


def with_event(ground: Ground, connection: psycopg.Connection) -> None:
    """A session with one event."""
    row = ground.row(0)
    put(connection, row)
    connection.execute(
        "INSERT INTO infusion_sessions_sessionevent (id, session_id, kind, system, at, reason, before, after)"
        " VALUES (%s, %s, 'booked', 'test', %s, '', '{}', '{}')",
        [uuid7(), row["id"], MORNING],
    )


ATTEMPTS = [
    "UPDATE {table} SET at = at + interval '1 day'",
    "UPDATE {table} SET before = '{{}}'",
    "DELETE FROM {table}",
    "TRUNCATE {table}",
    "TRUNCATE {table} CASCADE",
]


@at_both_levels
@pytest.mark.parametrize("table", ["infusion_sessions_sessionevent", "accounts_auditentry"])
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_history_is_neither_changed_nor_shortened(
    attempt: str, table: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    connection = connect(level)
    with_event(ground, connection)
    check(connection)
    with refused("append_only"):
        connection.execute(attempt.format(table=table))


@at_both_levels
def test_sessions_are_not_emptied_past_their_history(level: IsolationLevel, ground: Ground, connect: Connect) -> None:
    connection = connect(level)
    with_event(ground, connection)
    check(connection)
    with refused("not_emptied"):
        connection.execute("TRUNCATE infusion_sessions_session CASCADE")


@at_both_levels
def test_an_event_has_somebody_behind_it(level: IsolationLevel, ground: Ground, connect: Connect) -> None:
    connection = connect(level)
    row = ground.row(0)
    put(connection, row)
    with refused("event_has_somebody_behind_it"):
        connection.execute(
            "INSERT INTO infusion_sessions_sessionevent (id, session_id, kind, system, at, reason, before, after)"
            " VALUES (%s, %s, 'booked', '', %s, '', '{}', '{}')",
            [uuid7(), row["id"], MORNING],
        )


@at_both_levels
def test_versions_move_by_one_with_every_change_and_with_nothing_else(
    level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    connection = connect(level)
    row = ground.row(0)
    put(connection, row)

    def version() -> int:
        query = "SELECT version FROM infusion_sessions_session WHERE id = %s"
        found = connection.execute(query, [row["id"]]).fetchone()
        assert found is not None
        return int(found[0])

    change(connection, row, status="confirmed")
    assert version() == 2
    change(connection, row, status="confirmed")
    assert version() == 2
    change(connection, row, version=77, escort_name="Grace")
    assert version() == 3
