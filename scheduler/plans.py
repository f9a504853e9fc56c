"""Whole plans as values: what is wished for, what a plan costs and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from scheduler.treatment import Visit


@dataclass(frozen=True)
class Wishes:
    """What the patient asks for. All but `same_time_of_day` are hard.

    `earliest` and `latest` are inclusive dates at the site; weekdays 0 = Monday; time windows are (from, until) in
    minutes of the wall clock and bound a session's start to end, without turnover; `provider` is the id of a nurse or a
    prescriber.
    """

    earliest: date
    latest: date
    weekdays: frozenset[int] | None = None
    time_windows: tuple[tuple[int, int], ...] = ()
    provider: str | None = None
    chair_kind: str | None = None
    same_time_of_day: bool = False


# Bounds on weights. A score then fits 64 bits: 200 sessions are off by at most 400 days and 1,435 minutes each.
MOST_FOR_A_DAY_OFF = 10**14
MOST_WEIGHT = 10**9


@dataclass(frozen=True)
class Weights:
    """What one unit of each term of the cost counts in the score.

    With the defaults the score orders plans as the lexicographic cost does: a series of 200 sessions has at most 400
    fragments and, with four sessions at once for a nurse, a level of at most 3,600 (500 * 3,600 + 400 < 2 * 10**6); a
    window has at most 400 days and minutes come in fives (400 * 2 * 10**6 < 5 * 2 * 10**8); 200 sessions are off by at
    most 199 * 1,435 minutes.
    """

    deviation: int = 10**14
    same_time: int = 2 * 10**8
    first_day: int = 2 * 10**6
    level: int = 500
    fragments: int = 1

    def score(self, cost: Cost) -> int:
        """The cost in one number."""
        return (
            cost.deviation * self.deviation
            + cost.same_time * self.same_time
            + cost.first_day * self.first_day
            + cost.level * self.level
            + cost.fragments * self.fragments
        )


@dataclass(frozen=True, order=True)
class Cost:
    """The objective, most important first; each a sum over the sessions or over neighbouring pairs, 0 best.

    `deviation`: days off the target gaps. `same_time`: minutes between neighbours' starts on the wall clock (only where
    wished). `first_day`: days from the earliest date to the first session. `level`, `fragments`: see day.ranked.
    """

    deviation: int
    same_time: int
    first_day: int
    level: int
    fragments: int


@dataclass(frozen=True)
class Planned:
    """One session of a plan: `start` is a slot of the day, `instant` the same as an aware UTC datetime.

    `alone` where nobody has to make room for it.
    """

    visit: Visit
    date: date
    start: int
    instant: datetime
    chair: str
    nurse: str
    prescriber: str
    alone: bool = True


@dataclass(frozen=True)
class WholePlan:
    """A whole series; `score` is the cost weighted, 0 best."""

    score: int
    cost: Cost
    sessions: tuple[Planned, ...]
