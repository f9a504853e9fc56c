"""The real worker and beat on the real broker: what is due goes out, and killing them loses and doubles nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import pytest
from django.db import connection

import config.celery  # noqa: F401  (tells Celery which broker there is, as worker and beat are told)
from accounts import clock
from notifications import delivery, tasks
from notifications.models import Heartbeat, Message
from sessions.models import Session, SessionEvent
from tests.catcher import ACCEPTED
from tests.factories import blocks, make_series
from tests.notifications.visits import HOUR, book, protocol_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django import Settings

    from tests.catcher import Catcher, Mail
    from tests.factories import Clinic

ROOT = Path(__file__).resolve().parents[2]
LEASE_SECONDS = 3
CELERY = [sys.executable, "-m", "celery", "-A", "config.celery"]


class Machinery:
    """One worker with two processes and one beat, as they are run, on the test's database and mail server."""

    def __init__(self, catcher: Catcher, folder: Path) -> None:
        address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
        self._environment = os.environ | {
            "DATABASE_URL": address,
            "EMAIL_URL": catcher.url,
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "TICK_SECONDS": "0.5",
            "CONN_MAX_AGE": "0",
        }
        self._folder = folder
        self.parts: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start both; each leads a process group of its own."""
        schedule = ["-s", str(self._folder / "schedule"), "--pidfile="]
        commands = [[*CELERY, "worker", "-c", "2", "-l", "INFO"], [*CELERY, "beat", *schedule]]
        with (self._folder / "log").open("ab") as log:
            self.parts = [
                subprocess.Popen(
                    command, cwd=ROOT, env=self._environment, stdout=log, stderr=log, start_new_session=True
                )
                for command in commands
            ]

    def kill(self) -> None:
        """SIGKILL to both and all their processes."""
        for part in self.parts:
            os.killpg(part.pid, signal.SIGKILL)

    def kill_a_child(self) -> None:
        """SIGKILL to one of the worker's processes."""
        psutil.Process(self.parts[0].pid).children()[0].kill()

    def end(self) -> None:
        """Leave nothing behind."""
        for part in self.parts:
            if part.poll() is None:
                os.killpg(part.pid, signal.SIGKILL)
            part.wait(20)

    def log(self) -> str:
        """What worker and beat wrote."""
        return (self._folder / "log").read_text(errors="replace")


@pytest.fixture
def machinery(committed: None, catcher: Catcher, tmp_path: Path) -> Iterator[Machinery]:
    """Worker and beat, not started yet."""
    made = Machinery(catcher, tmp_path)
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


def await_true(condition: Callable[[], bool], what: Callable[[], object], seconds: float = 90) -> None:
    """Until the condition holds; fails with `what()` where it does not in time."""
    until, pause = time.monotonic() + seconds, Event()
    while not condition():
        assert time.monotonic() < until, what()
        pause.wait(0.05)


def statuses() -> Counter[str]:
    return Counter(Message.objects.values_list("status", flat=True))


def test_what_is_due_goes_out_by_itself(clinic: Clinic, machinery: Machinery, catcher: Catcher) -> None:
    machinery.start()
    start = clock.now() + 20 * HOUR
    session = book(clinic, start, clock.now() - 100 * HOUR)
    (mail,) = catcher.wait_for(1, 60)
    assert mail.to == session.patient.email
    await_true(lambda: statuses() == {"sent": 1}, statuses)
    assert clock.now() - Heartbeat.objects.get(name="beat").at < timedelta(seconds=30)


def test_killing_worker_and_beat_loses_nothing_and_doubles_nothing(
    clinic: Clinic, machinery: Machinery, catcher: Catcher
) -> None:
    count, killed, lost = 500, Event(), []
    attacks: dict[int, Callable[[], None]] = {
        40: machinery.kill,
        120: machinery.kill_a_child,
        200: machinery.kill,
        330: machinery.kill,
    }

    def reply(mail: Mail) -> str:
        # At these mails the worker dies in hand-over: the mail is taken, and nobody is left to hear so.
        attack = attacks.get(len(catcher.mails) + 1)
        if attack is not None:
            attack()
        if attack == machinery.kill:
            lost.append(str(mail.message["Message-ID"]))
            killed.set()
        return ACCEPTED

    catcher.reply = reply
    book_many(clinic, count)
    machinery.start()
    for _ in range(3):
        assert killed.wait(90), f"{statuses()}\n{machinery.log()[-3000:]}"
        killed.clear()
        machinery.end()
        machinery.start()
    await_true(
        lambda: not {"due", "sending"} & statuses().keys() and statuses().total() == count,
        lambda: f"{statuses()}\n{machinery.log()[-3000:]}",
    )
    came = Counter(str(mail.message["Message-ID"]) for mail in catcher.mails)
    assert set(came.values()) == {1}, "a mail came twice"
    rows = {f"<{row.id}@localhost.localdomain>": row for row in Message.objects.all()}
    assert came.keys() <= rows.keys()
    assert {row.status for row in rows.values()} <= {"sent", "unknown"}
    assert all(came[name] == 1 for name, row in rows.items() if row.status == "sent"), "one was never sent"
    unknown = {name: row for name, row in rows.items() if row.status == "unknown"}
    assert len(unknown) <= 2 * 4, "more than were in hand-over at a kill"
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
    machinery.start()
    assert half.wait(60)
    cache.clear()
    catcher.wait_for(100, 60)
    await_true(lambda: statuses() == {"sent": 100}, statuses)
    assert len({str(mail.message["Message-ID"]) for mail in catcher.mails}) == 100
