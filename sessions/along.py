"""One session on a day of somebody's choice, those after and before it along with it as far as the spacing asks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scheduler import planner
from sessions.course import visit_at
from sessions.facts import site_days
from sessions.models import Series
from sessions.planning import check_window, weights_of
from sessions.rest import check_is_open, rest_of, smallest_replan

if TYPE_CHECKING:
    from datetime import date, datetime

    from accounts.models import User
    from sessions.models import Plan, Session


def plans_on(session: Session, day: date, limit: int, user: User, now: datetime) -> list[Plan]:
    """Plans for the rest of the series that have the session on `day`, earliest first, at most `limit`; they are kept.

    The starts are that day's best for the session by itself; each plan is the least change of the others that lets it
    have that start, so that most often they all stay.

    Raises:
        RuleBroken: `in_past`, `beyond_horizon`. Conflict: the series has ended, `beyond_treatment`.
    """
    series = Series.objects.select_related("protocol", "site", "patient").get(pk=session.series_id)
    wishes = planner.Wishes(day, day)
    check_is_open(series)
    check_window(series.site, wishes, now)
    alone = replace(visit_at(series, session.sequence), sequence=1, gap=None, span=None)
    days = site_days(series.site, [day], series.patient, user, now, leaving_out=rest_of(series, now).own)
    found = planner.plan([alone], days, wishes, weights_of(series.site), limit)
    starts = sorted(plan.sessions[0].instant for plan in found)
    return [plan for start in starts for plan in smallest_replan(session, start, user, now)]
