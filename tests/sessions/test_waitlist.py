"""The waitlist: who is offered which free place, that the first to accept has it, and what ends an offer."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import clock
from accounts.models import Role, Site
from accounts.refusals import Conflict
from scheduler.models import TimeOff
from scheduler.planner import check_spacing
from scheduler.walltime import instant, local_date
from sessions import waitlist
from sessions.course import phases_of_series, standing_dates
from sessions.models import Offer, Series, Session, WaitlistEntry
from sessions.rest import in_order
from sessions.tasks import tick
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


def on(days: int) -> str:
    return (monday() + timedelta(days=days)).isoformat()


@pytest.fixture(autouse=True)
def day_time(clinic: Clinic, time_machine: Any) -> None:
    """Ten in the morning: offers do not rest. One chair and one nurse, so that a place is one."""
    time_machine.move_to(at("10:00", -14))
    TimeOff.objects.create(provider=clinic.nurses[1], during=(at("00:00", -20), at("00:00", 60)))
    for chair in clinic.chairs[1:]:
        chair.is_active = False
        chair.save()
    type(clinic.nurses[0]).objects.filter(pk=clinic.nurses[0].pk).update(capacity=1)


@pytest.fixture
def desk(clinic: Clinic, api: Api) -> APIClient:
    return api(clinic.users[Role.FRONT_DESK])


def single(clinic: Clinic, wall: str, days: int) -> Session:
    """A series of one session."""
    series = clinic.series(make_patient(clinic.site), one(clinic))
    return make_session(
        series, at(wall, days), chair=clinic.recliners[0], nurse=clinic.nurses[0], prescriber=clinic.prescriber
    )


def one(clinic: Clinic, code: str = "one", **changes: Any) -> Any:
    return clinic.organization.protocols.filter(code=code).first() or make_protocol(
        clinic.organization, clinic.users[Role.PRESCRIBER], phase(sessions=1, **changes), code=code
    )


def wait(client: APIClient, session: Session, earliest: int, latest: int, **more: Any) -> dict[str, Any]:
    body = {"patient": str(session.patient_id), "session": str(session.pk)}
    span = {"earliest": on(earliest), "latest": on(latest)}
    answer = client.post("/api/v1/waitlist-entries/", {**body, **span, **more}, format="json")
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def offers(**wanted: Any) -> list[Offer]:
    return list(Offer.objects.filter(**wanted).order_by("created_at", "id"))


def say(client: APIClient, offer: Offer, what: str) -> Any:
    return client.post(f"/api/v1/offers/{offer.pk}/{what}/", {}, format="json")


def fill(clinic: Clinic, days: int, *walls: str) -> list[Session]:
    """The day of the one chair, full."""
    return [single(clinic, wall, days) for wall in walls or ("08:00", "10:45", "13:30")]


def test_a_freed_place_is_offered_taken_and_the_old_one_offered_on(clinic: Clinic, desk: APIClient) -> None:
    taken, late = fill(clinic, 0), fill(clinic, 1)
    wait(desk, late[0], 0, 0)
    tick()
    assert offers() == []
    desk.post(f"/api/v1/sessions/{taken[1].pk}/cancel/", {"reason": "ill"}, format="json")
    tick()
    tick()
    offer = offers()[0]
    assert (len(offers()), offer.start, offer.session_id) == (1, taken[1].start, late[0].pk)
    assert offer.expires_at - offer.created_at == timedelta(minutes=clinic.site.offer_minutes)
    other = single(clinic, "08:00", 2)
    wait(desk, other, 1, 1)
    tick()
    assert len(offers()) == 1
    answer = say(desk, offer, "accept")
    assert (answer.status_code, answer.json()["status"]) == (200, "accepted"), answer.content
    late[0].refresh_from_db()
    assert late[0].start == taken[1].start
    assert late[0].events.get(kind="rescheduled").before["start"] == at("08:00", 1).isoformat()
    assert WaitlistEntry.objects.get(session=late[0]).status == "filled"
    tick()
    assert [(each.session_id, each.start) for each in offers(status="open")] == [(other.pk, at("08:00", 1))]


def test_the_first_to_accept_has_the_place_and_the_others_offers_are_taken_back(
    clinic: Clinic, desk: APIClient
) -> None:
    taken = fill(clinic, 0)
    waiting = [single(clinic, "08:00", 1 + n) for n in range(4)]
    for session in waiting:
        wait(desk, session, 0, 0)
    desk.post(f"/api/v1/sessions/{taken[1].pk}/cancel/", {"reason": "ill"}, format="json")
    tick()
    made = offers()
    assert {offer.session_id for offer in made} == {session.pk for session in waiting[:3]}, "who waits longest, three"
    assert say(desk, made[1], "accept").status_code == 200
    assert sorted(Offer.objects.values_list("status", flat=True)) == ["accepted", "gone", "gone"]
    for offer, code in ((made[0], "offer_gone"), (made[1], "already_done")):
        for what in ("accept", "decline"):
            answer = say(desk, offer, what)
            assert (answer.status_code, answer.json()["code"]) == (409, code)
    tick()
    assert offers(status="open") == []


def test_an_answer_is_judged_as_the_offer_stands_not_as_it_was_read(clinic: Clinic, desk: APIClient) -> None:
    taken = fill(clinic, 0)
    wait(desk, single(clinic, "08:00", 1), 0, 0)
    desk.post(f"/api/v1/sessions/{taken[1].pk}/cancel/", {"reason": "ill"}, format="json")
    tick()
    read, user = offers()[0], clinic.users[Role.FRONT_DESK]
    waitlist.accept(read, user, clock.now())
    for again in (lambda: waitlist.accept(read, user, clock.now()), lambda: waitlist.decline(read, clock.now())):
        with pytest.raises(Conflict) as refused:
            again()
        assert refused.value.code == "already_done"
    other = single(clinic, "08:00", 3)
    wait(desk, other, 1, 1)
    tick()
    (open_offer,) = offers(status="open")
    waitlist.decline(Offer.objects.get(pk=open_offer.pk), clock.now())
    with pytest.raises(Conflict) as refused:
        waitlist.accept(open_offer, user, clock.now())
    assert (refused.value.code, Session.objects.get(pk=other.pk).start) == ("offer_declined", other.start)


def test_an_offer_is_declined_runs_out_and_is_not_made_twice(
    clinic: Clinic, desk: APIClient, time_machine: Any
) -> None:
    taken = fill(clinic, 0)
    waiting = [single(clinic, "08:00", 1 + n) for n in range(2)]
    for session in waiting:
        wait(desk, session, 0, 0)
    Site.objects.update(offers_at_once=1)
    desk.post(f"/api/v1/sessions/{taken[1].pk}/cancel/", {"reason": "ill"}, format="json")
    tick()
    assert say(desk, offers()[0], "decline").json()["status"] == "declined"
    tick()
    first, second = offers()
    assert (first.session_id, second.session_id) == (waiting[0].pk, waiting[1].pk)
    time_machine.move_to(clock.now() + timedelta(minutes=61))
    assert say(desk, second, "accept").json()["code"] == "offer_expired"
    tick()
    assert [offer.status for offer in offers()] == ["declined", "expired"]


def test_a_place_that_is_booked_meanwhile_is_taken_back(clinic: Clinic, desk: APIClient) -> None:
    taken = fill(clinic, 0)
    wait(desk, single(clinic, "08:00", 1), 0, 0)
    desk.post(f"/api/v1/sessions/{taken[1].pk}/cancel/", {"reason": "ill"}, format="json")
    tick()
    single(clinic, "10:45", 0)
    assert say(desk, offers()[0], "accept").json()["code"] == "offer_gone"
    assert offers()[0].status == "gone"


def test_offers_rest_keep_their_lead_and_are_few_a_day(clinic: Clinic, desk: APIClient, time_machine: Any) -> None:
    wait(desk, single(clinic, "08:00", 3), -14, 0)
    Site.objects.update(offer_lead_hours=30, offers_a_day=2)
    time_machine.move_to(at("21:00", -14))
    tick()
    assert offers() == []
    time_machine.move_to(at("08:00", -13), tick=False)
    for count in (1, 2, 2):
        tick()
        assert len(offers()) == count
        for offer in offers(status="open"):
            assert offer.start >= clock.now() + timedelta(hours=30)
            waitlist.decline(offer, clock.now())
    assert len({offer.start for offer in offers()}) == 2
    time_machine.move_to(at("08:00", -12))
    tick()
    assert len(offers()) == 3


def test_a_day_that_is_free_from_now_on_is_offered_from_the_lead_on(clinic: Clinic, desk: APIClient) -> None:
    """However many starts lie before it."""
    wait(desk, single(clinic, "08:00", 3), -14, -14)
    tick()
    assert [offer.start for offer in offers()] == [at("14:05", -14)], "four hours from some moments after ten"


def test_only_what_keeps_the_spacing_is_offered(clinic: Clinic, desk: APIClient) -> None:
    three = make_protocol(clinic.organization, clinic.users[Role.PRESCRIBER], phase(sessions=3))
    series = clinic.series(make_patient(clinic.site), three)
    people: dict[str, Any] = {"chair": clinic.recliners[0], "nurse": clinic.nurses[0], "prescriber": clinic.prescriber}
    # The Friday before is two days after the first session, and free; but the third would then be too far away.
    rows = [make_session(series, at("10:00", days), **people) for days in (-5, 1, 4)]
    wait(desk, rows[1], -3, 4)
    tick()
    assert local_date(offers()[0].start, CHICAGO) == monday()
    assert say(desk, offers()[0], "accept").status_code == 200
    row = Series.objects.select_related("protocol", "site").get(pk=series.pk)
    assert check_spacing(phases_of_series(row), in_order(standing_dates(row))) == []


def test_a_whole_series_is_offered_and_booked(clinic: Clinic, desk: APIClient) -> None:
    three = make_protocol(clinic.organization, clinic.users[Role.PRESCRIBER], phase(sessions=3))
    patient = make_patient(clinic.site)
    body = {"patient": str(patient.pk), "protocol": str(three.pk), "earliest": on(0), "latest": on(0)}
    assert desk.post("/api/v1/waitlist-entries/", body, format="json").status_code == 201
    twice = desk.post("/api/v1/waitlist-entries/", body, format="json")
    assert (twice.status_code, twice.json()["code"]) == (409, "already_waiting")
    tick()
    offer = offers()[0]
    assert local_date(offer.start, CHICAGO) == monday()
    answer = say(desk, offer, "accept")
    assert (answer.status_code, answer.json()["status"]) == (200, "accepted"), answer.content
    assert Session.objects.filter(patient=patient).count() == 3


def test_a_wish_is_changed_and_withdrawn(clinic: Clinic, desk: APIClient) -> None:
    entry = wait(desk, single(clinic, "08:00", 3), 0, 1)
    tick()
    address = f"/api/v1/waitlist-entries/{entry['id']}/"
    windows = [{"from": "15:00", "until": "18:00"}]
    changed = desk.patch(address, {"time_windows": windows}, format="json")
    assert (changed.status_code, changed.json()["time_windows"]) == (200, windows)
    assert offers()[0].status == "gone"
    tick()
    assert offers(status="open")[0].start.astimezone(CHICAGO).time() == time(15)
    assert desk.patch(address, {"latest": on(-1)}, format="json").json()["code"] == "empty_range"
    assert desk.delete(address).status_code == 204
    assert desk.get(address).status_code == 404
    assert {offer.status for offer in offers()} == {"gone"}


def test_more_supply_is_a_freed_place_too(clinic: Clinic, desk: APIClient) -> None:
    fill(clinic, 0)
    wait(desk, single(clinic, "08:00", 1), 0, 0)
    tick()
    assert offers() == []
    TimeOff.objects.all().delete()
    clinic.bed.is_active = True
    clinic.bed.save()
    tick()
    assert len(offers()) == 1


def test_a_tick_asks_as_much_for_many_who_wait_as_for_few(clinic: Clinic, desk: APIClient) -> None:
    """Where nothing is free: each offer is a write of its own."""
    fill(clinic, 0)
    asked: list[int] = []
    for _ in range(2):
        for day in (1, 2):
            for session in fill(clinic, day, *(("08:00", "10:45") if not asked else ("13:30",))):
                wait(desk, session, 0, 0)
        tick()
        with CaptureQueriesContext(connection) as questions:
            tick()
        asked.append(len(questions))
    assert (asked[0], Offer.objects.count()) == (asked[1], 0)


def test_offers_of_others_are_not_there(clinic: Clinic, desk: APIClient, api: Api) -> None:
    wait(desk, single(clinic, "08:00", 1), 0, 0)
    tick()
    patient = api(clinic.users[Role.PATIENT])
    assert patient.get("/api/v1/offers/").json()["results"] == []
    assert say(patient, offers()[0], "accept").status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"latest": "2020-01-01", "earliest": "2020-01-01"}, 422, "in_past"),
        ({"latest": "2020-01-01"}, 400, "empty_range"),
        ({"session": None}, 400, "required"),
        ({"protocol": "protocol"}, 400, "one_of"),
        ({"patient": "patient"}, 400, "another_patient"),
        ({"sessions": 3}, 400, "not_with_subject"),
        ({"latest": "2090-01-01"}, 422, "beyond_horizon"),
    ],
)
def test_a_wish_that_makes_no_sense(
    clinic: Clinic, desk: APIClient, change: dict[str, Any], status: int, code: str
) -> None:
    session = single(clinic, "08:00", 1)
    body = {"patient": str(session.patient_id), "session": str(session.pk), "earliest": on(0), "latest": on(3)}
    ids = {"patient": str(clinic.patient.pk), "protocol": str(clinic.protocol.pk)}
    changed = {name: ids.get(str(value), value) for name, value in change.items()}
    answer = desk.post("/api/v1/waitlist-entries/", {**body, **changed}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
