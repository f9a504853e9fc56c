"""Why there is no plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.day import Day, Need, parts
from scheduler.search import Search, permitted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from scheduler.plans import Wishes
    from scheduler.treatment import Visit


@dataclass(frozen=True)
class Reason:
    """A fact that stands in the way of a plan; `session` is a sequence number or None for the whole."""

    code: str
    detail: str
    session: int | None = None


def why_not(
    visits: Sequence[Visit], days: Sequence[Day], wishes: Wishes, before: Sequence[date] = ()
) -> tuple[Reason, ...]:
    """Simple facts on why `plan` found nothing; () where it finds something.

    First the window: shorter than the spacing needs (`too_short_window`). Then sessions that no day of the window can
    take, by what no day offers: `closed` (opening hours, wishes), `in_past`, `patient_busy`, `no_chair`, `no_nurse`,
    `no_prescriber`, or `no_common_time`. Else `spacing`, with the first session that cannot be reached.
    """
    search = Search(visits, days, wishes, before)
    if not visits or search.best_by_first_day(1):
        return ()
    shortest = _shortest(visits)
    if shortest > (wishes.latest - wishes.earliest).days or len(visits) > len(search.window):
        detail = f"{len(visits)} sessions need at least {shortest + 1} days from the first to the last"
        return (Reason("too_short_window", detail),)
    reasons: dict[Need, Reason] = {}
    for visit, need in zip(visits, search.needs, strict=True):
        if need not in reasons and not any(search.starts(visit.sequence - visits[0].sequence, d) for d in search.days):
            reasons[need] = _nowhere(search, visit, need)
    return tuple(reasons.values()) or (_unreached(search),)


_LACKS = (
    ("open", "closed", "the site is not open long enough on any day wished for"),
    ("ahead", "in_past", "every day wished for has passed"),
    ("patient", "patient_busy", "the patient is taken on every day wished for"),
    ("chair", "no_chair", "no fitting chair is free long enough on any day wished for"),
    ("nurse", "no_nurse", "no nurse is on duty with room on any day wished for"),
    ("prescriber", "no_prescriber", "no prescriber is on duty with room on any day wished for"),
)


def _nowhere(search: Search, visit: Visit, need: Need) -> Reason:
    """What every day lacks by itself, the first that holds; else that no time has everything at once."""
    each = [(parts(day, need), permitted(day, need, search.wishes)) for day in search.days.values()]
    for name, code, detail in _LACKS:
        if not any(getattr(part, name) & inside for part, inside in each):
            return Reason(code, detail, visit.sequence)
    return Reason("no_common_time", "chair, nurse, prescriber and patient are never free together", visit.sequence)


def _shortest(visits: Sequence[Visit]) -> int:
    """The least days from the first of the visits to the last that gaps between these visits allow."""
    day: dict[int, int] = {}
    for visit in visits:
        low = day.get(visit.sequence - 1, -1) + 1
        if visit.gap and visit.gap.after in day:
            low = max(low, day[visit.gap.after] + visit.gap.min_days)
        day[visit.sequence] = low
    return max(day.values())


def _unreached(search: Search) -> Reason:
    """The session at which every choice of days for those before it ended."""
    relaxed = search.relaxed
    ended = search if relaxed is None or relaxed.furthest == len(search.visits) else relaxed
    detail = "no day that has room keeps the days from the sessions before"
    return Reason("spacing", detail, search.visits[ended.furthest].sequence)
