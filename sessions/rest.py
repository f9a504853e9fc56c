"""What of a series is still to come, and plans for it: the rest anew, one session elsewhere, or the least change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from accounts.refusals import Conflict, Refusal, RuleBroken
from accounts.rights import is_staff
from scheduler import planner
from scheduler.mending import Mended, mend
from scheduler.treatment import Visit, every_visit
from scheduler.walltime import local_date
from sessions.course import phases_of_series, pinned, rule_of, standing_dates, visit_at
from sessions.facts import site_days, zone_of
from sessions.infeasible import Asked, explain
from sessions.models import GONE, TO_COME, Plan, Series, SeriesStatus, Session
from sessions.planning import (
    HORIZON_DAYS,
    Proposal,
    as_row,
    check_window,
    order_for,
    outlook,
    weights_of,
    window_of,
    wishes_as_json,
    wishes_from_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from accounts.models import User
    from scheduler.day import Day
    from scheduler.plans import Planned, Wishes

# How far beyond the last session the least change looks for room.
SLACK_DAYS = 28


@dataclass(frozen=True)
class Rest:
    """What is to come of a series: `before` are the dates of its sessions 1..k that stay, `visits` those from k + 1 on,
    `live` the booked sessions among them by sequence, `beyond` booked ones that the treatment no longer has."""

    series: Series
    before: tuple[date, ...]
    visits: tuple[Visit, ...]
    live: dict[int, Session]
    beyond: tuple[Session, ...]

    @property
    def present(self) -> dict[int, datetime]:
        """The starts of the booked sessions by sequence."""
        return {sequence: session.start for sequence, session in self.live.items()}

    @property
    def own(self) -> list[UUID]:
        """Ids of all booked sessions to come: they may go anywhere."""
        return [session.pk for session in (*self.live.values(), *self.beyond)]


def rest_of(series: Series, now: datetime, sessions: int | None = None) -> Rest:
    """What is to come of the series at `now`; `sessions` counts all those of an open-ended last phase.

    Lost sessions before the next one that stays stand where they stood; later ones are given again.
    """
    phases, rows = phases_of_series(series), list(series.sessions.select_related("site"))
    dates = standing_dates(series)
    held = {row.sequence for row in rows if row.status not in GONE}
    done = max((row.sequence for row in rows if pinned(row, now)), default=0)
    while done + 1 in dates and done + 1 not in held and rule_of(series, done + 1) == "continue":
        done += 1
    closed = sum(phase.sessions or 0 for phase in phases)
    if phases[-1].sessions is None:
        closed += max(len(dates) - closed, 0) if sessions is None else sessions
    live = {row.sequence: row for row in rows if row.status in TO_COME and row.sequence > done}
    return Rest(
        series=series,
        before=tuple(dates[number] for number in range(1, done + 1)),
        visits=tuple(islice(every_visit(phases), done, max(done, closed))),
        live={sequence: row for sequence, row in live.items() if sequence <= closed},
        beyond=tuple(row for sequence, row in sorted(live.items()) if sequence > closed),
    )


def check_is_open(series: Series) -> None:
    """Refuse to plan the rest of a series that has ended.

    Raises:
        Conflict: `already_done`.
    """
    if series.status in (SeriesStatus.COMPLETED, SeriesStatus.CANCELLED):
        raise Conflict("already_done", "This series has ended already.")


def propose_rest(
    series: Series, wishes: Wishes, sessions: int | None, limit: int, user: User, now: datetime
) -> Proposal:
    """The best plans for the sessions to come, those that are booked free to go anywhere.

    Raises:
        Conflict: the series has ended, or `nothing_to_plan`. RuleBroken, Forbidden: see `planning.propose`.
    """
    rest, days, plans = _plans(series, wishes, sessions, limit, user, now)
    if plans:
        return Proposal(plans)
    asked = Asked(series.site, rest.visits, wishes, series.patient, rest.before, rest.own)
    return Proposal([], *explain(asked, days, outlook(series.site, wishes, now), user, now))


def _plans(
    series: Series, wishes: Wishes, sessions: int | None, limit: int, user: User, now: datetime
) -> tuple[Rest, tuple[Day, ...], list[Plan]]:
    """What is to come, the site's days, and the plans found, kept."""
    check_is_open(series)
    check_window(series.site, wishes, now)
    rest = rest_of(series, now, sessions)
    if not rest.visits:
        raise Conflict("nothing_to_plan", "No session of this series is to come.")
    check_order(rest, user, now)
    days = site_days(series.site, window_of(wishes), series.patient, user, now, leaving_out=rest.own)
    found = planner.plan(rest.visits, days, wishes, weights_of(series.site), limit, rest.before)
    request = {**wishes_as_json(wishes), "sessions": sessions, "limit": limit}
    return rest, days, [kept_plan(rest, plan.sessions, plan.score, request, user, now) for plan in found]


def fresh_rest(series: Series, plan: Plan, user: User, now: datetime) -> list[Plan]:
    """Plans for the request behind `plan` as the series and the world stand now; none where it cannot be asked."""
    if plan.series_id != series.pk or plan.session_id is not None:
        return []
    kept = plan.request
    try:
        return _plans(series, wishes_from_json(kept), kept["sessions"], kept["limit"], user, now)[2]
    except Refusal:
        return []


def check_order(rest: Rest, user: User, now: datetime) -> None:
    """A patient plans what was not booked before only under an order."""
    more = len(rest.visits) - len(rest.live)
    if more > 0 and not is_staff(user):
        today = local_date(now, zone_of(rest.series.site))
        order_for(user, rest.series.patient, rest.series.protocol, more, today)


