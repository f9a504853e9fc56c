"""From a request to a booked series, by HTTP."""

from __future__ import annotations

import itertools
import socket
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import caches
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis.exceptions import RedisError

from accounts import clock
from accounts.models import AuditEntry
from scheduler.models import Protocol
from sessions.models import Plan, Series, Session
from tests.factories import make_order, make_patient, make_protocol, make_provider, make_session, make_site, phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import Settings
    from rest_framework.test import APIClient

    from tests.factories import Clinic

CHICAGO = ZoneInfo("America/Chicago")


def ahead(days: int) -> str:
    """The date so many days from now, as the API takes it."""
    return (clock.now().astimezone(CHICAGO).date() + timedelta(days=days)).isoformat()


def asked(clinic: Clinic, **changes: Any) -> dict[str, Any]:
    """A request for plans within two months from tomorrow."""
    body: dict[str, Any] = {
        "protocol": str(clinic.protocol.pk),
        "site": str(clinic.site.pk),
        "patient": str(clinic.patient.pk),
        "earliest_date": ahead(1),
        "latest_date": ahead(60),
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def plans(client: APIClient, clinic: Clinic, **changes: Any) -> list[dict[str, Any]]:
    answer = client.post("/api/v1/plans/", asked(clinic, **changes))
    assert answer.status_code == 200, answer.content
    return list(answer.json()["plans"])


def book(client: APIClient, clinic: Clinic, plan: str, **changes: Any) -> Any:
    body = {"patient": str(clinic.patient.pk), "protocol": str(clinic.protocol.pk), "plan": plan}
    return client.post("/api/v1/series/", body | changes)


@pytest.fixture
def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def desk(api: Callable[..., APIClient], clinic: Clinic) -> APIClient:
    return api(clinic.users["front_desk"])


def test_a_plan_keeps_the_spacing_and_is_booked_whole(desk: APIClient, clinic: Clinic) -> None:
    best = plans(desk, clinic)[0]
    answer = book(desk, clinic, best["id"])
    assert answer.status_code == 201, answer.content
    series = answer.json()
    assert [session["sequence"] for session in series["sessions"]] == [1, 2, 3, 4, 5, 6]
    assert [session["start"] for session in series["sessions"]] == [session["start"] for session in best["sessions"]]
    days = [datetime.fromisoformat(each["start"]).astimezone(CHICAGO).date() for each in series["sessions"]]
    assert all(2 <= (later - earlier).days <= 5 for earlier, later in itertools.pairwise(days))
    assert series["status"] == "active"
    assert answer["ETag"] == f'"{series["version"]}"'
    first = series["sessions"][0]
    assert [block["kind"] for block in first["blocks"]] == ["prepare", "infuse", "recover", "turnover"]
    assert first["blocks"][2]["end"] == first["end"]


def test_what_booking_answers_is_what_a_fresh_look_finds(desk: APIClient, clinic: Clinic) -> None:
    booked = book(desk, clinic, plans(desk, clinic)[0]["id"])
    found = desk.get(booked["Location"])
    assert (booked.json(), booked["ETag"]) == (found.json(), found["ETag"])


def test_who_books_is_noted_as_shown_what_was_booked_once(desk: APIClient, clinic: Clinic) -> None:
    booked = book(desk, clinic, plans(desk, clinic)[0]["id"]).json()
    reads = AuditEntry.objects.filter(action="read", record_type="infusion_sessions_series")
    (read,) = reads
    assert (read.record_id, read.patient_id) == (booked["id"], clinic.patient.pk)
    assert (read.actor, read.before, read.after) == (clinic.users["front_desk"].pk, None, None)
    assert desk.get(f"/api/v1/series/{booked['id']}/").status_code == 200
    assert reads.all().count() == 2


def test_plans_ascend_by_score_and_name_their_expiry(desk: APIClient, clinic: Clinic) -> None:
    found = plans(desk, clinic, limit=3)
    assert len(found) == 3
    assert [plan["score"] for plan in found] == sorted(plan["score"] for plan in found)
    for plan in found:
        left = datetime.fromisoformat(plan["expires_at"]) - clock.now()
        assert timedelta(minutes=58) < left <= timedelta(minutes=60)


def test_the_site_says_what_a_score_weighs(desk: APIClient, clinic: Clinic, api: Callable[..., APIClient]) -> None:
    weights = dict.fromkeys(["deviation", "same_time", "level", "fragments"], 0) | {"first_day": 7}
    manager = api(clinic.users["manager"])
    changed = manager.patch(f"/api/v1/sites/{clinic.site.pk}/", {"plan_weights": weights}, format="json")
    assert changed.status_code == 200, changed.content
    found = plans(desk, clinic)
    first = [datetime.fromisoformat(plan["sessions"][0]["start"]).astimezone(CHICAGO).date() for plan in found]
    assert len(set(first)) == 3
    assert [plan["score"] for plan in found] == [7 * (day - date.fromisoformat(ahead(1))).days for day in first]


def test_every_booked_session_has_one_event(desk: APIClient, clinic: Clinic) -> None:
    series = book(desk, clinic, plans(desk, clinic)[0]["id"]).json()
    events = desk.get(f"/api/v1/sessions/{series['sessions'][3]['id']}/events/").json()["results"]
    assert [event["kind"] for event in events] == ["booked"]
    assert events[0]["actor"] == str(clinic.users["front_desk"].pk)


def test_wishes_are_kept(desk: APIClient, clinic: Clinic) -> None:
    wishes = {
        "weekdays": [0, 2, 4],
        "time_windows": [{"from": "12:00", "until": "18:00"}],
        "provider": str(clinic.nurses[1].pk),
        "chair_kind": "bed",
        "same_time_of_day": True,
    }
    for session in plans(desk, clinic, preferences=wishes)[0]["sessions"]:
        start = datetime.fromisoformat(session["start"]).astimezone(CHICAGO)
        assert start.weekday() in {0, 2, 4}
        assert start.hour >= 12
        assert session["nurse"] == str(clinic.nurses[1].pk)
        assert session["chair"] == str(clinic.bed.pk)


def test_a_plan_is_booked_once_and_the_loser_gets_fresh_plans(desk: APIClient, clinic: Clinic) -> None:
    plan = plans(desk, clinic)[0]["id"]
    assert book(desk, clinic, plan).status_code == 201
    other = make_patient(clinic.site)
    again = book(desk, clinic, plan)
    assert again.status_code == 409
    assert again.json()["code"] == "plan_booked"
    fresh = plans(desk, clinic, patient=None)[0]
    assert book(desk, clinic, fresh["id"], patient=str(other.pk)).status_code == 201
    assert Series.objects.count() == 2
    offered = again.json()["plans"]
    assert offered
    assert Plan.objects.filter(pk=offered[0]["id"]).exists()


def test_what_is_taken_meanwhile_is_named_and_nothing_is_booked(desk: APIClient, clinic: Clinic) -> None:
    plan = plans(desk, clinic)[0]
    third = datetime.fromisoformat(plan["sessions"][2]["start"])
    make_session(
        clinic.series(clinic.patient), third, chair=clinic.bed, nurse=clinic.nurses[1], prescriber=clinic.prescriber
    )
    answer = book(desk, clinic, plan["id"])
    assert answer.status_code == 409
    assert answer.json()["code"] == "patient_busy"
    assert answer.json()["session"] == 3
    assert answer.json()["plans"]
    assert Session.objects.count() == 1


def test_a_plan_whose_chair_went_is_booked_in_another(desk: APIClient, clinic: Clinic) -> None:
    plan = plans(desk, clinic)[0]
    first = plan["sessions"][0]
    chair = next(chair for chair in clinic.chairs if str(chair.pk) == first["chair"])
    nurse = next(nurse for nurse in clinic.nurses if str(nurse.pk) != first["nurse"])
    make_session(
        clinic.series(),
        datetime.fromisoformat(first["start"]),
        chair=chair,
        nurse=nurse,
        prescriber=clinic.prescriber,
    )
    booked = book(desk, clinic, plan["id"])
    assert booked.status_code == 201
    assert booked.json()["sessions"][0]["start"] == first["start"]
    assert booked.json()["sessions"][0]["chair"] != first["chair"]


def test_a_plan_of_another_patient_or_protocol_is_refused(desk: APIClient, clinic: Clinic) -> None:
    plan = plans(desk, clinic)[0]["id"]
    other = book(desk, clinic, plan, patient=str(make_patient(clinic.site).pk))
    assert (other.status_code, other.json()["code"]) == (409, "plan_of_another_patient")
    protocol = make_protocol(clinic.organization, clinic.users["prescriber"])
    wrong = book(desk, clinic, plan, protocol=str(protocol.pk))
    assert (wrong.status_code, wrong.json()["code"]) == (422, "protocol_mismatch")
    assert not Series.objects.exists()


def test_an_old_plan_is_refused(desk: APIClient, clinic: Clinic) -> None:
    plan = plans(desk, clinic)[0]["id"]
    Plan.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    answer = book(desk, clinic, plan)
    assert (answer.status_code, answer.json()["code"]) == (409, "plan_expired")


def test_a_hold_takes_its_places_from_others_until_it_ends(desk: APIClient, clinic: Clinic, api: Any) -> None:
    only = {
        "provider": str(clinic.nurses[0].pk),
        "chair_kind": "bed",
        "time_windows": [{"from": "08:00", "until": "10:30"}],
    }
    window = {"earliest_date": ahead(1), "latest_date": ahead(40), "preferences": only, "patient": None}
    plan = plans(desk, clinic, **window)[0]
    held = desk.post(f"/api/v1/plans/{plan['id']}/hold/")
    assert held.status_code == 200
    assert datetime.fromisoformat(held.json()["expires_at"]) > clock.now() + timedelta(minutes=9)
    starts = {session["start"] for session in plan["sessions"]}
    nurse = api(clinic.users["nurse"])
    for other in plans(nurse, clinic, **window):
        assert not starts & {session["start"] for session in other["sessions"]}
    assert plans(desk, clinic, **window)[0]["sessions"] == plan["sessions"], "the holder's own hold does not count"
    Plan.objects.filter(pk=plan["id"]).update(held_until=clock.now())
    assert plans(nurse, clinic, **window)[0]["sessions"] == plan["sessions"], "a dead hold costs nothing"


def test_a_held_plan_is_its_holders(desk: APIClient, clinic: Clinic, api: Any) -> None:
    plan = plans(desk, clinic)[0]["id"]
    assert desk.post(f"/api/v1/plans/{plan}/hold/").status_code == 200
    nurse = api(clinic.users["nurse"])
    assert nurse.post(f"/api/v1/plans/{plan}/hold/").json()["code"] == "plan_held"
    assert book(nurse, clinic, plan).json()["code"] == "plan_held"
    assert book(desk, clinic, plan).status_code == 201


def test_the_sixth_hold_is_too_many(desk: APIClient, clinic: Clinic) -> None:
    found = [plan["id"] for plan in plans(desk, clinic, limit=6, patient=None)]
    assert len(found) == 6
    answers = [desk.post(f"/api/v1/plans/{plan}/hold/") for plan in found]
    assert [answer.status_code for answer in answers[:5]] == [200] * 5
    assert (answers[5].status_code, answers[5].json()["code"]) == (429, "too_many_holds")


def test_a_patient_plans_and_books_only_under_an_order(clinic: Clinic, api: Any) -> None:
    patient = api(clinic.users["patient"])
    refused = patient.post("/api/v1/plans/", asked(clinic))
    assert (refused.status_code, refused.json()["code"]) == (403, "no_order")
    make_order(clinic.patient, clinic.protocol, clinic.users["prescriber"], sessions=6)
    plan = plans(patient, clinic)[0]["id"]
    assert book(patient, clinic, plan).status_code == 201
    spent = patient.post("/api/v1/plans/", asked(clinic))
    assert (spent.status_code, spent.json()["code"]) == (403, "no_order")


def test_an_open_ended_protocol_is_told_how_many(desk: APIClient, clinic: Clinic) -> None:
    open_ended = make_protocol(clinic.organization, clinic.users["prescriber"], phase(sessions=None))
    missing = desk.post("/api/v1/plans/", asked(clinic, protocol=str(open_ended.pk)))
    assert missing.status_code == 400
    assert missing.json()["errors"][0]["pointer"] == "/sessions"
    assert len(plans(desk, clinic, protocol=str(open_ended.pk), sessions=4)[0]["sessions"]) == 4


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"earliest_date": ahead(-1)}, 422, "in_past"),
        ({"latest_date": ahead(549), "earliest_date": ahead(500)}, 422, "beyond_horizon"),
        ({"latest_date": ahead(402)}, 422, "window_too_long"),
        ({"latest_date": ahead(4000)}, 422, "beyond_horizon"),
        ({"latest_date": ahead(0)}, 400, "empty_range"),
        ({"earliest_date": "2026-02-30"}, 400, "invalid"),
        ({"earliest_date": 5}, 400, "type"),
        ({"sessions": 0}, 400, "min_value"),
        ({"sessions": 1000}, 400, "max_value"),
        ({"sessions": 6}, 400, "not_open_ended"),
        ({"limit": 11}, 400, "max_value"),
        ({"limit": True}, 400, "type"),
        ({"protocol": str(uuid4())}, 400, "unknown_reference"),
        ({"patient": str(uuid4())}, 400, "unknown_reference"),
        ({"colour": "red"}, 400, "unknown_field"),
        ({"preferences": {"weekdays": [7]}}, 400, "max_value"),
        ({"preferences": {"weekdays": []}}, 400, "empty"),
        ({"preferences": {"chair_kind": "sofa"}}, 400, "invalid_choice"),
        ({"preferences": {"time_windows": [{"from": "12:00", "until": "12:00"}]}}, 400, "empty_range"),
        ({"preferences": {"time_windows": [{"from": "25:00", "until": "12:00"}]}}, 400, "invalid"),
        ({"preferences": {"provider": str(uuid4())}}, 400, "unknown_reference"),
        ({"preferences": []}, 400, "invalid"),
    ],
)
def test_bad_requests_are_refused_before_any_search(
    desk: APIClient, clinic: Clinic, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = refused_unsearched(desk, asked(clinic, **changes))
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert code in {body["code"], *(fault["code"] for fault in body.get("errors", []))}
    assert not Plan.objects.exists()


def refused_unsearched(client: APIClient, body: dict[str, Any]) -> Any:
    """The answer to a request that must be refused without a look at any site's days."""
    with CaptureQueriesContext(connection) as queries:
        answer = client.post("/api/v1/plans/", body)
    days = ("scheduler_openinghours", "scheduler_availabilityrule", "infusion_sessions_session")
    assert not [query["sql"] for query in queries if any(f'FROM "{table}"' in query["sql"] for table in days)]
    return answer


def test_a_draft_cannot_be_planned(desk: APIClient, clinic: Clinic) -> None:
    draft = make_protocol(clinic.organization, None)
    answer = refused_unsearched(desk, asked(clinic, protocol=str(draft.pk)))
    assert (answer.status_code, answer.json()["code"]) == (422, "protocol_not_approved")


def test_a_chair_kind_that_the_site_has_not_got(desk: APIClient, clinic: Clinic) -> None:
    clinic.bed.is_active = False
    clinic.bed.save()
    answer = refused_unsearched(desk, asked(clinic, preferences={"chair_kind": "bed"}))
    assert (answer.status_code, answer.json()["code"]) == (422, "chair_kind_missing")


def test_a_provider_of_another_site(desk: APIClient, clinic: Clinic) -> None:
    site = make_site(clinic.organization, clinic.users["prescriber"])
    site.staff.add(clinic.users["front_desk"])
    elsewhere = make_provider(site)
    answer = refused_unsearched(desk, asked(clinic, preferences={"provider": str(elsewhere.pk)}))
    fault = answer.json()["errors"][0]
    assert (answer.status_code, fault["code"]) == (400, "provider_of_other_site")
    assert fault["pointer"] == "/preferences/provider"


def test_records_of_another_clinic_do_not_exist(desk: APIClient, clinic: Clinic) -> None:
    assert clinic.other is not None
    for name, value in {
        "site": clinic.other.site.pk,
        "protocol": clinic.other.protocol.pk,
        "patient": clinic.other.patient.pk,
    }.items():
        answer = desk.post("/api/v1/plans/", asked(clinic, **{name: str(value)}))
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "unknown_reference"


def test_the_same_key_books_once(desk: APIClient, clinic: Clinic) -> None:
    body = {
        "patient": str(clinic.patient.pk),
        "protocol": str(clinic.protocol.pk),
        "plan": plans(desk, clinic)[0]["id"],
    }
    first = desk.post("/api/v1/series/", body, headers={"Idempotency-Key": "once"})
    again = desk.post("/api/v1/series/", body, headers={"Idempotency-Key": "once"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    assert Series.objects.count() == 1


def test_today_is_allowed_and_nothing_before_now_is_offered(clinic: Clinic, api: Any, time_machine: Any) -> None:
    time_machine.move_to(datetime(2027, 3, 3, 18, 2, tzinfo=UTC), tick=False)
    found = plans(
        api(clinic.users["front_desk"]), clinic, earliest_date="2027-03-03", latest_date="2027-04-03", limit=1
    )[0]
    first = datetime.fromisoformat(found["sessions"][0]["start"])
    assert first.astimezone(CHICAGO).date() == date(2027, 3, 3)
    assert first == datetime(2027, 3, 3, 18, 5, tzinfo=UTC)


def test_a_draft_version_of_a_used_protocol_stays_unbooked(desk: APIClient, clinic: Clinic) -> None:
    plan = plans(desk, clinic)[0]["id"]
    Protocol.objects.filter(pk=clinic.protocol.pk).update(status=Protocol.Status.RETIRED)
    answer = book(desk, clinic, plan)
    assert (answer.status_code, answer.json()["code"]) == (422, "protocol_not_approved")


def test_a_date_is_the_sites_own(desk: APIClient, clinic: Clinic) -> None:
    late = datetime(2027, 3, 3, 5, 30, tzinfo=UTC)
    session = clinic.session(late)
    assert late.astimezone(CHICAGO).date() == date(2027, 3, 2)
    for query, found in (("date=2027-03-02", 1), ("date=2027-03-03", 0), (f"site={clinic.site.pk}&date=2027-03-02", 1)):
        ids = [row["id"] for row in desk.get(f"/api/v1/sessions/?{query}").json()["results"]]
        assert ids == [str(session.pk)] * found


def test_without_valkey_visits_are_booked_all_the_same(
    desk: APIClient, clinic: Clinic, settings: Settings, closed_port: int
) -> None:
    """F4 of the table of faults: what carries the work holds no truth, and nothing waits for it."""
    away = settings.CACHES["default"] | {"LOCATION": f"redis://127.0.0.1:{closed_port}/0"}
    settings.CACHES = {"default": away}
    with pytest.raises(RedisError):
        caches["default"].get("anything")
    plan = plans(desk, clinic)[0]["id"]
    assert book(desk, clinic, plan).status_code == 201
