"""The board: what it shows, that each change moves it, that it costs the same however full the day is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from knox.models import AuthToken

from accounts import clock
from accounts.models import AuditEntry
from scheduler.catalogue import entry
from scheduler.models import Chair
from scheduler.walltime import local_date
from sessions import adverse_events, infusion, kept_days, lifecycle, observation
from sessions.facts import zone_of
from sessions.gates import meet_gate
from sessions.models import Session
from sessions.sweep import sweep
from sessions.tasks import tick
from tests.factories import make_chair, make_protocol, make_provider, noon

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

MINUTE = timedelta(minutes=1)


def weekday(days: int) -> datetime:
    """A morning on a day on which the clinic is open."""
    at = noon(days) + timedelta(hours=3)
    return at + timedelta(days=1) if at.weekday() == 6 else at


@pytest.fixture
def nurse(api: Callable[..., APIClient], clinic: Clinic) -> APIClient:
    return api(clinic.users["nurse"])


def look(client: APIClient, clinic: Clinic, at: datetime, **headers: str) -> Any:
    """The board of the day of that instant, for which the sign-in is made to last."""
    AuthToken.objects.update(expiry=None)
    with time_machine.travel(at, tick=False):
        date = local_date(at, zone_of(clinic.site))
        return client.get(f"/api/v1/board/?site={clinic.site.pk}&date={date}", headers=headers)


def cell(board: dict[str, Any], session: Session) -> dict[str, Any]:
    """A session on the board."""
    rows = [each for chair in board["chairs"] for each in chair["sessions"]]
    found: dict[str, Any] = next(each for each in rows if each["id"] == str(session.pk))
    return found


def mood(clinic: Clinic) -> Any:
    """A series watched as the protocol for mood says."""
    values = entry("KET-TRD-3W")
    rules = {name: values[name] for name in ("observation", "discharge")}
    protocol = make_protocol(clinic.organization, clinic.users["prescriber"], gates=["consent"], **rules)
    return clinic.series(protocol=protocol)


def test_a_day_on_the_board(nurse: APIClient, clinic: Clinic) -> None:
    start, staff = weekday(3), clinic.users["nurse"]
    session = clinic.session(start, series=mood(clinic))
    seen = cell(look(nurse, clinic, start - 30 * MINUTE).json(), session)
    assert (seen["next"]["what"], seen["late_minutes"], seen["open_gates"]) == ("arrive", 0, ["consent"])
    lifecycle.arrive(session, staff, start + 20 * MINUTE)
    seen = cell(look(nurse, clinic, start + 21 * MINUTE).json(), session)
    assert seen["next"] == {
        "what": "start", "at": (start + 50 * MINUTE).isoformat().replace("+00:00", "Z"), "waits_for": ["consent"],
    }  # fmt: skip
    assert seen["late_minutes"] == 20
    meet_gate(session, "consent", "met", "", staff, start + 30 * MINUTE)
    infusion.start(session, staff, start + 50 * MINUTE)
    seen = cell(look(nurse, clinic, start + 51 * MINUTE).json(), session)
    assert (seen["next"]["what"], [each["status"] for each in seen["due"]]) == ("vitals", ["due", "coming"])
    observation.record_vitals(session, {"systolic": 182, "diastolic": 90}, staff, start + 52 * MINUTE)
    board = look(nurse, clinic, start + 52 * MINUTE).json()
    assert board["alerts"][0]["code"] == "vitals_stop"
    assert cell(board, session)["last_reading"]["values"] == {"systolic": 182, "diastolic": 90}
    late = look(nurse, clinic, start + 68 * MINUTE).json()
    assert "vitals_overdue" in cell(late, session)["alerts"]
    load = next(each for each in late["nurses"] if each["id"] == str(session.nurse_id))["loads"]
    assert [(each["patients"], each["acuity"]) for each in load] == [(1, 2)]


def leaves(value: Any) -> list[Any]:
    """Every value of an answer that is neither an object nor a list."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [leaf for each in inner for leaf in leaves(each)]


def test_who_gives_no_care_sees_no_values(clinic: Clinic, api: Callable[..., APIClient], nurse: APIClient) -> None:
    start, staff = weekday(3), clinic.users["nurse"]
    session = clinic.session(start, series=mood(clinic), status="infusing")
    Session.objects.filter(pk=session.pk).update(infusion_started_at=start)
    observation.record_vitals(session, {"systolic": 182}, staff, start + MINUTE)
    told = look(api(clinic.users["front_desk"]), clinic, start + MINUTE)
    assert cell(told.json(), session)["last_reading"]["values"] is None
    # Anywhere else either; ids and times may hold the same digits.
    assert not [each for each in leaves(told.json()) if each in (182, "182")]
    assert look(api(clinic.users["patient"]), clinic, start).status_code == 403


