"""The database itself keeps the rules about who is taken when: raw SQL, at both isolation levels."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import IsolationLevel

from accounts.ids import uuid7
from scheduler.models import ProviderRole
from tests.factories import make_chair, make_provider
from tests.raw import (
    DAY,
    INSTANTS,
    Connect,
    Ground,
    Row,
    at_both_levels,
    change,
    check,
    open_connection,
    put,
    refused,
    sequences,
    sessions_now,
    shifted,
)
from tests.sessions.clashes import CLASHES, Rows

if TYPE_CHECKING:
    from pytest_django import DjangoDbBlocker

# Only so that the test database is made: the tests themselves do not use Django's connection.
pytestmark = pytest.mark.django_db


@at_both_levels
@pytest.mark.parametrize(("clash", "rule"), CLASHES)
def test_one_connection_cannot_insert_a_clash(
    clash: Rows, rule: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    connection = connect(level)
    *fitting, last = clash(ground)
    put(connection, *fitting)
    check(connection)
    with refused(rule):
        put(connection, last)
        check(connection)


@at_both_levels
@pytest.mark.parametrize(("clash", "rule"), CLASHES)
def test_one_connection_cannot_move_into_a_clash(
    clash: Rows, rule: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    connection = connect(level)
    *fitting, last = clash(ground)
    put(connection, *fitting, shifted(last, DAY))
    check(connection)
    with refused(rule):
        change(connection, last, **{name: last[name] for name in INSTANTS})
        check(connection)


@at_both_levels
@pytest.mark.parametrize(("clash", "rule"), CLASHES)
def test_a_clash_is_refused_at_commit_too(
    clash: Rows, rule: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    connection = connect(level)
    put(connection, *clash(ground))
    with refused(rule):
        connection.commit()
    assert sessions_now() == 0


@at_both_levels
@pytest.mark.parametrize(("clash", "rule"), CLASHES)
def test_what_a_gone_session_took_is_free(
    clash: Rows, rule: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    connection = connect(level)
    first, *others = clash(ground)
    put(connection, first, *others[:-1])
    check(connection)
    change(connection, first, status="cancelled")
    put(connection, others[-1])
    connection.commit()
    assert sessions_now() == len(others) + 1


def back_to_back(ground: Ground) -> list[Row]:
    """The chair from the end of turnover, the patient from the end, the nurse from the end of the hands-on minutes."""
    clinic = ground.clinic
    chair, nurse = clinic.chairs[0].id, clinic.nurses[0].id
    same = {"patient_id": ground.series[0].patient_id, "series_id": ground.second_series.id}
    return [
        ground.row(0),
        ground.row(1, 165, chair_id=chair),
        ground.row(2, 150, chair_id=clinic.chairs[2].id, **same),
        ground.row(3, 15, nurse_id=nurse),
    ]


def full_nurse(ground: Ground) -> list[Row]:
    """Three at once with eight points, and the next as the first leaves."""
    nurse = ground.clinic.nurses[0].id
    points = (4, 2, 2, 4)
    return [
        ground.row(number, start, nurse_id=nurse, acuity=points[number])
        for number, start in enumerate((0, 15, 30, 150))
    ]


def full_prescriber(ground: Ground) -> list[Row]:
    """Two at once, a third that is only prepared, and one more as the first leaves."""
    prescriber = ground.small.id
    return [ground.row(number, start, prescriber_id=prescriber) for number, start in enumerate((0, 5, 120))]


def other_days(ground: Ground) -> list[Row]:
    """The same at the same hour of three days."""
    return [shifted(ground.row(0), day * DAY) for day in range(3)]


@at_both_levels
@pytest.mark.parametrize("fitting", [back_to_back, full_nurse, full_prescriber, other_days])
def test_what_just_fits_is_taken(fitting: Rows, level: IsolationLevel, ground: Ground, connect: Connect) -> None:
    rows = [row | {"id": uuid7(), "sequence": next(sequences)} for row in fitting(ground)]
    connection = connect(level)
    put(connection, *rows)
    connection.commit()
    assert sessions_now() == len(rows)


@at_both_levels
def test_two_sessions_swap_chairs_and_nurses_in_one_transaction(
    level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    one, two = ground.row(0), ground.row(1)
    connection = connect(level)
    put(connection, one, two)
    connection.commit()
    change(connection, one, chair_id=two["chair_id"], nurse_id=two["nurse_id"])
    change(connection, two, chair_id=one["chair_id"], nurse_id=one["nurse_id"])
    connection.commit()
    found = connection.execute("SELECT chair_id FROM infusion_sessions_session WHERE id = %s", [one["id"]]).fetchone()
    assert found is not None
    assert found[0] == two["chair_id"]


visit = st.fixed_dictionaries(
    {
        "start": st.integers(0, 50).map(lambda slot: 5 * slot),
        "infuse": st.sampled_from([15, 40, 60, 100]),
        "recover": st.sampled_from([0, 30, 60]),
        "turnover": st.sampled_from([0, 15]),
        "acuity": st.sampled_from([1, 1, 2, 4]),
        "chair": st.integers(0, 7),
        "nurse": st.integers(0, 1),
        "patient": st.integers(0, 7),
    }
)


def by_the_minute(visits: list[Row]) -> bool:
    """Whether the visits of nurses with room for 3 and 8 points, under a prescriber with room for 4, break no rule."""
    taken: Counter[tuple[str, int, int]] = Counter()
    for each in visits:
        infuse = each["start"] + 30
        end = infuse + each["infuse"] + each["recover"]
        taken.update(("chair", each["chair"], minute) for minute in range(each["start"], end + each["turnover"]))
        taken.update(("hands", each["nurse"], minute) for minute in range(each["start"], each["start"] + 15))
        taken.update(("prescriber", 0, minute) for minute in range(infuse, end))
        for minute in range(each["start"], end):
            taken["patient", each["patient"], minute] += 1
            taken["nurse", each["nurse"], minute] += 1
            taken["points", each["nurse"], minute] += each["acuity"]
    most = {"chair": 1, "hands": 1, "patient": 1, "nurse": 3, "points": 8, "prescriber": 4}
    return all(number <= most[kind] for (kind, _, _), number in taken.items())


@pytest.fixture(scope="module")
def wide(ground: Ground, django_db_blocker: DjangoDbBlocker) -> tuple[list[Any], Any]:
    """Eight chairs, so that other rules than the chairs' are met too, and a prescriber with room for four."""
    with django_db_blocker.unblock():
        site = ground.clinic.site
        chairs = [*ground.clinic.chairs, *(make_chair(site) for _ in range(3))]
        return chairs, make_provider(site, ProviderRole.PRESCRIBER, capacity=4)


@settings(max_examples=60)
@given(visits=st.lists(visit, min_size=1, max_size=6))
def test_any_set_of_sessions_is_taken_exactly_when_every_minute_allows_it(
    ground: Ground, wide: tuple[list[Any], Any], visits: list[Row]
) -> None:
    chairs, prescriber = wide
    rows = [
        ground.row(
            each["patient"],
            **{name: each[name] for name in ("start", "infuse", "recover", "turnover", "acuity")},
            chair_id=chairs[each["chair"]].id,
            nurse_id=ground.clinic.nurses[each["nurse"]].id,
            prescriber_id=prescriber.id,
        )
        for each in visits
    ]
    with open_connection(IsolationLevel.READ_COMMITTED) as connection:
        try:
            put(connection, *rows)
            check(connection)
            accepted = True
        except (psycopg.errors.ExclusionViolation, psycopg.errors.CheckViolation):
            accepted = False
        connection.rollback()
    assert accepted == by_the_minute(visits)
