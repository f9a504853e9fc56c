"""Calendars that were given away: by a private address, of one patient, provider or chair, until it is taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import icalendar
import pytest
import recurring_ical_events
from django.db import connection

from accounts import clock
from notifications.models import CalendarFeed
from tests.notifications.visits import HOUR, change, move

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

    Api = Callable[[Any], APIClient]

FEEDS = "/api/v1/calendar-feeds/"
pytestmark = pytest.mark.django_db


def give(client: APIClient, **whose: Any) -> str:
    """The path of a new calendar."""
    answer = client.post(FEEDS, {name: str(one.pk) for name, one in whose.items()}, format="json")
    assert answer.status_code == 201, answer.content
    return str(answer.json()["url"]).partition("/api/")[2].join(["/api/", ""])


def shown(client: APIClient, path: str) -> list[Any]:
    answer = client.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert "no-store" in answer["Cache-Control"]
    calendar = icalendar.Calendar.from_ical(answer.content)
    now = clock.now()
    return list(recurring_ical_events.of(calendar).between(now - timedelta(90), now + timedelta(400)))


def test_it_follows_what_happens(clinic: Clinic, api: Api) -> None:
    start = (clock.now() + 50 * HOUR).replace(microsecond=0)
    session = clinic.session(start, series=clinic.series(clinic.patient))
    reader, path = api(None), give(api(clinic.users["patient"]), patient=clinic.patient)
    (event,) = shown(reader, path)
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (session.start, session.end)
    first = reader.get(path).content
    assert reader.get(path).content == first, "what has not changed is the same to the byte"
    move(clinic, session, start + 24 * HOUR, clock.now())
    (event,) = shown(reader, path)
    assert event["DTSTART"].dt == start + 24 * HOUR
    change(session, status="cancelled")
    (event,) = shown(reader, path)
    assert event["STATUS"] == "CANCELLED"


@pytest.mark.parametrize("whose", ["patient", "provider", "chair"])
def test_nothing_of_health_and_of_a_patient_is_in_it(clinic: Clinic, api: Api, whose: str) -> None:
    clinic.session(clock.now() + 50 * HOUR, series=clinic.series(clinic.patient))
    record = {"patient": clinic.patient, "provider": clinic.nurses[0], "chair": clinic.chairs[0]}[whose]
    path = give(api(clinic.users["manager"]), **{whose: record})
    assert len(shown(api(None), path)) == 1
    text = api(None).get(path).content.decode().lower()
    private = (
        clinic.patient.family_name,
        clinic.patient.email,
        str(clinic.patient.pk),
        clinic.protocol.code,
        "infusion",
    )
    assert not [word for word in private if word.lower() in text]


def test_the_address_is_told_once_kept_as_a_hash_and_taken_back(clinic: Clinic, api: Api) -> None:
    desk = api(clinic.users["front_desk"])
    path = give(desk, patient=clinic.patient)
    token = path.rpartition("/")[2].removesuffix(".ics")
    (row,) = desk.get(FEEDS).json()["results"]
    assert "url" not in row
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(f::text, '') FROM notifications_calendarfeed f")
        kept = cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(a::text, '') FROM accounts_auditentry a")
        assert token not in kept + cursor.fetchone()[0]
    assert api(None).get(path).status_code == 200
    assert desk.delete(f"{FEEDS}{row['id']}/").status_code == 204
    for false in (
        path,
        path.replace(token, token[:-1]),
        path.replace(token, token.swapcase()),
        path.replace(token, "x"),
    ):
        assert api(None).get(false).status_code == 404


def test_who_may_give_which(clinic: Clinic, api: Api) -> None:
    whose = {"patient": clinic.patient, "provider": clinic.nurses[0], "chair": clinic.chairs[0]}
    may = {
        "front_desk": {"patient"}, "manager": set(whose), "admin": set(whose), "patient": {"patient"},
        "nurse": set(), "prescriber": set(),
    }  # fmt: skip
    for role, allowed in may.items():
        for name, record in whose.items():
            own = name == "provider" and clinic.nurses[0].user_id == clinic.users[role].pk
            answer = api(clinic.users[role]).post(FEEDS, {name: str(record.pk)}, format="json")
            assert answer.status_code == (201 if name in allowed or own else 403), (role, name)
    assert (
        api(clinic.users["auditor"]).post(FEEDS, {"patient": str(clinic.patient.pk)}, format="json").status_code == 403
    )
    two = {"patient": str(clinic.patient.pk), "chair": str(clinic.chairs[0].pk)}
    assert api(clinic.users["manager"]).post(FEEDS, two, format="json").json()["code"] == "name_one"
    assert CalendarFeed.objects.exists()
