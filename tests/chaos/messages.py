"""`bin/chaos messages`: the fault table of delivery at full scale. Prints what was lost, doubled and too late.

Real workers, a real Valkey; a gateway that keeps keys, then a mail server, which keeps none. Both take some time for a
call, so that most kills come in the middle of one. Faults come from a seed, which is told and can be given again.
First those of `message_faults.py` and `message_parts.py`, then the kills.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from notifications.delivery import WINDOW_WITH_KEYS
from notifications.models import Message
from tests.catcher import Catcher
from tests.chaos import message_faults, message_parts
from tests.emptying import empty_tables
from tests.factories import make_clinic
from tests.gateway import Gateway
from tests.machinery import Machinery, all_done, await_true, book_due, statuses

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS = ("worker", "worker-2")
PATIENCE = 3600.0
CALL_SECONDS = 0.02
# A worker that is killed takes both of its processes with it.
PROCESSES = 2


def main(say: Callable[[str], None], seed: int, *, quick: bool) -> bool:
    """Whether everything held."""
    chance = random.Random(seed)
    sizes = [(300, 10), (100, 6)] if quick else [(10_000, 200), (2_000, 40)]
    held = [message_faults.all_in_turn(say, chance, empty_tables, quick=quick)]
    with tempfile.TemporaryDirectory() as folder:
        held.append(message_parts.all_in_turn(say, Path(folder), empty_tables, quick=quick))
    for way, (count, kills) in zip((_with_keys, _without_keys), sizes, strict=True):
        with tempfile.TemporaryDirectory() as folder:
            held.append(way(say, Path(folder), count, kills, chance))
        empty_tables()
    return all(held)


def _with_keys(say: Callable[[str], None], folder: Path, count: int, kills: int, chance: random.Random) -> bool:
    with Gateway() as gateway:
        gateway.pause = CALL_SECONDS
        machinery = Machinery(folder, SMS_URL=gateway.url)
        seconds = _live_through(machinery, "sms", gateway.wait_for, count, kills, chance)
    rows = {str(row.id): row for row in Message.objects.all()}
    lost = [key for key, row in rows.items() if row.status == "sent" and key not in gateway.accepted]
    unsaid = count - len(gateway.accepted)
    late = [key for key, at in gateway.accepted.items() if at > rows[key].not_after.timestamp()]
    strangers = gateway.accepted.keys() - rows.keys()
    said = {(row.session_id, row.kind, row.speaks_of) for key, row in rows.items() if key in gateway.accepted}
    doubled = len(gateway.accepted) - len(said)
    again = gateway.calls.total() - len(gateway.accepted)
    at_most = machinery.kills * PROCESSES * WINDOW_WITH_KEYS * settings.SENDING_AT_ONCE
    say(f"HTTP, keeps keys: {count:,} messages, {machinery.kills} kills, {seconds:,.0f} s")
    say(f"lost {unsaid + len(lost)}, doubled in effect {doubled} of {len(gateway.accepted):,}")
    say(f"brought again and dropped by its key: {again} (bound {at_most:,}: what is under way at a kill, ADR 21)")
    say(f"after not_after {len(late)}, of nobody {len(strangers)}, rows {dict(statuses())}")
    return not (unsaid or lost or doubled or late or strangers) and again <= at_most and set(statuses()) == {"sent"}


def _without_keys(say: Callable[[str], None], folder: Path, count: int, kills: int, chance: random.Random) -> bool:
    with Catcher() as catcher:
        catcher.pause = CALL_SECONDS
        machinery = Machinery(folder, EMAIL_URL=catcher.url)
        seconds = _live_through(machinery, "email", catcher.wait_for_some, count, kills, chance)
        came = Counter(str(mail.message["Message-ID"]) for mail in catcher.mails)
        at = {str(mail.message["Message-ID"]): mail.at for mail in catcher.mails}
    rows = {f"<{row.id}@localhost.localdomain>": row for row in Message.objects.all()}
    lost = [name for name, row in rows.items() if row.status == "sent" and name not in came]
    doubled = sum(came.values()) - len(came)
    unknown = [name for name, row in rows.items() if row.status == "unknown"]
    at_most = machinery.kills * PROCESSES * settings.SENDING_AT_ONCE
    say(f"SMTP, keeps none: {count:,} messages, {machinery.kills} kills, {seconds:,.0f} s")
    strangers = came.keys() - rows.keys()
    late = [name for name in came.keys() & rows.keys() if at[name] > rows[name].not_after.timestamp()]
    say(f"lost without a word {len(lost)}, doubled {doubled} of {len(came):,}, of nobody {len(strangers)}")
    say(f"after not_after {len(late)}")
    arrived = sum(name in came for name in unknown)
    say(f"unknown {len(unknown)} (bound {at_most}: what is under way at a kill, ADR 21), of which {arrived} arrived")
    say(f"rows {dict(statuses())}")
    known = set(statuses()) <= {"sent", "unknown"}
    return not (lost or doubled or strangers or late) and known and len(unknown) <= at_most


def _live_through(
    machinery: Machinery,
    channel: str,
    wait_for: Callable[[int, float], object],
    count: int,
    kills: int,
    chance: random.Random,
) -> float:
    """Send so many while so many processes are killed; the seconds that it took."""
    book_due(make_clinic(), count, channel)
    began = time.monotonic()
    try:
        machinery.start(*WORKERS, "beat", "clock")
        for number in range(kills):
            # Spread over the work, less the few that may end as unknown: the next one comes once its share has.
            wait_for(count * 9 // 10 * number // kills + 1, PATIENCE)
            _strike(machinery, chance)
        machinery.revive(*WORKERS)
        await_true(lambda: all_done(count), lambda: f"{statuses()}\n{machinery.log()}", PATIENCE)
    finally:
        machinery.end()
    return time.monotonic() - began


def _strike(machinery: Machinery, chance: random.Random) -> None:
    if chance.random() < 0.15:
        name = chance.choice([*WORKERS, "clock", "beat"])
        machinery.kill(name)
        machinery.start(name)
    else:
        await_true(lambda: _kill_one(machinery, chance), machinery.log, PATIENCE)


def _kill_one(machinery: Machinery, chance: random.Random) -> bool:
    machinery.revive(*WORKERS)
    return machinery.kill_a_child(chance.choice(WORKERS))
