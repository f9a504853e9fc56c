"""The catalogue's courses at real centres, over both changes of the clocks and in a zone of odd minutes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from scheduler import catalogue
from scheduler.planner import Wishes, plan
from scheduler.treatment import parse_phases, visits
from tests.scheduler.centres import centre, check, days_of

# Clocks go forward in Chicago on 14 March 2027 and back on 7 November 2027.
SPRING, AUTUMN = date(2027, 3, 8), date(2027, 11, 1)

# Course, row or treatment of the catalogue, sessions of an open-ended phase, days on which it falls in an idle centre.
SHAPES: list[tuple[str, int | None, list[int]]] = [
    ("KET-CRPS", None, [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]),
    ("IFX", 3, [0, 14, 42, 98, 154, 210]),
    ("FE-NDD", None, [0, 3, 6, 9, 12]),
    ("CHEMO-28-3", None, [28 * cycle + day for cycle in range(6) for day in (0, 7, 14)]),
    ("OCR", 2, [0, 14, 168, 336]),
]


def course(code: str, sessions: int | None) -> tuple[list[dict[str, Any]], Any]:
    phases = catalogue.entry(code)["phases"]
    return phases, visits(parse_phases(phases), sessions)


@pytest.mark.parametrize(("code", "sessions", "expected"), SHAPES)
@pytest.mark.parametrize(
    ("zone", "first"), [("America/Chicago", SPRING), ("America/Chicago", AUTUMN), ("Asia/Kathmandu", SPRING)]
)
def test_a_course_falls_on_its_days(
    zone: str, first: date, code: str, sessions: int | None, expected: list[int]
) -> None:
    phases, places = course(code, sessions)
    count = expected[-1] + 8
    idle = centre("site-02", zone, first, 0)
    found = plan(places, days_of(idle, first, count), Wishes(first, first + timedelta(days=count - 1)))[0]
    assert [(on - first).days for on in check(found, phases, idle)] == expected


@pytest.mark.parametrize(("code", "sessions", "expected"), SHAPES)
@pytest.mark.parametrize(
    ("name", "zone", "first"),
    [
        ("site-02", "America/Chicago", SPRING),
        ("site-04", "America/Chicago", AUTUMN),
        ("site-04", "Asia/Kathmandu", SPRING),
    ],
)
def test_a_course_among_real_bookings(
    name: str, zone: str, first: date, code: str, sessions: int | None, expected: list[int]
) -> None:
    phases, places = course(code, sessions)
    count = expected[-1] + 22
    busy = centre(name, zone, first, count)
    for wished in (False, True):
        wishes = Wishes(first, first + timedelta(days=count - 1), same_time_of_day=wished)
        choices = plan(places, days_of(busy, first, count), wishes, limit=3)
        assert choices
        for found in choices:
            assert len(check(found, phases, busy)) == len(expected)


def test_the_clock_on_the_wall_stays_over_both_changes() -> None:
    """A weekly course at the same time of day: each visit at the same wall time, an hour apart in UTC."""
    phases, places = course("CHEMO-28-3", None)
    for first in (SPRING, AUTUMN):
        idle = centre("site-02", "America/Chicago", first, 0)
        wishes = Wishes(first, first + timedelta(days=180), same_time_of_day=True)
        found = plan(places, days_of(idle, first, 181), wishes)[0]
        check(found, phases, idle)
        local = {session.instant.astimezone(idle.zone).time() for session in found.sessions}
        assert len(local) == 1
        assert len({session.instant.time() for session in found.sessions}) == 2
