"""Due messages reach their channel once, what cannot go says why, and nothing is said that has grown stale."""

from __future__ import annotations

import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.template import TemplateDoesNotExist

from accounts import clock
from notifications import delivery, follow_ups, gsm, marking, reconcile, telling, texts
from notifications.channels import Permanent, Temporary, Text, Unclear, open_channel
from notifications.lines import Lines
from notifications.models import Message
from tests.at_once import together
from tests.catcher import ACCEPTED, Catcher
from tests.factories import make_patient
from tests.notifications.visits import HOUR, book, change, discharge, move, protocol_with

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings

    from sessions.models import Session
    from tests.factories import Clinic

SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture
def mail(catcher: Catcher, settings: Settings) -> Catcher:
    """A catcher that gets the service's mail."""
    use(settings, catcher.port)
    return catcher


def use(settings: Settings, port: int) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", port
    settings.EMAIL_TIMEOUT = 5


def due(clinic: Clinic, **patient: Any) -> Session:
    """A session whose only reminder has been due for some hours; each lies a day after the one before."""
    now = clock.now()
    protocol = protocol_with(clinic, reminders=[{"hours_before": 2000, "channels": ["email", "sms"]}])
    start = now + (20 + 24 * Message.objects.count()) * HOUR
    session = book(clinic, start, now - 2000 * HOUR, protocol, make_patient(clinic.site, **patient))
    reconcile.reconcile(now)
    return session


def only() -> Message:
    return Message.objects.get()


def test_the_database_takes_a_message_only_once_but_again_by_hand(clinic: Clinic) -> None:
    due(clinic)
    row = only()
    first, row.id = row.id, uuid4()
    with pytest.raises(IntegrityError, match="message_once"), transaction.atomic():
        Message.objects.bulk_create([row])
    row.resend_of_id = first
    Message.objects.bulk_create([row])
    assert Message.objects.count() == 2


def test_a_due_mail_is_sent_once(clinic: Clinic, mail: Catcher) -> None:
    session = due(clinic)
    assert delivery.send_batch() == 1
    assert delivery.send_batch() == 0
    row = only()
    assert (row.status, row.attempts, row.reason) == ("sent", 1, "")
    assert row.sent_at is not None
    assert row.lease_until is None
    (received,) = mail.mails
    assert received.to == session.patient.email
    assert received.message["Message-ID"] == row.reference
    assert str(row.id) in row.reference


def test_what_is_not_due_yet_stays(clinic: Clinic, mail: Catcher) -> None:
    due(clinic)
    Message.objects.update(try_at=clock.now() + HOUR)
    assert delivery.send_batch() == 0
    assert delivery.waiting(10) == 0


def test_the_window_that_closes_first_goes_first(clinic: Clinic, mail: Catcher) -> None:
    later, sooner = due(clinic), due(clinic)
    Message.objects.filter(session=sooner).update(not_after=F("not_after") - 25 * HOUR)
    assert [delivery.send_batch(1), delivery.send_batch(1)] == [1, 1]
    assert [m.to for m in mail.mails] == [sooner.patient.email, later.patient.email]


@pytest.mark.parametrize(("status", "reason"), [("cancelled", "cancelled"), ("arrived", "no_longer_wanted")])
def test_a_session_that_changed_since_is_not_spoken_of(clinic: Clinic, mail: Catcher, status: str, reason: str) -> None:
    change(due(clinic), status=status)
    delivery.send_batch()
    assert (only().status, only().reason, mail.mails) == ("skipped", reason, [])


def test_a_session_that_moved_since_is_not_spoken_of(clinic: Clinic, mail: Catcher) -> None:
    session = due(clinic)
    move(clinic, session, session.start + HOUR, clock.now())
    delivery.send_batch()
    assert (only().status, only().reason, mail.mails) == ("skipped", "moved", [])


def test_what_came_too_late_is_skipped_and_says_so(clinic: Clinic, mail: Catcher) -> None:
    due(clinic)
    late = {"due_at": clock.now() - 2 * HOUR, "not_after": clock.now() - HOUR}
    Message.objects.update(**late)
    assert delivery.send_batch() == 0
    assert delivery.expire() == 1
    assert (only().status, only().reason, mail.mails) == ("skipped", "expired", [])


