"""Changes of supply never leave a booked session silently without its chair, its people or an open site."""

from __future__ import annotations

import threading
from datetime import time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections, transaction

from accounts import clock
from accounts.models import Role
from scheduler.models import Chair, Provider
from scheduler.walltime import instant, local_date
from sessions.door import lock_for_booking
from sessions.models import SessionStatus
from tests.factories import make_protocol, phase

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from rest_framework.test import APIClient

    from sessions.models import Session
    from tests.factories import Clinic

    Api = Callable[[Any], APIClient]


CHICAGO = ZoneInfo("America/Chicago")


def monday() -> date:
    """A Monday some weeks ahead."""
    today = local_date(clock.now(), CHICAGO)
    return today + timedelta(days=28 - today.weekday())


def at(text: str) -> datetime:
    return instant(monday(), time.fromisoformat(text), CHICAGO)


def iso(text: str) -> str:
    return at(text).isoformat()


@pytest.fixture
def session(clinic: Clinic) -> Session:
    """Monday 10:00: prepare to 10:30, infuse to 11:30, recover to 12:30, turnover to 12:45."""
    bed_only = make_protocol(
        clinic.organization,
        clinic.users[Role.PRESCRIBER],
        phase(chair={"kinds": ["bed"], "features": ["cardiac_monitor"]}),
    )
    Chair.objects.filter(pk=clinic.bed.pk).update(features=["cardiac_monitor"])
    return clinic.session(at("10:00"), series=clinic.series(protocol=bed_only), chair=clinic.bed)


@pytest.fixture
def client(clinic: Clinic, api: Api) -> APIClient:
    return api(clinic.users[Role.MANAGER])


def refused(answer: Any, session: Session) -> bool:
    """Whether the change was refused for the sake of this session; it must be that or a success."""
    if answer.status_code in (200, 201, 204):
        return False
    body = answer.json()
    assert (answer.status_code, body["code"], body["sessions"]) == (409, "bookings_affected", [str(session.pk)])
    return True


CLOSURES = [
    ("09:00", "10:00", False, False),
    ("09:00", "10:01", True, True),
    ("10:05", "10:06", True, True),
    ("12:29", "12:30", True, True),
    ("12:30", "12:45", True, False),
    ("12:44", "13:00", True, False),
    ("12:45", "13:00", False, False),
]


@pytest.mark.parametrize(("since", "until", "hits_chair", "hits_nurse"), CLOSURES)
def test_closures_and_time_off(
    clinic: Clinic, client: APIClient, session: Session, since: str, until: str, hits_chair: bool, hits_nurse: bool
) -> None:
    span = {"start": iso(since), "end": iso(until)}
    for path, whose, hits in [
        ("site-closures", {"site": str(clinic.site.id)}, hits_chair),
        ("chair-closures", {"chair": str(clinic.bed.id)}, hits_chair),
        ("chair-closures", {"chair": str(clinic.room.id)}, False),
        ("time-off", {"provider": str(clinic.nurses[0].id)}, hits_nurse),
        ("time-off", {"provider": str(clinic.nurses[1].id)}, False),
    ]:
        answer = client.post(f"/api/v1/{path}/", {**whose, **span}, format="json")
        assert answer.status_code == 201
        assert (answer.json()["disruption"] is not None) is hits, (path, since, until)
        client.delete(f"/api/v1/{path}/{answer.json()['id']}/")


def test_a_prescriber_is_needed_from_the_infusion_on(clinic: Clinic, client: APIClient, session: Session) -> None:
    whose = {"provider": str(clinic.prescriber.id)}
    early = client.post("/api/v1/time-off/", {**whose, "start": iso("09:00"), "end": iso("10:30")}, format="json")
    assert not refused(early, session)
    address = f"/api/v1/time-off/{early.json()['id']}/"
    assert refused(client.patch(address, {"end": iso("10:31")}, format="json"), session)
    assert client.get(address).json()["end"] == early.json()["end"]


def test_chairs_and_providers_that_are_needed_stay_as_they_are(
    clinic: Clinic, client: APIClient, session: Session
) -> None:
    def change(path: str, row: Chair | Provider, **fields: Any) -> bool:
        return refused(client.patch(f"/api/v1/{path}/{row.pk}/", fields, format="json"), session)

    assert change("chairs", clinic.bed, is_active=False)
    assert change("chairs", clinic.bed, kind="recliner")
    assert change("chairs", clinic.bed, features=[])
    assert not change("chairs", clinic.bed, features=["cardiac_monitor", "near_exit"], name="Best bed")
    assert not change("chairs", clinic.room, is_active=False, kind="recliner")
    assert change("providers", clinic.nurses[0], is_active=False)
    assert change("providers", clinic.nurses[0], role="prescriber")
    assert not change("providers", clinic.nurses[0], name="R. Moss")
    assert not change("providers", clinic.nurses[1], is_active=False)
    assert change("providers", clinic.prescriber, is_active=False)


def test_a_shift_that_is_needed_cannot_be_cut(clinic: Clinic, client: APIClient, session: Session) -> None:
    rule = clinic.nurses[0].availability_rules.get(weekday=0)
    address = f"/api/v1/availability-rules/{rule.pk}/"

    def change(**fields: Any) -> bool:
        return refused(client.patch(address, fields, format="json"), session)

    assert refused(client.delete(address), session)
    assert change(start_time="10:05")
    assert change(end_time="12:25")
    assert change(weekday=6)
    assert change(effective_until=(monday() - timedelta(days=1)).isoformat())
    assert not change(start_time="10:00", end_time="12:30", effective_until=monday().isoformat())
    others = clinic.nurses[1].availability_rules.get(weekday=0)
    assert not refused(client.delete(f"/api/v1/availability-rules/{others.pk}/"), session)


