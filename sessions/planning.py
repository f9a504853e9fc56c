"""Plans: a request is checked, the planner asked, and what it finds is kept as rows that can be held and booked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q

from accounts.prepared import insert
from accounts.refusals import Forbidden, Invalid, Refusal, RuleBroken
from accounts.rights import is_staff
from scheduler import planner, treatment
from scheduler.models import Chair, Protocol
from scheduler.walltime import local_date
from sessions.as_planned import numbers_of
from sessions.facts import instants, site_days, zone_of
from sessions.infeasible import Asked, explain
from sessions.models import GONE, Order, Plan

if TYPE_CHECKING:
    from accounts.models import Patient, Site, User
    from scheduler.day import Day
    from scheduler.reasons import Reason
    from scheduler.relaxations import Relaxation


HORIZON_DAYS = 548
WINDOW_DAYS = 400
# How far around the dates asked for others are looked at where there is no plan: what lies further off helps few.
OUTLOOK_DAYS = 91


@dataclass(frozen=True)
class PlanRequest:
    """What is asked for. `sessions` counts those of an open-ended last phase; `limit` is how many plans to offer."""

    site: Site
    protocol: Protocol
    patient: Patient | None
    wishes: planner.Wishes
    sessions: int | None = None
    limit: int = 3


@dataclass(frozen=True)
class Proposal:
    """What was found: plans ready to be booked, best first; where there is none, what stands in the way and what would
    do."""

    plans: list[Plan]
    reasons: tuple[Reason, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()


def propose(request: PlanRequest, user: User, now: datetime) -> Proposal:
    """Find the best whole series and keep each as a plan. What a patient is offered ends while the order is good.

    Raises:
        Invalid, RuleBroken, Forbidden: what is wrong with the request, before any search starts.
    """
    visits, days, plans, until = _plans(request, user, now)
    if plans:
        return Proposal(plans)
    asked = Asked(request.site, visits, request.wishes, request.patient)
    around = [on for on in outlook(request.site, request.wishes, now) if on <= until]
    return Proposal([], *explain(asked, days, around, user, now))


def _plans(
    request: PlanRequest, user: User, now: datetime
) -> tuple[tuple[treatment.Visit, ...], tuple[Day, ...], list[Plan], date]:
    """The visits asked for, the site's days, the plans found, kept, and the last date that may be planned at all."""
    visits = _visits(request)
    check_window(request.site, request.wishes, now)
    until = _check(request, user, len(visits))
    dates = [on for on in window_of(request.wishes) if on <= until]
    days = site_days(request.site, dates, request.patient, user, now)
    by_date = {day.date: day for day in days}
    found = planner.plan(visits, days, request.wishes, weights_of(request.site), request.limit)
    plans = [
        Plan(
            site=request.site,
            protocol=request.protocol,
            patient=request.patient,
            created_by=user,
            created_at=now,
            expires_at=now + timedelta(minutes=request.site.plan_life_minutes),
            request=_as_json(request),
            score=whole.score,
            sessions=[as_row(planned) for planned in whole.sessions],
            numbers=numbers_of(by_date, [(planned.date, planned.alone) for planned in whole.sessions]),
        )
        for whole in found
    ]
    if plans:
        insert([plans], "SELECT", [])
    return visits, days, plans, until


def fresh_plans(plan: Plan, patient: Patient | None, user: User, now: datetime) -> list[Plan]:
    """Plans for the request behind `plan` as the world stands now; none where it can no longer be asked."""
    try:
        return _plans(_request_of(plan, patient), user, now)[2]
    except Refusal:
        return []


def weights_of(site: Site) -> planner.Weights:
    """What a site lets each term of the cost count in a plan's score."""
    return planner.Weights(**site.plan_weights)


def phases_of(protocol: Protocol) -> tuple[treatment.Phase, ...]:
    """The protocol's phases as values."""
    return treatment.parse_phases(protocol.phases)


def window_of(wishes: planner.Wishes) -> list[date]:
    """Every date of the window, in order."""
    return [wishes.earliest + timedelta(days=n) for n in range((wishes.latest - wishes.earliest).days + 1)]


def outlook(site: Site, wishes: planner.Wishes, now: datetime) -> list[date]:
    """The dates to look at where there is no plan: the window, and around it those that a request may ask for too."""
    today = local_date(now, zone_of(site))
    first = max(today, wishes.earliest - timedelta(OUTLOOK_DAYS), wishes.latest - timedelta(WINDOW_DAYS))
    last = min(
        wishes.latest + timedelta(OUTLOOK_DAYS),
        wishes.earliest + timedelta(WINDOW_DAYS),
        today + timedelta(HORIZON_DAYS),
    )
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _visits(request: PlanRequest) -> tuple[treatment.Visit, ...]:
    """The visits asked for; an open-ended protocol needs to be told how many."""
    phases = phases_of(request.protocol)
    if phases[-1].sessions is None and request.sessions is None:
        raise Invalid("/sessions", "required", "This protocol is open-ended: say how many sessions to plan.")
    if phases[-1].sessions is not None and request.sessions is not None:
        raise Invalid("/sessions", "not_open_ended", "This protocol says itself how many sessions it has.")
    return treatment.visits(phases, request.sessions)