def propose_places(session: Session, wishes: Wishes, limit: int, user: User, now: datetime) -> Proposal:
    """The best other places for one session between its neighbours, as plans of one session.

    Raises:
        RuleBroken: see `planning.propose`.
    """
    series = session.series
    check_window(series.site, wishes, now)
    visit, before = visit_at(series, session.sequence), _dates_before(series, session.sequence)
    dates = _days_for(session, window_of(wishes))
    days = site_days(series.site, dates, series.patient, user, now, leaving_out=[session.pk])
    found = planner.plan([visit], days, wishes, weights_of(series.site), limit, before)
    if not found:
        asked = Asked(series.site, [visit], wishes, series.patient, before, [session.pk])
        around = _days_for(session, outlook(series.site, wishes, now))
        return Proposal([], *explain(asked, days, around, user, now))
    request = {**wishes_as_json(wishes), "sessions": None, "limit": limit}
    rest = Rest(series, before, (visit,), {session.sequence: session}, ())
    return Proposal([kept_plan(rest, plan.sessions, plan.score, request, user, now, session) for plan in found])


def new_problems(series: Series, sequence: int, day: date) -> list[planner.SpacingProblem]:
    """What of the series' spacing a session on that day would break that is kept now."""
    return new_problems_by_day(series, sequence, [day])[day]


def new_problems_by_day(
    series: Series, sequence: int, days: Iterable[date]
) -> dict[date, list[planner.SpacingProblem]]:
    """`new_problems` of each of many days; the series is read once."""
    phases, dates = phases_of_series(series), standing_dates(series)
    known = {(each.sequence, each.code) for each in planner.check_spacing(phases, in_order(dates))}
    found = {day: planner.check_spacing(phases, in_order({**dates, sequence: day})) for day in days}
    return {
        day: [each for each in problems if (each.sequence, each.code) not in known] for day, problems in found.items()
    }


def _days_for(session: Session, days: Iterable[date]) -> list[date]:
    """The days on which a session would break nothing of its series' spacing that is kept now."""
    problems = new_problems_by_day(session.series, session.sequence, days)
    return [day for day in days if not problems[day]]


def in_order(dates: dict[int, date]) -> list[date]:
    """The dates by sequence."""
    return [dates[number] for number in sorted(dates)]


def _dates_before(series: Series, sequence: int) -> tuple[date, ...]:
    return tuple(in_order(standing_dates(series))[: sequence - 1])


def smallest_replan(session: Session, start: datetime, user: User, now: datetime) -> list[Plan]:
    """The plan that has this session at `start` and changes the rest of its series least; [] where there is none."""
    series = Series.objects.select_related("protocol", "site", "patient").get(pk=session.series_id)
    rest = rest_of(series, now)
    if session.sequence not in rest.live:
        return []
    mended, wishes = least_change(rest, user, now, {session.sequence: start})
    if mended is None:
        return []
    score = mended.moved * 10**6 + mended.minutes
    request = {**wishes_as_json(wishes), "sessions": None, "limit": 1}
    return [kept_plan(rest, mended.sessions, score, request, user, now)]


def least_change(
    rest: Rest, user: User | None, now: datetime, fixed: dict[int, datetime]
) -> tuple[Mended | None, Wishes]:
    """The rest of a series changed least so that `fixed` starts are reached, and the wishes of the search."""
    site, zone = rest.series.site, zone_of(rest.series.site)
    today = local_date(now, zone)
    last = max([local_date(at, zone) for at in (*rest.present.values(), *fixed.values())], default=today)
    horizon = today + timedelta(days=HORIZON_DAYS)
    wishes = planner.Wishes(today, min(horizon, last + timedelta(days=SLACK_DAYS)))
    own = [session.pk for session in rest.live.values()]
    days = site_days(site, window_of(wishes), rest.series.patient, user, now, leaving_out=own)
    return mend(rest.visits, days, wishes, rest.before, rest.present, fixed), wishes


def kept_plan(
    rest: Rest,
    planned: tuple[Planned, ...],
    score: int,
    request: dict[str, object],
    user: User,
    now: datetime,
    session: Session | None = None,
) -> Plan:
    """A plan for the rest of a series (or for one `session` of it), kept as a row."""
    series = rest.series
    return Plan.objects.create(
        site=series.site,
        protocol=series.protocol,
        patient=series.patient,
        series=series,
        session=session,
        created_by=user,
        created_at=now,
        expires_at=now + timedelta(minutes=series.site.plan_life_minutes),
        request=request,
        score=score,
        sessions=[as_row(each) for each in planned],
    )


def check_fits(rest: Rest, plan: Plan) -> None:
    """Refuse a plan that was made when the series stood otherwise.

    Raises:
        RuleBroken: `plan_mismatch` for a plan of something else. Conflict: `plan_stale`.
    """
    if plan.series_id != rest.series.pk or plan.session_id is not None:
        raise RuleBroken("plan_mismatch", "This plan was not made for the rest of this series.")
    zone = zone_of(rest.series.site)
    dates = [local_date(datetime.fromisoformat(row["start"]), zone) for row in plan.sessions]
    problems = planner.check_spacing(phases_of_series(rest.series), [*rest.before, *dates])
    same = [row["sequence"] for row in plan.sessions] == [visit.sequence for visit in rest.visits]
    if not same or any(problem.sequence > len(rest.before) for problem in problems):
        raise Conflict("plan_stale", "The series has changed since this plan was made.")
