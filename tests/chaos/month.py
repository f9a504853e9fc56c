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
from tests.lives import lived
from tests.month import play

if TYPE_CHECKING:
    from collections.abc import Callable

VISITS, QUICK = 2_000, 40


def main(say: Callable[[str], None], seed: int, *, quick: bool) -> bool:
    """Whether what was said is what the rules read."""
    logging.disable()
    chance, lives, visits = random.Random(seed), [], 0
    while visits < (QUICK if quick else VISITS):
        lives.append(lived(chance))
        visits += sum(event.what == "booked" for event in lives[-1].events)
    began = time.monotonic()
    with Catcher() as catcher, Gateway() as gateway:
        came = play((make_clinic(), make_clinic()), lives, catcher, gateway)
    read = [Clerk(*life) for life in lives]
    happened = Counter(event.what for life in lives for event in life.events)
    say(f"{visits:,} visits of {len(lives):,} patients, {time.monotonic() - began:,.0f} s: {dict(happened)}")
    missing = sum(
        (Counter(wanted.said) - Counter(found.said)).total() for wanted, found in zip(read, came, strict=True)
    )
    surplus = sum(
        (Counter(found.said) - Counter(wanted.said)).total() for wanted, found in zip(read, came, strict=True)
    )
    wrong, tasks = sum(len(found.wrong) for found in came), sum(len(found.tasks) for found in came)
    astray = sum(len(wanted.tasks ^ found.tasks) for wanted, found in zip(read, came, strict=True))
    said = [each for found in came for each in found.said]
    together, things = sum(len(each.what) > 1 for each in said), sum(len(each.what) for each in said)
    ways = dict(Counter(each.channel for each in said))
    say(f"{len(said):,} messages {ways}, {together:,} of several things, {things:,} things in all")
    say(f"missing {missing}, not of the rules or not when they say {surplus}, in other words {wrong}")
    say(f"{tasks:,} check-ins of which nobody answered became tasks, {astray} of them or of others against the rules")
    return not (missing or surplus or wrong or astray)
