"""The best whole plans for a series."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler.day import ranked
from scheduler.phases import SLOT_MINUTES
from scheduler.plans import Cost, Planned, Weights, WholePlan, Wishes
from scheduler.search import Chain, Search
from scheduler.slots import bits
from scheduler.spacing import SpacingProblem, check_spacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from scheduler.day import Day
    from scheduler.treatment import Visit

__all__ = [
    "Cost",
    "Planned",
    "SpacingProblem",
    "Weights",
    "WholePlan",
    "Wishes",
    "best",
    "check_spacing",
    "plan",
]

# Halves of a day (before noon and after), and hours: what a person may care about where days do not differ.
PARTS = (12 * 60, 60)


def plan(
    visits: Sequence[Visit],
    days: Sequence[Day],
    wishes: Wishes,
    weights: Weights | None = None,
    limit: int = 1,
    before: Sequence[date] = (),
) -> tuple[WholePlan, ...]:
    """The best whole plans for `visits`, best first, at most `limit` (1..10); () where there is none.

    `days` are the site's days of the window (any order, one a date), `before` the dates of the series' sessions 1..k
    that stand already; `visits` then begin with session k + 1.

    The first plan is the optimum; ties go to earlier days, then earlier starts, then lower ids. Further plans differ in
    what a person cares about: each is the best of all that begin on its first day, the best first days are taken; where
    there are too few of them, the best that begin on these days in the other half of the day (before or after noon),
    then in other hours. No two begin on one day within the same hour.
    """
    if not visits:
        return ()
    search = Search(visits, days, wishes, before)
    plans = [_whole(search, chain, weights or Weights()) for chain in best(search, limit)]
    return tuple(sorted(plans, key=lambda item: (item.score, item.cost)))


def best(search: Search, limit: int) -> list[Chain]:
    """The best series, at most `limit`, of which every start can be laid: choose, check the days chosen, choose again.

    The search chooses among all starts that the sums let through. Where one cannot be laid it is struck out and the
    search runs again, until none is chosen. The choice is then the best of a set that holds every series that can be
    laid, and can itself be laid: it is the best of those.
    """
    while True:
        found = _choose(search, limit)
        failed = {
            (number, day, start)
            for chain in found
            for number, (day, start) in enumerate(zip(chain.days, chain.starts, strict=True))
            if search.laid(number, day, start) is None
        }
        if not failed:
            return found
        for number, day, start in sorted(failed):
            search.strike(number, day, _failing(search, number, day, start))


def _choose(search: Search, limit: int) -> list[Chain]:
    """The best series of each of the best first days; where too few, those of other halves of the day, then hours."""
    found = search.best_by_first_day(limit)
    firsts = list(found)
    for minutes in PARTS:
        more: list[Chain] = []
        for first in firsts if len(found) < limit else ():
            wall = search.days[first.days[0]].wall
            used = {wall[chain.starts[0]] // minutes for chain in found if chain.days[0] == first.days[0]}
            more += search.other_parts(first, minutes, used)
        found += sorted(more)[: limit - len(found)]
    return found


def _failing(search: Search, number: int, day: int, start: int) -> int:
    """A start that fails, and all that would be chosen in its place and fail too: few days are chosen in vain twice.

    Where the time of day matters, any start may come next: all are looked at.
    """
    failing = 1 << start
    for _, _, some in ranked(search.days[day], search.needs[number], search.starts(number, day)):
        for each in bits(some):
            if search.laid(number, day, each) is None:
                failing |= 1 << each
            elif not search.wishes.same_time_of_day:
                return failing
    return failing


def _whole(search: Search, chain: Chain, weights: Weights) -> WholePlan:
    """The plan with everybody's names in it."""
    sessions = tuple(_planned(search, number, chain) for number in range(len(search.visits)))
    return WholePlan(weights.score(chain.cost), chain.cost, sessions)


def _planned(search: Search, number: int, chain: Chain) -> Planned:
    day, start = search.days[chain.days[number]], chain.starts[number]
    placed = search.laid(number, chain.days[number], start)
    if placed is None:
        raise AssertionError("a start was chosen that cannot be laid")
    instant = day.first_instant + timedelta(minutes=SLOT_MINUTES * start)
    people = placed.chair, placed.nurse, placed.prescriber
    return Planned(search.visits[number], day.date, start, instant, *people, alone=not placed.moved)
