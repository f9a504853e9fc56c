"""Quiet hours on both sides of a change of clocks, caps, ways that are closed: pure, and as texts go out by them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from accounts import clock, contacts
from accounts.models import Patient
from notifications import delivery, reconcile
from notifications.models import Message, MessagePlan
from notifications.wishes import Hours, Reach, after_caps, after_quiet, hindrance, is_quiet, text_at
from tests.factories import make_patient
from tests.notifications.test_twilio import PHONE, carrier
from tests.notifications.visits import HOUR, book, discharge, protocol_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings
    from rest_framework.test import APIClient

    from sessions.models import Session
    from tests.carrier import Carrier
    from tests.factories import Clinic

__all__ = ["carrier"]
CHICAGO = ZoneInfo("America/Chicago")
NIGHT = Hours(time(20), time(9), CHICAGO)
MINUTE = timedelta(minutes=1)
INSTANTS = st.integers(0, 3 * 525_600).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + minutes * MINUTE)
ZONES = st.sampled_from(
    ["America/Chicago", "America/Los_Angeles", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham"]
)
TIMES = st.integers(0, 95).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))
HOURS = st.builds(Hours, TIMES, TIMES, ZONES.map(ZoneInfo)).filter(lambda hours: hours.begin != hours.end)


def at(text: str) -> datetime:
    """A wall time in Chicago."""
    return datetime.fromisoformat(text).replace(tzinfo=CHICAGO).astimezone(UTC)


@given(instant=INSTANTS, hours=HOURS)
def test_nobody_is_texted_in_quiet_hours_and_nobody_waits_longer_than_they_last(
    instant: datetime, hours: Hours
) -> None:
    later = after_quiet(instant, hours)
    assert not is_quiet(later, hours)
    assert instant <= later < instant + timedelta(hours=25)
    # Read minute by minute, by the clock on the wall.
    walk = instant
    while is_quiet(walk, hours):
        walk += MINUTE
    assert timedelta(0) <= walk - later < MINUTE


@given(due=INSTANTS, window=st.integers(1, 3000), known=st.integers(0, 3000), hours=HOURS)
def test_a_text_goes_now_later_earlier_or_never(due: datetime, window: int, known: int, hours: Hours) -> None:
    not_after, since = due + window * MINUTE, due - known * MINUTE
    found = text_at(due, not_after, since, hours)
    if found is None:
        assert after_quiet(due, hours) >= not_after
    else:
        assert since <= found < not_after
        assert not is_quiet(found, hours)
        assert found == due or is_quiet(due, hours)
        assert found >= due or after_quiet(due, hours) >= not_after


@pytest.mark.parametrize(
    ("due", "not_after", "expected"),
    [
        ("2027-02-03T12:00", "2027-02-04T12:00", "2027-02-03T12:00"),
        ("2027-02-03T20:00", "2027-02-04T12:00", "2027-02-04T09:00"),
        ("2027-02-03T19:59", "2027-02-04T12:00", "2027-02-03T19:59"),
        ("2027-02-03T09:00", "2027-02-04T12:00", "2027-02-03T09:00"),
        ("2027-02-03T06:00", "2027-02-03T07:30", "2027-02-02T19:59"),
        # Clocks go forward on 2027-03-14 and back on 2026-11-01, both at 2 in the night.
        ("2027-03-14T01:30", "2027-03-14T23:00", "2027-03-14T09:00"),
        ("2026-11-01T01:30", "2026-11-01T23:00", "2026-11-01T09:00"),
    ],
)
def test_by_the_clock_on_the_wall(due: str, not_after: str, expected: str) -> None:
    assert text_at(at(due), at(not_after), at(due) - 48 * HOUR, NIGHT) == at(expected)


@given(sent=st.lists(st.integers(0, 20_000), max_size=30), a_day=st.integers(1, 3), more=st.integers(0, 5), zone=ZONES)
def test_caps_hold_however_many_were_sent(sent: list[int], a_day: int, more: int, zone: str) -> None:
    now, a_week, where = datetime(2026, 11, 10, 15, tzinfo=UTC), a_day + more, ZoneInfo(zone)
    went = [now - minutes * MINUTE for minutes in sent]
    # Send as fast as the caps allow, and count what came of it.
    for _ in range(8):
        found = after_caps(now, went, where, a_day, a_week)
        assert found >= now
        week = [one for one in went if found - timedelta(days=7) < one <= found]
        day: date = found.astimezone(where).date()
        assert len(week) < a_week
        assert len([one for one in went if one.astimezone(where).date() == day and one <= found]) < a_day
        went.append(found)
        now = found


def test_a_way_that_is_closed_says_why() -> None:
    both, none = frozenset({"sms", "email"}), frozenset[str]()
    assert hindrance("sms", Reach(both, none, none, None)) == ""
    assert hindrance("sms", Reach(both, none, none, consent=True)) == ""
    assert hindrance("sms", Reach(both, none, none, consent=False)) == "no_consent"
    assert hindrance("email", Reach(both, none, none, consent=False)) == ""
    assert hindrance("sms", Reach(none, none, none, None)) == "no_address"
    assert hindrance("sms", Reach(both, frozenset({"sms"}), none, None)) == "stopped"
    assert hindrance("email", Reach(both, none, frozenset({"email"}), None)) == "dead_address"


# ---- as texts go out ------------------------------------------------------------------------------------------------


def visit(clinic: Clinic, start: datetime, hours_before: list[int], **patient: Any) -> Session:
    reminders = [{"hours_before": hours, "channels": ["sms"]} for hours in hours_before]
    wished = {"phone": PHONE, "preferred_channels": ["sms"]} | patient
    whom = make_patient(clinic.site, **wished)
    return book(clinic, start, start - 2000 * HOUR, protocol_with(clinic, reminders=reminders, follow_ups=[]), whom)


def texts(kind: str) -> list[Message]:
    return list(Message.objects.filter(kind__startswith=kind).order_by("due_at"))


@pytest.mark.django_db
def test_a_text_at_night_is_due_in_the_morning_by_the_patients_own_clock(clinic: Clinic, settings: Settings) -> None:
    settings.QUIET_HOURS = ("20:00", "09:00")
    start = at("2027-02-04T21:00")
    with time_machine.travel(at("2027-02-01T12:00")):
        visit(clinic, start, [24])
        visit(clinic, start + 24 * HOUR, [24], time_zone="America/Los_Angeles")
        visit(clinic, start + 48 * HOUR, [24], quiet_from=time(22), quiet_until=time(6))
        visit(clinic, start + 72 * HOUR, [24], preferred_channels=["email"], phone="")
        reconcile.reconcile(clock.now())
    dues = [row.due_at for row in texts("reminder")]
    expected = ["2027-02-04T09:00", "2027-02-04T21:00", "2027-02-05T21:00", "2027-02-06T21:00"]
    # 9 p.m. in Chicago is 7 p.m. in Los Angeles; e-mail goes when it is due.
    assert dues == [at(one) for one in expected]


@pytest.mark.django_db
def test_a_text_that_is_late_waits_at_the_hand_over_and_costs_no_try(
    clinic: Clinic, settings: Settings, carrier: Carrier
) -> None:
    settings.QUIET_HOURS = ("20:00", "09:00")
    zone = ZoneInfo(clinic.site.time_zone)
    local = clock.now().astimezone(zone)
    quiet = ((local - HOUR).strftime("%H:00"), (local + 2 * HOUR).strftime("%H:00"))
    session = visit(clinic, clock.now() + 30 * HOUR, [40])
    reconcile.reconcile(clock.now())
    Message.objects.exclude(kind="reminder_40h").delete()
    settings.QUIET_HOURS = quiet
    Message.objects.update(due_at=clock.now() - 10 * HOUR, try_at=clock.now() - HOUR)
    delivery.send_batch()
    (row,) = Message.objects.all()
    assert (row.status, row.reason, row.attempts, carrier.sent) == ("due", "quiet_hours", 0, [])
    assert row.try_at.astimezone(zone).strftime("%H:%M") == quiet[1]
    settings.QUIET_HOURS = ("00:00", "00:00")
    Message.objects.update(try_at=clock.now() - HOUR)
    delivery.send_batch()
    assert len(carrier.sent) == 1
    assert session.patient.phone == PHONE


@pytest.mark.django_db
@pytest.mark.parametrize(("consent", "sent"), [(None, 1), (True, 2), (False, 0)])
def test_without_consent_there_is_one_text_a_day(
    clinic: Clinic,
    settings: Settings,
    carrier: Carrier,
    api: Callable[[Any], APIClient],
    consent: bool | None,
    sent: int,
) -> None:
    settings.TEXTS_WITHOUT_CONSENT, settings.TEXTS_AT_MOST = {"day": 1, "week": 3}, {"day": 5, "week": 20}
    asked = {} if consent is None else {"texting_consent": consent, "texting_consent_at": clock.now()}
    first = visit(clinic, clock.now() + 30 * HOUR, [40], **asked)
    visit(clinic, clock.now() + 60 * HOUR, [70], **asked)
    reconcile.reconcile(clock.now())
    Message.objects.exclude(kind__startswith="reminder").delete()
    while delivery.send_batch():
        pass
    assert len(carrier.sent) == sent
    waiting = set(Message.objects.filter(status="due").values_list("reason", flat=True))
    assert waiting == ({"too_many"} if consent is None else set())
    if consent is None:
        went = Message.objects.get(session=first)
        again = api(clinic.users["front_desk"]).post(f"/api/v1/notifications/{went.id}/resend/")
        if went.status == "sent":
            assert (again.status_code, again.json()["code"]) == (429, "too_many_texts")
            assert int(again["Retry-After"]) > 0


@pytest.mark.django_db
def test_nothing_is_asked_again_sooner_than_a_pause_after_it_was_asked(clinic: Clinic, carrier: Carrier) -> None:
    MessagePlan.objects.filter(site=clinic.site).update(ask_again_hours=4)
    asked = [{"instrument": "PHQ-2", "hours_after": 0}]
    whom = make_patient(clinic.site, phone=PHONE, preferred_channels=["sms"])
    now = clock.now()
    session = book(clinic, now - 12 * HOUR, now - 20 * HOUR, protocol_with(clinic, [], asked), whom)
    discharge(session, now - 9 * HOUR)
    reconcile.reconcile(now)
    # Both have been due for hours: the first had to wait, as for quiet hours, a cap or a carrier that is down.
    assert Message.objects.filter(status="due", try_at__lt=now).count() == 2
    while delivery.send_batch():
        pass
    first, again = Message.objects.order_by("due_at")
    assert (first.status, again.status, again.reason, len(carrier.sent)) == ("sent", "due", "asked_lately", 1)
    assert timedelta(0) <= again.try_at - now - 4 * HOUR < timedelta(minutes=1)


@pytest.mark.django_db
def test_nothing_is_sent_again_to_who_said_stop(
    clinic: Clinic, carrier: Carrier, api: Callable[[Any], APIClient]
) -> None:
    visit(clinic, clock.now() + 30 * HOUR, [40])
    reconcile.reconcile(clock.now())
    Message.objects.exclude(kind__startswith="reminder").delete()
    delivery.send_batch()
    contacts.stop("sms", PHONE, clock.now())
    (row,) = Message.objects.all()
    again = api(clinic.users["front_desk"]).post(f"/api/v1/notifications/{row.id}/resend/")
    assert (again.status_code, again.json()["code"]) == (422, "opted_out")
    assert len(carrier.sent) == 1


@pytest.mark.django_db
def test_consent_is_recorded_with_who_and_when(clinic: Clinic, api: Callable[[Any], APIClient]) -> None:
    desk = clinic.users["front_desk"]
    path = f"/api/v1/patients/{clinic.patient.id}/"
    said = api(desk).patch(path, {"texting_consent": True}, format="json").json()
    assert (said["texting_consent"], said["texting_consent_by"]) == (True, str(desk.id))
    assert said["texting_consent_at"] is not None
    own = api(clinic.users["patient"]).patch(path, {"texting_consent": False}, format="json").json()
    assert (own["texting_consent"], own["texting_consent_by"]) == (False, str(clinic.users["patient"].id))
    unset = api(desk).patch(path, {"texting_consent": None}, format="json").json()
    assert (unset["texting_consent"], unset["texting_consent_at"]) == (None, None)
    assert api(desk).patch(path, {"quiet_from": "20:00"}, format="json").json()["code"] == "quiet_hours"
    both = {"quiet_from": "20:00", "quiet_until": "20:00"}
    assert api(desk).patch(path, both, format="json").status_code == 400
    assert api(desk).patch(path, {"time_zone": "utc+5"}, format="json").status_code == 400
    assert Patient.objects.get(id=clinic.patient.id).quiet_from is None
