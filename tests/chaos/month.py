"""`bin/chaos month`: 2,000 visits that are booked, moved, cancelled, missed and lived through over a change of clocks.

What the service brought to a mail server and to a carrier is held against what a clerk reads from the rules, message by
message: what it says of which visits, by which way, in which words, and when. Patients have wishes of their own:
languages, zones, quiet hours, texts with and without consent; some stop them, some answer what they are asked.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.catcher import Catcher
from tests.clerk import Clerk
from tests.factories import make_clinic
from tests.gateway import Gateway
from tests.lives import Life, lived
from tests.month import play

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.month import Came

VISITS, QUICK = 2_000, 40
# Of so many patients of whom the two tell different things it is said what.
SHOWN = 5


def main(say: Callable[[str], None], seed: int, *, quick: bool) -> bool:
    """Whether what was said is what the rules read."""
    logging.disable()
    chance, lives, visits = random.Random(seed), list[Life](), 0
    while visits < (QUICK if quick else VISITS):
        lives.append(lived(chance))
        visits += sum(event.what == "booked" for event in lives[-1].events)
    began = time.monotonic()
    with Catcher() as catcher, Gateway() as gateway:
        came = play((make_clinic(), make_clinic()), lives, catcher, gateway)
    happened = Counter(event.what for life in lives for event in life.events)
    say(f"{visits:,} visits of {len(lives):,} patients, {time.monotonic() - began:,.0f} s: {dict(happened)}")
    said = [each for found in came for each in found.said]
    ways = dict(Counter(each.channel for each in said))
    together, things = sum(len(each.what) > 1 for each in said), sum(len(each.what) for each in said)
    say(f"{len(said):,} messages {ways}, {together:,} of several things, {things:,} things in all")
    say(f"{sum(len(found.tasks) for found in came):,} check-ins of which nobody answered became tasks")
    return _is_as_read(say, lives, came)


def _is_as_read(say: Callable[[str], None], lives: Sequence[Life], came: Sequence[Came]) -> bool:
    faults: Counter[str] = Counter()
    for life, found in zip(lives, came, strict=True):
        read = Clerk(*life)
        missing = Counter(read.said) - Counter(found.said)
        surplus = Counter(found.said) - Counter(read.said)
        tasks = read.tasks ^ found.tasks
        if (missing or surplus or tasks or found.wrong) and faults["patients"] < SHOWN:
            say(
                f"{life}\n  did not come: {list(missing)}\n  is not read: {list(surplus)}, tasks {tasks}, {found.wrong}"
            )
        faults["missing"] += missing.total()
        faults["surplus"] += surplus.total()
        faults["in other words"] += len(found.wrong)
        faults["tasks against the rules"] += len(tasks)
        faults["patients"] += bool(missing or surplus or tasks or found.wrong)
    say(", ".join(f"{name} {count}" for name, count in faults.items()))
    return not faults.total()
