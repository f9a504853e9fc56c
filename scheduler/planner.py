"""The best whole plans for a series: an exact dynamic programme over days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from scheduler.day import Day
from scheduler.treatment import Phase, Visit


@dataclass(frozen=True)
class Wishes:
    """What the patient asks for. All but `same_time_of_day` are hard.

    `earliest` and `latest` are inclusive dates at the site; weekdays 0 = Monday; time windows are (from, until) in minutes
    of the wall clock and bound a session's start to end, without turnover; `provider` is an id of a nurse or prescriber.
    """

    earliest: date
    latest: date
    weekdays: frozenset[int] | None = None
    time_windows: tuple[tuple[int, int], ...] = ()
    provider: str | None = None
    chair_kind: str | None = None
    same_time_of_day: bool = False


@dataclass(frozen=True)
class Weights:
    """What one unit of each term of the cost counts in the score; the defaults keep the lexicographic order."""

    deviation: int = 10**14
    same_time: int = 10**8
    first_day: int = 10**6
    level: int = 10**3
    fragments: int = 1


@dataclass(frozen=True, order=True)
class Cost:
    """The objective, most important first: days off target, minutes off the same time, days to the first session, level, fragments."""

    deviation: int
    same_time: int
    first_day: int
    level: int
    fragments: int


@dataclass(frozen=True)
class Planned:
    """One session of a plan: `start` is a slot of the day, `instant` the same as an aware UTC datetime."""

    visit: Visit
    date: date
    start: int
    instant: datetime
    chair: str
    nurse: str
    prescriber: str


@dataclass(frozen=True)
class WholePlan:
    """A whole series; `score` is the cost weighted, 0 best."""

    score: int
    cost: Cost
    sessions: tuple[Planned, ...]


@dataclass(frozen=True)
class SpacingProblem:
    """A date that breaks the protocol's spacing; `code` is gap_too_short, gap_too_long, span or window."""

    sequence: int
    code: str
    detail: str


@dataclass(frozen=True)
class Reason:
    """A fact that stands in the way of a plan; `session` is a sequence number or None for the whole."""

    code: str
    detail: str
    session: int | None = None


def plan(
    visits: Sequence[Visit],
    days: Sequence[Day],
    wishes: Wishes,
    weights: Weights = Weights(),
    limit: int = 1,
    before: Sequence[date] = (),
) -> tuple[WholePlan, ...]:
    """The best whole plans for `visits`, best first, at most `limit` (1..10); () where there is none.

    `days` are the site's days of the window (any order, at most one a date), `before` the dates of the series' sessions
    1..k that stand already; `visits` then begin with session k + 1.
    """
    raise NotImplementedError


def why_not(
    visits: Sequence[Visit], days: Sequence[Day], wishes: Wishes, before: Sequence[date] = ()
) -> tuple[Reason, ...]:
    """Simple facts on why `plan` found nothing."""
    raise NotImplementedError


def check_spacing(phases: Sequence[Phase], dates: Sequence[date]) -> list[SpacingProblem]:
    """What the dates of sessions 1..n of a series break of the protocol's spacing; [] where all is kept."""
    raise NotImplementedError
