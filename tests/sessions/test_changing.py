"""Changing a series: one session with its neighbours, the rest anew, a lost session, a prescriber's decision."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from accounts import clock
from accounts.models import Role
from accounts.refusals import Stale
from scheduler.planner import check_spacing
from scheduler.walltime import local_date
from sessions import moving
from sessions.course import phases_of_series, standing_dates
from sessions.facts import zone_of
from sessions.models import Plan, Series, Session, SessionEvent
from sessions.rest import in_order
from sessions.tasks import tick
from tests.factories import ZONE, make_order, make_patient, make_protocol, make_user, phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

    Api = Callable[[Any], APIClient]


CHICAGO = ZoneInfo(ZONE)


def ahead(days: int) -> str:
    return (clock.now() + timedelta(days=days)).date().isoformat()


@pytest.fixture
def desk(clinic: Clinic, api: Api) -> APIClient:
    return api(clinic.users[Role.FRONT_DESK])


@pytest.fixture
def prescriber(clinic: Clinic, api: Api) -> APIClient:
    return api(clinic.users[Role.PRESCRIBER])


def planned(client: APIClient, **asked: Any) -> list[dict[str, Any]]:
    body = {"earliest_date": ahead(2), "latest_date": ahead(60), "limit": 1, **asked}
    answer = client.post("/api/v1/plans/", body, format="json")
    assert answer.status_code == 200, answer.content
    return list(answer.json()["plans"])


def booked(client: APIClient, clinic: Clinic, **phases: Any) -> dict[str, Any]:
    """A series of six, two to five days apart, as the API shows it; `phases` are changes of `phase`."""
    protocol = make_protocol(clinic.organization, clinic.users[Role.PRESCRIBER], phase(**phases))
    patient = make_patient(clinic.site)
    who = {"protocol": str(protocol.pk), "patient": str(patient.pk)}
    plan = planned(client, **who, site=str(clinic.site.pk), earliest_date=ahead(5))[0]
    answer = client.post("/api/v1/series/", {**who, "plan": plan["id"]}, format="json")
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def verb(client: APIClient, session: dict[str, Any], what: str, **body: Any) -> Any:
    return client.post(f"/api/v1/sessions/{session['id']}/{what}/", body, format="json")


def later(session: dict[str, Any], **by: float) -> str:
    return (datetime.fromisoformat(session["start"]) + timedelta(**by)).isoformat()


def problems(series: str) -> list[Any]:
    row = Series.objects.select_related("protocol", "site").get(pk=series)
    return check_spacing(phases_of_series(row), in_order(standing_dates(row)))


# ---- one session ----------------------------------------------------------------------------------------------------


def test_where_the_neighbours_break_the_answer_offers_the_smallest_change_of_the_rest(
    clinic: Clinic, desk: APIClient
) -> None:
    series = booked(desk, clinic)
    third = series["sessions"][2]
    wanted = later(third, days=7)
    answer = verb(desk, third, "reschedule", start=wanted)
    assert answer.status_code == 422
    assert answer.json()["code"] == "gap_too_long"
    plan = answer.json()["plans"][0]
    by_number = {row["sequence"]: row for row in plan["sessions"]}
    assert datetime.fromisoformat(by_number[3]["start"]) == datetime.fromisoformat(wanted)
    assert Session.objects.get(pk=third["id"]).version == 1, "nothing is changed yet"
    done = verb(desk, third, "reschedule", plan=plan["id"])
    assert done.status_code == 200, done.content
    assert problems(series["id"]) == []
    after = {row.sequence: row for row in Session.objects.filter(series=series["id"])}
    assert [str(after[n].pk) for n in range(1, 7)] == [row["id"] for row in series["sessions"]]
    for row in series["sessions"]:
        stays = after[row["sequence"]].start == datetime.fromisoformat(row["start"])
        assert after[row["sequence"]].version == (1 if stays else 2)
        kinds = list(after[row["sequence"]].events.values_list("kind", flat=True))
        assert kinds == (["booked"] if stays else ["booked", "rescheduled"])


def test_another_place_for_one_session_keeps_its_neighbours(clinic: Clinic, desk: APIClient) -> None:
    series = booked(desk, clinic)
    third = series["sessions"][2]
    found = planned(desk, session=third["id"], limit=3)
    assert found
    for plan in found:
        assert len(plan["sessions"]) == 1
        assert plan["session"] == third["id"]
    answer = verb(desk, third, "reschedule", plan=found[-1]["id"])
    assert answer.status_code == 200, answer.content
    assert answer.json()["start"] == found[-1]["sessions"][0]["start"]
    assert problems(series["id"]) == []


def test_a_plan_of_something_else_moves_nothing(clinic: Clinic, desk: APIClient) -> None:
    one, two = booked(desk, clinic), booked(desk, clinic)
    foreign = planned(desk, session=two["sessions"][2]["id"])[0]
    for session, plan in ((one["sessions"][0], foreign), (two["sessions"][1], foreign)):
        answer = verb(desk, session, "reschedule", plan=plan["id"])
        assert (answer.status_code, answer.json()["code"]) == (422, "plan_mismatch")
    rest = planned(desk, series=two["id"])[0]
    answer = desk.post(f"/api/v1/series/{one['id']}/replan/", {"plan": rest["id"]}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (422, "plan_mismatch")
    who = {"patient": two["patient"], "protocol": two["protocol"], "plan": rest["id"]}
    answer = desk.post("/api/v1/series/", who, format="json")
    assert (answer.status_code, answer.json()["code"]) == (422, "plan_mismatch")
    assert set(Session.objects.values_list("version", flat=True)) == {1}


@pytest.mark.parametrize(
    ("body", "at", "code"),
    [
        ({}, "/protocol", "required"),
        ({"session": "one", "site": "site"}, "/site", "not_with_subject"),
        ({"series": "series", "protocol": "protocol"}, "/protocol", "not_with_subject"),
        ({"series": "series", "session": "one"}, "/session", "not_with_subject"),
        ({"session": "one", "sessions": 3}, "/sessions", "not_with_subject"),
    ],
)
def test_a_request_has_one_subject(clinic: Clinic, desk: APIClient, body: dict[str, Any], at: str, code: str) -> None:
    series = booked(desk, clinic)
    ids = {"one": series["sessions"][0]["id"], "series": series["id"], "site": series["site"]}
    ids["protocol"] = series["protocol"]
    asked = {name: ids.get(value, value) for name, value in body.items()}
    answer = desk.post("/api/v1/plans/", {"earliest_date": ahead(2), "latest_date": ahead(9), **asked}, format="json")
    assert answer.status_code == 400
    assert (at, code) in {(each["pointer"], each["code"]) for each in answer.json()["errors"]}


def test_a_session_that_changed_since_it_was_read_stays_where_a_plan_for_its_series_comes(
    clinic: Clinic, desk: APIClient
) -> None:
    series = booked(desk, clinic)
    plan = planned(desk, series=series["id"], earliest_date=ahead(30))[0]
    read = Session.objects.select_related("series__site", "site").get(pk=series["sessions"][0]["id"])
    assert verb(desk, series["sessions"][0], "confirm").status_code == 200
    kept, user = Plan.objects.get(pk=plan["id"]), clinic.users[Role.FRONT_DESK]
    before = list(Session.objects.order_by("pk").values_list("start", "version"))
    with pytest.raises(Stale):
        moving.take_place(read, kept, user, clock.now(), frozenset({str(read.version)}))
    assert list(Session.objects.order_by("pk").values_list("start", "version")) == before


# ---- the rest -------------------------------------------------------------------------------------------------------


def replan(client: APIClient, series: str, plan: str, **more: Any) -> Any:
    return client.post(f"/api/v1/series/{series}/replan/", {"plan": plan}, format="json", **more)


def test_the_rest_moves_whole_and_what_stays_put_is_not_touched(clinic: Clinic, desk: APIClient) -> None:
    series = booked(desk, clinic)
    plan = planned(desk, series=series["id"], earliest_date=ahead(30))[0]
    answer = replan(desk, series["id"], plan["id"])
    assert answer.status_code == 200, answer.content
    shown = {row["id"]: row["start"] for row in answer.json()["sessions"]}
    assert shown == {row["id"]: new["start"] for row, new in zip(series["sessions"], plan["sessions"], strict=True)}
    assert problems(series["id"]) == []
    assert replan(desk, series["id"], plan["id"]).json()["code"] == "plan_booked"
    same = planned(desk, series=series["id"], earliest_date=ahead(30))[0]
    events = SessionEvent.objects.count()
    assert replan(desk, series["id"], same["id"]).status_code == 200
    assert SessionEvent.objects.count() == events


def test_a_plan_made_before_the_series_changed_is_stale_and_fresh_ones_are_offered(
    clinic: Clinic, desk: APIClient, prescriber: APIClient
) -> None:
    series = booked(desk, clinic)
    plan = planned(desk, series=series["id"], earliest_date=ahead(30), latest_date=ahead(90))[0]
    spacing = {"anchor": "previous", "min_days": 6, "target_days": 6, "max_days": 8}
    body = {"phase": "induction", "spacing": spacing, "reason": "side effects"}
    adjusted = prescriber.post(f"/api/v1/series/{series['id']}/adjust/", body, format="json")
    assert adjusted.json()["status"] == "needs_review"
    assert replan(desk, series["id"], plan["id"]).json()["code"] == "needs_review"
    answer = replan(prescriber, series["id"], plan["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "plan_stale")
    fresh = answer.json()["plans"][0]
    answer = replan(prescriber, series["id"], fresh["id"])
    assert (answer.status_code, answer.json()["status"]) == (200, "active")
    days = [date.fromisoformat(row["start"][:10]) for row in answer.json()["sessions"]]
    assert all(6 <= (b - a).days <= 8 for a, b in pairwise(days))


def test_a_phase_is_ended_or_lengthened_by_a_prescriber(clinic: Clinic, desk: APIClient, prescriber: APIClient) -> None:
    series = booked(desk, clinic)
    address = f"/api/v1/series/{series['id']}"
    for number, gone in ((4, 2), (5, 0)):
        body = {"phase": "induction", "sessions": number, "reason": "enough"}
        assert prescriber.post(f"{address}/adjust/", body, format="json").json()["status"] == "needs_review"
        plan = planned(prescriber, series=series["id"])[0]
        assert len(plan["sessions"]) == number
        answer = replan(prescriber, series["id"], plan["id"])
        assert (answer.status_code, answer.json()["status"]) == (200, "active"), answer.content
        live = [row for row in answer.json()["sessions"] if row["status"] == "booked"]
        assert [row["sequence"] for row in live] == list(range(1, number + 1))
        if gone:
            assert [row["status"] for row in answer.json()["sessions"]].count("cancelled") == gone
    assert problems(series["id"]) == []
    refused = desk.post(f"{address}/adjust/", {"phase": "induction", "sessions": 3, "reason": "x"}, format="json")
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"phase": "nothing", "sessions": 3}, 400, "unknown_phase"),
        ({"phase": "induction"}, 400, "required"),
        ({"phase": "induction", "spacing": {"anchor": "moon"}}, 400, "invalid"),
        (
            {"phase": "induction", "spacing": {"anchor": "previous", "min_days": 5, "target_days": 5, "max_days": 3}},
            400,
            "max_below_min",
        ),
    ],
)
def test_an_adjustment_that_makes_no_sense(
    clinic: Clinic, desk: APIClient, prescriber: APIClient, change: dict[str, Any], status: int, code: str
) -> None:
    series = booked(desk, clinic)
    answer = prescriber.post(f"/api/v1/series/{series['id']}/adjust/", {**change, "reason": "x"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert Series.objects.get(pk=series["id"]).adjustments == []


# ---- a lost session -------------------------------------------------------------------------------------------------


def rule(name: str) -> dict[str, Any]:
    return {"rule": name, "source": "OCR"}


@pytest.mark.parametrize(
    ("missed", "status", "replaceable"),
    [(None, "needs_review", False), ("review", "needs_review", False), ("continue", "active", False),
     ("replace", "active", True)],
)  # fmt: skip
def test_what_a_cancelled_session_means(
    clinic: Clinic, desk: APIClient, missed: str | None, status: str, replaceable: bool
) -> None:
    series = booked(desk, clinic, **({"missed": rule(missed)} if missed else {}))
    answer = verb(desk, series["sessions"][2], "cancel", reason="a cold")
    assert answer.status_code == 200, answer.content
    means = answer.json()["consequence"]
    assert (means["rule"], means["status"]) == (missed or "review", status)
    assert (means["earliest"] is not None) is replaceable
    assert answer.json()["cancelled_late"] is False
    if replaceable:
        before, after = (date.fromisoformat(series["sessions"][n]["start"][:10]) for n in (1, 3))
        assert before + timedelta(days=2) <= date.fromisoformat(means["earliest"])
        assert date.fromisoformat(means["latest"]) <= after - timedelta(days=2)


def test_a_lost_session_is_given_again_within_its_window(clinic: Clinic, desk: APIClient) -> None:
    series = booked(desk, clinic, missed=rule("replace"))
    verb(desk, series["sessions"][2], "cancel", reason="a cold")
    assert desk.get(f"/api/v1/series/{series['id']}/").json()["replace_by"] is not None
    plan = planned(desk, series=series["id"])[0]
    assert [row["sequence"] for row in plan["sessions"]] == [1, 2, 3, 4, 5, 6]
    answer = replan(desk, series["id"], plan["id"])
    assert (answer.status_code, answer.json()["replace_by"]) == (200, None)
    assert [(row["sequence"], row["status"]) for row in answer.json()["sessions"]].count((3, "booked")) == 1
    assert problems(series["id"]) == []


def test_of_two_lost_at_one_place_the_later_one_counts(clinic: Clinic, desk: APIClient) -> None:
    series = booked(desk, clinic, missed=rule("replace"))
    verb(desk, series["sessions"][0], "cancel", reason="a cold")
    sooner = local_date(datetime.fromisoformat(later(series["sessions"][-1], days=-1)), CHICAGO).isoformat()
    plan = planned(desk, series=series["id"], latest_date=sooner)[0]
    assert plan["sessions"][0]["start"] < series["sessions"][0]["start"], "sooner than the one that was lost"
    again = replan(desk, series["id"], plan["id"]).json()["sessions"]
    new = next(row for row in again if (row["sequence"], row["status"]) == (1, "booked"))
    verb(desk, new, "cancel", reason="another cold")
    row = Series.objects.select_related("protocol", "site").get(pk=series["id"])
    assert standing_dates(row)[1] == local_date(datetime.fromisoformat(new["start"]), zone_of(row.site))
    assert problems(series["id"]) == []


def test_a_window_that_passes_turns_the_series_to_a_clinician(
    clinic: Clinic, desk: APIClient, time_machine: Any
) -> None:
    series = booked(desk, clinic, missed=rule("replace"))
    verb(desk, series["sessions"][2], "cancel", reason="a cold")
    row = Series.objects.select_related("site").get(pk=series["id"])
    assert row.replace_by is not None
    tick()
    assert Series.objects.get(pk=row.pk).status == "active"
    left = row.replace_by - local_date(clock.now(), zone_of(row.site))
    time_machine.move_to(clock.now() + left + timedelta(days=1))
    tick()
    row.refresh_from_db()
    assert (row.status, row.replace_by) == ("needs_review", None)


def test_a_late_cancellation_is_marked_and_a_patient_has_to_call(clinic: Clinic, desk: APIClient, api: Api) -> None:
    user = make_user(clinic.organization, Role.PATIENT)
    patient = make_patient(clinic.site, user=user)
    make_order(patient, clinic.protocol, clinic.users[Role.PRESCRIBER])
    series = clinic.series(patient)
    near = clinic.session(clock.now() + timedelta(hours=20), series=series)
    far = clinic.session(clock.now() + timedelta(hours=80), series=series)
    own, near_id, far_id = api(user), {"id": str(near.pk)}, {"id": str(far.pk)}
    for what, body in (("cancel", {"reason": "x"}), ("reschedule", {"start": ahead(9) + "T15:00:00Z"}), ("cancel", {})):
        answer = verb(own, near_id, what, **body)
        assert (answer.status_code, answer.json()["code"]) == (409, "too_late")
    late = verb(desk, near_id, "cancel", reason="a cold").json()
    assert late["cancelled_late"] is True
    assert near.events.get(kind="cancelled").after["late"] is True
    assert verb(own, far_id, "cancel", reason="a cold").json()["cancelled_late"] is False
