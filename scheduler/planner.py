"""The best whole plans for a series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.plans import Cost, Planned, Weights, WholePlan, Wishes
from scheduler.search import Search
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
    "check_spacing",
    "plan",
]


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
    there are too few of them, the best that begin on these days in the other half of the day (before or after noon).
    """
    if not visits:
        return ()
    search = Search(visits, days, wishes, before)
    found = search.best_by_first_day(limit)
    if len(found) < limit:
        halves = [search.other_half(chain) for chain in found]
        found += sorted(chain for chain in halves if chain is not None)[: limit - len(found)]
    plans = [search.whole(chain, weights or Weights()) for chain in found]
    return tuple(sorted(plans, key=lambda item: (item.score, item.cost)))
