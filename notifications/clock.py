"""The second clock: a process of its own that does what a tick does, whether or not broker, beat and workers live.

Any number of copies may run; the one that holds the advisory lock works, the others wait to take over. It alone would
be enough: it compares, frees, escalates and sends by itself. What is urgent it sends within a second or two, so that a
red flag waits behind no reminder, however many there are. Reminders it leaves to the workers while these keep up.
"""

from __future__ import annotations

import logging
import signal
import time
from threading import Event

from django.conf import settings
from django.db import DatabaseError, connection

from notifications import delivery, tasks

logger = logging.getLogger(__name__)

LOCK = 0x696E6675
PAUSE_SECONDS = 1.0
# How late the oldest row may be before the clock takes it that the workers do not keep up, and sends itself.
HELPS_AFTER_SECONDS = 15.0
HELPS_FOR_SECONDS = 5.0
TICK_EVERY = 5


def run(stop: Event, pause: float = PAUSE_SECONDS) -> None:
    """Until asked to stop. A fault of the database costs a pause, never the clock."""
    turn = 0
    while not stop.is_set():
        try:
            if _mine():
                tasks.beat(tasks.CLOCK)
                once(full=turn % TICK_EVERY == 0)
                turn += 1
        except DatabaseError as error:
            logger.warning("the clock missed a turn: %s", type(error).__name__)
            connection.close()
        stop.wait(pause)
    connection.close()


def once(*, full: bool) -> None:
    """One turn: urgent rows, and what the workers have left lying; with `full` also all that a tick compares."""
    delivery.send_urgent()
    if full:
        tasks.compare()
    until = time.monotonic() + HELPS_FOR_SECONDS
    # Each batch looks for urgent rows first.
    while delivery.oldest_waiting_seconds() > HELPS_AFTER_SECONDS and time.monotonic() < until:
        if not delivery.send_batch():
            return


def _mine() -> bool:
    """Whether this process has the turn: the lock goes with its connection, so it ends with the process."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def main() -> None:
    """For the command `clock`: until SIGTERM or SIGINT."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logger.info("the clock runs every %s s", settings.CLOCK_SECONDS)
    run(stop, settings.CLOCK_SECONDS)
