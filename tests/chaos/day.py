"""`bin/chaos day`: 60 visits in 20 chairs played over HTTP on `bin/run`, web and worker killed again and again."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from tests.day_played import Day
from tests.day_world import make_world

if TYPE_CHECKING:
    from collections.abc import Callable

CHAIRS, WAVES, CUTS, CHECKS, STAFF = 20, 3, 5, 30, 8
QUICK_CHAIRS, QUICK_WAVES = 6, 2


def main(say: Callable[[str], None], seed: int, *, quick: bool) -> bool:
    """Whether the board was right at every check, nothing was lost and nothing done twice."""
    chairs, waves = (QUICK_CHAIRS, QUICK_WAVES) if quick else (CHAIRS, WAVES)
    world = make_world(chairs, waves, Random(seed))
    with tempfile.TemporaryDirectory() as folder:
        day = Day(world, Path(folder))
        try:
            day.service.wait_until_ready()
            began = time.monotonic()
            day.play(STAFF, 1 if quick else CUTS, 4 if quick else CHECKS)
            seconds = time.monotonic() - began
            wrong = day.wrong + day.doubled_or_lost()
        finally:
            day.service.stop()
    kinds = Counter(visit.kind for visit in world.visits)
    say(f"{len(world.visits)} visits in {chairs} chairs, {world.steps:,} steps of {STAFF} people, {seconds:,.0f} s")
    say(f"web and worker killed {day.cuts} times, asked again {day.again} times, board looked at {day.checks} times")
    say(", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items())))
    for each in wrong[:50]:
        say(each)
    return not wrong
