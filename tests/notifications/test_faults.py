"""What may break does, at a small scale: workers, beat, clock, broker, provider. `bin/chaos messages` is the large one.

The names F1 to F37 are those of the table of faults that this service is held against. Where each is shown:

- F1 a worker killed, F2 a process of its pool, F3 a stop in order: `test_f1_f2_f3_...`; by mail, which keeps no keys,
  `test_worker.py: test_killing_...`; 200 and 40 kills: `bin/chaos messages`
- F4 broker flushed: `test_worker.py: test_a_broker_that_forgot_...`; gone, F5 silent, F6 no beat: `test_f4_f5_f6_...`;
  told within two minutes: `test_metrics.py: test_the_age_of_the_clock_...`; booked all the same:
  `test_plan_and_book.py: test_without_valkey_...`
- F7 many clocks, F8 senders called many times: `test_f7_f8_...`, `test_worker.py: test_ticks_and_senders_...`
- F9 asleep past its lease: both `test_f9_...`, `test_delivery.py: test_a_lease_that_ran_out_...`,
  `test_a_late_word_...`
- F10 accepted, then no word: `test_f10_...`; F11 told to wait: `test_f11_...`; F12 poison: `test_f12_...`,
  `test_delivery.py: test_a_poisoned_row_...`, `test_a_text_that_cannot_be_written_...`
- F13 hours of standstill: `test_f13_...`; F14 cancelled beside the hand-over: `test_f14_...`,
  `test_delivery.py: test_a_cancellation_either_...`
- F15 moved five times: `test_f15_...`; F16 booked within the lead time, to the second:
  `test_reminders.py: test_of_those_past_at_booking_...`, `test_windows_are_open_...`
- F3 and F7 to F15 at the table's own scale: `bin/chaos messages` (`tests/chaos/message_faults.py`)
- F34 a carrier says: `test_twilio.py`; F35 to F37 answers and alerts: `test_f35_...`, `test_f36_...`, `test_f37_...`
"""

from __future__ import annotations

import signal
import socket
import time
from collections import Counter
from contextlib import closing
from datetime import timedelta
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.db.models import F

import config.celery  # noqa: F401  (tells Celery which broker there is)
from accounts import clock
from notifications import alerts, delivery, marking, reconcile, tasks, telling
from notifications import clock as second_clock
from notifications.channels import Temporary, gateway
from notifications.follow_ups import answer_follow_up, new_link
from notifications.lines import Lines
from notifications.models import Alert, FollowUp, Message, MessagePlan
from tests.at_once import together
from tests.dying import send_in_dying_processes
from tests.factories import make_patient
from tests.gateway import DROPPED, TAKEN, Gateway
from tests.machinery import Machinery, all_done, await_true, book_due, statuses
from tests.notifications.test_alerts import ANSWERED_BEFORE, DARK, answer, ask
from tests.notifications.visits import HOUR, book, change, discharge, move, protocol_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django import Settings

    from sessions.models import Session
    from tests.catcher import Catcher, Mail
    from tests.factories import Clinic

WINDOW = 4 * delivery.WINDOW_WITH_KEYS
SMTP = "django.core.mail.backends.smtp.EmailBackend"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def texts(settings: Settings) -> Iterator[Gateway]:
    """A gateway that keeps keys and gets the service's texts, as many as come."""
    settings.TEXTS_AT_MOST = settings.TEXTS_WITHOUT_CONSENT = {"day": 1000, "week": 1000}
    with Gateway() as made:
        settings.SMS_URL = made.url
        yield made


@pytest.fixture
def machinery(committed: None, catcher: Catcher, texts: Gateway, tmp_path: Path) -> Iterator[Machinery]:
    """Workers, beat and clock on this test's servers, not started yet."""
    made = Machinery(tmp_path, EMAIL_URL=catcher.url, SMS_URL=texts.url)
    yield made
    made.end()


def due(clinic: Clinic, count: int = 1) -> None:
    """So many texts that are due."""
    book_due(clinic, count)
    reconcile.reconcile(clock.now())


