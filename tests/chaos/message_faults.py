"""The faults of delivery beside the kills of `messages.py`, at the scale of the table that they are named in.

Each tells what it did and what came of it, and says whether it held. Texts go to a gateway that keeps keys.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from django.conf import settings
from django.db import connection
from django.db.models import F

from accounts import clock
from notifications import clock as second_clock
from notifications import delivery, lines, marking, reconcile, tasks, telling
from notifications.models import Message, MessagePlan
from tests.catcher import Catcher
from tests.dying import child, died, leases_run_out, send_in_dying_processes
from tests.factories import make_clinic, make_patient
from tests.fast_clock import fast_clock
from tests.gateway import DROPPED, TAKEN, Gateway
from tests.machinery import book_due, statuses
from tests.notifications.test_faults import cancel_beside_sending
from tests.notifications.visits import HOUR, book, move, protocol_with

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.factories import Clinic

    Say = Callable[[str], None]

MINUTE = timedelta(minutes=1)
AFTER = [(telling, "load"), (marking, "mark_all"), (lines.Lines, "make"), (delivery, "_finish")]


def all_in_turn(say: Say, chance: random.Random, empty: Callable[[], None], *, quick: bool) -> bool:
    """Each of them on empty tables; whether all held. `quick` is a hundredth of each."""
    # What a provider refuses is told in the log, a thousand times here.
    logging.disable(logging.WARNING)
    settings.QUIET_HOURS = ("00:00", "00:00")
    settings.TEXTS_AT_MOST = settings.TEXTS_WITHOUT_CONSENT = {"day": 0, "week": 0}
    part = 50 if quick else 1
    faults: list[Callable[[Say, Gateway, random.Random, int], bool]]
    faults = [_f3, _f7, _f8, _f9, _f10, _f10_mail, _f11, _f12, _f13, _f14, _f15]
    held = []
    for fault in faults:
        began = time.monotonic()
        with Gateway() as gateway:
            settings.SMS_URL = gateway.url
            held.append(fault(say, gateway, chance, part))
        say(f"   {'held' if held[-1] else 'DID NOT HOLD'}, {time.monotonic() - began:,.0f} s, rows {dict(statuses())}")
        empty()
    return all(held)


def _due(count: int, channel: str = "sms") -> Clinic:
    clinic = make_clinic()
    book_due(clinic, count, channel)
    while reconcile.reconcile(clock.now()):
        pass
    return clinic


def _each_once(gateway: Gateway, count: int) -> bool:
    """Whether so many were sent, each taken once by the gateway, and nothing else."""
    keys = {str(key) for key in Message.objects.filter(status="sent").values_list("id", flat=True)}
    return statuses() == {"sent": count} and keys == gateway.accepted.keys()


def _deliver() -> None:
    while delivery.send_batch():
        pass


def _f3(say: Say, gateway: Gateway, chance: random.Random, part: int) -> bool:
    stops = 500 // part
    _due(5 * stops)

    def work(seconds: float) -> None:
        def stop(*_: object) -> None:
            raise SystemExit

        # As Celery's cold shutdown does, in the middle of whatever runs; most of the time it is the claim's commit.
        connection.ensure_connection()
        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            for _ in range(3):
                delivery.carry(delivery.claim(5))
        except SystemExit:
            pass

    for _ in range(stops):
        seconds = chance.uniform(0.0005, 0.03)
        died(child(lambda: work(seconds)))  # noqa: B023
        leases_run_out()
    _deliver()
    again = Message.objects.filter(attempts__gt=1).count()
    say(f"F3: {stops} processes stopped about their claim's commit, which held {again} messages")
    return _each_once(gateway, 5 * stops)


def _f7(say: Say, gateway: Gateway, chance: random.Random, part: int) -> bool:
    ticks, count = 1_000 // part, 2_000 // part
    _due(count)

    def tick(_: int) -> None:
        try:
            for _ in range(ticks):
                tasks.beat()
                second_clock.once(full=True)
                delivery.send_batch(7)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(tick, range(3)))
    _deliver()
    say(f"F7: {ticks} ticks by each of three clocks at once, {count} messages, {gateway.calls.total()} calls")
    return _each_once(gateway, count) and gateway.calls.total() == count


def _f8(say: Say, gateway: Gateway, chance: random.Random, part: int) -> bool:
    count = 1_000 // part
    _due(count)
    with ThreadPoolExecutor(5) as threads:
        for _ in range(count):
            list(threads.map(lambda _: delivery.send_batch(1), range(5)))
        list(threads.map(lambda _: connection.close(), range(5)))
    say(f"F8: {count} messages asked for five times at once, {gateway.calls.total()} calls")
    return _each_once(gateway, count) and gateway.calls.total() == count


def _f9(say: Say, gateway: Gateway, chance: random.Random, part: int) -> bool:
    """Stopped after the claim, after the reading, the mark, in the call, after it, after the outcome was written."""
    stops, count = max(1, 50 // part), 0

    def sleep() -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    for point in range(6):
        for _ in range(stops):
            _due(2)
            count += 2

            def work(point: int = point) -> None:
                if point == 0:
                    claimed = delivery.claim()
                    sleep()
                    delivery.carry(claimed)
                elif point == 5:
                    with patch.object(lines, "_made", _asleep(lines._made)):
                        delivery.send_batch()
                else:
                    where, name = AFTER[point - 1]
                    with patch.object(where, name, _asleep(getattr(where, name))):
                        delivery.send_batch()

            sleeper = child(work)
            assert os.WIFSTOPPED(os.waitpid(sleeper, os.WUNTRACED)[1]), "it slept"
            leases_run_out()
            _deliver()
            os.kill(sleeper, signal.SIGCONT)
            died(sleeper)
    say(
        f"F9: {count // 2} workers asleep past their lease at six points, {gateway.calls.total() - count} brought again"
    )
    return _each_once(gateway, count)


def _asleep(call: Callable[..., Any]) -> Callable[..., Any]:
    """The same, and then, the first time, asleep until woken."""
    first = iter([True])

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        found = call(*args, **kwargs)
        if next(first, False):
            os.kill(os.getpid(), signal.SIGSTOP)
        return found

    return wrapped


def _f10(say: Say, gateway: Gateway, chance: random.Random, part: int) -> bool:
    count = 2_000 // part
    _due(count)
    dropped = {str(key) for key in Message.objects.order_by("id").values_list("id", flat=True)[: count // 5]}
    gateway.reply = lambda key, text: DROPPED if key in dropped and gateway.calls[key] == 1 else TAKEN
    while Message.objects.filter(status="due").exists():
        _deliver()
        Message.objects.filter(status="due").update(try_at=clock.now() - HOUR)
    say(f"F10: {count} calls, {len(dropped)} taken without a word, {gateway.calls.total() - count} brought again")
    return _each_once(gateway, count)


def _f10_mail(say: Say, gateway: Gateway, chance: random.Random, part: int) -> bool:
    count = 2_000 // part
    with Catcher() as catcher:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", catcher.port
        _due(count, "email")
        catcher.drops = lambda mail: len(catcher.mails) % 5 == 0
        _deliver()
        Message.objects.filter(status="due").update(try_at=clock.now() - HOUR)
        catcher.drops = lambda mail: False
        _deliver()
        came = Counter(mail.to for mail in catcher.mails)
    found = statuses()
    say(f"F10 by mail: {count} mails, {found['unknown']} taken without a word and unknown, none of them again")
    return (
        max(came.values()) == 1 and len(came) == count and found.total() == count and set(found) == {"sent", "unknown"}
    )


def _f11(say: Say, gateway: Gateway, chance: random.Random, part: int) -> bool:
    count = 500 // part
    _due(count)
    now, late = clock.now(), Message.objects.order_by("id").values_list("id", flat=True)[: count // 2]
    Message.objects.filter(id__in=list(late)).update(not_after=now + HOUR)
    gateway.retry_after = "300"
    with fast_clock() as fast:
        gateway.reply = lambda key, text: chance.choice([429, 500, 503]) if fast.now < now + 2 * HOUR else TAKEN
        fast.set(now)
        while due := Message.objects.filter(status="due").order_by("try_at").values_list("try_at", flat=True).first():
            fast.set(max(fast.now, due) + timedelta(seconds=1))
            delivery.expire()
            _deliver()
        most = max(Message.objects.values_list("attempts", flat=True))
    found = statuses()
    say(f"F11: a provider that refused for two hours, {len(late)} of {count} with an hour to go, {most} tries at most")
    return set(gateway.accepted).isdisjoint(map(str, late)) and len(gateway.accepted) == found["sent"] and most <= 8


def _f12(say: Say, gateway: Gateway, chance: random.Random, part: int) -> bool:
    count, bad = 5_000 // part, max(1, 50 // part)
    _due(count)
    keys = list(Message.objects.values_list("id", flat=True))
    deadly = set(chance.sample(keys, bad))
    deaths = send_in_dying_processes(deadly)
    failed = set(Message.objects.filter(status="failed").values_list("id", flat=True))
    say(f"F12: {bad} messages among {count} that killed {deaths} workers, {len(failed - deadly)} others given up")
    return failed == deadly and len(gateway.accepted) == statuses()["sent"] == count - bad


def _f13(say: Say, gateway: Gateway, chance: random.Random, part: int) -> bool:
    count, held = 5_000 // part, True
    for hours in (6, 48):
        _due(count)
        now, gateway.accepted = clock.now(), {}
        stale = {str(key) for key in Message.objects.filter(status="due").values_list("id", flat=True)[: count // 3]}
        Message.objects.filter(status="due").update(
            due_at=now - (hours + 1) * HOUR, try_at=now - (hours + 1) * HOUR, not_after=F("speaks_of")
        )
        Message.objects.filter(id__in=stale).update(not_after=now - MINUTE)
        began = time.monotonic()
        delivery.expire()
        _deliver()
        took, soonest = time.monotonic() - began, Message.objects.filter(status="sent").order_by("not_after", "id")
        order = {str(key): place for place, key in enumerate(soonest.values_list("id", flat=True))}
        astray = max(abs(order[key] - place) for place, key in enumerate(gateway.accepted))
        reasons = set(Message.objects.filter(status="skipped").values_list("reason", flat=True))
        held &= (
            gateway.accepted.keys().isdisjoint(stale) and len(order) == count - len(stale) and reasons == {"expired"}
        )
        held &= astray < delivery.BATCH
        say(f"F13: {count} after {hours} h of standstill, {len(stale)} stale and not sent, the rest in {took:,.0f} s")
        Message.objects.all().delete()
    return held


def _f14(say: Say, gateway: Gateway, chance: random.Random, part: int) -> bool:
    trials = 1_000 // part
    clinic = make_clinic()
    MessagePlan.objects.filter(site=clinic.site).update(cancellations=True)
    protocol = protocol_with(clinic, [{"hours_before": 2160, "channels": ["sms"]}], [])
    outcomes: Counter[tuple[str, ...]] = Counter()
    for number in range(trials):
        now = clock.now()
        patient = make_patient(clinic.site, phone=f"+1312{5550000 + number:07d}", preferred_channels=["sms"])
        session = book(clinic, now + (4 + 2 * number) * HOUR, now - 2200 * HOUR, protocol, patient)
        reconcile.reconcile(now)
        cancel_beside_sending(clinic, session, chance.uniform(-0.05, 0.05))
        while reconcile.reconcile(clock.now()):
            pass
        _deliver()
        rows = Message.objects.filter(session=session).order_by("kind")
        outcomes[tuple(row.kind for row in rows if str(row.id) in gateway.accepted)] += 1
    say(f"F14: {trials} cancelled beside the hand-over: {dict(outcomes)}")
    return set(outcomes) <= {(), ("cancellation", "reminder_2160h")}


def _f15(say: Say, gateway: Gateway, chance: random.Random, part: int) -> bool:
    count = 500 // part
    clinic = make_clinic()
    MessagePlan.objects.filter(site=clinic.site).update(receipts=False, changes=False)
    protocol, now = protocol_with(clinic, [{"hours_before": 2000, "channels": ["sms"]}], []), clock.now()
    sessions = []
    for number in range(count):
        patient = make_patient(clinic.site, phone=f"+1312{5550000 + number:07d}", preferred_channels=["sms"])
        sessions.append(book(clinic, now + (4 + 3 * number) * HOUR, now - MINUTE, protocol, patient))
    for turn in range(5):
        for number in chance.sample(range(count), count):
            move(clinic, sessions[number], now + (4 + 3 * (number + (turn + 1) * count)) * HOUR, now - MINUTE)
        while reconcile.reconcile(clock.now()):
            pass
    live = Message.objects.exclude(status="skipped")
    of_the_last = live.filter(speaks_of=F("session__start")).count()
    say(f"F15: {count} moved five times, {live.count()} reminders live, {of_the_last} of them of the last start")
    return live.count() == of_the_last == count