def changes(clinic: Clinic, session: Session, at: datetime) -> dict[str, Callable[[], object]]:
    """Everything that the board shows, changed once each, in an order that can be lived through."""
    staff = clinic.users["nurse"]
    told = adverse_events.Report(3, "Anaphylaxis", at, "stopped", "ongoing")
    return {
        "moved chair": lambda: Session.objects.filter(pk=session.pk).update(chair=clinic.room),
        "arrived": lambda: lifecycle.arrive(session, staff, at),
        "gate": lambda: meet_gate(session, "consent", "met", "", staff, at),
        "started": lambda: infusion.start(session, staff, at),
        "vitals": lambda: observation.record_vitals(session, {"spo2": 95}, staff, at),
        "slowed": lambda: infusion.slow(session, 50, "", staff, at),
        "adverse event": lambda: adverse_events.report(session, told, staff, at),
        "released": lambda: lifecycle.release_series(session.series, clinic.users["prescriber"], at),
        "swept": lambda: sweep(at + timedelta(days=2)),
        "a chair": lambda: make_chair(clinic.site),
        "its name": lambda: Chair.objects.filter(pk=clinic.room.pk).update(name="At the window"),
        "a nurse": lambda: make_provider(clinic.site),
    }


def test_whatever_is_shown_moves_the_tag(nurse: APIClient, clinic: Clinic) -> None:
    start = clock.now().replace(second=10)
    session = clinic.session(start, series=mood(clinic))
    tag = look(nurse, clinic, start)["ETag"]
    same = look(nurse, clinic, start, **{"If-None-Match": tag})
    assert (same.status_code, same.content, same["ETag"]) == (304, b"", tag)
    for what, change in changes(clinic, session, start).items():
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        change()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        answer = look(nurse, clinic, start, **{"If-None-Match": tag})
        assert answer.status_code == 200, what
        tag = answer["ETag"]
        kept_days.forget()
        assert look(nurse, clinic, start).json() == answer.json(), f"{what}: what is kept has grown old"
    assert look(nurse, clinic, start + MINUTE, **{"If-None-Match": tag}).status_code == 200, "lateness comes with time"


