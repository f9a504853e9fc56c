"""A session's life: each state, each verb, who may, and what remains of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts import clock
from scheduler.models import Chair
from sessions import lifecycle
from sessions.models import Series, Session, SessionStatus
from tests.factories import make_protocol, noon

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

# What each verb needs to be sent.
BODIES: dict[str, dict[str, Any]] = {
    "cancel": {"reason": "the patient has a cold"},
    "stop": {"reason": "nausea"},
    "discharge": {"escort_name": "Bo Example", "score": 10},
    "gates": {"gate": "consent", "outcome": "met", "note": ""},
    "preparation": {"answers": [{"gate": "escort", "outcome": "met", "note": "Bo Example"}]},
    "vitals": {"systolic": 128, "diastolic": 82, "heart_rate": 74, "spo2": 98},
    "slow": {"rate_percent": 50},
}


@pytest.fixture
def staff(api: Callable[..., APIClient], clinic: Clinic) -> APIClient:
    """Somebody who may do everything."""
    return api(clinic.users["admin"])


def say(client: APIClient, session: Session, verb: str, **headers: str) -> Any:
    """POST a verb with a body that fits it."""
    body = BODIES.get(verb, {})
    if verb == "adverse-events":
        body = {"grade": 2, "term": "Nausea", "onset": clock.now().isoformat(), "action": "none", "outcome": "resolved"}
    if verb == "reschedule":
        body = {"start": (session.start + timedelta(minutes=30)).isoformat()}
    if verb == "reseat":
        body = {
            "chair": str(Chair.objects.filter(site=session.site_id).exclude(pk=session.chair_id).order_by("pk")[0].pk)
        }
    return client.post(f"/api/v1/sessions/{session.pk}/{verb}/", body, headers=headers)


def at(clinic: Clinic, status: str, *, past: bool = False) -> Session:
    """A session in this state; one in the past by a day where asked for."""
    start = noon(-1 if past else 3) + timedelta(hours=3)
    protocol = make_protocol(clinic.organization, clinic.users["prescriber"], gates=["consent", "escort"])
    session = clinic.session(start, series=clinic.series(protocol=protocol), status=status)
    Session.objects.filter(pk=session.pk).update(gates={"consent": {"outcome": "met"}, "escort": {"outcome": "met"}})
    return session


def test_the_whole_way_home(staff: APIClient, clinic: Clinic) -> None:
    session = at(clinic, "booked")
    seen = []
    for verb in ("confirm", "arrive", "start", "pause", "resume", "finish-infusion", "discharge"):
        answer = say(staff, session, verb)
        assert answer.status_code == 200, (verb, answer.content)
        seen.append(answer.json()["status"])
    assert seen == ["confirmed", "arrived", "infusing", "infusing", "infusing", "recovering", "completed"]
    events = staff.get(f"/api/v1/sessions/{session.pk}/events/").json()["results"]
    kinds = ["confirmed", "arrived", "started", "paused", "resumed", "infusion_finished", "discharged"]
    assert [event["kind"] for event in events] == kinds
    assert all(event["actor"] == str(clinic.users["admin"].pk) for event in events)
    assert events[0]["before"] == {"status": "booked"}
    assert events[0]["after"] == {"status": "confirmed"}
    assert events[1]["after"]["early"] is True
    session.refresh_from_db()
    assert session.escort_name == "Bo Example"
    assert session.ended_at is not None
    assert Series.objects.get(pk=session.series_id).status == "completed"


def test_a_broken_off_infusion_ends_as_stopped_early(staff: APIClient, clinic: Clinic) -> None:
    session = at(clinic, "infusing")
    assert say(staff, session, "stop").json()["status"] == "recovering"
    assert say(staff, session, "discharge").json()["status"] == "stopped_early"
    reasons = [event["reason"] for event in staff.get(f"/api/v1/sessions/{session.pk}/events/").json()["results"]]
    assert reasons == ["nausea", ""]


@pytest.mark.parametrize("verb", sorted(lifecycle.MOVES))
@pytest.mark.parametrize("status", SessionStatus.values)
def test_every_pair_of_state_and_verb(staff: APIClient, clinic: Clinic, status: str, verb: str) -> None:
    session = at(clinic, status, past=verb == "no-show")
    if verb == "resume":
        Session.objects.filter(pk=session.pk).update(paused_at=clock.now())
    answer = say(staff, session, verb)
    if status in lifecycle.MOVES[verb].sources:
        assert answer.status_code == 200, answer.content
        targets = lifecycle.MOVES[verb].targets or {status}
        assert answer.json()["status"] in targets
        assert Session.objects.get(pk=session.pk).events.count() == 1
    else:
        assert answer.status_code == 409, answer.content
        assert answer.json()["code"] in {"not_allowed", "already_done"}
        assert verb not in answer.json()["allowed"]
        session.refresh_from_db()
        assert session.status == status
        assert not session.events.exists()


def test_a_move_made_twice_names_who_made_it(staff: APIClient, clinic: Clinic, api: Any) -> None:
    session = at(clinic, "booked")
    assert say(api(clinic.users["front_desk"]), session, "arrive").status_code == 200
    again = say(staff, session, "arrive")
    assert (again.status_code, again.json()["code"]) == (409, "already_done")
    assert again.json()["by"] == str(clinic.users["front_desk"].pk)
    assert datetime.fromisoformat(again.json()["at"]) <= clock.now()


def test_nobody_is_a_no_show_before_the_start(staff: APIClient, clinic: Clinic) -> None:
    answer = say(staff, at(clinic, "booked"), "no-show")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_yet")


def test_the_database_keeps_the_same_table_of_moves(clinic: Clinic) -> None:
    allowed = set()
    for source in SessionStatus.values:
        for target in SessionStatus.values:
            session = at(clinic, source)
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute(
                        "UPDATE infusion_sessions_session SET status = %s WHERE id = %s", [target, session.pk]
                    )
                    if source != target:
                        allowed.add((source, target))
            except IntegrityError:
                pass
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM infusion_sessions_session WHERE id = %s", [session.pk])
    assert allowed == lifecycle.pairs()


def test_the_infusion_waits_for_its_gates(staff: APIClient, clinic: Clinic) -> None:
    protocol = make_protocol(clinic.organization, clinic.users["prescriber"], gates=["consent", "escort"])
    session = clinic.session(noon(3), series=clinic.series(protocol=protocol), status="arrived")
    refused = say(staff, session, "start")
    assert (refused.status_code, refused.json()["code"]) == (409, "gates_open")
    assert refused.json()["missing"] == ["consent", "escort"]
    gates = f"/api/v1/sessions/{session.pk}/gates/"
    assert staff.post(gates, {"gate": "consent", "outcome": "met"}).status_code == 200
    assert staff.post(gates, {"gate": "escort", "outcome": "not_met"}).status_code == 200
    assert say(staff, session, "start").json()["missing"] == ["escort"]
    assert staff.post(gates, {"gate": "escort", "outcome": "not_applicable"}).status_code == 200
    assert say(staff, session, "start").status_code == 200
    unknown = staff.post(gates, {"gate": "weather", "outcome": "met"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_gate")


def test_cancelling_frees_the_chair_and_asks_for_a_clinician(staff: APIClient, clinic: Clinic, api: Any) -> None:
    series = clinic.series()
    first = clinic.session(noon(3), series=series)
    second = clinic.session(noon(6), series=series)
    assert say(staff, first, "cancel").json()["status"] == "cancelled"
    assert staff.get(f"/api/v1/series/{series.pk}/").json()["status"] == "needs_review"
    clinic.session(noon(3))
    assert api(clinic.users["nurse"]).post(f"/api/v1/series/{series.pk}/release/").status_code == 403
    assert api(clinic.users["prescriber"]).post(f"/api/v1/series/{series.pk}/release/").json()["status"] == "active"
    twice = staff.post(f"/api/v1/series/{series.pk}/release/")
    assert (twice.status_code, twice.json()["code"]) == (409, "not_held")
    assert say(staff, second, "cancel").status_code == 200
    assert staff.get(f"/api/v1/series/{series.pk}/").json()["status"] == "cancelled"


def test_a_series_is_cancelled_whole(staff: APIClient, clinic: Clinic) -> None:
    series = clinic.series()
    done = clinic.session(noon(2), series=series, status="completed")
    clinic.session(noon(5), series=series)
    clinic.session(noon(8), series=series, status="confirmed")
    answer = staff.post(f"/api/v1/series/{series.pk}/cancel/", {"reason": "moved away"})
    assert answer.status_code == 200, answer.content
    assert [session["status"] for session in answer.json()["sessions"]] == ["completed", "cancelled", "cancelled"]
    assert not done.events.exists()
    again = staff.post(f"/api/v1/series/{series.pk}/cancel/", {"reason": "moved away"})
    assert (again.status_code, again.json()["code"]) == (409, "already_done")


def test_a_running_session_keeps_its_series(staff: APIClient, clinic: Clinic) -> None:
    series = clinic.series()
    clinic.session(noon(2), series=series, status="infusing")
    later = clinic.session(noon(5), series=series)
    answer = staff.post(f"/api/v1/series/{series.pk}/cancel/", {"reason": "moved away"})
    assert (answer.status_code, answer.json()["code"]) == (409, "session_running")
    later.refresh_from_db()
    assert later.status == "booked"


def test_versions_guard_a_change(staff: APIClient, clinic: Clinic) -> None:
    session = at(clinic, "booked")
    seen = staff.get(f"/api/v1/sessions/{session.pk}/")["ETag"]
    assert say(staff, session, "confirm", **{"If-Match": seen}).status_code == 200
    stale = say(staff, session, "arrive", **{"If-Match": seen})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    for tag, status in (('W/"1"', 412), ("*", 412), ("rubbish", 400)):
        assert say(staff, session, "arrive", **{"If-Match": tag}).status_code == status
    series = staff.get(f"/api/v1/series/{session.series_id}/")
    assert say(staff, session, "arrive").status_code == 200
    after = staff.get(f"/api/v1/series/{session.series_id}/")
    assert after["ETag"] != series["ETag"], "a series' tag moves with its sessions"


@pytest.mark.parametrize("verb", ["arrive", "confirm", "finish-infusion"])
def test_a_verb_without_a_body_takes_none(staff: APIClient, clinic: Clinic, verb: str) -> None:
    status = "infusing" if verb == "finish-infusion" else "booked"
    session = at(clinic, status)
    answer = staff.post(f"/api/v1/sessions/{session.pk}/{verb}/", {"colour": "red"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "unknown_field")


def test_a_reason_is_needed_and_bounded(staff: APIClient, clinic: Clinic) -> None:
    session = at(clinic, "booked")
    url = f"/api/v1/sessions/{session.pk}/cancel/"
    for body, code in (({}, "required"), ({"reason": ""}, "blank"), ({"reason": "x" * 501}, "max_length")):
        answer = staff.post(url, body)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)


def test_patients_move_only_their_own(clinic: Clinic, api: Any) -> None:
    patient = api(clinic.users["patient"])
    own = clinic.session(noon(3), series=clinic.series(clinic.patient))
    other = clinic.session(noon(4))
    assert say(patient, own, "confirm").status_code == 200
    assert say(patient, own, "arrive").status_code == 403
    assert say(patient, other, "confirm").status_code == 404
    assert [row["id"] for row in patient.get("/api/v1/sessions/").json()["results"]] == [str(own.pk)]
