"""Moving one session: what it keeps, and what forbids it."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from accounts import clock
from sessions.models import Session
from tests.factories import make_patient, make_protocol, phase
from tests.sessions.test_plan_and_book import book, plans

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

CHICAGO = ZoneInfo("America/Chicago")


@pytest.fixture
def desk(api: Callable[..., APIClient], clinic: Clinic) -> APIClient:
    return api(clinic.users["front_desk"])


@pytest.fixture
def sessions(desk: APIClient, clinic: Clinic) -> list[Session]:
    """A booked series of six, all at the same time of day, in order."""
    found = plans(desk, clinic, preferences={"time_windows": [{"from": "09:00", "until": "11:30"}]})
    series = book(desk, clinic, found[0]["id"]).json()
    return list(Session.objects.filter(series=series["id"]).order_by("sequence"))


def move(client: APIClient, session: Session, start: datetime | str) -> Any:
    text = start if isinstance(start, str) else start.isoformat()
    return client.post(f"/api/v1/sessions/{session.pk}/reschedule/", {"start": text})


def test_a_moved_session_stays_itself(desk: APIClient, clinic: Clinic, sessions: list[Session]) -> None:
    session, start = sessions[2], sessions[2].start + timedelta(hours=2)
    desk.post(f"/api/v1/sessions/{session.pk}/confirm/")
    answer = move(desk, session, start)
    assert answer.status_code == 200, answer.content
    moved = Session.objects.get(pk=session.pk)
    assert moved.start == start
    assert moved.end - moved.start == session.end - session.start
    assert moved.turnover_end - moved.end == session.turnover_end - session.end
    assert moved.status == "booked", "what was confirmed was another time"
    assert (moved.sequence, moved.series_id) == (session.sequence, session.series_id)
    assert moved.version > session.version
    event = desk.get(f"/api/v1/sessions/{session.pk}/events/").json()["results"][-1]
    assert event["kind"] == "rescheduled"
    assert set(event["before"]) >= {"start", "end", "status"}


def test_a_place_left_is_free_again(desk: APIClient, clinic: Clinic, sessions: list[Session]) -> None:
    assert move(desk, sessions[2], sessions[2].start + timedelta(hours=3)).status_code == 200
    other = clinic.session(sessions[2].start)
    assert other.pk is not None


def test_gaps_are_kept(desk: APIClient, sessions: list[Session]) -> None:
    gap = (sessions[2].start.astimezone(CHICAGO).date() - sessions[1].start.astimezone(CHICAGO).date()).days
    too_soon = move(desk, sessions[2], sessions[2].start - timedelta(days=gap - 1))
    assert (too_soon.status_code, too_soon.json()["code"]) == (422, "gap_too_short")
    last = sessions[-1]
    too_late = move(desk, last, last.start + timedelta(days=14))
    assert (too_late.status_code, too_late.json()["code"]) == (422, "gap_too_long")
    last.refresh_from_db()
    assert last.start == sessions[-1].start


@pytest.mark.parametrize(
    ("shift", "status", "code"),
    [
        (timedelta(minutes=2), 422, "off_grid"),
        (timedelta(seconds=30), 422, "off_grid"),
        (timedelta(hours=8), 422, "recovery_after_close"),
        (timedelta(hours=-2), 422, "outside_opening_hours"),
        (timedelta(days=-400), 422, "in_past"),
        (timedelta(days=600), 422, "beyond_horizon"),
        (timedelta(0), 409, "already_done"),
    ],
)
def test_a_start_that_no_day_allows(
    desk: APIClient, sessions: list[Session], shift: timedelta, status: int, code: str
) -> None:
    answer = move(desk, sessions[2], sessions[2].start + shift)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content


def test_what_is_taken_is_a_conflict(desk: APIClient, clinic: Clinic, sessions: list[Session]) -> None:
    start = sessions[2].start + timedelta(hours=4)
    for chair, nurse, shift in zip(clinic.chairs, [0, 0, 0, 1, 1], [-60, -30, 0, -45, -15], strict=True):
        clinic.session(
            start + timedelta(minutes=shift),
            series=clinic.series(make_patient(clinic.site)),
            chair=chair,
            nurse=clinic.nurses[nurse],
            acuity=1,
        )
    answer = move(desk, sessions[2], start)
    assert (answer.status_code, answer.json()["code"]) == (409, "chair_taken")


@pytest.mark.parametrize(
    ("start", "status", "code"),
    [
        ("2027-01-04T09:00:00", 400, "offset_required"),
        ("2027-01-04", 400, "invalid"),
        ("2027-01-04T09:00:00+23:59", 400, "offset_out_of_range"),
        ("2027-01-04T09:00:00-04:00", 422, "offset_mismatch"),
        ("2027-02-30T09:00:00Z", 400, "invalid"),
        ("2027-01-04T24:00:00Z", 400, "invalid"),
        ("0001-01-01T00:00:00Z", 400, "out_of_range"),
        ("٢٠٢٧-01-04T09:00:00Z", 400, "invalid"),
    ],
)
def test_starts_that_are_none(desk: APIClient, sessions: list[Session], start: str, status: int, code: str) -> None:
    answer = move(desk, sessions[0], start)
    assert answer.status_code == status, answer.content
    assert code in {answer.json()["code"], *(fault["code"] for fault in answer.json().get("errors", []))}


def test_a_begun_session_stays(desk: APIClient, clinic: Clinic, sessions: list[Session]) -> None:
    desk.post(f"/api/v1/sessions/{sessions[0].pk}/arrive/")
    answer = move(desk, sessions[0], clock.now() + timedelta(days=1))
    assert (answer.status_code, answer.json()["code"]) == (409, "not_allowed")


def test_the_smallest_change_of_the_rest_moves_nobody_who_can_stay(desk: APIClient, clinic: Clinic) -> None:
    """Monday, Thursday, Monday, two to five days apart: the last on Wednesday needs the second on Friday, at eight."""
    protocol = make_protocol(clinic.organization, clinic.users["prescriber"], phase(sessions=3))
    today = clock.now().astimezone(CHICAGO).date()
    begin = datetime.combine(today + timedelta(days=14 - today.weekday()), time(10), CHICAGO)
    series = clinic.series(protocol=protocol)
    visits = [clinic.session(begin + timedelta(days=days), series=series) for days in (0, 3, 7)]
    wanted = begin + timedelta(days=9)
    answer = move(desk, visits[2], wanted)
    assert (answer.status_code, answer.json()["code"]) == (422, "gap_too_long")
    starts = [datetime.fromisoformat(row["start"]) for row in answer.json()["plans"][0]["sessions"]]
    assert starts == [begin, begin + timedelta(days=4, hours=-2), wanted], (
        "Friday at eight is nearest to Thursday at ten"
    )
