"""Thousands of small clinics: is the plan the optimum, is a start feasible where an assignment exists? Needs no server.

The cases of a run are numbered from its seed on; one that fails is told by its own seed, which runs it first again.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from scheduler import assignment
from scheduler.day import Placement, place, starts
from scheduler.slots import bits
from tests.scheduler import clinic
from tests.scheduler.test_assignment import check_laid
from tests.scheduler.test_solver import compare, compare_days

if TYPE_CHECKING:
    from collections.abc import Callable

CASES, QUICK = 5_000, 20


def main(say: Callable[[str], None], seed: int, quick: bool = False) -> bool:
    """Whether all cases held. Says how many, and the deepest search that any needed."""
    cases, planned, feasible, failed = QUICK if quick else CASES, 0, 0, 0
    deepest = _watch()
    for number in range(seed, seed + cases):
        try:
            planned += compare(number) is not None
            compare_days(number)
            feasible += _day(number)
        except AssertionError as wrong:
            failed += 1
            say(f"seed {number}: {wrong}")
    say(f"{cases:,} clinics, {planned:,} with a plan, {feasible:,} feasible starts; {failed} failed")
    say(f"the deepest search took {deepest[0]:,} of {assignment.MOST_STEPS:,} steps")
    return failed == 0 and deepest[0] < assignment.MOST_STEPS


def _day(seed: int) -> int:
    """One crowded day: feasible starts, each the same as by trying everything."""
    luck = Random(seed)
    on = clinic.random_day(luck, clinic.MONDAY, luck.randint(3, 36), busy=luck.choice([4, 8, 14]), whole=0.8)
    asked = clinic.random_need(luck, on)
    truth = clinic.oracle(on, asked)
    found = {s: placed for s in range(on.slots) if isinstance(placed := place(on, asked, s, name="new"), Placement)}
    assert sorted(found) == sorted(truth), "other starts are feasible"
    assert set(found) <= set(bits(starts(on, asked))), "the sums leave out a feasible start"
    for placed in found.values():
        check_laid(on, asked, placed)
    return len(found)


def _watch() -> list[int]:
    """The most steps that a search took since, kept up to date."""
    deepest = [0]
    run = assignment._Search.run

    def watched(search: assignment._Search, *waiting: object) -> object:
        before = search.steps
        found = run(search, *waiting)  # type: ignore[arg-type]
        if search.most is None:
            deepest[0] = max(deepest[0], before - search.steps)
        return found

    assignment._Search.run = watched  # type: ignore[assignment,method-assign]
    return deepest