def test_a_window_that_closes_while_the_row_is_held_is_kept(clinic: Clinic, mail: Catcher) -> None:
    due(clinic)
    (row,) = delivery.claim()
    Message.objects.update(due_at=clock.now() - 2 * HOUR, not_after=clock.now() - HOUR)
    delivery.carry([row])
    assert (only().status, only().reason, mail.mails) == ("skipped", "expired", [])


def test_an_answered_check_in_is_not_asked_again(clinic: Clinic, mail: Catcher) -> None:
    now = clock.now()
    protocol = protocol_with(clinic, follow_ups=[{"instrument": "NRS", "hours_after": 0}])
    session = book(clinic, now - 3 * HOUR, now - 9 * HOUR, protocol)
    discharge(session, now - HOUR)
    reconcile.reconcile(now)
    asked = only().follow_up
    assert asked is not None
    token = follow_ups.new_link(asked).rstrip("/").rpartition("/")[2]
    follow_ups.answer_follow_up(token, {"nrs_pain": 1}, now)
    delivery.send_batch()
    assert (only().status, only().reason, mail.mails) == ("skipped", "answered", [])


@pytest.mark.parametrize(
    ("reply", "status"),
    [("451 later", "due"), ("421 going down", "due"), ("554 never", "failed"), ("250 ok", "sent")],
)
def test_the_reply_to_the_text_decides(clinic: Clinic, mail: Catcher, reply: str, status: str) -> None:
    due(clinic)
    mail.reply = lambda received: reply
    delivery.send_batch()
    assert only().status == status
    assert only().handed_over_at is None or status in {"sent", "failed"}


def test_a_temporary_refusal_is_tried_again_within_the_window_and_at_last_given_up(
    clinic: Clinic, mail: Catcher, settings: Settings
) -> None:
    due(clinic)
    mail.reply = lambda received: "451 later"
    for attempt in range(1, settings.SEND_ATTEMPTS_AT_MOST + 1):
        assert delivery.send_batch() == 1
        row = only()
        assert row.attempts == attempt
        assert row.status == "failed" or clock.now() < row.try_at < row.not_after
        assert "451" in row.reason
        Message.objects.update(try_at=clock.now() - HOUR)
    assert only().status == "failed"
    assert delivery.send_batch() == 0


def test_the_next_try_halves_what_is_left_of_the_window(clinic: Clinic, mail: Catcher) -> None:
    due(clinic)
    closes = clock.now() + timedelta(seconds=8)
    Message.objects.update(not_after=closes)
    mail.reply = lambda received: "451 later"
    delivery.send_batch()
    assert only().try_at < clock.now() + timedelta(seconds=5)


@pytest.mark.parametrize(("attempt", "least"), [(1, 10), (2, 40), (3, 160), (4, 640), (5, 2560), (6, 3600), (8, 3600)])
def test_pauses_grow_up_to_an_hour(attempt: int, least: int) -> None:
    assert all(least <= delivery.pause_seconds(attempt) <= least * 1.2 for _ in range(50))


def test_no_mail_server_is_temporary_and_asked_for_once_a_batch(clinic: Clinic, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    use(settings, port)
    for _ in range(3):
        due(clinic)
    assert delivery.send_batch() == 3
    assert set(Message.objects.values_list("status", "attempts", "handed_over_at")) == {("due", 1, None)}
    assert all("no connection" in reason for reason in Message.objects.values_list("reason", flat=True))


def test_a_poisoned_row_harms_no_other(clinic: Clinic, mail: Catcher) -> None:
    due(clinic, email="a@example.org\nBcc: b@example.org")
    nobody = due(clinic)
    due(clinic, email="ü@example.org")
    good = due(clinic)
    nobody.patient.email = ""
    nobody.patient.save()
    delivery.send_batch()
    by_status = dict(Message.objects.values_list("session", "status"))
    assert by_status.pop(good.id) == "sent"
    assert list(by_status.values()) == ["failed"] * 3
    assert Message.objects.get(session=nobody).reason == "no_address"
    assert [m.to for m in mail.mails] == [good.patient.email]


def test_a_text_that_cannot_be_written_ends_as_failed(clinic: Clinic, mail: Catcher, settings: Settings) -> None:
    due(clinic)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "APP_DIRS": False}]
    texts._laid_out.cache_clear()
    with pytest.raises(TemplateDoesNotExist):
        texts.compose(Message.objects.select_related("session__site", "follow_up").get())
    for _ in range(settings.SEND_ATTEMPTS_AT_MOST):
        delivery.send_batch()
        Message.objects.update(try_at=clock.now() - HOUR)
    assert only().status == "failed"
    assert "TemplateDoesNotExist" in only().reason
    assert not mail.mails