def test_as_many_queries_for_much_as_for_little(nurse: APIClient, clinic: Clinic) -> None:
    start = weekday(3)
    chairs = [make_chair(clinic.site) for _ in range(20)]
    nurses = [make_provider(clinic.site, capacity=10) for _ in range(10)]
    doctor = make_provider(clinic.site, "prescriber", capacity=60)
    series = mood(clinic).protocol

    def fill(number: int) -> None:
        place, wave = number % 20, number // 20
        at = start + timedelta(hours=3 * wave - 1, minutes=15 * (place // 10))
        row = clinic.session(
            at, series=clinic.series(protocol=series), chair=chairs[place], nurse=nurses[place % 10],
            prescriber=doctor, acuity=1, status="infusing" if wave == 0 else "booked",
        )  # fmt: skip
        if wave == 0:
            Session.objects.filter(pk=row.pk).update(infusion_started_at=at, arrived_at=at, rate_since=at)

    counts = []
    now = start + timedelta(hours=2)
    for upto in (range(5), range(5, 60)):
        for number in upto:
            fill(number)
        look(nurse, clinic, now)
        with CaptureQueriesContext(connection) as captured:
            board = look(nurse, clinic, now).json()
        counts.append(len(captured))
        assert sum(len(chair["sessions"]) for chair in board["chairs"]) == upto.stop
    assert counts[0] == counts[1], counts
    assert counts[0] <= 12
    tag = look(nurse, clinic, now)["ETag"]
    with CaptureQueriesContext(connection) as captured:
        assert look(nurse, clinic, now, **{"If-None-Match": tag}).status_code == 304
    touched = [query["sql"] for query in captured if "infusion_sessions" in (query["sql"] or "")]
    assert len(touched) == 1, touched
    assert "siteday" in touched[0]


def test_a_late_one_shows_whom_it_reaches_and_what_can_be_done(nurse: APIClient, clinic: Clinic) -> None:
    start, staff = weekday(3), clinic.users["nurse"]
    late = clinic.session(start, series=mood(clinic))
    follower = clinic.session(start + 165 * MINUTE)
    Session.objects.filter(pk=late.pk).update(gates={"consent": {"outcome": "met"}})
    lifecycle.arrive(late, staff, start + 30 * MINUTE)
    board = look(nurse, clinic, start + 31 * MINUTE).json()
    alert = next(each for each in board["alerts"] if each["code"] == "running_late")
    assert alert["level"] == "overdue"
    (reached,) = alert["reaches"]
    assert (reached["kind"], reached["minutes"], reached["session"]) == ("chair", 30, str(follower.pk))
    kinds = {offer["kind"]: offer for offer in reached["offers"]}
    assert kinds.keys() == {"chair", "later"}
    assert kinds["chair"]["chair"] != str(follower.chair_id)
    assert datetime.fromisoformat(kinds["later"]["start"]) == follower.start + 30 * MINUTE


def test_a_late_start_keeps_its_nurse_from_the_next_one(nurse: APIClient, clinic: Clinic) -> None:
    start, staff = weekday(3), clinic.users["nurse"]
    late = clinic.session(start, series=mood(clinic))
    follower = clinic.session(start + 20 * MINUTE, chair=clinic.recliners[1])
    lifecycle.arrive(late, staff, start + 15 * MINUTE)
    board = look(nurse, clinic, start + 16 * MINUTE).json()
    (reached,) = next(each for each in board["alerts"] if each["code"] == "running_late")["reaches"]
    assert (reached["kind"], reached["minutes"], reached["session"]) == ("nurse", 10, str(follower.pk))
    assert {offer["kind"] for offer in reached["offers"]} == {"nurse", "later"}


def test_a_long_day_reaches_closing_time(nurse: APIClient, clinic: Clinic) -> None:
    closing = weekday(3).replace(hour=0) + timedelta(days=1)
    start = closing - 165 * MINUTE
    late = clinic.session(start, series=mood(clinic))
    lifecycle.arrive(late, clinic.users["nurse"], start + 25 * MINUTE)
    board = look(nurse, clinic, start + 26 * MINUTE).json()
    reached = next(each for each in board["alerts"] if each["code"] == "running_late")["reaches"]
    assert "closing" in {each["kind"] for each in reached}


def test_what_nobody_noticed_is_found_once_and_never_closed(nurse: APIClient, clinic: Clinic) -> None:
    now = clock.now()
    missing = clinic.session(now - 20 * MINUTE)
    left = clinic.session(now - timedelta(days=2), status="recovering", chair=clinic.bed)
    clinic.session(now - 10 * MINUTE, chair=clinic.room, nurse=clinic.nurses[1])
    tick()
    tick()
    kinds = {row.pk: list(row.events.values_list("kind", "system")) for row in (missing, left)}
    assert kinds == {missing.pk: [("found_not_here", "sweep")], left.pk: [("found_forgotten", "sweep")]}
    board = nurse.get(f"/api/v1/board/?site={clinic.site.pk}&date={local_date(now, zone_of(clinic.site))}").json()
    found = {(each["code"], each["session"]) for each in board["alerts"]}
    assert ("forgotten", str(left.pk)) in found, "yesterday's are on today's board"
    missing.refresh_from_db()
    left.refresh_from_db()
    assert (missing.status, left.status) == ("booked", "recovering")


def test_an_open_board_is_one_read_a_quarter_of_an_hour(nurse: APIClient, clinic: Clinic) -> None:
    start = weekday(3)
    session = clinic.session(start)
    read = AuditEntry.objects.filter(action="read", record_id=str(session.pk), actor=clinic.users["nurse"].pk)
    for minute, entries in ((0, 1), (1, 1), (14, 1), (16, 2)):
        assert look(nurse, clinic, start + minute * MINUTE).status_code == 200
        assert read.count() == entries, minute


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "required"),
        ("?site={site}", "required"),
        ("?site={site}&date=tomorrow", "invalid"),
        ("?site={site}&date=9999-12-31", "out_of_range"),
        ("?site={other}&date=2027-01-04", "unknown_reference"),
        ("?site={site}&date=2027-01-04&colour=red", "unknown_parameter"),
    ],
)
def test_what_is_no_board(nurse: APIClient, clinic: Clinic, query: str, code: str) -> None:
    assert clinic.other is not None
    answer = nurse.get("/api/v1/board/" + query.format(site=clinic.site.pk, other=clinic.other.site.pk))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)
