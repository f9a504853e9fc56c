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
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

import psutil
from django.conf import settings
from django.db import connection

import config.celery
from accounts import clock
from benchmarks.common import say, tell
from benchmarks.providers import elsewhere
from notifications import delivery, lines, reconcile, telling
from notifications.lines import Call, Lines
from notifications.models import Message
from tests.factories import make_clinic
from tests.gateway import Gateway
from tests.machinery import Machinery, await_true, book_due

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from benchmarks.common import Servers
    from notifications.channels import Text

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
UPDATE notifications_message m
   SET status = CASE WHEN number <= %s THEN 'due' ELSE 'sent' END, channel = %s, attempts = 0, handed_over_at = NULL,
       try_at = now() - interval '1 hour'
  FROM (SELECT id, row_number() OVER (ORDER BY id) AS number FROM notifications_message) AS each
 WHERE m.id = each.id
"""
# A carrier that is not on this machine is at least so far away.
FAR_SECONDS = 0.02
# Sessions that one chair takes from now until the last of which a reminder is due already.
CLINIC_TAKES = 10_000


def main(servers: Servers, quick: bool) -> None:
    """Measure each way in turn; tell limit, ours and ratio, and whether every message came."""
    count, rounds, heap = (60, 1, 200) if quick else (2_000, 5, 100_000)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    # Texts go at whatever hour this is measured, as many as there are.
    settings.QUIET_HOURS = ("00:00", "00:00")
    settings.TEXTS_AT_MOST = settings.TEXTS_WITHOUT_CONSENT = {"day": 0, "week": 0}
    with elsewhere() as near, elsewhere(FAR_SECONDS) as far:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", near.smtp_port
        book_due(make_clinic(), count)
        while reconcile.reconcile(clock.now()):
            pass
        cases = [
            Case("HTTP", "sms", near.sms_url, count),
            Case("HTTP 20 ms a call", "sms", far.sms_url, count // 4),
            Case("SMTP", "email", "", count),
        ]
        rates = [_rates(case) for _ in range(rounds + 1) for case in cases][len(cases) :]  # the first only warms up
    silent, claims = [each["silent"] for each in rates], [each["claims"] for each in rates]
    tell("no calls beside the claim loop alone", "messages a second", claims, silent, "0.5")
    for number, case in enumerate(cases):
        found = rates[number :: len(cases)]
        limit, ours = [each["provider"] for each in found], [each["ours"] for each in found]
        tell(f"{case.name} beside the provider alone", "messages a second", limit, ours, "0.8")
    with tempfile.TemporaryDirectory() as folder, Gateway() as gateway:
        _worker(Path(folder), gateway, heap)


class Case(NamedTuple):
    """So many messages by one channel."""

    name: str
    channel: str
    sms_url: str
    size: int


class Silent:
    """A channel that says nothing, at once."""

    keeps_keys = True

    def prepare(self) -> None:
        """Nothing to get ready."""

    def send(self, text: Text, to: str, reference: UUID) -> str:
        """The message's id."""
        return str(reference)

    def close(self) -> None:
        """Nothing to let go of."""


def _rates(case: Case) -> dict[str, float]:
    """Messages a second by each way, one after the other."""
    settings.SMS_URL = case.sms_url
    _due_again(case)
    calls = _calls()
    ways: dict[str, Callable[[], object]]
    ways = {"claims": _claims, "provider": partial(_provider, case.channel, calls), "ours": _ours, "silent": _unsaid}
    found = {}
    for name, way in ways.items():
        _due_again(case)
        begin = time.perf_counter()
        way()
        found[name] = case.size / (time.perf_counter() - begin)
        assert name == "provider" or not Message.objects.filter(status__in=["due", "sending"]).exists(), "one is left"
    return found


def _due_again(case: Case) -> None:
    with connection.cursor() as cursor:
        cursor.execute(AGAIN, [case.size, case.channel])
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


def _unsaid() -> None:
    with patch.object(lines, "open_channel", lambda name: Silent()):
        _ours()


def _calls() -> list[Call]:
    """All that is to be said, in its words."""
    tellings = telling.load(list(Message.objects.filter(status="due").values_list("id", flat=True))).tellings
    return [Call(key, each.text(), each.address) for key, each in tellings.items()]


def _provider(channel: str, calls: Sequence[Call]) -> None:
    with closing(Lines(channel)) as line:
        line.prepare(len(calls))
        assert all(isinstance(outcome, str) for outcome in line.make(calls, math.inf)), "one was not taken"


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
        # As many as one chair takes before its reminders are due, at each of so many clinics.
        for begin in range(0, heap, CLINIC_TAKES):
            book_due(make_clinic(), min(CLINIC_TAKES, heap - begin))
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
