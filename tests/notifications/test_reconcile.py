"""Message rows follow the sessions as they stand, whatever happened to them, and however often one compares."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts import clock
from notifications import reconcile
from notifications.models import FollowUp, Message, MessagePlan, Reconciled
from tests.factories import make_patient, noon
from tests.notifications.visits import FOLLOW_UPS, HOUR, book, change, discharge, move, protocol_with

if TYPE_CHECKING:
    from sessions.models import Session
    from tests.factories import Clinic


def rows(session: Session) -> set[tuple[str, str, str, str]]:
    return set(Message.objects.filter(session=session).values_list("kind", "channel", "status", "reason"))


def compare(now: datetime | None = None) -> int:
    return reconcile.reconcile(now or clock.now())


def test_a_booking_is_followed_by_its_reminders_once(clinic: Clinic) -> None:
    session = book(clinic, noon(10), clock.now())
    assert compare() == 1
    expected = {("reminder_72h", "email", "due", ""), ("reminder_24h", "email", "due", "")}
    assert rows(session) == expected
    first = Message.objects.get(kind="reminder_72h")
    assert (first.try_at, first.due_at) == (session.start - 72 * HOUR,) * 2
    assert compare() == 0
    Reconciled.objects.all().delete()
    assert compare() == 1
    assert rows(session) == expected
    assert Message.objects.count() == 2


def test_what_cannot_reach_the_patient_is_listed_and_said_once_it_can(clinic: Clinic) -> None:
    session = book(clinic, noon(10), clock.now())
    session.patient.email = ""
    session.patient.save()
    compare()
    unsaid = {("reminder_72h", "email", "skipped", "no_address"), ("reminder_24h", "email", "skipped", "no_address")}
    assert rows(session) == unsaid
    session.patient.email = "found@example.org"
    session.patient.save()
    compare()
    assert rows(session) == {(kind, "email", "due", "") for kind, *_ in unsaid}
    session.patient.email = ""
    session.patient.save()
    compare()
    assert rows(session) == unsaid


def test_a_cancelled_session_is_not_spoken_of(clinic: Clinic) -> None:
    session = book(clinic, noon(10), clock.now())
    compare()
    change(session, status="cancelled")
    compare()
    assert {row[2:] for row in rows(session)} == {("skipped", "cancelled")}


def test_a_session_that_nobody_came_to_is_not_spoken_of(clinic: Clinic) -> None:
    now = clock.now()
    session = book(clinic, now + HOUR, now - 48 * HOUR)
    compare()
    change(session, status="no_show")
    compare()
    assert rows(session) == {("reminder_24h", "email", "skipped", "no_show")}


def test_a_moved_session_is_spoken_of_at_its_new_start_only(clinic: Clinic) -> None:
    session = book(clinic, noon(10), clock.now())
    compare()
    old = session.start
    move(clinic, session, noon(12), clock.now())
    compare()
    by_start = {at: set(Message.objects.filter(speaks_of=at).values_list("status", "reason")) for at in (old, noon(12))}
    assert by_start == {old: {("skipped", "moved")}, noon(12): {("due", "")}}


def test_moving_away_and_back_revives_what_was_not_said_and_repeats_nothing(clinic: Clinic) -> None:
    start, now = noon(2), clock.now()
    session = book(clinic, start, now - 100 * HOUR)
    compare()
    Message.objects.filter(kind="reminder_72h").update(status="sent", sent_at=now)
    move(clinic, session, noon(5), now)
    compare()
    move(clinic, session, start, now)
    compare()
    here = Message.objects.filter(speaks_of=start)
    assert set(here.values_list("kind", "status")) == {("reminder_72h", "sent"), ("reminder_24h", "due")}
    assert set(Message.objects.exclude(speaks_of=start).values_list("status", "reason")) == {("skipped", "moved")}


def test_a_window_that_closed_unseen_opens_again_for_who_is_back(clinic: Clinic) -> None:
    """Nothing was sent for a day, nor given up; meanwhile the visit went elsewhere and came back."""
    MessagePlan.objects.filter(site=clinic.site).update(receipts=True)
    start, now = noon(10), clock.now()
    session = book(clinic, start, now - 30 * HOUR)
    compare(now - 30 * HOUR)
    move(clinic, session, noon(12), now)
    move(clinic, session, start, now)
    compare(now)
    receipt = Message.objects.get(kind="receipt", speaks_of=start)
    assert (receipt.status, receipt.due_at, receipt.not_after) == ("due", now, now + 24 * HOUR)


def test_a_reminder_that_was_past_at_moving_never_comes(clinic: Clinic) -> None:
    session = book(clinic, noon(10), clock.now())
    compare()
    move(clinic, session, clock.now() + 30 * HOUR, clock.now())
    compare()
    here = Message.objects.filter(speaks_of=session.start)
    assert set(here.values_list("kind", flat=True)) == {"reminder_72h", "reminder_24h"}
    at_once = here.get(kind="reminder_72h")
    assert at_once.try_at <= clock.now() < at_once.not_after
    move(clinic, session, clock.now() + 20 * HOUR, clock.now())
    for later in (0, 1, 19):
        compare(clock.now() + later * HOUR)
        Reconciled.objects.all().delete()
    assert list(Message.objects.filter(speaks_of=session.start).values_list("kind", flat=True)) == ["reminder_24h"]


def test_what_laying_anew_changes_is_not_news(clinic: Clinic) -> None:
    session = book(clinic, noon(10), clock.now())
    compare()
    before = list(Message.objects.order_by("id").values())
    change(session, chair=clinic.recliners[1], nurse=clinic.nurses[1])
    assert compare() == 1
    assert list(Message.objects.order_by("id").values()) == before


@pytest.mark.parametrize("last", ["completed", "stopped_early"])
def test_the_discharge_brings_the_check_ins(clinic: Clinic, last: str) -> None:
    now = clock.now()
    session = book(clinic, now - 3 * HOUR, now - 100 * HOUR)
    discharge(session, now, last)
    compare()
    Reconciled.objects.all().delete()
    compare()
    asked = FollowUp.objects.order_by("due_at").values_list("instrument", "hours_after", "due_at", "expires_at")
    assert list(asked) == [
        ("side-effects", 0, now, now + timedelta(days=7)),
        ("PHQ-9", 24, now + 24 * HOUR, now + timedelta(days=7, hours=24)),
    ]
    linked = Message.objects.filter(follow_up__isnull=False).values_list("kind", "follow_up__instrument", "not_after")
    assert set(linked) == {
        ("follow_up_side-effects_0h", "side-effects", now + timedelta(days=7)),
        ("follow_up_phq-9_24h", "PHQ-9", now + timedelta(days=8)),
    }


def test_a_discharge_long_ago_asks_nothing_any_more(clinic: Clinic) -> None:
    now = clock.now()
    session = book(clinic, now - 300 * HOUR, now - 400 * HOUR, protocol_with(clinic, follow_ups=FOLLOW_UPS[1:]))
    discharge(session, now - 297 * HOUR)
    assert compare() == 1
    assert not FollowUp.objects.exists()
    assert not Message.objects.exists()


def test_another_channel_takes_over_what_was_not_said_yet(clinic: Clinic) -> None:
    patient = make_patient(clinic.site, phone="+13125550100")
    session = book(clinic, noon(2), clock.now() - 200 * HOUR, patient=patient)
    compare()
    Message.objects.filter(kind="reminder_72h").update(status="sent", sent_at=clock.now())
    patient.preferred_channels = ["sms"]
    patient.save()
    assert compare() == 1
    assert rows(session) == {
        ("reminder_72h", "email", "sent", ""),
        ("reminder_24h", "email", "skipped", "no_longer_wanted"),
        ("reminder_24h", "sms", "due", ""),
    }


def test_a_row_in_a_workers_hands_is_left_to_the_worker(clinic: Clinic) -> None:
    session = book(clinic, noon(10), clock.now())
    compare()
    Message.objects.update(status="sending", attempts=1)
    change(session, status="cancelled")
    compare()
    assert {row[2] for row in rows(session)} == {"sending"}


def test_the_attempts_of_a_revived_row_go_on_counting(clinic: Clinic) -> None:
    start = noon(10)
    session = book(clinic, start, clock.now())
    compare()
    Message.objects.update(attempts=3)
    move(clinic, session, noon(12), clock.now())
    compare()
    move(clinic, session, start, clock.now())
    compare()
    assert set(Message.objects.filter(speaks_of=start).values_list("status", "attempts")) == {("due", 3)}


def test_a_protocol_that_cannot_be_read_stops_nobody_else(clinic: Clinic) -> None:
    book(clinic, noon(10), clock.now(), protocol_with(clinic, reminders=[{"hours": "soon"}]))
    good = book(clinic, noon(12), clock.now())
    assert compare() == 2
    assert len(rows(good)) == 2
    assert compare() == 0


def test_a_sweep_heals_what_no_version_shows(clinic: Clinic) -> None:
    session = book(clinic, noon(10), clock.now())
    compare()
    Message.objects.filter(kind="reminder_72h").delete()
    clinic.site.last_reminder_minutes = 120
    clinic.site.save()
    assert compare() == 0
    assert reconcile.sweep(clock.now(), limit=1) == 1
    assert Message.objects.filter(kind="reminder_72h", status="due").exists()
    assert Message.objects.get(kind="reminder_24h").not_after == session.start - 2 * HOUR


def test_many_sessions_cost_as_many_queries_as_one(clinic: Clinic) -> None:
    protocol = protocol_with(clinic)
    book(clinic, noon(10), clock.now(), protocol)
    with CaptureQueriesContext(
        connection,
    ) as one:
        compare()
    for number in range(12):
        book(clinic, noon(11 + number), clock.now(), protocol)
    with CaptureQueriesContext(connection) as twelve:
        assert compare() == 12
    assert len(twelve) == len(one)


def test_a_session_that_somebody_is_changing_waits_for_the_next_tick(committed: None, clinic: Clinic) -> None:
    session = book(clinic, noon(10), clock.now())
    with transaction.atomic(), ThreadPoolExecutor(1) as other:
        change(session, status="cancelled")
        assert other.submit(_in_thread).result() == 0
    assert compare() == 1
    assert rows(session) == set()


def test_comparing_at_once_writes_each_row_once(committed: None, clinic: Clinic) -> None:
    protocol = protocol_with(clinic)
    for number in range(20):
        book(clinic, noon(10 + number), clock.now(), protocol)
    with ThreadPoolExecutor(4) as others:
        counts = list(others.map(lambda _: _in_thread(5), range(8)))
    while compare():
        pass
    assert sum(counts) > 0
    assert Message.objects.count() == 40
    assert Message.objects.values("session", "kind", "channel", "speaks_of").distinct().count() == 40


def _in_thread(limit: int = 200) -> int:
    try:
        return reconcile.reconcile(clock.now(), limit)
    finally:
        connection.close()
