"""Vital signs: due, done, overdue, out of limits; an infusion's rate; what a discharge waits for; adverse events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from accounts import clock
from accounts.refusals import Conflict
from scheduler.catalogue import entry
from sessions import infusion
from sessions.adverse_events import refuse_held
from sessions.expected import expected
from sessions.models import Series, Session
from sessions.observation import Due, Marks, Reading, dues, next_due
from tests.factories import make_protocol, noon

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

START = datetime(2027, 3, 1, 15, tzinfo=UTC)
MOOD = entry("KET-TRD-3W")


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def shown(found: list[Due]) -> list[tuple[int, str]]:
    return [(int((each.at - START).total_seconds()) // 60, each.status) for each in found]


def mood(marks: Marks, readings: list[Reading], now: float) -> list[tuple[int, str]]:
    return shown(dues(MOOD["observation"], marks, readings, after(now)))


def test_a_mood_infusion_is_watched_every_ten_minutes_then_at_60_and_90() -> None:
    running = Marks(START, None, None)
    assert mood(running, [], 0) == [(0, "due"), (10, "coming")]
    assert mood(running, [], 5.5) == [(0, "overdue"), (10, "due"), (20, "coming")]
    assert mood(running, [Reading(after(6), again=False)], 7) == [(0, "missed"), (10, "done"), (20, "coming")]
    read = [Reading(after(1), again=False)]
    assert mood(running, read, 4) == [(0, "done"), (10, "coming")]
    assert mood(running, read, 14.9) == [(0, "done"), (10, "due"), (20, "coming")]
    late = {**MOOD["observation"], "early_minutes": 1}
    assert shown(dues(late, running, read, after(16)))[1] == (10, "overdue")
    over = Marks(START, after(40), None)
    assert [minute for minute, _ in mood(over, [], 60)] == [0, 10, 20, 30, 40, 60, 90]
    assert mood(Marks(START, after(40), after(100)), [], 300)[-1] == (90, "missed")


def test_a_reading_out_of_limits_asks_for_another_soon() -> None:
    found = mood(Marks(START, None, None), [Reading(after(1), again=True)], 3)
    assert found == [(0, "done"), (6, "due"), (10, "coming")]
    assert mood(Marks(START, None, None), [Reading(after(1), again=True), Reading(after(4), again=False)], 4)[1] == (
        6, "done",
    )  # fmt: skip


@given(st.lists(st.integers(0, 180), max_size=12), st.integers(0, 60), st.integers(0, 200))
def test_what_is_due_is_in_order_and_each_reading_counts_once(minutes: list[int], length: int, now: int) -> None:
    readings = [Reading(after(minute), again=False) for minute in sorted(set(minutes)) if minute <= now]
    infused = after(length) if length < now else None
    found = dues(MOOD["observation"], Marks(START, infused, None), readings, after(now))
    assert [each.at for each in found] == sorted({each.at for each in found})
    assert sum(each.status == "done" for each in found) <= len(readings)
    assert sum(each.status == "coming" for each in found) <= 1
    assert sum(each.status == "due" for each in found) <= 1
    behind = [each.at for each in found if each.status in ("done", "missed")]
    assert all(each.at > max(behind, default=each.at - timedelta(1)) for each in found if each.status == "overdue")
    ahead = next_due(found)
    assert ahead is None or ahead.status in ("due", "overdue", "coming")


# ---- by HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture
def nurse(api: Callable[..., APIClient], clinic: Clinic) -> APIClient:
    return api(clinic.users["nurse"])


def running(clinic: Clinic, *, ago: float = 10, place: int = 0, **protocol: Any) -> Session:
    """A session whose infusion began so many minutes ago, as the protocol for mood has it."""
    values = {"observation": MOOD["observation"], "discharge": MOOD["discharge"], **protocol}
    kept = make_protocol(clinic.organization, clinic.users["prescriber"], **values)
    begun = clock.now() - timedelta(minutes=ago)
    seat = {"chair": clinic.chairs[place], "nurse": clinic.nurses[place]}
    series = clinic.series(protocol=kept)
    session = clinic.session(begun - timedelta(minutes=30), series=series, status="infusing", **seat)
    marks = {"arrived_at": begun - timedelta(minutes=30), "infusion_started_at": begun, "rate_since": begun}
    Session.objects.filter(pk=session.pk).update(**marks)
    session.refresh_from_db()
    return session


def post(client: APIClient, session: Session, verb: str, **body: Any) -> Any:
    return client.post(f"/api/v1/sessions/{session.pk}/{verb}/", body)


def test_a_reading_is_answered_at_once(nurse: APIClient, clinic: Clinic) -> None:
    session = running(clinic)
    fine = post(nurse, session, "vitals", systolic=124, diastolic=78, heart_rate=70, spo2=98)
    assert (fine.status_code, fine.json()["reading"]["answers"]) == (200, [])
    high = post(nurse, session, "vitals", systolic=165, diastolic=112, temperature=36.9).json()["reading"]
    assert {each["measure"]: each["action"] for each in high["answers"]} == {
        "systolic": "repeat", "diastolic": "stop_and_call",
    }  # fmt: skip
    day = nurse.get(f"/api/v1/sessions/{session.pk}/day/").json()
    assert [each["systolic"] for each in day["vitals"]] == [124, 165]
    assert day["due"][-1]["status"] == "coming"
    assert session.events.filter(kind="vitals").count() == 2


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"systolic": 500}, 400, "not_human"),
        ({"spo2": 101}, 400, "not_human"),
        ({"heart_rate": 0}, 400, "not_human"),
        ({"temperature": 98.6}, 400, "not_human"),
        ({"systolic": 80, "diastolic": 90}, 400, "not_human"),
        ({}, 400, "required"),
        ({"note": "well"}, 400, "required"),
        ({"systolic": "120"}, 400, "type"),
        ({"systolic": 120.5}, 400, "type"),
        ({"mood": 4, "spo2": 98}, 400, "unknown_field"),
        ({"spo2": 98, "note": "x" * 2001}, 400, "max_length"),
        ({"spo2": 98, "taken_at": "2099-01-01T00:00:00Z"}, 422, "in_future"),
        ({"spo2": 98, "taken_at": "2020-01-01T00:00:00Z"}, 422, "before_start"),
    ],
)
def test_a_reading_that_cannot_be(
    nurse: APIClient, clinic: Clinic, body: dict[str, Any], status: int, code: str
) -> None:
    session = running(clinic)
    answer = post(nurse, session, "vitals", **body)
    told = answer.json()
    assert (answer.status_code, told["errors"][0]["code"] if status == 400 else told["code"]) == (status, code)
    assert not session.vitals.exists()
    assert not session.events.exists()


def test_readings_and_adverse_events_stay_as_they_were_written(nurse: APIClient, clinic: Clinic) -> None:
    session = running(clinic)
    post(nurse, session, "vitals", spo2=97)
    post(nurse, session, "adverse-events", **ill(2))
    for table in ("vitalsigns", "adverseevent"):
        for change in (f"UPDATE infusion_sessions_{table} SET note = ''", f"DELETE FROM infusion_sessions_{table}"):
            change = change.replace("note", "symptoms") if table == "adverseevent" else change
            with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(change)


# ---- the rate and the end -------------------------------------------------------------------------------------------


def test_a_pause_and_a_slower_rate_move_the_expected_end(clinic: Clinic) -> None:
    session = running(clinic, ago=0)
    begun, nurse = session.infusion_started_at, clinic.users["nurse"]
    assert begun is not None

    def end(minutes: float) -> float:
        row = Session.objects.get(pk=session.pk)
        return (expected(row, begun + timedelta(minutes=minutes)).recover_start - begun).total_seconds() / 60

    def at(minutes: float) -> datetime:
        return begun + timedelta(minutes=minutes)

    assert end(5) == 60
    infusion.pause(session, nurse, at(10))
    assert end(20) == 70
    infusion.resume(session, nurse, at(25))
    assert end(25) == end(40) == 75
    infusion.slow(session, 50, "nausea", nurse, at(45))
    assert end(45) == end(60) == 105
    infusion.slow(session, 100, "", nurse, at(65))
    assert end(65) == 85
    assert end(120) == 120, "what runs on does not end in the past"
    infusion.finish_infusion(session, nurse, at(96))
    row = Session.objects.get(pk=session.pk)
    assert expected(row, at(97)).end == at(96 + 60)
    assert [event.kind for event in row.events.order_by("id")] == [
        "paused", "resumed", "slowed", "slowed", "infusion_finished",
    ]  # fmt: skip


# ---- going home -----------------------------------------------------------------------------------------------------

HOME = {"escort_name": "Bo Example", "score": 10}


def recovered(clinic: Clinic, minutes: float, **protocol: Any) -> Session:
    """A session whose infusion ended so many minutes ago, read just now."""
    session = running(clinic, ago=40 + minutes, **protocol)
    ended = clock.now() - timedelta(minutes=minutes)
    Session.objects.filter(pk=session.pk).update(status="recovering", infusion_ended_at=ended)
    session.refresh_from_db()
    return session


def test_nobody_goes_home_before_their_time(nurse: APIClient, clinic: Clinic, api: Callable[..., APIClient]) -> None:
    session = recovered(clinic, 30)
    post(nurse, session, "vitals", spo2=98)
    refused = post(nurse, session, "discharge", **HOME)
    assert (refused.status_code, refused.json()["missing"]) == (409, ["minimum_recovery"])
    assert session.infusion_ended_at is not None
    ready = session.infusion_ended_at + timedelta(minutes=60)
    assert datetime.fromisoformat(refused.json()["ready_at"]) == ready
    with time_machine.travel(ready - timedelta(seconds=1)):
        assert post(nurse, session, "discharge", **HOME).status_code == 409
    reason = {"reason": "family emergency"}
    assert post(nurse, session, "discharge", **HOME, override=reason).json()["code"] == "may_not_override"
    with time_machine.travel(ready + timedelta(seconds=1)):
        post(nurse, session, "vitals", spo2=98)
        assert post(nurse, session, "discharge", **HOME).json()["status"] == "completed"
    other = recovered(clinic, 10, place=1)
    passed = post(api(clinic.users["prescriber"]), other, "discharge", score=4, override=reason)
    assert passed.json()["status"] == "completed"
    event = other.events.get(kind="discharged")
    assert event.after["overridden"] == ["minimum_recovery", "score", "escort_name", "vitals"]
    assert event.reason == reason["reason"]


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({"escort_name": "Bo Example", "score": 8}, ["score"]),
        ({"escort_name": "Bo Example"}, ["score"]),
        ({"score": 10}, ["escort_name"]),
        ({}, ["score", "escort_name"]),
    ],
)
def test_what_a_discharge_waits_for(nurse: APIClient, clinic: Clinic, body: dict[str, Any], missing: list[str]) -> None:
    session = recovered(clinic, 61)
    assert post(nurse, session, "discharge", **body).json()["missing"] == [*missing, "vitals"]
    post(nurse, session, "vitals", spo2=98)
    assert post(nurse, session, "discharge", **body).json()["missing"] == missing


def test_the_items_of_a_score_are_kept_and_their_sum_counts(nurse: APIClient, clinic: Clinic) -> None:
    session = recovered(clinic, 61)
    post(nurse, session, "vitals", spo2=98)
    items = {"activity": 2, "respiration": 2, "circulation": 1, "consciousness": 2, "spo2": 2}
    home = {"escort_name": "Bo Example", "instrument": "aldrete", "take_home": ["Written instructions", "24 h number"]}
    for wrong, code in (
        ({"items": items, "score": 10}, "score_sum"),
        ({"items": {**items, "colour": 2}}, "score_items"),
        ({"items": {"activity": 2}}, "score_items"),
        ({"items": items, "instrument": "padss"}, "score_items"),
    ):
        answer = post(nurse, session, "discharge", **{**home, **wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert post(nurse, session, "discharge", **home, items={**items, "activity": 3}).status_code == 400
    assert post(nurse, session, "discharge", **home, items=items).json()["status"] == "completed"
    day = nurse.get(f"/api/v1/sessions/{session.pk}/day/").json()
    assert day["discharge_score"] == 9
    assert day["discharge_record"] == {"instrument": "aldrete", "items": items, "take_home": home["take_home"]}


def test_a_protocol_that_asks_for_nothing_lets_go(nurse: APIClient, clinic: Clinic) -> None:
    session = recovered(clinic, 0, observation={}, discharge={})
    assert post(nurse, session, "discharge", score=3).json()["status"] == "completed"


# ---- adverse events -------------------------------------------------------------------------------------------------


def ill(grade: int = 3, **more: Any) -> dict[str, Any]:
    told = {"grade": grade, "term": "Anaphylaxis", "onset": clock.now().isoformat(), "action": "stopped"}
    return {**told, "outcome": "ongoing", **more}


def test_a_grave_event_holds_the_series_until_a_prescriber_releases_it(
    nurse: APIClient, clinic: Clinic, api: Callable[..., APIClient]
) -> None:
    prescriber = api(clinic.users["prescriber"])
    session = running(clinic)
    later = clinic.session(noon(3), series=session.series, status="arrived")
    mild = post(nurse, session, "adverse-events", **ill(2))
    assert (mild.status_code, mild.json()["series_status"]) == (200, "active")
    grave = post(nurse, session, "adverse-events", **ill(3))
    assert grave.json()["series_status"] == "on_hold"
    assert grave.json()["adverse_event"]["rate_percent"] == 100
    refused = post(prescriber, later, "start", override={"reason": "wanted"})
    assert (refused.status_code, refused.json()["code"]) == (409, "series_on_hold")
    release = f"/api/v1/series/{session.series_id}/release/"
    assert nurse.post(release).status_code == 403
    assert post(nurse, session, "stop", reason="anaphylaxis").status_code == 200, "what runs comes to its end"
    Session.objects.filter(pk=session.pk).update(infusion_ended_at=clock.now() - timedelta(hours=2))
    post(nurse, session, "vitals", spo2=98)
    assert post(nurse, session, "discharge", **HOME).json()["status"] == "stopped_early"
    assert Series.objects.get(pk=session.series_id).status == "on_hold"
    assert prescriber.post(release, {"reason": "premedication added"}).json()["status"] == "active"
    assert session.series.sessions.get(pk=later.pk).events.get(kind="series_released").reason == "premedication added"
    assert post(prescriber, later, "start").status_code == 200


@pytest.mark.parametrize("whole", [True, False], ids=["the whole series", "its last session"])
def test_a_cancellation_does_not_end_the_hold_of_a_series(
    nurse: APIClient, clinic: Clinic, api: Callable[..., APIClient], whole: bool
) -> None:
    session = clinic.session(noon(2), status="arrived")
    if whole:
        later = clinic.session(noon(5), series=session.series)
    assert post(nurse, session, "adverse-events", **ill(3)).json()["series_status"] == "on_hold"
    assert post(nurse, session, "cancel", reason="sent to hospital").status_code == 200
    cancel = f"/api/v1/series/{session.series_id}/cancel/"
    if whole:
        answer = nurse.post(cancel, {"reason": "does not want it any more"})
        assert (answer.status_code, answer.json()["status"]) == (200, "on_hold")
        assert Session.objects.get(pk=later.pk).status == "cancelled"
    assert nurse.post(cancel, {"reason": "again"}).json()["code"] == "already_done"
    assert Series.objects.get(pk=session.series_id).status == "on_hold"
    with pytest.raises(Conflict, match="release"):
        refuse_held(session.patient_id)
    release = f"/api/v1/series/{session.series_id}/release/"
    assert nurse.post(release).status_code == 403
    assert api(clinic.users["prescriber"]).post(release, {"reason": "seen"}).json()["status"] == "cancelled"


def test_from_which_grade_a_series_is_held_the_site_says(nurse: APIClient, clinic: Clinic) -> None:
    session = running(clinic)
    type(clinic.site).objects.filter(pk=clinic.site.pk).update(hold_series_from_grade=4)
    assert post(nurse, session, "adverse-events", **ill(3)).json()["series_status"] == "active"
    assert post(nurse, session, "adverse-events", **ill(4)).json()["series_status"] == "on_hold"


def test_a_grave_event_of_a_cancelled_series_holds_what_else_the_patient_has(nurse: APIClient, clinic: Clinic) -> None:
    session = running(clinic)
    other = clinic.session(noon(9), series=clinic.series(session.patient)).series
    strangers = clinic.session(noon(12)).series
    Series.objects.filter(pk=session.series_id).update(status="cancelled")
    assert post(nurse, session, "adverse-events", **ill(3)).json()["series_status"] == "cancelled"
    held = dict(Series.objects.filter(pk__in=[other.pk, strangers.pk]).values_list("pk", "status"))
    assert held == {other.pk: "on_hold", strangers.pk: "active"}
    with pytest.raises(Conflict, match="release"):
        refuse_held(session.patient_id)


def test_what_a_held_series_forbids_the_database_forbids(nurse: APIClient, clinic: Clinic) -> None:
    session = running(clinic)
    later = clinic.session(noon(3), series=session.series, status="arrived")
    post(nurse, session, "adverse-events", **ill(4))
    with pytest.raises(IntegrityError, match="on hold"), transaction.atomic():
        Session.objects.filter(pk=later.pk).update(status="infusing")
    with pytest.raises(IntegrityError, match="on hold"), transaction.atomic():
        clinic.session(noon(5), series=session.series)
    with pytest.raises(IntegrityError, match="on hold"), transaction.atomic():
        clinic.series(session.patient)
    assert clinic.series() is not None, "other patients are not held"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"grade": 0}, 400, "min_value"),
        ({"grade": 6}, 400, "max_value"),
        ({"action": "prayed"}, 400, "invalid_choice"),
        ({"onset": "2099-01-01T00:00:00Z"}, 422, "in_future"),
        ({"onset": "2020-01-01T00:00:00Z"}, 422, "before_arrival"),
        ({"amends": "01890a5d-ac96-774b-bcce-b302099a8057"}, 400, "unknown_reference"),
        ({"rate_percent": 50}, 400, "read_only"),
    ],
)
def test_an_event_that_cannot_be(
    nurse: APIClient, clinic: Clinic, body: dict[str, Any], status: int, code: str
) -> None:
    session = running(clinic)
    answer = post(nurse, session, "adverse-events", **(ill() | body))
    told = answer.json()
    assert (answer.status_code, told["errors"][0]["code"] if status == 400 else told["code"]) == (status, code)
    assert Series.objects.get(pk=session.series_id).status == "active"


def test_an_event_is_amended_by_a_further_one(nurse: APIClient, clinic: Clinic) -> None:
    session, other = running(clinic), running(clinic, ago=400)
    first = post(nurse, session, "adverse-events", **ill(2)).json()["adverse_event"]["id"]
    assert post(nurse, session, "adverse-events", **ill(1, amends=first)).status_code == 200
    wrong = post(nurse, other, "adverse-events", **ill(1, amends=first))
    assert (wrong.status_code, wrong.json()["code"]) == (422, "other_session")
    told = nurse.get(f"/api/v1/sessions/{session.pk}/day/").json()["adverse_events"]
    assert [(each["grade"], each["amends"]) for each in told] == [(2, None), (1, first)]