def test_texts_go_to_a_file(clinic: Clinic, settings: Settings, tmp_path: Path) -> None:
    settings.SMS_URL = f"file://{tmp_path}/texts"
    due(clinic, phone="+13125550100", preferred_channels=["sms"])
    delivery.send_batch()
    assert only().status == "sent"
    (line,) = (tmp_path / "texts" / "sms.jsonl").read_text().splitlines()
    said = json.loads(line)
    assert (said["id"], said["to"]) == (str(only().id), "+13125550100")
    assert said.keys() == {"id", "to", "text", "at"}


def test_without_a_way_for_texts_the_row_says_so(clinic: Clinic, settings: Settings) -> None:
    settings.SMS_URL = ""
    due(clinic, phone="+13125550100", preferred_channels=["sms"])
    delivery.send_batch()
    assert (only().status, only().reason) == ("failed", "no_sms_transport")


def test_a_lease_that_ran_out_before_the_hand_over_makes_the_row_due_again(clinic: Clinic, mail: Catcher) -> None:
    due(clinic)
    (old,) = delivery.claim()
    assert delivery.reap() == 0
    run_out()
    assert delivery.reap() == 1
    assert only().status == "due"
    (new,) = delivery.claim()
    delivery.carry([old])
    assert (only().status, mail.mails) == ("sending", [])
    delivery.carry([new])
    assert (only().status, only().attempts, len(mail.mails)) == ("sent", 2, 1)


def test_a_row_whose_worker_died_after_the_hand_over_is_unknown_and_never_said_again(
    clinic: Clinic, mail: Catcher
) -> None:
    due(clinic)
    (row,) = delivery.claim()
    assert marking.hand_over(row) is not None
    run_out()
    delivery.reap()
    assert (only().status, only().reason) == ("unknown", "handed over when the worker died")
    assert delivery.send_batch() == 0
    reconcile.sweep(clock.now())
    assert delivery.send_batch() == 0
    assert not mail.mails


def test_a_row_that_kills_its_workers_is_given_up(clinic: Clinic, settings: Settings) -> None:
    due(clinic)
    for _ in range(settings.SEND_ATTEMPTS_AT_MOST):
        assert len(delivery.claim() or delivery.claim(1, alone=True)) == 1
        run_out()
        delivery.reap()
    assert (only().status, only().reason) == ("failed", "the worker died before it was handed over")


def test_a_late_word_that_it_was_sent_is_taken(committed: None, clinic: Clinic, mail: Catcher) -> None:
    due(clinic)
    (row,) = delivery.claim()
    mail.reply = lambda received: lose_the_lease_elsewhere()
    delivery.carry([row])
    assert only().status == "sent"


def lose_the_lease_elsewhere() -> str:
    """What befalls a worker that sleeps too long in the middle of its call, done by another one."""

    def lose() -> int:
        try:
            run_out()
            return delivery.reap()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        assert other.submit(lose).result() == 1
    return ACCEPTED


def run_out() -> None:
    Message.objects.filter(status="sending").update(lease_until=clock.now() - HOUR)


def test_many_workers_share_what_is_due(committed: None, clinic: Clinic, mail: Catcher) -> None:
    for _ in range(60):
        due(clinic)
    shares = together([lambda: sum(iter(lambda: delivery.send_batch(5), 0))] * 4)
    assert sum(shares) == 60
    assert len({m.to for m in mail.mails}) == len(mail.mails) == 60
    assert set(Message.objects.values_list("status", "attempts")) == {("sent", 1)}


