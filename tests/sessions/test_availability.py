"""What is free when: supply less what is booked and held, without a word about whose it is."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from accounts import clock
from accounts.models import Role
from scheduler.models import ChairClosure, Provider, SiteClosure, TimeOff
from scheduler.walltime import instant, local_date
from sessions import kept_days
from sessions.models import Plan, SessionStatus
from tests.factories import blocks, make_availability, make_opening_hours, make_provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

    Api = Callable[[Any], APIClient]

CHICAGO = ZoneInfo("America/Chicago")
SPRING, AUTUMN = date(2027, 3, 14), date(2027, 11, 7)


def monday() -> date:
    """A Monday some weeks ahead."""
    today = local_date(clock.now(), CHICAGO)
    return today + timedelta(days=28 - today.weekday())


def at(text: str, day: date | None = None) -> datetime:
    return instant(day or monday(), time.fromisoformat(text), CHICAGO)


def ask(clinic: Clinic, api: Api, since: Any, until: Any, role: str = Role.FRONT_DESK) -> Any:
    query = {"site": str(clinic.site.id), "from": str(since), "until": str(until)}
    return api(clinic.users[role]).get("/api/v1/availability/", query)


def free(answer: Any, record: Any) -> list[tuple[str, str]]:
    """The free ranges of a chair or provider in the site's wall time."""
    kind, rows = ("provider", "providers") if isinstance(record, Provider) else ("chair", "chairs")
    ranges = next(row["free"] for row in answer.json()[rows] if row[kind] == str(record.id))

    def wall(text: str) -> str:
        return datetime.fromisoformat(text).astimezone(CHICAGO).strftime("%H:%M")

    return [(wall(span["start"]), wall(span["end"])) for span in ranges]


def test_an_empty_day(clinic: Clinic, api: Api) -> None:
    answer = ask(clinic, api, monday(), monday())
    assert answer.status_code == 200
    body = answer.json()
    assert (body["site"], set(body)) == (str(clinic.site.id), {"site", "from", "until", "chairs", "providers"})
    assert datetime.fromisoformat(body["from"]) == at("00:00")
    assert datetime.fromisoformat(body["until"]) == at("00:00", monday() + timedelta(days=1))
    assert [row["chair"] for row in body["chairs"]] == sorted(str(chair.id) for chair in clinic.chairs)
    assert {row["provider"]: row["role"] for row in body["providers"]} == {
        **{str(nurse.id): "nurse" for nurse in clinic.nurses},
        str(clinic.prescriber.id): "prescriber",
    }
    assert free(answer, clinic.bed) == [("08:00", "18:00")]
    assert free(answer, clinic.nurses[0]) == free(answer, clinic.prescriber) == [("07:00", "19:00")]


def test_what_a_session_takes_and_from_whom(clinic: Clinic, api: Api) -> None:
    Provider.objects.filter(pk__in=[clinic.nurses[0].pk, clinic.prescriber.pk]).update(capacity=1)
    session = clinic.session(at("10:00"), chair=clinic.bed)
    answer = ask(clinic, api, monday(), monday())
    assert free(answer, clinic.bed) == [("08:00", "10:00"), ("12:45", "18:00")]
    assert free(answer, clinic.room) == [("08:00", "18:00")]
    assert free(answer, clinic.nurses[0]) == [("07:00", "10:00"), ("12:30", "19:00")]
    assert free(answer, clinic.prescriber) == [("07:00", "10:30"), ("12:30", "19:00")]
    assert str(session.patient_id) not in answer.content.decode()
    assert str(session.id) not in answer.content.decode()
    session.status = SessionStatus.CANCELLED
    session.save()
    assert free(ask(clinic, api, monday(), monday()), clinic.bed) == [("08:00", "18:00")]


def test_room_beside_a_patient_up_to_both_limits(clinic: Clinic, api: Api) -> None:
    nurse = clinic.nurses[0]
    Provider.objects.filter(pk=nurse.pk).update(capacity=2, max_acuity=5)
    clinic.session(at("10:00"), chair=clinic.bed, acuity=2)
    assert free(ask(clinic, api, monday(), monday()), nurse) == [("07:00", "19:00")]
    clinic.session(at("11:00"), chair=clinic.room, acuity=2)
    assert free(ask(clinic, api, monday(), monday()), nurse) == [("07:00", "11:00"), ("12:30", "19:00")]
    Provider.objects.filter(pk=nurse.pk).update(capacity=3, max_acuity=4)
    assert free(ask(clinic, api, monday(), monday()), nurse) == [("07:00", "11:00"), ("12:30", "19:00")]
    Provider.objects.filter(pk=nurse.pk).update(max_acuity=None)
    assert free(ask(clinic, api, monday(), monday()), nurse) == [("07:00", "19:00")]


def test_closures_and_time_off(clinic: Clinic, api: Api) -> None:
    SiteClosure.objects.create(site=clinic.site, during=(at("08:00"), at("09:00")))
    ChairClosure.objects.create(chair=clinic.bed, during=(at("12:02"), at("12:58")))
    TimeOff.objects.create(provider=clinic.nurses[0], during=(at("15:00"), at("23:00")))
    answer = ask(clinic, api, monday(), monday())
    assert free(answer, clinic.bed) == [("09:00", "12:00"), ("13:00", "18:00")]
    assert free(answer, clinic.room) == [("09:00", "18:00")]
    assert free(answer, clinic.nurses[0]) == [("07:00", "15:00")]