def run_out(**fields: object) -> None:
    """What befalls rows whose worker has been gone for long."""
    Message.objects.filter(status="sending").update(lease_until=clock.now() - HOUR, **fields)


def in_thread(call: Callable[[], object]) -> object:
    try:
        return call()
    finally:
        connection.close()


def test_f1_f2_f3_killed_and_stopped_workers_lose_and_double_nothing(
    clinic: Clinic, machinery: Machinery, texts: Gateway
) -> None:
    count = 300
    book_due(clinic, count)
    machinery.start("worker", "beat", "clock")
    for taken, attack in (
        (10, "child"), (30, "child"), (50, "worker"), (70, "child"), (90, "clock"), (110, "stop"), (130, "child")
    ):  # fmt: skip
        texts.wait_for(taken)
        # A worker whose process dies while its pool is being made ends with 1, and its supervisor starts it again.
        await_true(lambda: machinery.takes_work("worker"), machinery.log)
        if attack == "child":
            await_true(lambda: machinery.kill_a_child("worker"), machinery.log)
        elif attack == "stop":
            machinery.parts["worker"].send_signal(signal.SIGTERM)
            assert machinery.parts["worker"].wait(60) == 0, machinery.log()
            machinery.start("worker")
        else:
            machinery.kill(attack)
            machinery.start(attack)
    await_true(lambda: all_done(count), lambda: f"{statuses()}\n{machinery.log()}")
    assert statuses() == {"sent": count}
    assert texts.accepted.keys() == {str(key) for key in Message.objects.values_list("id", flat=True)}
    assert texts.calls.total() - count <= WINDOW * (machinery.kills + 1), "what comes twice was under way at a kill"


