"""Workers, beat and the second clock as they are run, on the test's own database; each can be killed."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
from django.db import connection

from accounts import clock
from accounts.models import Patient
from notifications.models import Message
from sessions.models import Series, Session, SessionEvent
from tests.factories import blocks
from tests.notifications.visits import HOUR, protocol_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.factories import Clinic

ROOT = Path(__file__).resolve().parents[1]
LEASE_SECONDS = 3
NUMBERS = itertools.count(1_000_000)
CELERY = [sys.executable, "-m", "celery", "-A", "config.celery"]
COMMANDS = {
    "worker": [*CELERY, "worker", "-c", "2", "-l", "INFO", "--without-gossip", "--without-mingle", "-n"],
    "beat": [*CELERY, "beat", "--scheduler=celery.beat:Scheduler", "--pidfile="],
    "clock": [sys.executable, "manage.py", "clock"],
}


class Machinery:
    """The parts by name: `worker`, `worker-2`, `beat`, `clock`. Each leads a process group of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
        self._environment = os.environ | {
            "DATABASE_URL": address,
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "TICK_SECONDS": "0.5",
            "CLOCK_SECONDS": "0.2",
            "CONN_MAX_AGE": "0",
            # All texts go to one number, at whatever hour it is.
            **dict.fromkeys(("QUIET_FROM", "QUIET_UNTIL"), "00:00"),
            **dict.fromkeys(("TEXTS_A_DAY", "TEXTS_A_DAY_WITHOUT_CONSENT"), "0"),
            **environment,
        }
        self._log = folder / "log"
        self.parts: dict[str, subprocess.Popen[bytes]] = {}
        self._began: dict[str, int] = {}
        self.kills = 0

    def start(self, *names: str) -> None:
        """Start these parts."""
        for name in names:
            command = COMMANDS[name.partition("-")[0]]
            command = [*command, f"{name}@here"] if name.startswith("worker") else command
            with self._log.open("ab") as log:
                self._began[name] = log.tell()
                self.parts[name] = subprocess.Popen(
                    command, cwd=ROOT, env=self._environment, stdout=log, stderr=log, start_new_session=True
                )

    def takes_work(self, name: str) -> bool:
        """Whether this worker has said since its start that it is ready: only then is its pool whole."""
        with self._log.open("rb") as log:
            log.seek(self._began[name])
            return f"{name}@here ready.".encode() in log.read()

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """A signal to a part and all its processes."""
        self.kills += number == signal.SIGKILL
        os.killpg(self.parts[name].pid, number)
        if number == signal.SIGKILL:
            self.parts[name].wait(20)

    def kill_a_child(self, name: str) -> bool:
        """SIGKILL to one process of a worker's pool; whether there was one."""
        try:
            children = psutil.Process(self.parts[name].pid).children()
            random.choice(children).kill()
        except (psutil.NoSuchProcess, IndexError):
            return False
        self.kills += 1
        return True

    def revive(self, *names: str) -> None:
        """Start those again that have ended by themselves, as whoever supervises them does.

        A worker ends where a process of its pool dies while the pool is being made.
        """
        self.start(*(name for name in names if self.parts[name].poll() is not None))

    def end(self) -> None:
        """Leave nothing behind."""
        for part in self.parts.values():
            if part.poll() is None:
                os.killpg(part.pid, signal.SIGCONT)
                os.killpg(part.pid, signal.SIGKILL)
            part.wait(20)

    def log(self) -> str:
        """What they wrote last."""
        return self._log.read_text(errors="replace")[-3000:]


def await_true(condition: Callable[[], bool], what: Callable[[], object], seconds: float = 90) -> None:
    """Until the condition holds; fails with `what()` where it does not in time."""
    until, pause = time.monotonic() + seconds, Event()
    while not condition():
        assert time.monotonic() < until, what()
        pause.wait(0.05)


def statuses() -> Counter[str]:
    """How many messages stand how."""
    return Counter(Message.objects.values_list("status", flat=True))


def all_done(count: int) -> bool:
    """Whether so many messages are there and none is on its way."""
    found = statuses()
    return not {"due", "sending"} & found.keys() and found.total() == count


def book_due(clinic: Clinic, count: int, channel: str = "sms") -> None:
    """Sessions of which one reminder each is due by this channel, each another patient's; no message is written yet."""
    now = clock.now()
    protocol = protocol_with(clinic, [{"hours_before": 2160, "channels": [channel]}], [])
    patients = Patient.objects.bulk_create(_somebody(clinic, number, channel) for number in range(count))
    courses = Series.objects.bulk_create(Series(patient=p, protocol=protocol, site=clinic.site) for p in patients)
    people = {"chair": clinic.recliners[0], "nurse": clinic.nurses[0], "prescriber": clinic.prescriber}
    # Minutes long, so that ten thousand in one chair fit into what is reminded of already.
    short = {"prepare": 2, "infuse": 2, "recover": 2, "turnover": 2, "hands_on": 2}
    step = min(3.0, 2000 / count)
    sessions = Session.objects.bulk_create(
        (
            Session(
                series=series,
                patient=series.patient,
                site=clinic.site,
                phase="induction",
                ordinal=1,
                sequence=1,
                **people,
                **blocks(now + (12 + step * number) * HOUR, **short),
            )
            for number, series in enumerate(courses)
        ),
        batch_size=1000,
    )
    SessionEvent.objects.bulk_create(
        (
            SessionEvent(session=session, kind="booked", actor=clinic.site.on_call, at=now - 2200 * HOUR)
            for session in sessions
        ),
        batch_size=1000,
    )


def _somebody(clinic: Clinic, number: int, channel: str) -> Patient:
    who = {"given_name": "Ada", "family_name": f"Due{number}", "birth_date": date(1980, 2, 29)}
    # Nobody shares a number: texts to one go one after another.
    reach = {"phone": f"+1312{next(NUMBERS):07d}", "email": f"due-{number}@example.org"}
    return Patient(site=clinic.site, preferred_channels=[channel], **who, **reach)