def test_a_live_hold_counts_and_a_dead_one_does_not(clinic: Clinic, api: Api) -> None:
    now = clock.now()
    times = {name: moment.isoformat() for name, moment in blocks(at("10:00")).items()}
    people = {"chair": clinic.bed, "nurse": clinic.nurses[0], "prescriber": clinic.prescriber}
    needs = {"acuity": 2, "kinds": [], "features": []}
    taken = {"sequence": 1, "phase": "induction", "ordinal": 1, **needs, **times}
    plan = Plan.objects.create(
        site=clinic.site,
        protocol=clinic.protocol,
        created_by=clinic.users[Role.FRONT_DESK],
        expires_at=now + timedelta(hours=1),
        request={"chair_kind": None, "provider": None},
        sessions=[{**taken, **{name: str(row.pk) for name, row in people.items()}}],
        held_by=clinic.users[Role.FRONT_DESK],
        held_until=now + timedelta(minutes=10),
    )
    assert free(ask(clinic, api, monday(), monday()), clinic.bed) == [("08:00", "10:00"), ("12:45", "18:00")]
    Plan.objects.filter(pk=plan.pk).update(held_until=now)
    assert free(ask(clinic, api, monday(), monday()), clinic.bed) == [("08:00", "18:00")]


def test_instants_cut_the_ranges(clinic: Clinic, api: Api) -> None:
    answer = ask(clinic, api, at("09:02").isoformat(), at("16:03").isoformat())
    assert free(answer, clinic.bed) == [("09:05", "16:00")]


@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_a_night_shift_is_one_range_and_nine_stays_nine(clinic: Clinic, api: Api, day: date) -> None:
    night, morning = make_provider(clinic.site, weekdays=range(0)), make_provider(clinic.site, weekdays=range(0))
    make_availability(night, weekdays=range(5, 6), start=time(22), end=time(6))
    make_availability(morning, weekdays=range(6, 7), start=time(9), end=time(17))
    make_opening_hours(clinic.site, weekdays=range(6, 7), opens=time(9), closes=time(17))
    answer = ask(clinic, api, day - timedelta(days=1), day)
    assert free(answer, night) == [("22:00", "06:00")]
    assert free(answer, morning) == [("09:00", "17:00")]
    assert free(answer, clinic.bed) == [("08:00", "18:00"), ("09:00", "17:00")]


def test_who_may_ask(clinic: Clinic, api: Api) -> None:
    assert clinic.other
    clinic.patient.user = clinic.users[Role.PATIENT]
    clinic.patient.save()
    for role in clinic.users:
        assert ask(clinic, api, monday(), monday(), role).status_code == 200
    assert api(None).get("/api/v1/availability/").status_code == 401
    query = {"site": str(clinic.other.site.id), "from": str(monday()), "until": str(monday())}
    foreign = api(clinic.users[Role.MANAGER]).get("/api/v1/availability/", query)
    assert (foreign.status_code, foreign.json()["code"]) == (400, "unknown_reference")


def test_bad_queries(clinic: Clinic, api: Api) -> None:
    client, site = api(clinic.users[Role.MANAGER]), str(clinic.site.id)
    for query, code in [
        ({}, "required"),
        ({"site": site, "from": "2027-01-04"}, "required"),
        ({"site": "1", "from": "2027-01-04", "until": "2027-01-04"}, "invalid"),
        ({"site": site, "from": "2027-01-05", "until": "2027-01-04"}, "empty_range"),
        ({"site": site, "from": "2027-01-05T00:00:00Z", "until": "2027-01-05T00:00:00Z"}, "empty_range"),
        ({"site": site, "from": "2027-01-01", "until": "2027-02-01"}, "range_too_long"),
        ({"site": site, "from": "2027-02-30", "until": "2027-03-01"}, "invalid"),
        ({"site": site, "from": "today", "until": "2027-03-01"}, "invalid"),
        ({"site": site, "from": "1900-01-01", "until": "1900-01-02"}, "out_of_range"),
        ({"site": site, "from": "2100-12-31", "until": "2100-12-31"}, "out_of_range"),
        ({"site": site, "from": "2027-01-04T09:00:00", "until": "2027-01-05"}, "offset_required"),
        ({"site": site, "from": "2027-01-04", "until": "2027-01-04", "chair": site}, "unknown_parameter"),
    ]:
        answer = client.get("/api/v1/availability/", query)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code), query
    longest = client.get("/api/v1/availability/", {"site": site, "from": "2027-10-15", "until": "2027-11-14"})
    assert longest.status_code == 200


def test_as_many_queries_for_a_month_as_for_a_day(
    clinic: Clinic, api: Api, django_assert_num_queries: Callable[..., Any]
) -> None:
    for number in range(5):
        clinic.session(at("10:00", monday() + timedelta(days=number)), chair=clinic.bed)
    kept_days.forget()
    with django_assert_num_queries(13) as counted:
        ask(clinic, api, monday(), monday() + timedelta(days=30))
    kept_days.forget()
    with django_assert_num_queries(len(counted.captured_queries)):
        ask(clinic, api, monday(), monday())
