"""Moving one visit: other places for it that keep the distance to its neighbours, or a day of the reader's choice.

On a day of choice others may have to move along: each change is shown, and nothing changes before one is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import clock
from accounts.refusals import Conflict, NotFound, RuleBroken
from accounts.rights import is_staff
from scheduler.planner import Wishes
from scheduler.walltime import local_date
from sessions import along, lifecycle, rest
from sessions.course import standing_dates
from sessions.facts import zone_of
from sessions.models import TO_COME
from sessions.moving import take_place
from sessions.policy import is_late
from sessions.queries import visible_plans
from web import wording
from web.pages import page, page_for
from web.visits import visit_seen_by
from web.words import refusal_words

if TYPE_CHECKING:
    from datetime import date

    from django.http import HttpRequest, HttpResponse

    from accounts.models import User
    from sessions.models import Plan, Session

# How far ahead another place is looked for, and how many are shown.
LOOK_AHEAD = timedelta(days=28)
SHOWN_AT_MOST, ON_A_DAY_AT_MOST = 6, 3


@dataclass(frozen=True)
class Place:
    """Another place for a visit, and what it does to the rest: days from the visit before and to the one after it."""

    plan: Plan
    start: datetime
    end: datetime
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Along:
    """A plan that has a visit on a day of choice; `others` that move along: which, from when, to when."""

    plan: Plan
    start: datetime
    others: list[tuple[int, datetime, datetime]]


class DayForm(forms.Form):
    """A day of choice."""

    day = forms.DateField(label=_("Day"), widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))


@page_for("sessions.reschedule", "GET", "HEAD", "POST")
def move(request: HttpRequest, session: str) -> HttpResponse:
    """Move or cancel (GET); the other places there are, or those of a `day` (POST: they are kept as plans)."""
    visit, user, now = visit_seen_by(request, session), cast("User", request.user), clock.now()
    lifecycle.check_move(visit, "reschedule", now)
    if is_late(visit, now) and not is_staff(user):
        return page(request, "too_late", 409, site=visit.site, session=visit)
    shown: dict[str, Any] = {"session": visit, "for_other": is_staff(user), "form": DayForm()}
    if "day" in request.POST:
        shown["form"] = DayForm(request.POST)
        shown["along"] = _along(visit, shown["form"], user, now)
    elif request.method == "POST":
        shown["places"] = _places(visit, user, now)
    return page(request, "move", 400 if shown["form"].errors else 200, site=visit.site, **shown)


def _along(visit: Session, form: DayForm, user: User, now: datetime) -> list[Along] | None:
    """What can be on the day; None where the form says what is wrong with it."""
    if not form.is_valid():
        return None
    try:
        plans = along.plans_on(visit, form.cleaned_data["day"], ON_A_DAY_AT_MOST, user, now)
    except RuleBroken as broken:
        form.add_error("day", refusal_words(broken))
        return None
    stands = dict(visit.series.sessions.filter(status__in=TO_COME).values_list("sequence", "start"))
    return [_changes(visit, plan, stands) for plan in plans]


def _changes(visit: Session, plan: Plan, stands: dict[int, datetime]) -> Along:
    starts = {row["sequence"]: datetime.fromisoformat(row["start"]) for row in plan.sessions}
    others = [
        (number, stands[number], start)
        for number, start in starts.items()
        if number != visit.sequence and number in stands and stands[number] != start
    ]
    return Along(plan, starts[visit.sequence], others)


def _places(visit: Session, user: User, now: datetime) -> list[Place]:
    """The best other places of the next weeks, earliest first."""
    today = local_date(now, zone_of(visit.site))
    stands = local_date(visit.start, zone_of(visit.site))
    wishes = Wishes(earliest=today, latest=max(today, stands) + LOOK_AHEAD)
    found = rest.propose_places(visit, wishes, SHOWN_AT_MOST, user, now).plans
    placed = [_place(visit, plan) for plan in found]
    return sorted((each for each in placed if each.start != visit.start), key=lambda each: each.start)


def _place(visit: Session, plan: Plan) -> Place:
    row, zone = plan.sessions[0], visit.site.time_zone
    start, end = (wording.local(datetime.fromisoformat(row[name]), zone) for name in ("start", "end"))
    return Place(plan, start, end, *_distances(visit, start.date()))


def _distances(visit: Session, day: date) -> tuple[int | None, int | None]:
    """Days from the visit before and to the visit after, were this one on `day`."""
    dates = standing_dates(visit.series)
    before = next((dates[n] for n in sorted(dates, reverse=True) if n < visit.sequence), None)
    after = next((dates[n] for n in sorted(dates) if n > visit.sequence), None)
    return (day - before).days if before else None, (after - day).days if after else None


@page_for("sessions.reschedule", "POST")
def take(request: HttpRequest, session: str, plan: str) -> HttpResponse:
    """Move the visit to the place that was chosen."""
    visit, user = visit_seen_by(request, session), cast("User", request.user)
    mine = Q(session=visit.pk) | Q(session=None, series=visit.series_id)
    place = visible_plans(user).select_related("site", "protocol").filter(mine, pk=plan).first()
    if place is None:
        raise NotFound
    try:
        take_place(visit, place, user, clock.now())
    except (Conflict, RuleBroken) as lost:
        if lost.code == "too_late":
            return page(request, "too_late", 409, site=visit.site, session=visit)
        messages.warning(request, gettext("That place has just gone. Nothing was changed. Look for other times."))
        return redirect("web:move", visit.pk)
    messages.success(request, gettext("Moved. The new time stands below."))
    return redirect("web:series", visit.series_id)
