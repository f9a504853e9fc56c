"""The parts of the service restarted, lost and frozen while messages fall due: F3 to F6 of the fault table, at length.

Real workers, beat and second clock, with a Valkey of their own, which is killed and frozen. Texts go to a gateway that
keeps keys, so that whoever was told can be counted.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from django.test import Client, override_settings

from config.embedded import Valkey
from notifications.models import Message
from tests.factories import make_clinic
from tests.gateway import Gateway
from tests.machinery import Machinery, all_done, await_true, book_due, statuses

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Say = Callable[[str], None]

PATIENCE = 1800.0
CALL_SECONDS = 0.02


def all_in_turn(say: Say, folder: Path, empty: Callable[[], None], *, quick: bool) -> bool:
    """Each of them on empty tables; whether all held. `quick` is a small part of each."""
    held = []
    for fault in (_restarted, _without_broker, _frozen_broker, _without_beat):
        valkey = Valkey(folder, fast=True)
        with Gateway() as gateway:
            gateway.pause = CALL_SECONDS
            machinery = Machinery(folder, SMS_URL=gateway.url, REDIS_URL=valkey.start())
            try:
                held.append(fault(say, machinery, gateway, valkey, 10 if quick else 1))
            finally:
                machinery.end()
                valkey.stop()
        say(f"   {'held' if held[-1] else 'DID NOT HOLD'}, rows {dict(statuses())}")
        empty()
    return all(held)


def _restarted(say: Say, machinery: Machinery, gateway: Gateway, valkey: Valkey, part: int) -> bool:
    """F3: one worker after the other is asked to end, and started again, while fifty fall due at each."""
    restarts, count = 30 // part, 0
    machinery.start("worker", "worker-2", "beat", "clock")
    for number in range(restarts):
        book_due(make_clinic(), 50)
        count += 50
        name = ("worker", "worker-2")[number % 2]
        await_true(lambda name=name: machinery.takes_work(name), machinery.log, PATIENCE)  # type: ignore[misc]
        machinery.kill(name, signal.SIGTERM)
        machinery.parts[name].wait(60)
        machinery.start(name)
    delays = _delays(gateway, count, machinery)
    say(f"F3: {restarts} restarts, {count} messages, {gateway.calls.total() - count} brought again; {_told(delays)}")
    return _each_once(gateway, count)


def _without_broker(say: Say, machinery: Machinery, gateway: Gateway, valkey: Valkey, part: int) -> bool:
    """F4: the broker forgets all that it has and is gone; what falls due meanwhile is said by the clock."""
    count = 1_000 // part
    machinery.start("worker", "beat", "clock")
    book_due(make_clinic(), count)
    gateway.wait_for(count // 10, PATIENCE)
    assert valkey.process is not None
    valkey.process.kill()
    valkey.process.wait(20)
    began = time.monotonic()
    book_due(make_clinic(), count)
    _delays(gateway, 2 * count, machinery)
    gone = time.monotonic() - began
    valkey.start()
    book_due(make_clinic(), count)
    delays = _delays(gateway, 3 * count, machinery)
    say(f"F4: {count} on their way and {count} due without a broker, all said in {gone:,.0f} s of its absence;")
    say(f"    {count} after its return; {_told(delays)}")
    return _each_once(gateway, 3 * count)


def _frozen_broker(say: Say, machinery: Machinery, gateway: Gateway, valkey: Valkey, part: int) -> bool:
    """F5: the broker takes connections and answers nothing, ten times, until what is due has been said all the same."""
    freezes, count = 10 // min(part, 5), 100
    machinery.start("worker", "beat", "clock")
    assert valkey.process is not None
    for number in range(freezes):
        valkey.process.send_signal(signal.SIGSTOP)
        book_due(make_clinic(), count)
        _delays(gateway, (number + 1) * count, machinery)
        valkey.process.send_signal(signal.SIGCONT)
    machinery.kill("clock")
    book_due(make_clinic(), count)
    delays = _delays(gateway, (freezes + 1) * count, machinery)
    say(f"F5: frozen {freezes} times; afterwards the workers alone say what is due again; {_told(delays)}")
    return _each_once(gateway, (freezes + 1) * count)


def _without_beat(say: Say, machinery: Machinery, gateway: Gateway, valkey: Valkey, part: int) -> bool:
    """F6: nobody beats; the clock does what a tick does, and whoever watches is told."""
    count = 1_000 // part
    machinery.start("worker", "clock")
    book_due(make_clinic(), count)
    delays = _delays(gateway, count, machinery)
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        told = Client().get("/healthz/ready").json()["checks"]["beat"]
    say(f"F6: no beat, {count} messages; {_told(delays)}; /healthz/ready says of it: {told}")
    return _each_once(gateway, count) and told != "ok"


def _delays(gateway: Gateway, count: int, machinery: Machinery) -> list[float]:
    """Once so many were said: how long each waited since it was written, in seconds, in order."""
    gateway.wait_for(count, PATIENCE)
    await_true(lambda: all_done(count), lambda: f"{statuses()}\n{machinery.log()}", PATIENCE)
    written = {str(key): at.timestamp() for key, at in Message.objects.values_list("id", "created_at")}
    return sorted(at - written[key] for key, at in gateway.accepted.items() if key in written)


def _told(delays: list[float]) -> str:
    half, most = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
    return f"waited p50 {half:,.1f} s, p99 {most:,.1f} s, at most {delays[-1]:,.1f} s"


def _each_once(gateway: Gateway, count: int) -> bool:
    keys = {str(key) for key in Message.objects.filter(status="sent").values_list("id", flat=True)}
    if statuses() != {"sent": count} or keys != gateway.accepted.keys():
        return False
    windows = Message.objects.values_list("id", "not_after")
    return all(gateway.accepted[str(key)] <= until.timestamp() for key, until in windows)