def test_a_cancellation_either_comes_first_or_waits_for_the_mark(
    committed: None, clinic: Clinic, mail: Catcher
) -> None:
    session = due(clinic)
    (row,) = delivery.claim()
    started = Event()

    def deliver() -> None:
        try:
            started.set()
            delivery.carry([row])
        finally:
            connection.close()

    worker = Thread(target=deliver)
    with transaction.atomic():
        change(session, status="cancelled")
        worker.start()
        started.wait(10)
        wait_for_a_blocked_query()
    worker.join(20)
    assert (only().status, only().reason, mail.mails) == ("skipped", "cancelled", [])


def wait_for_a_blocked_query() -> None:
    """Until another connection waits for a lock that this one holds."""
    until = time.monotonic() + 20
    with connection.cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            if cursor.fetchone():
                return
    raise AssertionError("nobody waited for the lock")


class Server:
    """An SMTP server that says these lines, one to each command, and hangs up when they are used up."""

    def __init__(self, *lines: str) -> None:
        self._lines = lines
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard: list[str] = []
        self._thread = Thread(target=self._talk, daemon=True)
        self._thread.start()

    def _talk(self) -> None:
        connected, _ = self._listener.accept()
        with connected, connected.makefile("rb") as file:
            connected.sendall(b"220 here\r\n")
            text = False
            lines = iter(self._lines)
            for raw in file:
                line = raw.decode().strip()
                text = text and line != "."
                if text or not line:
                    continue
                self.heard.append(line[:4])
                if (reply := next(lines, None)) is None:
                    return
                connected.sendall(reply.encode() + b"\r\n")
                text = reply.startswith("354")

    def close(self) -> None:
        self._thread.join(10)
        self._listener.close()


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        (["250 hello"], Temporary),
        (["250 hello", "451 no"], Temporary),
        (["250 hello", "550 no"], Permanent),
        (["250 hello", "250 ok"], Temporary),
        (["250 hello", "250 ok", "452 full"], Temporary),
        (["250 hello", "250 ok", "550 nobody"], Permanent),
        (["250 hello", "250 ok", "250 ok"], Temporary),
        (["250 hello", "250 ok", "250 ok", "451 no"], Temporary),
        (["250 hello", "250 ok", "250 ok", "554 no"], Permanent),
        (["250 hello", "250 ok", "250 ok", "354 go"], Unclear),
        (["250 hello", "250 ok", "250 ok", "354 go", "452 full"], Temporary),
        (["250 hello", "250 ok", "250 ok", "354 go", "552 big"], Permanent),
        (["250 hello", "250 ok", "250 ok", "354 go", "nonsense"], Unclear),
        (["250 hello", "250 ok", "251 ok", "354 go", "250 taken"], None),
    ],
)
def test_what_an_answer_or_a_lost_connection_means_at_each_step(
    settings: Settings, lines: list[str], outcome: type[Exception] | None
) -> None:
    server = Server(*lines)
    use(settings, server.port)
    channel = open_channel("email")
    channel.prepare()
    try:
        if outcome is None:
            assert channel.send(Text("s", "body"), "a@example.org", UUID(int=7))
        else:
            with pytest.raises(outcome):
                channel.send(Text("s", "body"), "a@example.org", UUID(int=7))
    finally:
        channel.close()
        server.close()


def test_one_connection_serves_a_batch_and_a_refusal_does_not_end_it(
    clinic: Clinic, mail: Catcher, settings: Settings
) -> None:
    for _ in range(3):
        due(clinic)
    refused = Message.objects.order_by("not_after")[1].patient.email
    mail.reply = lambda received: "554 never" if received.to == refused else ACCEPTED
    settings.SENDING_AT_ONCE = 1
    with closing(Lines("email")) as lines:
        lines.prepare(1)
        connected = lines._ready[0]._server  # type: ignore[attr-defined]
        claimed = delivery.claim()
        delivery._send_over(lines, claimed, telling.load([row.id for row in claimed]), time.monotonic() + 60)
        assert lines._ready[0]._server is connected  # type: ignore[attr-defined]
    assert list(Message.objects.order_by("not_after").values_list("status", flat=True)) == ["sent", "failed", "sent"]


