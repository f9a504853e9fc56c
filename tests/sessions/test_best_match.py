"""Whom the waitlist offers a place, and whom not: the order of those it fits, and what keeps one from being made."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from accounts import clock
from accounts.models import Role, Site
from scheduler.walltime import local_date
from sessions import waitlist
from sessions.models import Order, Series, Session, WaitlistEntry
from sessions.tasks import tick
from tests.factories import Clinic, make_order, make_patient, make_protocol, make_session, make_user, phase
from tests.sessions.test_waitlist import CHICAGO, at, day_time, desk, fill, offers, one, say, single, wait

if TYPE_CHECKING:
    from rest_framework.test import APIClient

__all__ = ["day_time", "desk"]  # fixtures


def course(clinic: Clinic, first: int, second: int, wall: str) -> Session:
    """The second session of a course that wants three days between (two to five are allowed)."""
    protocol = make_protocol(clinic.organization, clinic.users[Role.PRESCRIBER], phase(sessions=2))
    series = clinic.series(make_patient(clinic.site), protocol)
    people: dict[str, Any] = {"chair": clinic.recliners[0], "nurse": clinic.nurses[0], "prescriber": clinic.prescriber}
    return [make_session(series, at(wall, days), **people) for days in (first, second)][1]


def free_at_noon(client: APIClient, clinic: Clinic) -> None:
    """The Monday, full but for the place of one who has cancelled."""
    taken = fill(clinic, 0)
    client.post(f"/api/v1/sessions/{taken[1].pk}/cancel/", {"reason": "ill"}, format="json")


def test_whose_course_it_brings_closer_to_its_gaps_comes_before_who_waits_longer(
    clinic: Clinic, desk: APIClient
) -> None:
    farther, closer = course(clinic, -2, 1, "08:00"), course(clinic, -3, 1, "10:45")
    for session in (farther, closer):
        wait(desk, session, 0, 0)
    Site.objects.update(offers_at_once=1)
    free_at_noon(desk, clinic)
    tick()
    assert [offer.session_id for offer in offers()] == [closer.pk]


def test_a_course_that_waits_for_a_clinician_is_offered_nothing(clinic: Clinic, desk: APIClient) -> None:
    session = single(clinic, "08:00", 1)
    wait(desk, session, 0, 0)
    Series.objects.filter(pk=session.series_id).update(status="needs_review")
    tick()
    assert offers() == []
    Series.objects.filter(pk=session.series_id).update(status="active")
    tick()
    assert len(offers()) == 1


def test_nothing_is_offered_after_the_order_has_run_out(clinic: Clinic, desk: APIClient) -> None:
    session = single(clinic, "08:00", 1)
    order = make_order(session.patient, session.series.protocol, clinic.users[Role.PRESCRIBER], sessions=1)
    Series.objects.filter(pk=session.series_id).update(order=order)
    Order.objects.filter(pk=order.pk).update(valid_until=local_date(at("08:00", 1), CHICAGO))
    wait(desk, session, 2, 2)
    tick()
    assert offers() == []
    Order.objects.filter(pk=order.pk).update(valid_until=local_date(at("08:00", 2), CHICAGO))
    tick()
    assert len(offers()) == 1


def test_who_is_elsewhere_at_that_time_is_not_offered_it(clinic: Clinic, desk: APIClient) -> None:
    session = single(clinic, "08:00", 1)
    series = clinic.series(session.patient, one(clinic, "another"))
    elsewhere = clinic.session(at("11:00"), series=series, chair=clinic.bed, nurse=clinic.nurses[1])
    wait(desk, session, 0, 0)
    free_at_noon(desk, clinic)
    tick()
    assert offers() == []
    desk.post(f"/api/v1/sessions/{elsewhere.pk}/cancel/", {"reason": "ill"}, format="json")
    tick()
    assert [offer.start for offer in offers()] == [at("10:45")]


def test_who_wishes_for_that_day_is_offered_only_what_is_sooner(clinic: Clinic, desk: APIClient) -> None:
    wait(desk, single(clinic, "08:00", 1), 1, 1)
    tick()
    assert offers() == []


def test_a_wish_ends_with_its_visit(clinic: Clinic, desk: APIClient) -> None:
    session = single(clinic, "08:00", 1)
    wait(desk, session, 0, 0)
    tick()
    desk.post(f"/api/v1/sessions/{session.pk}/cancel/", {"reason": "ill"}, format="json")
    tick()
    assert (WaitlistEntry.objects.get().status, offers()[0].status) == ("expired", "gone")


def test_an_offer_whose_place_is_taken_is_taken_back_by_itself(clinic: Clinic, desk: APIClient) -> None:
    wait(desk, single(clinic, "08:00", 1), 0, 0)
    free_at_noon(desk, clinic)
    tick()
    assert [offer.status for offer in offers()] == ["open"]
    single(clinic, "10:45", 0)
    tick()
    assert [offer.status for offer in offers()] == ["gone"]


def test_a_patient_takes_what_the_clinic_offers_though_it_is_too_late_to_move_alone(
    clinic: Clinic, desk: APIClient
) -> None:
    session = single(clinic, "08:00", -13)
    user = make_user(clinic.organization, Role.PATIENT)
    type(session.patient).objects.filter(pk=session.patient_id).update(user=user)
    Site.objects.update(late_cancel_hours=48)
    wait(desk, session, -14, -14)
    tick()
    accepted = waitlist.accept(offers()[0], user, clock.now() + timedelta(minutes=1))
    session.refresh_from_db()
    assert (accepted.status, session.start) == ("accepted", accepted.start)
    assert say(desk, accepted, "accept").json()["code"] == "already_done"
