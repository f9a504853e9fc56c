"""Whether given dates keep a protocol's spacing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from scheduler.treatment import Phase, Visit, every_visit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date


@dataclass(frozen=True)
class SpacingProblem:
    """A date that breaks the protocol's spacing; `code` is gap_too_short, gap_too_long, span or window."""

    sequence: int
    code: str
    detail: str


def check_spacing(phases: Sequence[Phase], dates: Sequence[date]) -> list[SpacingProblem]:
    """What the dates of sessions 1..n of a series break of the protocol's spacing; [] where all is kept.

    `gap_too_short` and `gap_too_long` speak of gaps from the session before, `window` of days from the series' or the
    cycle's start, `span` of a phase's whole length. Each session's rule is checked by itself.
    """
    problems = []
    for visit, day in zip(islice(every_visit(phases), len(dates)), dates, strict=False):
        if visit.sequence > 1 and day <= dates[visit.sequence - 2]:
            problems.append(SpacingProblem(visit.sequence, "gap_too_short", "not later than the session before"))
        elif visit.gap is not None:
            problems += _gap_problems(visit, (day - dates[visit.gap.after - 1]).days)
        if visit.span is not None and (day - dates[visit.span.since - 1]).days > visit.span.max_days:
            detail = f"more than {visit.span.max_days} days after session {visit.span.since}"
            problems.append(SpacingProblem(visit.sequence, "span", detail))
    return problems


def _gap_problems(visit: Visit, days: int) -> list[SpacingProblem]:
    gap = visit.gap
    if gap is None or gap.min_days <= days <= gap.max_days:
        return []
    code = "gap_too_short" if days < gap.min_days else "gap_too_long"
    if gap.after != visit.sequence - 1:
        code = "window"
    detail = f"{days} days after session {gap.after}; from {gap.min_days} to {gap.max_days} are allowed"
    return [SpacingProblem(visit.sequence, code, detail)]