def test_opening_hours_and_time_zone(clinic: Clinic, client: APIClient, session: Session) -> None:
    address = f"/api/v1/sites/{clinic.site.pk}/"

    def change(**fields: Any) -> bool:
        return refused(client.patch(address, fields, format="json"), session)

    assert change(opening_hours=[])
    assert change(opening_hours=[{"weekday": 0, "opens": "10:00", "closes": "12:40"}])
    assert change(time_zone="Asia/Tokyo")
    assert clinic.site.opening_hours.count() == 6
    assert not change(opening_hours=[{"weekday": 0, "opens": "10:00", "closes": "12:45"}])
    assert not change(name="North")


@pytest.mark.parametrize("status", [SessionStatus.CANCELLED, SessionStatus.ARRIVED])
def test_only_sessions_to_come_stand_in_the_way(
    clinic: Clinic, client: APIClient, session: Session, status: str
) -> None:
    session.status = status
    session.save()
    answer = client.patch(f"/api/v1/chairs/{clinic.bed.pk}/", {"is_active": False}, format="json")
    assert answer.status_code == 200


def test_what_was_stranded_before_does_not_count_against_a_change(
    clinic: Clinic, client: APIClient, session: Session
) -> None:
    Chair.objects.filter(pk=clinic.bed.pk).update(is_active=False)
    answer = client.patch(f"/api/v1/chairs/{clinic.room.pk}/", {"is_active": False}, format="json")
    assert answer.status_code == 200


def test_limits_are_not_lowered_below_what_is_booked(clinic: Clinic, client: APIClient, session: Session) -> None:
    clinic.session(at("10:30"), chair=clinic.room, acuity=3)
    address = f"/api/v1/providers/{clinic.nurses[0].pk}/"
    for limit in ({"capacity": 1}, {"max_acuity": 4}):
        answer = client.patch(address, limit, format="json")
        assert (answer.status_code, answer.json()["code"]) == (409, "nurse_capacity")
    assert client.patch(address, {"capacity": 2, "max_acuity": 5}, format="json").status_code == 200


@pytest.mark.parametrize("path", ["chairs", "providers", "sites"])
def test_what_has_a_history_is_not_deleted(clinic: Clinic, client: APIClient, session: Session, path: str) -> None:
    session.status = SessionStatus.CANCELLED
    session.save()
    row = {"chairs": clinic.bed, "providers": clinic.nurses[0], "sites": clinic.site}[path]
    answer = client.delete(f"/api/v1/{path}/{row.pk}/")
    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    unused = {"chairs": clinic.room, "providers": clinic.nurses[1]}.get(path)
    if unused is not None:
        assert client.delete(f"/api/v1/{path}/{unused.pk}/").status_code == 204


def waits_for_a_lock() -> bool:
    """Whether some connection to this database is waiting for another's lock."""
    with connection.cursor() as cursor:
        # Within a transaction PostgreSQL would show the same picture of activity each time.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock')"
        )
        found: bool = cursor.fetchone()[0]
    return found


def meets_a_lock(job: Callable[[], None]) -> threading.Thread:
    """The job in a thread, once it waits for a lock or has ended."""
    thread = threading.Thread(target=job)
    thread.start()
    while thread.is_alive() and not waits_for_a_lock():
        thread.join(0.01)
    return thread


@pytest.mark.usefixtures("committed")
def test_a_draft_waits_for_a_booking_on_another_of_its_days(clinic: Clinic, api: Api) -> None:
    """The draft knows nothing of that day, and so does not lock it: the site's row is what they meet at."""
    client = api(clinic.users[Role.MANAGER])
    session, series = clinic.session(at("10:00")), clinic.series()
    end = at("17:00") + timedelta(days=1)
    absence = {"kind": "provider_absence", "provider": str(session.nurse_id), "start": iso("09:00"), "end": end}
    draft = client.post("/api/v1/disruptions/", absence, format="json").json()
    answers: list[Any] = []

    def apply() -> None:
        answers.append(client.post(f"/api/v1/disruptions/{draft['id']}/apply/", {}, format="json"))
        connections.close_all()

    with transaction.atomic():
        lock_for_booking(series.patient_id, clinic.site.pk, [monday() + timedelta(days=1)])
        booked = clinic.session(at("10:00") + timedelta(days=1), series=series, nurse=session.nurse)
        applying = meets_a_lock(apply)
        assert answers == []
    applying.join(30)
    assert (answers[0].status_code, answers[0].json()["changed"]) == (409, [str(booked.pk)])


@pytest.mark.usefixtures("committed")
def test_a_closure_waits_for_a_booking_that_is_being_made(clinic: Clinic, api: Api) -> None:
    client = api(clinic.users[Role.MANAGER])
    body = {"site": str(clinic.site.id), "start": iso("09:00"), "end": iso("17:00")}
    series = clinic.series()
    answers: list[Any] = []

    def close() -> None:
        answers.append(client.post("/api/v1/site-closures/", body, format="json"))
        connections.close_all()

    with transaction.atomic():
        lock_for_booking(series.patient_id, clinic.site.pk, [monday()])
        session = clinic.session(at("10:00"), series=series)
        closing = meets_a_lock(close)
        assert answers == []
    closing.join(30)
    draft = client.get(f"/api/v1/disruptions/{answers[0].json()['disruption']}/").json()
    assert [item["session"] for item in draft["items"]] == [str(session.pk)]