@pytest.mark.parametrize("broker", ["gone", "silent"])
def test_f4_f5_f6_without_broker_beat_and_workers_the_clock_sends(
    clinic: Clinic, committed: None, texts: Gateway, tmp_path: Path, broker: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        if broker == "gone":
            server.close()
        book_due(clinic, 60)
        machinery = Machinery(tmp_path, SMS_URL=texts.url, REDIS_URL=address)
        try:
            machinery.start("clock")
            await_true(lambda: all_done(60), lambda: f"{statuses()}\n{machinery.log()}")
        finally:
            machinery.end()
    assert statuses() == {"sent": 60}
    assert texts.calls.total() == 60


def test_f7_f8_clocks_ticks_and_senders_at_once_say_each_thing_once(
    clinic: Clinic, committed: None, texts: Gateway
) -> None:
    book_due(clinic, 120)

    def thrice(call: Callable[[], object]) -> None:
        for _ in range(3):
            call()

    together([partial(thrice, call) for call in (tasks.tick, tasks.send, lambda: second_clock.once(full=True)) * 2])
    while delivery.send_batch():
        pass
    assert statuses() == {"sent": 120}
    assert texts.calls.total() == len(texts.accepted) == 120


def test_f9_a_worker_that_slept_past_its_lease_says_nothing_twice(clinic: Clinic, texts: Gateway) -> None:
    due(clinic)
    (sleeper,) = delivery.claim()
    assert marking.hand_over(sleeper, keyed=True) is not None
    run_out()
    delivery.reap()
    assert statuses() == {"due": 1}, "its provider keeps keys, so it may be brought again"
    delivery.send_batch()
    delivery.carry([sleeper])
    assert statuses() == {"sent": 1}
    assert len(texts.accepted) == 1
    assert Message.objects.get().attempts == 2


def test_f9_a_worker_stopped_past_its_lease_is_relieved_and_does_no_harm_when_it_wakes(
    clinic: Clinic, machinery: Machinery, texts: Gateway
) -> None:
    count = 120
    book_due(clinic, count)
    texts.pause = 0.05
    machinery.start("worker", "beat")
    texts.wait_for(10)
    machinery.kill("worker", signal.SIGSTOP)
    held = set(Message.objects.filter(status="sending").values_list("id", flat=True))
    assert held, "it was stopped in the middle of its work"
    machinery.start("worker-2")
    await_true(lambda: all_done(count), lambda: f"{statuses()}\n{machinery.log()}")
    assert Message.objects.filter(id__in=held, attempts__gt=1).exists(), "others took over what it held"
    machinery.kill("worker", signal.SIGCONT)
    machinery.parts["worker"].send_signal(signal.SIGTERM)
    assert machinery.parts["worker"].wait(60) == 0, machinery.log()
    assert statuses() == {"sent": count}
    assert texts.accepted.keys() == {str(key) for key in Message.objects.values_list("id", flat=True)}
    assert texts.calls.total() - count <= WINDOW * 2, "what comes twice was under way at the stop"


def test_what_changes_after_a_batch_was_read_is_seen_by_the_mark_of_its_window(
    clinic: Clinic, committed: None, texts: Gateway
) -> None:
    due(clinic, WINDOW + 2)
    last = Message.objects.order_by("not_after").last()
    assert last is not None

    def reply(key: str, text: str) -> int:
        if len(texts.accepted) == 0:
            in_thread(lambda: change(last.visit, status="cancelled"))
        return TAKEN

    texts.reply = reply
    delivery.send_batch()
    assert statuses() == {"sent": WINDOW + 1, "skipped": 1}
    assert str(last.id) not in texts.accepted


def test_what_a_window_had_marked_and_not_called_for_is_given_back(
    clinic: Clinic, texts: Gateway, settings: Settings
) -> None:
    settings.SENDING_AT_ONCE = 2
    due(clinic, 5)
    claimed = delivery.claim()
    until = time.monotonic() + 2

    def slowly(key: str, text: str) -> int:
        while time.monotonic() < until:
            Event().wait(0.05)
        return TAKEN

    texts.reply = slowly
    with closing(Lines("sms")) as lines:
        delivery._send_over(lines, claimed, telling.load([row.id for row in claimed]), until)
    assert texts.calls.total() == 2
    given_back = Message.objects.filter(status="due", attempts=0, handed_over_at=None, lease_until=None)
    assert (statuses(), given_back.count()) == ({"sent": 2, "due": 3}, 3)


def test_f10_accepted_and_then_no_word_is_one_text_with_keys(clinic: Clinic, texts: Gateway) -> None:
    due(clinic, 20)
    texts.reply = lambda key, text: DROPPED if texts.calls[key] == 1 and len(texts.accepted) % 5 == 0 else TAKEN
    for _ in range(3):
        delivery.send_batch()
        Message.objects.filter(status="due").update(try_at=clock.now() - HOUR)
    assert statuses() == {"sent": 20}
    assert len(texts.accepted) == 20
    assert texts.calls.total() > 20


def test_f10_without_keys_a_reminder_is_unknown_and_an_alert_said_again(
    clinic: Clinic, catcher: Catcher, settings: Settings
) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", catcher.port
    answer(ask(clinic), DARK)
    book_due(clinic, 1, channel="email")
    reconcile.reconcile(clock.now())
    for urgent in (True, False):
        for row in delivery.claim(urgent=urgent):
            marking.hand_over(row)
    run_out()
    delivery.reap()
    assert dict(Message.objects.filter(follow_up=None).values_list("urgent", "status")) == {
        True: "due",
        False: "unknown",
    }
    while delivery.send_batch():
        pass
    assert [mail.to for mail in catcher.mails] == [clinic.site.on_call.email]
    reminder = Message.objects.get(kind__contains="reminder")
    assert delivery.reconcile_outcome(str(reminder.id), "delivered"), "the provider's word settles it"


def test_f11_a_provider_that_asks_for_time_gets_it_and_nothing_comes_late(clinic: Clinic, texts: Gateway) -> None:
    due(clinic, 3)
    texts.reply, texts.retry_after = (lambda key, text: 429), "600"
    delivery.send_batch()
    assert not texts.accepted
    now = clock.now()
    for row in Message.objects.all():
        assert row.status == "due"
        assert now + 9 * MINUTE < row.try_at < row.not_after
    Message.objects.update(try_at=now - HOUR, due_at=now - 3 * HOUR, not_after=now - MINUTE)
    texts.reply = lambda key, text: TAKEN
    assert delivery.send_batch() == 0
    assert delivery.expire() == 3
    assert (statuses(), texts.accepted) == ({"skipped": 3}, {})


@pytest.mark.parametrize("asked", ["", "soon", "-5", "1e9", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_f11_a_retry_after_that_makes_no_sense_is_passed_by(clinic: Clinic, texts: Gateway, asked: str) -> None:
    texts.reply, texts.retry_after = (lambda key, text: 503), asked
    due(clinic)
    (row,) = delivery.claim()
    channel = gateway.open_gateway()
    with pytest.raises(Temporary) as refused:
        channel.send(marking.hand_over(row)[0], "+13125550100", row.id)  # type: ignore[index]
    channel.close()
    assert refused.value.retry_after is None


def test_f12_poisoned_rows_are_dead_letters_with_a_task_each_and_harm_no_other(clinic: Clinic, texts: Gateway) -> None:
    due(clinic, 40)
    bad = {str(key) for key in Message.objects.order_by("?").values_list("id", flat=True)[:5]}
    texts.reply = lambda key, text: 422 if key in bad else TAKEN
    while delivery.send_batch():
        pass
    assert statuses() == {"sent": 35, "failed": 5}
    assert {str(key) for key in Message.objects.filter(status="failed").values_list("id", flat=True)} == bad
    assert {str(key) for key in Alert.objects.values_list("message", flat=True)} == bad


def test_f12_a_row_that_kills_every_worker_is_given_up(clinic: Clinic, texts: Gateway, settings: Settings) -> None:
    due(clinic)
    for _ in range(settings.SEND_ATTEMPTS_AT_MOST):
        (row,) = delivery.claim() or delivery.claim(1, alone=True)
        marking.hand_over(row, keyed=True)
        run_out()
        delivery.reap()
    assert statuses() == {"failed": 1}
    assert Alert.objects.get().kind == "message_failed"


def test_f12_rows_that_kill_their_workers_take_nobody_with_them(
    committed: None, clinic: Clinic, texts: Gateway, settings: Settings
) -> None:
    count = 2 * delivery.BATCH // 5
    due(clinic, count)
    bad = set(Message.objects.order_by("?").values_list("id", flat=True)[:3])
    deaths = send_in_dying_processes(bad)
    assert statuses() == {"sent": count - 3, "failed": 3}
    assert set(Message.objects.filter(status="failed").values_list("id", flat=True)) == bad
    assert set(Alert.objects.values_list("message", flat=True)) == bad
    assert len(texts.accepted) == count - 3
    assert deaths <= 3 * settings.SEND_ATTEMPTS_AT_MOST


@pytest.mark.parametrize("hours", [6, 48])
def test_f13_after_a_stop_of_hours_what_is_stale_is_skipped_and_the_soonest_goes_first(
    clinic: Clinic, texts: Gateway, hours: int
) -> None:
    due(clinic, 30)
    rows = list(Message.objects.order_by("id"))
    now = clock.now()
    for number, row in enumerate(rows):
        # While all stood still, the first ten closed; the last closes first of those that are left.
        row.due_at = row.try_at = now - (hours + 1) * HOUR
        row.not_after = now - (hours - 1) * MINUTE if number < 10 else now + (40 - number) * HOUR
    Message.objects.bulk_update(rows, ["due_at", "try_at", "not_after"])
    delivery.expire()
    while delivery.send_batch(7):
        pass
    assert statuses() == {"sent": 20, "skipped": 10}
    assert set(Message.objects.filter(status="skipped").values_list("reason", flat=True)) == {"expired"}
    came, soonest = list(texts.accepted), [str(row.id) for row in reversed(rows[10:])]
    # Of one batch several are under way at a time.
    assert [set(came[at : at + 7]) for at in (0, 7, 14)] == [set(soonest[at : at + 7]) for at in (0, 7, 14)]


def test_f14_a_cancellation_beside_a_hand_over_is_seen_or_followed_by_a_notice(
    committed: None, clinic: Clinic, texts: Gateway
) -> None:
    MessagePlan.objects.filter(site=clinic.site).update(cancellations=True)
    patient = make_patient(clinic.site, phone="+13125550100", preferred_channels=["sms"])
    protocol = protocol_with(clinic, [{"hours_before": 2000, "channels": ["sms"]}], [])
    outcomes: Counter[str] = Counter()
    for number in range(30):
        now = clock.now()
        session = book(clinic, now + (20 + 4 * number) * HOUR, now - 2000 * HOUR, protocol, patient)
        reconcile.reconcile(now)
        cancel_beside_sending(clinic, session)
        reconcile.sweep(clock.now())
        Message.objects.filter(status="due").update(try_at=clock.now() - HOUR, due_at=clock.now() - HOUR)
        delivery.send_batch()
        said = {row.kind: str(row.id) in texts.accepted for row in Message.objects.filter(session=session)}
        outcomes[str(sorted(kind for kind, came in said.items() if came))] += 1
    assert set(outcomes) <= {"[]", "['cancellation', 'reminder_2000h']"}, outcomes


def cancel_beside_sending(clinic: Clinic, session: Session, later: float = 0) -> None:
    """Both at once; the cancellation `later` by so many seconds, or the sending where that is negative."""

    def send() -> None:
        Event().wait(-min(later, 0))
        delivery.send_batch()

    def cancel() -> None:
        Event().wait(max(later, 0))
        change(session, status="cancelled")
        session.events.create(kind="cancelled", actor=clinic.site.on_call, at=clock.now())

    together([send, cancel])


def test_f15_moved_five_times_in_a_minute_one_set_is_said(clinic: Clinic, texts: Gateway) -> None:
    MessagePlan.objects.filter(site=clinic.site).update(receipts=True, changes=True)
    now = clock.now() - 5 * MINUTE
    patient = make_patient(clinic.site, phone="+13125550100", preferred_channels=["sms"])
    session = book(clinic, now + 50 * HOUR, now - MINUTE, protocol_with(clinic, follow_ups=[]), patient)
    reconcile.reconcile(now)
    delivery.send_batch()
    assert Counter(Message.objects.filter(status="sent").values_list("kind", flat=True))["receipt"] == 1
    for hours in (60, 70, 80, 90, 100):
        move(clinic, session, now + hours * HOUR, now)
        reconcile.reconcile(now)
    delivery.send_batch()
    live = Message.objects.filter(session=session).exclude(status="skipped").exclude(kind="receipt")
    assert set(live.filter(speaks_of=session.start).values_list("kind", "status")) == {
        ("change_5", "sent"), ("reminder_72h", "due"), ("reminder_24h", "due"),
    }  # fmt: skip
    assert not live.exclude(speaks_of=session.start).filter(status="due").exists()


def test_f15_moved_away_and_back_before_a_word_of_it_nobody_is_told(clinic: Clinic, texts: Gateway) -> None:
    MessagePlan.objects.filter(site=clinic.site).update(receipts=True, changes=True)
    now = clock.now() - 5 * MINUTE
    patient = make_patient(clinic.site, phone="+13125550100", preferred_channels=["sms"])
    session = book(clinic, now + 500 * HOUR, now - MINUTE, protocol_with(clinic, [], []), patient)
    reconcile.reconcile(now)
    delivery.send_batch()
    for hours in (600, 500):
        move(clinic, session, now + hours * HOUR, now)
        reconcile.reconcile(now)
    assert delivery.send_batch() == 0
    for hours in (600, 500, 600):
        move(clinic, session, now + hours * HOUR, now)
        reconcile.reconcile(now)
        delivery.send_batch()
    told = list(Message.objects.filter(status="sent").order_by("sent_at", "id").values_list("kind", flat=True))
    assert told == ["receipt", "change_3", "change_4", "change_5"], "there, back and there again is news each time"


def test_f36_f37_a_red_flag_among_thousands_is_out_first_though_workers_die(
    clinic: Clinic, machinery: Machinery, texts: Gateway, catcher: Catcher
) -> None:
    asked = ask(clinic)
    book_due(clinic, 1500)
    half = Event()

    def reply(key: str, text: str) -> int:
        if len(texts.accepted) == 60:
            half.set()
        return TAKEN

    texts.reply = reply
    machinery.start("worker", "beat", "clock")
    assert half.wait(60), machinery.log()
    machinery.kill("worker")
    answer(asked, DARK)
    machinery.kill("clock")
    machinery.start("worker", "clock")

    def of_the_alert(mail: Mail) -> bool:
        return mail.to == clinic.site.on_call.email

    (received,) = catcher.wait_for(1, 60, of_the_alert)
    assert len(texts.accepted) < 1500, "it waited for no reminder"
    told = Message.objects.get(alert__isnull=False)
    assert received.subject.startswith("Urgent alert")
    await_true(lambda: Message.objects.get(pk=told.pk).status == "sent", machinery.log)
    told.refresh_from_db()
    assert told.sent_at is not None
    assert told.sent_at - Alert.objects.get().created_at < ANSWERED_BEFORE + MINUTE
    # Nobody takes it: its time comes, a worker dies again, and the next call goes out.
    Alert.objects.update(escalate_at=clock.now())
    machinery.kill("worker")
    machinery.start("worker")
    catcher.wait_for(2, 60, of_the_alert)
    await_true(lambda: Alert.objects.get().step == 1, machinery.log)


def test_f37_urgent_rows_are_claimed_before_any_other(clinic: Clinic, texts: Gateway) -> None:
    due(clinic, 100)
    Message.objects.update(not_after=F("due_at") + 3000 * HOUR)
    answer(ask(clinic), DARK)
    assert [row.urgent for row in delivery.claim(urgent=True)] == [True]
    assert {row.urgent for row in delivery.claim(10)} == {False}


def test_f35_twenty_at_once_are_one_answer_and_one_alert(committed: None, clinic: Clinic) -> None:
    asked = ask(clinic)
    token = new_link(asked).rstrip("/").rpartition("/")[2]
    now = clock.now()
    together([lambda: answer_follow_up(token, DARK, now)] * 8)
    assert Alert.objects.count() == 1
    assert Message.objects.filter(alert__isnull=False).count() == 1


def test_f36_many_clocks_at_once_climb_one_step(committed: None, clinic: Clinic) -> None:
    now = clock.now()
    answer(ask(clinic), DARK, now)
    climbed = together([lambda: alerts.escalate(now + 10 * MINUTE)] * 6)
    assert sum(int(str(each)) for each in climbed) == 1
    assert Alert.objects.get().step == 1


def test_a_check_in_without_a_word_is_not_asked_after_its_answer(clinic: Clinic, texts: Gateway) -> None:
    MessagePlan.objects.filter(site=clinic.site).update(ask_again_hours=4)
    ended = clock.now() - 6 * HOUR
    protocol = protocol_with(clinic, [], [{"instrument": "NRS", "hours_after": 0}])
    patient = make_patient(clinic.site, phone="+13125550100", preferred_channels=["sms"])
    discharge(book(clinic, ended - 3 * HOUR, ended - 9 * HOUR, protocol, patient), ended)
    reconcile.reconcile(clock.now())
    (first, again) = Message.objects.order_by("due_at")
    assert (first.kind, again.kind) == ("follow_up_nrs_0h", "follow_up_nrs_0h_again")
    answer(FollowUp.objects.get(), {"nrs_pain": 2})
    delivery.send_batch()
    assert set(Message.objects.values_list("status", "reason")) == {("skipped", "answered")}
