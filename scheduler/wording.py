"""What there is to say of a rule that stands in the way: values, for whoever puts them into words.

The words themselves are in sessions/why_words.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scheduler.phases import SLOT_MINUTES

if TYPE_CHECKING:
    from scheduler.suppose import Question, Rule
    from scheduler.treatment import Visit


def values_of(rule: Rule, question: Question) -> dict[str, Any]:
    """The values behind a rule: of the wish, or of the session that it is about."""
    wishes = question.asked.wishes
    visit = next((visit for visit in question.asked.visits if visit.sequence == rule.session), None)
    if visit is not None:
        return _of_session(rule.code, visit)
    values: dict[str, dict[str, Any]] = {
        "chair_kind": {"kind": wishes.chair_kind},
        "time_windows": {"windows": wishes.time_windows},
        "weekdays": {"weekdays": wishes.weekdays},
        "earliest_date": {"on": wishes.earliest},
        "latest_date": {"on": wishes.latest},
    }
    return values.get(rule.code, {})


def _of_session(code: str, visit: Visit) -> dict[str, Any]:
    values: dict[str, Any] = {
        "session": visit.sequence,
        "phase": visit.phase,
        "length": (visit.prepare + visit.infuse + visit.recover) * SLOT_MINUTES,
        "points": visit.acuity,
        "chair": (visit.chair.kinds, visit.chair.features),
    }
    if visit.gap is not None:
        gap = visit.gap
        values |= {"after": gap.after, "least": gap.min_days, "days": gap.max_days}
        values |= {"from_day": gap.min_days, "to_day": gap.max_days}
    if code == "span" and visit.span is not None:
        values |= {"after": visit.span.since, "days": visit.span.max_days}
    return values


def clock(minute: int) -> str:
    """A minute of the day as the wall clock shows it."""
    return f"{minute // 60:02}:{minute % 60:02}"