def test_a_dot_at_the_beginning_of_a_line_arrives(mail: Catcher) -> None:
    channel = open_channel("email")
    channel.prepare()
    channel.send(Text("s", "one\n.two\n..three\n"), "a@example.org", UUID(int=7))
    channel.close()
    assert mail.mails[0].text.replace("\r", "") == "one\n.two\n..three\n"


def test_a_reminder_says_when_and_where_in_the_sites_time_and_nothing_of_health(clinic: Clinic, mail: Catcher) -> None:
    clinic.site.name, clinic.site.phone = "Lakeshore Clinic", "+13125550199"
    clinic.site.save()
    session = due(clinic)
    delivery.send_batch()
    (received,) = mail.mails
    day, time = texts.day(session.start, clinic.site), texts.time_of_day(session.start, clinic.site)
    assert received.subject == f"Your visit on {day} · Lakeshore Clinic"
    assert f"Your visit is on {day} at {time}." in received.text
    assert re.search(r"\d{1,2}:\d\d (am|pm) C[SD]T", received.text)
    assert "+13125550199" in received.text
    assert not re.search(r"ketamine|infusion|session|PHQ|depress|pain", received.subject + received.text, re.I)


def test_a_check_in_mail_holds_its_link_and_nothing_of_health(clinic: Clinic, mail: Catcher) -> None:
    now = clock.now()
    session = book(clinic, now - 3 * HOUR, now - 9 * HOUR)
    discharge(session, now - HOUR)
    reconcile.reconcile(now)
    delivery.send_batch()
    (received,) = mail.mails
    asked = Message.objects.get(status="sent").follow_up
    assert asked is not None
    (link,) = [word for word in received.text.split() if "/check-in/" in word]
    assert follow_ups.open_follow_up(link.rstrip("/").rpartition("/")[2], now) == asked
    assert received.subject == f"A few questions after your visit · {clinic.site.name}"
    words = (received.subject + received.text).replace(link, "")
    assert not re.search(r"ketamine|infusion|session|PHQ|side.effect|depress|pain", words, re.I)


@pytest.mark.parametrize("name", ["Lakeshore", "Überlingen Klinik für Schmerz " * 6, "診療所"])
@pytest.mark.parametrize("zone", ["America/Chicago", "Asia/Kathmandu"])
def test_a_text_message_fits_one_part(clinic: Clinic, settings: Settings, tmp_path: Path, name: str, zone: str) -> None:
    settings.SMS_URL = f"file://{tmp_path}"
    clinic.site.name, clinic.site.phone, clinic.site.time_zone = name[:200], "+13125550199", zone
    clinic.site.save()
    now = clock.now()
    agreed = {"texting_consent": True, "texting_consent_at": now}
    session = due(clinic, phone="+13125550100", preferred_channels=["sms"], **agreed)
    ended = book(clinic, now - 3 * HOUR, now - 9 * HOUR, patient=session.patient)
    discharge(ended, now - HOUR)
    reconcile.reconcile(now)
    assert [delivery.send_batch() for _ in range(2)] == [1, 1]
    said = [json.loads(line)["text"] for line in (tmp_path / "sms.jsonl").read_text().splitlines()]
    assert len(said) == 2
    assert all(gsm.length(text).parts == 1 and gsm.length(text).alphabet == "gsm" for text in said)
    assert not any("\n" in text or text.startswith(":") for text in said)
    assert sum(texts.time_of_day(session.start, clinic.site) in text for text in said) == 1
    assert sum("/check-in/" in text for text in said) == 1


def test_nothing_of_a_patient_is_in_the_log(clinic: Clinic, mail: Catcher, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    session = due(clinic, email="zzsecret@example.org", given_name="Zzname")
    mail.reply = lambda received: "554 zzsecret@example.org is not known"
    delivery.send_batch()
    assert only().status == "failed"
    assert str(only().id) in caplog.text
    # What the catcher itself logs is the mail server's.
    ours = [record.getMessage() for record in caplog.records if record.name != "mail.log"]
    logged = "\n".join(ours) + only().reason
    assert "zzsecret" not in logged
    assert "Zzname" not in logged
    assert session.patient.family_name not in logged
