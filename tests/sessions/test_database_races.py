"""Two transactions, each fine alone, that together break a rule: the database lets one of them win."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import IsolationLevel, sql

from tests.raw import (
    DAY,
    INSTANTS,
    Connect,
    Ground,
    Row,
    at_both_levels,
    change,
    check,
    commit_in_thread,
    lost,
    put,
    refused,
    sessions_now,
    shifted,
    wait_until_blocked,
)
from tests.sessions.clashes import CLASHES, Rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

# Only so that the test database is made: the tests themselves do not use Django's connection.
pytestmark = pytest.mark.django_db

ways = pytest.mark.parametrize("way", ["insert", "move"])


def ready(way: str, clash: list[Row], connect: Connect) -> Callable[[psycopg.Connection, Row], None]:
    """Return how the last row comes into place; where it moves there, commit it on another day first."""
    if way == "insert":
        return put
    last = clash[-1]
    before = connect(IsolationLevel.READ_COMMITTED)
    put(before, shifted(last, DAY))
    before.commit()
    return lambda connection, row: change(connection, row, **{name: row[name] for name in INSTANTS})


@at_both_levels
@ways
@pytest.mark.parametrize(("clash", "rule"), CLASHES)
def test_who_commits_second_loses(
    clash: Rows, rule: str, way: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    rows = clash(ground)
    place = ready(way, rows, connect)
    first, second = connect(level), connect(level)
    put(first, *rows[:-1])
    place(second, rows[-1])
    first.commit()
    assert lost(commit_in_thread(second).result(30), rule, level)


@at_both_levels
@ways
@pytest.mark.parametrize(("clash", "rule"), CLASHES)
def test_of_two_that_commit_at_once_one_loses(
    clash: Rows, rule: str, way: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    rows = clash(ground)
    place = ready(way, rows, connect)
    first, second = connect(level), connect(level)
    put(first, *rows[:-1])
    place(second, rows[-1])
    ends = [commit_in_thread(first), commit_in_thread(second)]
    errors = [end.result(30) for end in ends]
    assert len([error for error in errors if error is None]) == 1, errors
    assert len([error for error in errors if lost(error, rule, level)]) == 1, errors


@at_both_levels
@ways
@pytest.mark.parametrize(("clash", "rule"), CLASHES)
def test_who_comes_while_the_first_is_checked_waits_and_loses(
    clash: Rows, rule: str, way: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    rows = clash(ground)
    place = ready(way, rows, connect)
    first, second = connect(level), connect(level)
    put(first, *rows[:-1])
    check(first)
    place(second, rows[-1])
    end = commit_in_thread(second)
    wait_until_blocked(connect(IsolationLevel.READ_COMMITTED), second)
    first.commit()
    assert lost(end.result(30), rule, level)


@at_both_levels
@pytest.mark.parametrize(("clash", "rule"), CLASHES)
def test_who_waits_for_one_that_gives_up_wins(
    clash: Rows, rule: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    rows = clash(ground)
    first, second = connect(level), connect(level)
    put(first, *rows[:-1])
    check(first)
    put(second, rows[-1])
    end = commit_in_thread(second)
    wait_until_blocked(connect(IsolationLevel.READ_COMMITTED), second)
    first.rollback()
    assert end.result(30) is None
    assert sessions_now() == 1


def limit(connection: psycopg.Connection, nurse: UUID, column: str, value: int) -> None:
    """Change a nurse's capacity or points."""
    statement = sql.SQL("UPDATE scheduler_provider SET {} = %s WHERE id = %s").format(sql.Identifier(column))
    assert connection.execute(statement, [value, nurse]).rowcount == 1


def two_at_once(ground: Ground) -> list[Row]:
    """Two sessions of the first nurse at the same time, two points each."""
    nurse = ground.clinic.nurses[0].id
    return [ground.row(number, 15 * number, nurse_id=nurse, acuity=2) for number in range(2)]


limits = pytest.mark.parametrize(("column", "enough"), [("capacity", 2), ("max_acuity", 4)])


@limits
def test_limits_do_not_sink_below_what_is_booked(column: str, enough: int, ground: Ground, connect: Connect) -> None:
    connection = connect(IsolationLevel.READ_COMMITTED)
    put(connection, *two_at_once(ground))
    check(connection)
    nurse = ground.clinic.nurses[0].id
    limit(connection, nurse, column, enough)
    check(connection)
    with refused("nurse_capacity"):
        limit(connection, nurse, column, enough - 1)
        check(connection)


@limits
def test_limits_sink_only_where_the_latest_bookings_are_seen(
    column: str, enough: int, ground: Ground, connect: Connect
) -> None:
    connection = connect(IsolationLevel.REPEATABLE_READ)
    nurse = ground.clinic.nurses[0].id
    limit(connection, nurse, column, enough + 20)
    with refused("provider_at_read_committed"):
        limit(connection, nurse, column, enough)


@at_both_levels
@limits
def test_a_booking_loses_to_a_lower_limit_set_meanwhile(
    column: str, enough: int, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    booking, lowering = connect(level), connect(IsolationLevel.READ_COMMITTED)
    put(booking, *two_at_once(ground))
    limit(lowering, ground.clinic.nurses[0].id, column, enough - 1)
    assert commit_in_thread(lowering).result(30) is None
    assert lost(commit_in_thread(booking).result(30), "nurse_capacity", level)


@at_both_levels
@limits
def test_a_lower_limit_waits_for_a_booking_that_is_checked(
    column: str, enough: int, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    booking, lowering = connect(level), connect(IsolationLevel.READ_COMMITTED)
    lowering.execute("SELECT count(*) FROM infusion_sessions_session")
    put(booking, *two_at_once(ground))
    check(booking)
    nurse = ground.clinic.nurses[0].id
    end = commit_in_thread(lowering, lambda: limit(lowering, nurse, column, enough - 1))
    wait_until_blocked(connect(IsolationLevel.READ_COMMITTED), lowering)
    booking.commit()
    assert lost(end.result(30), "nurse_capacity", IsolationLevel.READ_COMMITTED)


def test_a_role_changes_only_while_no_session_needs_it(ground: Ground, connect: Connect) -> None:
    connection = connect(IsolationLevel.READ_COMMITTED)
    nurse, busy = ground.clinic.nurses[1].id, ground.clinic.nurses[0].id
    statement = "UPDATE scheduler_provider SET role = 'prescriber' WHERE id = %s"
    put(connection, *two_at_once(ground))
    check(connection)
    connection.execute(statement, [nurse])
    check(connection)
    with refused("provider_role_in_use"):
        connection.execute(statement, [busy])
        check(connection)


def test_a_role_changes_only_where_the_latest_bookings_are_seen(ground: Ground, connect: Connect) -> None:
    connection = connect(IsolationLevel.REPEATABLE_READ)
    with refused("provider_at_read_committed"):
        connection.execute("UPDATE scheduler_provider SET role = 'nurse' WHERE id = %s", [ground.small.id])
        check(connection)
