"""Messages a second, beside what they cannot do without: the claim loop alone, the provider alone, empty Celery tasks.

The same rows are made due again for every round. One process delivers beside one that only claims and updates, and
beside one that only calls the provider; then a real worker drains what is due, and its memory is looked at.
"""

from __future__ import annotations

import math
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from django.conf import settings
from django.db import connection

import config.celery
from accounts import clock
from benchmarks.common import say, tell
from benchmarks.providers import elsewhere
from notifications import delivery, reconcile, telling
from notifications.lines import Call, Lines
from notifications.models import Message
from tests.factories import make_clinic
from tests.gateway import Gateway
from tests.machinery import Machinery, await_true, book_due

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.common import Servers

CLAIMED = 500
CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT id FROM notifications_message WHERE status = 'due' ORDER BY not_after, id LIMIT %s
       FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE notifications_message m SET status = 'sending', attempts = attempts + 1 FROM picked WHERE m.id = picked.id
RETURNING m.id
"""
FINISH = "UPDATE notifications_message SET status = 'sent', sent_at = now() WHERE id = ANY(%s)"
AGAIN = """
UPDATE notifications_message
   SET status = 'due', attempts = 0, channel = %s, try_at = now() - interval '1 hour', handed_over_at = NULL
"""


def main(servers: Servers, quick: bool) -> None:
    """Measure each way in turn; tell limit, ours and ratio, and whether every message came."""
    count, rounds, heap = (60, 1, 200) if quick else (2_000, 5, 100_000)
    with elsewhere() as providers:
        settings.SMS_URL = providers.sms_url
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", providers.smtp_port
        book_due(make_clinic(), count)
        while reconcile.reconcile(clock.now()):
            pass
        rates = _rates(count, rounds)
        for channel in ("sms", "email"):
            name = {"sms": "HTTP", "email": "SMTP"}[channel]
            tell(f"{name} beside the claim loop alone", "messages a second", *_pair(rates, "claims", channel), "0.5")
            tell(
                f"{name} beside the provider alone",
                "messages a second",
                *_pair(rates, f"only {channel}", channel),
                "0.8",
            )
    with tempfile.TemporaryDirectory() as folder, Gateway() as gateway:
        _worker(Path(folder), gateway, heap)


def _rates(count: int, rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for channel in ("sms", "email"):
            _due_again(channel)
            calls = _calls(channel)
            ways: dict[str, Callable[[], object]]
            ways = {"claims": _claims, channel: _ours, f"only {channel}": partial(_provider, channel, calls)}
            for name, way in ways.items():
                _due_again(channel)
                seconds = _timed(way)
                if number:  # the first round only warms up
                    found.setdefault(name, []).append(count / seconds)
        assert not Message.objects.exclude(status="sent").exclude(status="due").exists(), "one did not come"
    return found


def _pair(rates: dict[str, list[float]], limit: str, ours: str) -> tuple[list[float], list[float]]:
    return rates[limit][: len(rates[ours])], rates[ours]


def _timed(way: Callable[[], object]) -> float:
    begin = time.perf_counter()
    way()
    return time.perf_counter() - begin


def _due_again(channel: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(AGAIN, [channel])
        cursor.execute("VACUUM ANALYZE notifications_message")


def _claims() -> None:
    with connection.cursor() as cursor:
        while True:
            cursor.execute(CLAIM, [CLAIMED])
            ids = [row[0] for row in cursor.fetchall()]
            if not ids:
                return
            cursor.execute(FINISH, [ids])


def _ours() -> None:
    while delivery.send_batch():
        pass


def _calls(channel: str) -> list[Call]:
    """All that is to be said, in its words."""
    tellings = telling.load(list(Message.objects.filter(channel=channel).values_list("id", flat=True))).tellings
    return [Call(key, each.text(), each.address) for key, each in tellings.items()]


def _provider(channel: str, calls: Sequence[Call]) -> None:
    with closing(Lines(channel)) as lines:
        lines.prepare(len(calls))
        assert all(isinstance(outcome, str) for outcome in lines.make(calls, math.inf)), "one was not taken"


def _worker(folder: Path, gateway: Gateway, heap: int) -> None:
    """A worker as it is shipped: empty tasks, then a heap that is due at once; how much memory it took."""
    Message.objects.all().delete()
    machinery = Machinery(folder, SMS_URL=gateway.url, TICK_SECONDS="5", LEASE_SECONDS="30")
    try:
        machinery.start("worker")
        await_true(lambda: " ready." in machinery.log(), machinery.log)
        empty = config.celery.app.tasks["celery.accumulate"]
        tasks = min(heap, 2_000)
        begin = time.perf_counter()
        for number in range(tasks):
            empty.apply_async((number,))
        await_true(lambda: not _queued(), machinery.log, 600)
        empties = tasks / (time.perf_counter() - begin)
        book_due(make_clinic(), heap)
        while reconcile.reconcile(clock.now()):
            pass
        before = len(gateway.accepted)
        machinery.start("beat")
        gateway.wait_for(before + heap // 10, 3600)
        early, begin = _memory(machinery), time.perf_counter()
        gateway.wait_for(before + heap, 7200)
        rate = (heap - heap // 10) / (time.perf_counter() - begin)
        tell("worker beside empty Celery tasks", "a second", [empties], [rate], "none")
        say(f"\n{heap:,} due at once: worker {early:.0f} MB after a tenth, {_memory(machinery):.0f} MB at the end")
    finally:
        machinery.end()


def _queued() -> int:
    with config.celery.app.connection_for_read() as broker:
        return int(broker.default_channel.client.llen("celery"))  # type: ignore[attr-defined]


def _memory(machinery: Machinery) -> float:
    """Resident memory of the worker and its pool, in megabytes."""
    worker = psutil.Process(machinery.parts["worker"].pid)
    return sum(process.memory_info().rss for process in [worker, *worker.children(recursive=True)]) / 1e6