def check_window(site: Site, wishes: planner.Wishes, now: datetime) -> None:
    """Refuse wishes that no search at this site could answer.

    Raises:
        RuleBroken: `in_past`, `beyond_horizon`, `window_too_long`, `chair_kind_missing`.
    """
    today = local_date(now, zone_of(site))
    if wishes.earliest < today:
        raise RuleBroken("in_past", "The earliest date lies in the past.")
    if wishes.latest > today + timedelta(days=HORIZON_DAYS):
        raise RuleBroken("beyond_horizon", f"Plans reach at most {HORIZON_DAYS} days ahead.")
    if (wishes.latest - wishes.earliest).days > WINDOW_DAYS:
        raise RuleBroken("window_too_long", f"The window is at most {WINDOW_DAYS} days long.")
    if wishes.chair_kind and not Chair.objects.filter(site=site, kind=wishes.chair_kind, is_active=True).exists():
        raise RuleBroken("chair_kind_missing", "This site has no chair of that kind.")


def _check(request: PlanRequest, user: User, count: int) -> date:
    """Refuse what may not be planned; the last date that may be."""
    if request.protocol.status != Protocol.Status.APPROVED:
        raise RuleBroken("protocol_not_approved", "Only an approved protocol can be planned and booked.")
    if is_staff(user):
        return date.max
    return _orders(user, request.patient, request.protocol, count, request.wishes.earliest)[-1].valid_until


def order_for(user: User, patient: Patient | None, protocol: Protocol, count: int, last: date) -> Order:
    """The order under which a patient may plan or book `count` sessions for themselves, good until `last`.

    Raises:
        Forbidden: `no_order` where no prescriber has ordered as many, or the order runs out before.
    """
    return _orders(user, patient, protocol, count, last)[0]


def _orders(user: User, patient: Patient | None, protocol: Protocol, count: int, last: date) -> list[Order]:
    """Every order that would do, at least one, the one that runs out first at the front."""
    orders = Order.objects.filter(patient=patient, patient__user=user, protocol=protocol, valid_until__gte=last)
    used = Count("series__sessions", filter=~Q(series__sessions__status__in=GONE))
    orders = orders.annotate(used=used).order_by("valid_until", "id")
    found: list[Order] = [each for each in orders if each.sessions - each.used >= count]
    if not found:
        raise Forbidden("no_order", "A prescriber has to order this treatment before you can plan or book it.")
    return found


def as_row(planned: planner.Planned) -> dict[str, Any]:
    """A planned session as it is kept in `Plan.sessions`."""
    return {
        "sequence": planned.visit.sequence,
        "phase": planned.visit.phase,
        "ordinal": planned.visit.ordinal,
        "acuity": planned.visit.acuity,
        "kinds": sorted(planned.visit.chair.kinds),
        "features": sorted(planned.visit.chair.features),
        "chair": planned.chair,
        "nurse": planned.nurse,
        "prescriber": planned.prescriber,
        **{name: at.isoformat() for name, at in instants(planned.visit, planned.instant).items()},
    }


def _as_json(request: PlanRequest) -> dict[str, Any]:
    """What a plan keeps of its request: the wishes to keep when it is booked, and to plan anew from."""
    return {**wishes_as_json(request.wishes), "sessions": request.sessions, "limit": request.limit}


def wishes_as_json(wishes: planner.Wishes) -> dict[str, Any]:
    """Wishes as a plan keeps them."""
    return {
        "earliest": wishes.earliest.isoformat(),
        "latest": wishes.latest.isoformat(),
        "weekdays": None if wishes.weekdays is None else sorted(wishes.weekdays),
        "time_windows": [list(window) for window in wishes.time_windows],
        "provider": wishes.provider,
        "chair_kind": wishes.chair_kind,
        "same_time_of_day": wishes.same_time_of_day,
    }


def wishes_from_json(kept: dict[str, Any]) -> planner.Wishes:
    """The wishes that a plan keeps."""
    return planner.Wishes(
        earliest=date.fromisoformat(kept["earliest"]),
        latest=date.fromisoformat(kept["latest"]),
        weekdays=None if kept["weekdays"] is None else frozenset(kept["weekdays"]),
        time_windows=tuple((since, until) for since, until in kept["time_windows"]),
        provider=kept["provider"],
        chair_kind=kept["chair_kind"],
        same_time_of_day=kept["same_time_of_day"],
    )


def _request_of(plan: Plan, patient: Patient | None) -> PlanRequest:
    """The request behind a plan, for the patient it is now meant for."""
    kept = plan.request
    return PlanRequest(plan.site, plan.protocol, patient, wishes_from_json(kept), kept["sessions"], kept["limit"])
