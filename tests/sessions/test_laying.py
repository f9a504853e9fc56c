"""Pools on the real database: who can do with another chair makes room in the booking's transaction, or stays."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from notifications.models import Message
from sessions.models import Session, SessionStatus
from tests import rules
from tests.at_once import together
from tests.factories import make_clinic, make_patient, make_protocol, phase
from tests.sessions.test_plan_and_book import CHICAGO, ahead, book, plans
from tests.sessions.test_races import limits, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from scheduler.models import Chair, Protocol
    from tests.factories import Clinic

MINUTES = {"prepare": 15, "infuse": 60, "recover": 15, "turnover": 15}


def weekday() -> str:
    """A day some days ahead on which the clinic is open."""
    days = (ahead(n) for n in range(3, 10))
    return next(day for day in days if datetime.fromisoformat(day).weekday() < 5)


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"{weekday()}T{clock}").replace(tzinfo=CHICAGO)


def needing(clinic: Clinic, *kinds: str) -> Protocol:
    """An approved protocol of one session of 90 minutes that needs a chair of these kinds."""
    one = phase(sessions=1, minutes=MINUTES, chair={"kinds": list(kinds), "features": []}, acuity=1)
    return make_protocol(clinic.organization, clinic.users["prescriber"], one)


def at_ten(client: APIClient, clinic: Clinic, protocol: Protocol, **changes: Any) -> list[dict[str, Any]]:
    """Plans of the protocol for that day from 10:00 to 11:30, and no other time."""
    preferences = {"time_windows": [{"from": "10:00", "until": "11:30"}], **changes.pop("preferences", {})}
    dates = {"earliest_date": weekday(), "latest_date": weekday()}
    return plans(client, clinic, protocol=str(protocol.pk), preferences=preferences, **dates, **changes)


def sitting(
    clinic: Clinic, chair: Chair, clock: str = "09:30", start: datetime | None = None, **fields: Any
) -> Session:
    """A booked session that could have any chair."""
    return clinic.session(start or at(clock), **{"chair": chair, "acuity": 1, **MINUTES, **fields})


@pytest.fixture
def desk(api: Callable[..., APIClient], clinic: Clinic) -> APIClient:
    return api(clinic.users["front_desk"])


def test_who_needs_no_bed_gives_it_up_and_is_told_nothing(desk: APIClient, clinic: Clinic) -> None:
    there = sitting(clinic, clinic.bed)
    messages = set(Message.objects.values_list("pk", flat=True))
    protocol = needing(clinic, "bed")
    [plan] = at_ten(desk, clinic, protocol)
    answer = book(desk, clinic, plan["id"], protocol=str(protocol.pk))
    assert answer.status_code == 201, answer.content
    assert answer.json()["sessions"][0]["chair"] == str(clinic.bed.pk)
    after = Session.objects.get(pk=there.pk)
    assert after.chair in clinic.recliners
    assert (after.start, after.nurse_id, after.prescriber_id) == (there.start, there.nurse_id, there.prescriber_id)
    assert after.version == there.version + 1
    event = after.events.get(kind="laid_anew")
    assert (event.actor, event.system) == (None, "planner")
    assert (event.before, event.after) == ({"chair": str(clinic.bed.pk)}, {"chair": str(after.chair_id)})
    assert set(Message.objects.filter(session=there).values_list("pk", flat=True)) <= messages
    assert rules.broken(shown(desk, clinic), limits()) == []


@pytest.mark.parametrize(
    "stays",
    [
        pytest.param({"wished_chair_kind": "bed"}, id="wished for a bed"),
        pytest.param({"chair_kinds": ["bed"]}, id="needs a bed"),
        pytest.param({"status": SessionStatus.ARRIVED}, id="has arrived"),
    ],
)
def test_who_may_not_move_stays(desk: APIClient, clinic: Clinic, stays: dict[str, Any]) -> None:
    there = sitting(clinic, clinic.bed)
    Session.objects.filter(pk=there.pk).update(**stays)
    assert at_ten(desk, clinic, needing(clinic, "bed")) == []


def test_what_was_wished_for_is_kept_with_the_session(desk: APIClient, clinic: Clinic) -> None:
    wish = {"chair_kind": "bed", "provider": str(clinic.nurses[1].pk)}
    protocol = needing(clinic, "bed", "recliner")
    [plan] = at_ten(desk, clinic, protocol, preferences=wish)
    session = book(desk, clinic, plan["id"], protocol=str(protocol.pk)).json()["sessions"][0]
    row = Session.objects.get(pk=session["id"])
    assert (row.wished_chair_kind, row.wished_provider) == ("bed", clinic.nurses[1])
    assert (row.chair_kinds, row.chair_features) == (["bed", "recliner"], [])
    assert at_ten(desk, clinic, needing(clinic, "bed"), patient=str(make_patient(clinic.site).pk)) == []


def test_one_who_arrives_between_plan_and_booking_is_not_moved(desk: APIClient, clinic: Clinic) -> None:
    there = sitting(clinic, clinic.bed)
    protocol = needing(clinic, "bed")
    [plan] = at_ten(desk, clinic, protocol)
    assert desk.post(f"/api/v1/sessions/{there.pk}/arrive/", {}).status_code == 200
    answer = book(desk, clinic, plan["id"], protocol=str(protocol.pk))
    assert (answer.status_code, answer.json()["code"]) == (409, "chair_taken")
    assert Session.objects.get(pk=there.pk).chair == clinic.bed


def test_a_hold_keeps_a_time_and_not_a_chair(desk: APIClient, api: Callable[..., APIClient], clinic: Clinic) -> None:
    either, bed = needing(clinic, "bed", "recliner"), needing(clinic, "bed")
    type(clinic.room).objects.filter(pk=clinic.room.pk).update(is_active=False)
    for recliner, clock in zip(clinic.recliners, ("09:00", "09:15", "09:30"), strict=True):
        sitting(clinic, recliner, clock, prepare=120)
    # No recliner is free at ten, so the hold is laid on the bed; then one is given up.
    other = api(clinic.users["manager"])
    holds_for = make_patient(clinic.site)
    [held] = at_ten(other, clinic, either, patient=str(holds_for.pk))
    assert held["sessions"][0]["chair"] == str(clinic.bed.pk)
    assert other.post(f"/api/v1/plans/{held['id']}/hold/", {}).status_code == 200
    assert at_ten(desk, clinic, bed) == []
    Session.objects.filter(chair=clinic.recliners[0]).update(status=SessionStatus.CANCELLED)
    [plan] = at_ten(desk, clinic, bed)
    assert book(desk, clinic, plan["id"], protocol=str(bed.pk)).status_code == 201
    # What is left is the holder's.
    assert at_ten(desk, clinic, either, patient=str(make_patient(clinic.site).pk)) == []
    kept = book(other, clinic, held["id"], patient=str(holds_for.pk), protocol=str(either.pk))
    assert kept.status_code == 201, kept.content
    assert kept.json()["sessions"][0]["chair"] == str(clinic.recliners[0].pk)
    assert rules.broken(shown(desk, clinic), limits()) == []


def test_a_session_moves_in_where_another_makes_room(desk: APIClient, clinic: Clinic) -> None:
    there = sitting(clinic, clinic.bed)
    protocol = needing(clinic, "bed")
    [plan] = plans(
        desk, clinic, protocol=str(protocol.pk), earliest_date=weekday(), latest_date=weekday(), limit=1,
        preferences={"time_windows": [{"from": "14:00", "until": "15:30"}]},
    )  # fmt: skip
    mine = book(desk, clinic, plan["id"], protocol=str(protocol.pk)).json()["sessions"][0]
    answer = desk.post(f"/api/v1/sessions/{mine['id']}/reschedule/", {"start": at("10:00").isoformat()})
    assert (answer.status_code, answer.json()["chair"]) == (200, str(clinic.bed.pk)), answer.content
    assert Session.objects.get(pk=there.pk).chair in clinic.recliners


def test_nurses_change_for_who_wishes_for_one(desk: APIClient, clinic: Clinic) -> None:
    wished, other = clinic.nurses
    type(wished).objects.filter(pk=wished.pk).update(capacity=1)
    there = sitting(clinic, clinic.recliners[0], nurse=wished)
    protocol = needing(clinic)
    [plan] = at_ten(desk, clinic, protocol, preferences={"provider": str(wished.pk)})
    answer = book(desk, clinic, plan["id"], protocol=str(protocol.pk))
    assert (answer.status_code, answer.json()["sessions"][0]["nurse"]) == (201, str(wished.pk))
    assert Session.objects.get(pk=there.pk).nurse == other


def test_fifty_into_a_day_that_has_room_only_once_chairs_are_swapped(
    committed: None, api: Callable[..., APIClient], postgres_log: Callable[[], str]
) -> None:
    clinic = make_clinic()
    client = api(clinic.users["front_desk"])
    there = [
        sitting(clinic, clinic.bed, "09:30", nurse=clinic.nurses[0]),
        sitting(clinic, clinic.room, "09:30", nurse=clinic.nurses[1]),
    ]
    wanted = (needing(clinic, "bed"), needing(clinic, "private_room"))
    jobs: list[Callable[[], Any]] = []
    for number in range(50):
        patient, protocol = make_patient(clinic.site), wanted[number % 2]
        plan = at_ten(client, clinic, protocol, patient=str(patient.pk), limit=1)[0]["id"]
        body = {"patient": str(patient.pk), "protocol": str(protocol.pk), "plan": plan}
        jobs.append(partial(api(clinic.users["front_desk"]).post, "/api/v1/series/", body))
    answers = together(jobs)
    assert Counter(answer.status_code for answer in answers) == {201: 2, 409: 48}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"chair_taken"}
    assert {Session.objects.get(pk=each.pk).chair.kind for each in there} == {"recliner"}
    assert all(each.events.filter(kind="laid_anew").count() == 1 for each in there)
    assert Session.objects.count() == 4
    assert rules.broken(shown(client, clinic), limits()) == []
    assert "deadlock" not in postgres_log()


def test_swaps_and_arrivals_at_one_moment(
    committed: None, api: Callable[..., APIClient], postgres_log: Callable[[], str]
) -> None:
    """Whoever comes first: either the patient arrives and keeps the bed, or has left it before."""
    clinic = make_clinic()
    client, protocol = api(clinic.users["front_desk"]), needing(clinic, "bed")
    for number in range(6):
        start = at("08:00") + timedelta(minutes=105 * (number % 5), days=0 if number < 5 else 7)
        there = sitting(clinic, clinic.bed, start=start)
        local = start.astimezone(CHICAGO)
        window = {"from": f"{local:%H:%M}", "until": f"{local + timedelta(minutes=90):%H:%M}"}
        patient = make_patient(clinic.site)
        dates = {"earliest_date": local.date().isoformat(), "latest_date": local.date().isoformat()}
        found = plans(
            client, clinic, protocol=str(protocol.pk), patient=str(patient.pk), limit=1,
            preferences={"time_windows": [window]}, **dates,
        )  # fmt: skip
        body = {"patient": str(patient.pk), "protocol": str(protocol.pk), "plan": found[0]["id"]}
        both: list[Callable[[], Any]] = [
            partial(client.post, "/api/v1/series/", body),
            partial(api(clinic.users["nurse"]).post, f"/api/v1/sessions/{there.pk}/arrive/", {}),
        ]
        booked, arrived = together(both)
        assert arrived.status_code == 200, arrived.content
        kinds = {201: "recliner", 409: "bed"}
        assert Session.objects.get(pk=there.pk).chair.kind == kinds[booked.status_code]
    assert rules.broken(shown(client, clinic), limits()) == []
    assert "deadlock" not in postgres_log()
