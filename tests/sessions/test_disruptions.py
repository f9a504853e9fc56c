"""Something falls away: what a draft says, that apply and undo are whole, and that nobody is left silently."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from accounts import clock
from accounts.models import Role
from scheduler.models import ChairClosure, Provider, SiteClosure, TimeOff
from scheduler.planner import check_spacing
from scheduler.walltime import instant, local_date
from sessions.course import phases_of_series, standing_dates
from sessions.models import Disruption, Series, Session, SessionEvent
from sessions.rest import in_order
from tests import rules
from tests.factories import ZONE, Clinic, make_patient, make_protocol, make_session, phase

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from rest_framework.test import APIClient

    Api = Callable[[Any], APIClient]

CHICAGO = ZoneInfo(ZONE)


def monday() -> date:
    today = local_date(clock.now(), CHICAGO)
    return today + timedelta(days=14 - today.weekday())


def at(text: str, days: int = 0) -> datetime:
    return instant(monday() + timedelta(days=days), time.fromisoformat(text), CHICAGO)


@pytest.fixture
def client(clinic: Clinic, api: Api) -> APIClient:
    return api(clinic.users[Role.MANAGER])


def course(clinic: Clinic, wall: str, days: int = 0, **people: Any) -> list[Session]:
    """Three sessions three days apart (two to five are allowed), the second on the Monday plus `days`."""
    series = clinic.series(make_patient(clinic.site), three(clinic))
    who = {"chair": clinic.recliners[0], "nurse": clinic.nurses[0], "prescriber": clinic.prescriber, **people}
    return [make_session(series, at(wall, days + step), **who) for step in (-3, 0, 3)]


def three(clinic: Clinic) -> Any:
    """The protocol of three sessions, made once."""
    return clinic.organization.protocols.filter(code="three").first() or make_protocol(
        clinic.organization, clinic.users[Role.PRESCRIBER], phase(sessions=3), code="three"
    )


def drafted(client: APIClient, kind: str, since: str, until: str, days: int = 0, length: int = 0, **who: Any) -> Any:
    body = {"kind": kind, "start": at(since, days).isoformat(), "end": at(until, days + length).isoformat(), **who}
    answer = client.post("/api/v1/disruptions/", body, format="json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def verb(client: APIClient, disruption: dict[str, Any], what: str, **more: Any) -> Any:
    return client.post(f"/api/v1/disruptions/{disruption['id']}/{what}/", {}, format="json", **more)


def absent(client: APIClient, clinic: Clinic, since: str = "07:00", until: str = "19:00", **more: Any) -> Any:
    return drafted(client, "provider_absence", since, until, provider=str(clinic.nurses[0].pk), **more)


def outcomes(disruption: dict[str, Any]) -> dict[str, str]:
    return {item["session"]: item["outcome"] for item in disruption["items"]}


def state() -> list[tuple[Any, ...]]:
    names = ("pk", "start", "end", "chair", "nurse", "prescriber", "status")
    return sorted(Session.objects.values_list(*names))


def sound(client: APIClient, clinic: Clinic) -> None:
    """Nothing overlaps, nobody is beyond their limits, every series keeps its spacing."""
    shown = client.get(f"/api/v1/sessions/?site={clinic.site.pk}&page_size=200").json()["results"]
    limits = {str(each.pk): rules.Limits(each.capacity, each.max_acuity) for each in Provider.objects.all()}
    assert rules.broken(shown, limits) == []
    for series in Series.objects.select_related("protocol", "site"):
        assert check_spacing(phases_of_series(series), in_order(standing_dates(series))) == []


def test_a_draft_changes_nothing_and_applied_it_is_whole(clinic: Clinic, client: APIClient) -> None:
    kept = course(clinic, "09:00")[1]
    busy = course(clinic, "12:00", chair=clinic.recliners[1])[1]
    course(clinic, "12:00", chair=clinic.recliners[2], nurse=clinic.nurses[1])
    before = state()
    draft = absent(client, clinic)
    assert (state(), TimeOff.objects.count()) == (before, 0)
    assert draft["status"] == "draft"
    assert outcomes(draft) == {str(kept.pk): "kept", str(busy.pk): "moved"}
    moved = next(item for item in draft["items"] if item["outcome"] == "moved")
    assert abs(datetime.fromisoformat(moved["to"]["start"]) - busy.start) == timedelta(minutes=15)
    assert [item["tell"] for item in draft["items"] if item["outcome"] == "kept"] == ["nobody"]
    assert moved["tell"] == "message"
    answer = verb(client, draft, "apply")
    assert (answer.status_code, answer.json()["status"]) == (200, "applied"), answer.content
    assert TimeOff.objects.get().provider_id == clinic.nurses[0].pk
    sound(client, clinic)
    assert not Session.objects.filter(nurse=clinic.nurses[0], start__date=kept.start.date()).exists()
    kinds = {str(event.session_id): event.kind for event in SessionEvent.objects.all()}
    assert kinds == {str(kept.pk): "laid_anew", str(busy.pk): "rescheduled"}
    assert {event.after["disruption"] for event in SessionEvent.objects.all()} == {draft["id"]}
    twice = verb(client, draft, "apply")
    assert (twice.status_code, twice.json()["code"]) == (409, "already_done")
    undone = verb(client, draft, "undo")
    assert (undone.status_code, undone.json()["status"]) == (200, "undone"), undone.content
    assert (state(), TimeOff.objects.count()) == (before, 0)
    assert verb(client, draft, "undo").json()["code"] == "already_done"
    assert verb(client, draft, "apply").json()["code"] == "undone"


def test_a_closed_day_moves_everybody_within_their_windows(clinic: Clinic, client: APIClient) -> None:
    for number, wall in enumerate(("09:00", "09:15", "12:00")):
        course(clinic, wall, chair=clinic.recliners[number], nurse=clinic.nurses[number % 2])
    draft = drafted(client, "site_closure", "00:00", "00:00", length=1, site=str(clinic.site.pk))
    assert set(outcomes(draft).values()) == {"moved"}
    assert len(draft["items"]) == 3
    for item in draft["items"]:
        assert local_date(datetime.fromisoformat(item["to"]["start"]), CHICAGO) == monday() + timedelta(days=1)
    assert verb(client, draft, "apply").status_code == 200
    assert SiteClosure.objects.count() == 1
    sound(client, clinic)


def test_weeks_away_and_a_chair_down(clinic: Clinic, client: APIClient) -> None:
    for week in (0, 7, 14):
        course(clinic, "09:00", week, chair=clinic.bed)
    draft = absent(client, clinic, length=20)
    assert set(outcomes(draft).values()) == {"kept"}
    assert len(draft["items"]) == 8
    assert verb(client, draft, "apply").status_code == 200
    closed = drafted(client, "chair_closure", "07:00", "19:00", length=20, chair=str(clinic.bed.pk))
    assert set(outcomes(closed).values()) == {"kept"}
    assert verb(client, closed, "apply").status_code == 200
    assert ChairClosure.objects.count() == 1
    sound(client, clinic)


def test_who_has_no_place_is_said_and_stays_until_somebody_calls(clinic: Clinic, client: APIClient) -> None:
    session = course(clinic, "09:00")[1]
    TimeOff.objects.create(provider=clinic.nurses[1], during=(at("00:00", -2), at("00:00", 3)))
    draft = absent(client, clinic, days=-1, length=3)
    item = next(item for item in draft["items"] if item["session"] == str(session.pk))
    assert (item["outcome"], item["to"], item["tell"]) == ("unresolved", None, "call")
    assert item["why"]
    assert verb(client, draft, "apply").status_code == 200
    assert Session.objects.get(pk=session.pk).start == session.start


def test_what_has_begun_stays_and_is_shown(clinic: Clinic, client: APIClient, time_machine: Any) -> None:
    session = course(clinic, "09:00")[1]
    client.post(f"/api/v1/sessions/{session.pk}/arrive/", {}, format="json")
    draft = absent(client, clinic)
    item = draft["items"][0]
    assert (item["outcome"], item["code"], item["tell"]) == ("unresolved", "begun", "call")
    assert verb(client, draft, "apply").status_code == 200
    assert Session.objects.get(pk=session.pk).nurse_id == clinic.nurses[0].pk


def test_where_the_world_has_moved_on_there_is_a_fresh_draft(clinic: Clinic, client: APIClient) -> None:
    session, other = course(clinic, "09:00")[1], course(clinic, "12:00", chair=clinic.bed)[1]
    draft = absent(client, clinic)
    body = {"start": at("14:00").isoformat()}
    assert client.post(f"/api/v1/sessions/{other.pk}/reschedule/", body, format="json").status_code == 200
    before = state()
    answer = verb(client, draft, "apply")
    assert (answer.status_code, answer.json()["code"]) == (409, "draft_stale")
    assert answer.json()["changed"] == [str(other.pk)]
    assert (state(), TimeOff.objects.count()) == (before, 0)
    old = verb(client, draft, "apply").json()
    assert (old["code"], old["disruption"]) == ("draft_replaced", answer.json()["disruption"])
    fresh = client.get(f"/api/v1/disruptions/{old['disruption']}/").json()
    assert {item["session"] for item in fresh["items"]} == {str(session.pk), str(other.pk)}
    assert verb(client, fresh, "apply").status_code == 200
    sound(client, clinic)


def test_nobody_is_given_to_a_nurse_who_has_gone_away_since(clinic: Clinic, client: APIClient) -> None:
    kept = course(clinic, "09:00")[1]
    span = {"start": at("07:00").isoformat(), "end": at("19:00").isoformat(), "reason": "ill"}
    first, second = (
        client.post("/api/v1/time-off/", {"provider": str(nurse.pk), **span}, format="json").json()["disruption"]
        for nurse in clinic.nurses
    )
    assert (first is not None, second) == (True, None), "nobody was with the second nurse yet"
    answer = verb(client, {"id": first}, "apply").json()
    assert (answer["code"], answer["changed"]) == ("draft_stale", [str(kept.pk)])
    fresh = client.get(f"/api/v1/disruptions/{answer['disruption']}/").json()
    assert outcomes(fresh) != {str(kept.pk): "kept"}
    assert verb(client, fresh, "apply").status_code == 200
    sound(client, clinic)


def test_an_absence_taken_back_leaves_no_draft_and_one_that_changes_a_fresh_one(
    clinic: Clinic, client: APIClient
) -> None:
    course(clinic, "09:00")
    span = {"start": at("07:00").isoformat(), "end": at("19:00").isoformat(), "reason": "ill"}
    body = {"provider": str(clinic.nurses[0].pk), **span}
    made = client.post("/api/v1/time-off/", body, format="json").json()
    later = {"start": at("08:00").isoformat()}
    assert client.patch(f"/api/v1/time-off/{made['id']}/", later, format="json").status_code == 200
    answer = verb(client, {"id": made["disruption"]}, "apply").json()
    assert (answer["code"], answer["changed"]) == ("draft_stale", [])
    fresh = client.get(f"/api/v1/disruptions/{answer['disruption']}/").json()
    assert datetime.fromisoformat(fresh["start"]) == at("08:00")
    before = state()
    assert client.delete(f"/api/v1/time-off/{made['id']}/").status_code == 204
    assert (Disruption.objects.count(), state()) == (0, before)


def test_somebody_booked_meanwhile_is_in_the_fresh_draft(clinic: Clinic, client: APIClient) -> None:
    draft = absent(client, clinic)
    assert draft["items"] == []
    late = course(clinic, "09:00")[1]
    answer = verb(client, draft, "apply").json()
    assert (answer["code"], answer["changed"]) == ("draft_stale", [str(late.pk)])


def test_an_undo_says_what_stands_in_the_way(clinic: Clinic, client: APIClient) -> None:
    came, moved, third = (course(clinic, wall, chair=clinic.recliners[n])[1] for n, wall in enumerate(
        ("09:00", "11:45", "14:30")
    ))  # fmt: skip
    draft = absent(client, clinic)
    assert verb(client, draft, "apply").status_code == 200
    client.post(f"/api/v1/sessions/{came.pk}/arrive/", {}, format="json")
    client.post(f"/api/v1/sessions/{moved.pk}/confirm/", {}, format="json")
    before = state()
    answer = verb(client, draft, "undo")
    assert (answer.status_code, answer.json()["code"]) == (409, "cannot_undo")
    way = {(each["session"], each["code"]) for each in answer.json()["in_the_way"]}
    assert way == {(str(came.pk), "begun"), (str(moved.pk), "changed")}
    assert third.pk
    assert (state(), TimeOff.objects.count()) == (before, 1)


def test_an_undo_does_not_take_what_somebody_has_booked_since(clinic: Clinic, client: APIClient) -> None:
    session = course(clinic, "09:00")[1]
    draft = drafted(client, "chair_closure", "07:00", "19:00", chair=str(clinic.recliners[0].pk))
    assert verb(client, draft, "apply").status_code == 200
    ChairClosure.objects.all().delete()
    clinic.session(at("09:15"), chair=clinic.recliners[0], nurse=clinic.nurses[1])
    answer = verb(client, draft, "undo")
    assert (answer.status_code, answer.json()["in_the_way"][0]["code"]) == (409, "chair_taken")
    assert Session.objects.get(pk=session.pk).chair_id != clinic.recliners[0].pk


@pytest.mark.parametrize("path", ["time-off", "chair-closures", "site-closures"])
def test_an_absence_entered_elsewhere_opens_a_draft(clinic: Clinic, client: APIClient, path: str) -> None:
    session = course(clinic, "09:00")[1]
    who = {
        "time-off": {"provider": str(clinic.nurses[0].pk)},
        "chair-closures": {"chair": str(clinic.recliners[0].pk)},
        "site-closures": {"site": str(clinic.site.pk)},
    }[path]
    span = {"start": at("07:00").isoformat(), "end": at("18:00").isoformat()}
    answer = client.post(f"/api/v1/{path}/", {**who, **span, "reason": "x"}, format="json")
    assert answer.status_code == 201
    draft = client.get(f"/api/v1/disruptions/{answer.json()['disruption']}/").json()
    assert (draft["status"], set(outcomes(draft))) == ("draft", {str(session.pk)})
    assert verb(client, draft, "apply").status_code == 200
    sound(client, clinic)
    assert verb(client, draft, "undo").status_code == 200
    assert client.get(f"/api/v1/{path}/{answer.json()['id']}/").status_code == 404
    harmless = {"start": at("19:00").isoformat(), "end": at("20:00").isoformat()}
    assert client.post(f"/api/v1/{path}/", {**who, **harmless}, format="json").json()["disruption"] is None


def test_who_may_only_records_their_own_absence(clinic: Clinic, api: Api, client: APIClient) -> None:
    course(clinic, "09:00")
    nurse, desk = api(clinic.users[Role.NURSE]), api(clinic.users[Role.FRONT_DESK])
    own = absent(nurse, clinic)
    other = drafted(nurse, "provider_absence", "07:00", "19:00", provider=str(clinic.nurses[1].pk))
    assert verb(desk, own, "apply").status_code == 403
    refused = verb(nurse, other, "apply")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_your_hours")
    assert verb(nurse, own, "apply").status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"end": "start"}, 400, "empty_range"),
        ({"provider": None}, 400, "required"),
        ({"kind": "chair_closure"}, 400, "required"),
        ({"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}, 422, "in_past"),
        ({"end": "far"}, 422, "too_long"),
    ],
)
def test_an_absence_that_makes_no_sense(
    clinic: Clinic, client: APIClient, change: dict[str, Any], status: int, code: str
) -> None:
    body = {
        "kind": "provider_absence",
        "provider": str(clinic.nurses[0].pk),
        "start": at("07:00").isoformat(),
        "end": at("19:00").isoformat(),
    }
    places = {"start": body["start"], "far": at("07:00", 500).isoformat()}
    changed = {name: places.get(value, value) for name, value in change.items()}
    answer = client.post("/api/v1/disruptions/", {**body, **changed}, format="json")
    assert answer.status_code == status
    assert code in {answer.json()["code"], *(each["code"] for each in answer.json().get("errors", []))}
    assert Disruption.objects.count() == 0


def test_an_absence_that_overlaps_itself(clinic: Clinic, client: APIClient) -> None:
    record = TimeOff.objects.create(provider=clinic.nurses[0], during=(at("12:00"), at("13:00")))
    body = {
        "kind": "provider_absence",
        "provider": str(clinic.nurses[0].pk),
        "start": at("07:00").isoformat(),
        "end": at("19:00").isoformat(),
    }
    answer = client.post("/api/v1/disruptions/", body, format="json")
    assert (answer.status_code, answer.json()["record"]) == (409, str(record.pk))
    assert answer.json()["code"] == "overlapping_absence"
