"""What the worker is asked to do. Tasks carry no arguments: what is to be done is in the rows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from celery import shared_task
from django.conf import settings
from django.db import connection

from accounts import clock, sign_in_links
from notifications import alerts, delivery, follow_ups, missing, offers, reconcile, sign_in_mail, staff_mail

if TYPE_CHECKING:
    from datetime import datetime

BEAT: Final = "beat"
CLOCK: Final = "clock"
SWEEP: Final = "sweep"
MISSING: Final = "missing"
MISSING_SECONDS: Final = 60
# As many senders as the worker has processes, and none longer than to the next tick: a tick that finds no free process
# expires, and then nobody would know that the clock still goes. Whoever runs more processes raises this.
SENDERS: Final = 2
SEND_SHARE_OF_TICK: Final = 0.8

BEAT_NOW = """
INSERT INTO notifications_heartbeat (name, at) VALUES (%s, now()) ON CONFLICT (name) DO UPDATE SET at = now()
"""

# One of several ticks at once gets the row, and with it the turn.
TURN = """
INSERT INTO notifications_heartbeat AS h (name, at) VALUES (%s, now())
ON CONFLICT (name) DO UPDATE SET at = now() WHERE h.at < now() - %s * interval '1 second'
"""


@shared_task(name="notifications.tick")
def tick() -> None:
    """What is due by the clock, and then senders for what is to be said.

    Any number of ticks may run at once. Nothing is lost by one that does not run.
    """
    beat()
    compare()
    call_senders()


def compare() -> None:
    """Compare what should be said with what was, free what dead workers held, pass on what nobody has owned."""
    now = database_now()
    alerts.escalate(now)
    while reconcile.reconcile(now) == reconcile.BATCH:
        pass
    offers.reconcile(now)
    delivery.reap()
    delivery.expire()
    if _turn(MISSING, MISSING_SECONDS):
        missing.raise_tasks(now)
    if _turn(SWEEP, settings.SWEEP_SECONDS):
        sign_in_links.forget(now)
        reconcile.sweep(now)
        follow_ups.forget_drafts(now)


def call_senders() -> None:
    """Ask for as many senders as what is due now keeps busy, within what the worker has; a lost call costs a tick."""
    for _ in range(-(-delivery.waiting(SENDERS * delivery.BATCH) // delivery.BATCH)):
        send.apply_async(expires=settings.TICK_SECONDS)
    now = database_now()
    if sign_in_mail.waiting(now) or staff_mail.waiting(now):
        send_sign_in_links.apply_async(expires=settings.TICK_SECONDS)


@shared_task(name="notifications.send_sign_in_links")
def send_sign_in_links() -> None:
    """Send the links that people wait for to sign in, and what staff are told of how they do."""
    sign_in_mail.send_due(clock.now())
    staff_mail.send_due(clock.now())


@shared_task(name="notifications.send")
def send() -> None:
    """Send what is due, batch after batch, until nothing is or the next tick is near."""
    until = time.monotonic() + settings.TICK_SECONDS * SEND_SHARE_OF_TICK
    while delivery.send_batch() and time.monotonic() < until:
        pass


def beat(name: str = BEAT) -> None:
    """Note that a clock, and whoever carries out its ticks, lives."""
    with connection.cursor() as cursor:
        cursor.execute(BEAT_NOW, [name])


def database_now() -> datetime:
    """The one clock by which things fall due."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        at: datetime = cursor.fetchone()[0]
    return at


def _turn(name: str, seconds: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(TURN, [name, seconds])
        return cursor.rowcount == 1
