"""The real worker and beat on the real broker: what is due goes out, and killing them loses and doubles nothing."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

import config.celery  # noqa: F401  (tells Celery which broker there is, as worker and beat are told)
from accounts import clock
from notifications import delivery, tasks
from notifications.models import Heartbeat, Message
from sessions.models import Session, SessionEvent
from tests.catcher import ACCEPTED
from tests.factories import blocks, make_series
from tests.machinery import Machinery, await_true, statuses
from tests.notifications.visits import HOUR, book, protocol_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django import Settings

    from tests.catcher import Catcher, Mail
    from tests.factories import Clinic


@pytest.fixture
def machinery(committed: None, catcher: Catcher, tmp_path: Path) -> Iterator[Machinery]:
    """Worker and beat, not started yet."""
    made = Machinery(tmp_path, EMAIL_URL=catcher.url)
    yield made
    made.end()


def book_many(clinic: Clinic, count: int) -> None:
    """Sessions of which one reminder each is due; no message is written yet."""
    now = clock.now()
    reminders = [{"hours_before": 2160, "channels": ["email"]}]
    series = make_series(clinic.patient, protocol_with(clinic, reminders))
    people = {"chair": clinic.recliners[0], "nurse": clinic.nurses[0], "prescriber": clinic.prescriber}
    common: dict[str, Any] = {"series": series, "patient": series.patient, "site": series.site, "phase": "induction"}
    sessions = Session.objects.bulk_create(
        Session(ordinal=n, sequence=n, **common, **people, **blocks(now + (12 + 3 * n) * HOUR))
        for n in range(1, count + 1)
    )
    SessionEvent.objects.bulk_create(
        SessionEvent(session=session, kind="booked", actor=series.site.on_call, at=now - 2200 * HOUR)
        for session in sessions
    )


def test_what_is_due_goes_out_by_itself(clinic: Clinic, machinery: Machinery, catcher: Catcher) -> None:
    machinery.start("worker", "beat")
    start = clock.now() + 20 * HOUR
    session = book(clinic, start, clock.now() - 100 * HOUR)
    (mail,) = catcher.wait_for(1, 60)
    assert mail.to == session.patient.email
    await_true(lambda: statuses() == {"sent": 1}, statuses)
    assert clock.now() - Heartbeat.objects.get(name="beat").at < timedelta(seconds=30)


def test_killing_worker_and_beat_loses_nothing_and_doubles_nothing(
    clinic: Clinic, machinery: Machinery, catcher: Catcher, settings: Settings
) -> None:
    count, killed, lost = 500, Event(), []

    def kill() -> None:
        machinery.kill("worker")
        machinery.kill("beat")

    attacks: dict[int, Callable[[], object]] = {
        40: kill,
        120: lambda: machinery.kill_a_child("worker"),
        200: kill,
        330: kill,
    }

    def reply(mail: Mail) -> str:
        # At these mails the worker dies in hand-over: the mail is taken, and nobody is left to hear so.
        attack = attacks.get(len(catcher.mails) + 1)
        if attack is not None:
            attack()
        if attack == kill:
            lost.append(str(mail.message["Message-ID"]))
            killed.set()
        return ACCEPTED

    catcher.reply = reply
    book_many(clinic, count)
    machinery.start("worker", "beat")
    for _ in range(3):
        assert killed.wait(90), f"{statuses()}\n{machinery.log()}"
        killed.clear()
        machinery.end()
        machinery.start("worker", "beat")
    await_true(
        lambda: not {"due", "sending"} & statuses().keys() and statuses().total() == count,
        lambda: f"{statuses()}\n{machinery.log()}",
    )
    came = Counter(str(mail.message["Message-ID"]) for mail in catcher.mails)
    assert set(came.values()) == {1}, "a mail came twice"
    rows = {f"<{row.id}@localhost.localdomain>": row for row in Message.objects.all()}
    assert came.keys() <= rows.keys()
    assert {row.status for row in rows.values()} <= {"sent", "unknown"}
    assert all(came[name] == 1 for name, row in rows.items() if row.status == "sent"), "one was never sent"
    unknown = {name: row for name, row in rows.items() if row.status == "unknown"}
    assert len(unknown) <= 2 * 4 * settings.SENDING_AT_ONCE, "more than were under way at a kill"
    assert all(row.handed_over_at is not None and "worker died" in row.reason for row in unknown.values())
    assert {rows[name].status for name in lost} == {"unknown"}, "nobody can know that these were accepted"
    assert len(lost) == 3


def test_ticks_and_senders_at_once_send_once(
    committed: None, clinic: Clinic, catcher: Catcher, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", catcher.port
    book_many(clinic, 60)

    def work(number: int) -> None:
        try:
            tasks.tick() if number % 2 else tasks.send()
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as workers:
        list(workers.map(work, range(24)))
    tasks.tick()
    while delivery.send_batch():
        pass
    assert statuses() == {"sent": 60}
    assert len({str(mail.message["Message-ID"]) for mail in catcher.mails}) == len(catcher.mails) == 60


def test_a_broker_that_forgot_everything_delays_and_loses_nothing(
    clinic: Clinic, machinery: Machinery, catcher: Catcher
) -> None:
    from django.core.cache import cache

    half = Event()

    def reply(mail: Mail) -> str:
        if len(catcher.mails) == 50:
            half.set()
        return ACCEPTED

    catcher.reply = reply
    book_many(clinic, 100)
    machinery.start("worker", "beat")
    assert half.wait(60)
    cache.clear()
    catcher.wait_for(100, 60)
    await_true(lambda: statuses() == {"sent": 100}, statuses)
    assert len({str(mail.message["Message-ID"]) for mail in catcher.mails}) == 100
