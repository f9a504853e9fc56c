"""`bin/chaos messages`: the fault table of delivery at full scale. Prints what was lost, doubled and too late.

Real workers, a real Valkey, a gateway that keeps keys. Faults come from a seed, which is told and can be given again.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from notifications.models import Message
from tests.factories import make_clinic
from tests.gateway import Gateway
from tests.machinery import Machinery, all_done, await_true, book_due, statuses

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS = ("worker", "worker-2")
PATIENCE = 3600.0


def main(say: Callable[[str], None], seed: int, *, quick: bool) -> bool:
    """Whether everything held."""
    count, kills = (300, 10) if quick else (10_000, 200)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, Gateway() as gateway:
        machinery = Machinery(Path(folder), SMS_URL=gateway.url)
        try:
            began = time.monotonic()
            _live_through(machinery, gateway, count, kills, chance)
            return _told(say, machinery, gateway, count, time.monotonic() - began)
        finally:
            machinery.end()


def _live_through(machinery: Machinery, gateway: Gateway, count: int, kills: int, chance: random.Random) -> None:
    book_due(make_clinic(), count)
    machinery.start(*WORKERS, "beat", "clock")
    for number in range(kills):
        # Spread over the whole of the work: the next one comes once its share of messages has.
        gateway.wait_for(min(count - 1, count * number // kills + 1), PATIENCE)
        kind = chance.random()
        if kind < 0.15:
            name = chance.choice([*WORKERS, "clock", "beat"])
            machinery.kill(name)
            machinery.start(name)
        else:
            await_true(lambda: machinery.kill_a_child(chance.choice(WORKERS)), machinery.log, PATIENCE)
    await_true(lambda: all_done(count), lambda: f"{statuses()}\n{machinery.log()}", PATIENCE)


def _told(say: Callable[[str], None], machinery: Machinery, gateway: Gateway, count: int, seconds: float) -> bool:
    rows = {str(row.id): row for row in Message.objects.all()}
    lost = [key for key, row in rows.items() if row.status == "sent" and key not in gateway.accepted]
    unsaid = count - len(gateway.accepted)
    late = [key for key, at in gateway.accepted.items() if at > rows[key].not_after.timestamp()]
    strangers = gateway.accepted.keys() - rows.keys()
    said = {(row.session_id, row.kind, row.speaks_of) for key, row in rows.items() if key in gateway.accepted}
    doubled = len(gateway.accepted) - len(said)
    repeats = gateway.calls.total() - len(gateway.accepted)
    say(f"{count:,} messages, {machinery.kills} kills, {seconds:,.0f} s ({count / seconds:,.0f} a second)")
    say(f"lost {unsaid + len(lost)}, doubled in effect {doubled} of {len(gateway.accepted):,}")
    say(f"brought again and dropped by its key: {repeats} (at most 16 for a kill: ADR 21)")
    say(f"after not_after {len(late)}, of nobody {len(strangers)}, rows {dict(statuses())}")
    return not (unsaid or lost or doubled or late or strangers) and set(statuses()) == {"sent"}
