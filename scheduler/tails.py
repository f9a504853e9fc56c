"""The rest of a series from some session on: what it costs, and how a session is put before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.phases import SLOT_MINUTES

if TYPE_CHECKING:
    from collections.abc import Iterator

# The rest of a series from some session on: cost within the day terms, days, starts. Compares as ties are broken.
Tail = tuple[int, tuple[int, ...], tuple[int, ...]]

# Room for the sums of the lesser terms below one unit of the next, in one whole number.
LEVEL = 1 << 20
SAME_TIME = 1 << 40


def within(level: int, fragments: int) -> int:
    """What a start costs its day, in one number."""
    return level * LEVEL + fragments


def extended(after: list[Tail | None], day: int, placings: list[tuple[int, int, int]]) -> Iterator[tuple[int, Tail]]:
    """A session on a day at each of some starts, with the best rest of the series after it, by mark."""
    for mark, cost, start in placings:
        rest = after[mark]
        if rest is not None:
            yield mark, (cost + rest[0], (day, *rest[1]), (start, *rest[2]))


def better(one: Tail | None, other: Tail) -> Tail:
    """The lesser of two."""
    return other if one is None or other < one else one


def spread(best: list[Tail | None]) -> list[Tail | None]:
    """For every mark the best tail counted with the minutes to reach it: a distance transform, there and back."""
    step = SLOT_MINUTES * SAME_TIME
    found = list(best)
    for order in (range(1, len(found)), range(len(found) - 2, -1, -1)):
        back = -order.step
        for mark in order:
            near = found[mark + back]
            if near is not None:
                found[mark] = better(found[mark], (near[0] + step, near[1], near[2]))
    return found
