"""Weekly availability: whose it is to change; two rules of one provider never speak of the same time."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import TYPE_CHECKING

from accounts.models import Role
from accounts.refusals import Conflict, Forbidden
from accounts.rights import holds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from accounts.models import User
    from scheduler.models import AvailabilityRule, Provider

WEEK = 7
DAY_SECONDS = 24 * 3600


def may_change_hours(user: User, provider: Provider) -> bool:
    """Whether these hours are the person's to change: a manager's are everybody's, all others have their own."""
    return holds(user, Role.MANAGER) or provider.user_id == user.pk


def check_may_change_hours(user: User, provider: Provider) -> None:
    """Raise Forbidden `not_your_hours` for the hours of another person."""
    if not may_change_hours(user, provider):
        raise Forbidden("not_your_hours", "You may change only your own hours.")


def refuse_overlap(rule: AvailabilityRule, others: Iterable[AvailabilityRule]) -> None:
    """Raise Conflict `overlapping_rule` where a shift under `rule` and one under another share wall time."""
    for other in others:
        if other.pk != rule.pk and overlap(rule, other):
            raise Conflict(
                "overlapping_rule", "Another rule of this provider has part of that time.", rule=str(other.pk)
            )


def overlap(one: AvailabilityRule, two: AvailabilityRule) -> bool:
    """Whether some shift of one rule and some shift of the other share wall time.

    A shift is shorter than a day, so only those that begin on the same day or on neighbouring ones can.
    """
    return any(
        (one.weekday + days) % WEEK == two.weekday and _times_meet(one, two, days) and _dates_meet(one, two, days)
        for days in (-1, 0, 1)
    )


def _times_meet(one: AvailabilityRule, two: AvailabilityRule, days: int) -> bool:
    """Whether the shifts share time when the second begins `days` after the first."""
    start, end = _seconds(one)
    other_start, other_end = (edge + days * DAY_SECONDS for edge in _seconds(two))
    return start < other_end and other_start < end


def _seconds(rule: AvailabilityRule) -> tuple[int, int]:
    """A shift's start and end in seconds of wall time from the midnight before it; past midnight is above a day."""
    start, end = _of_day(rule.start_time), _of_day(rule.end_time)
    return start, end if start < end else end + DAY_SECONDS


def _of_day(wall: time) -> int:
    return wall.hour * 3600 + wall.minute * 60 + wall.second


def _dates_meet(one: AvailabilityRule, two: AvailabilityRule, days: int) -> bool:
    """Whether the first has a shift on a date, and the second one `days` later, within their dates of effect."""
    offset = timedelta(days=days)
    first = max(one.effective_from, two.effective_from - offset)
    untils = [one.effective_until, two.effective_until and two.effective_until - offset]
    last = min((until for until in untils if until is not None), default=None)
    return last is None or _next(one.weekday, first) <= last


def _next(weekday: int, day: date) -> date:
    """The first date from `day` on that falls on the weekday."""
    return day + timedelta(days=(weekday - day.weekday()) % WEEK)
