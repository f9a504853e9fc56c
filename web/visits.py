"""A series as a path of visits: past, next and to come; saying that one comes, or that one cannot."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts import clock
from accounts.audit import record_reads
from accounts.refusals import Conflict, NotFound
from accounts.rights import is_staff
from scheduler.treatment import every_visit
from scheduler.walltime import local_date
from sessions import lifecycle
from sessions.course import rule_of
from sessions.facts import zone_of
from sessions.lifecycle import ENDED
from sessions.models import GONE, TO_COME, Series, Session
from sessions.planning import phases_of
from sessions.policy import is_late
from sessions.queries import visible_series, visible_sessions
from web.pages import page, page_for
from web.patients import progress
from web.people import own_record
from web.preparing import preparation, to_say

if TYPE_CHECKING:
    from datetime import date

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

    from accounts.models import User

REASON_AT_MOST = 500


@dataclass(frozen=True)
class Step:
    """One visit on the path. `place`: `done`, `now` (the next one), `todo`, or `lost` where it does not take place."""

    session: Session
    place: str


@dataclass(frozen=True)
class Gap:
    """Days between two visits, were those between them not to take place; `most` is what the protocol allows."""

    before: int
    after: int
    days: int
    most: int | None

    @property
    def too_long(self) -> bool:
        """Whether the protocol does not allow it."""
        return self.most is not None and self.days > self.most


@page_for("series.list")
def overview(request: HttpRequest) -> HttpResponse:
    """The reader's own course that runs, else an invitation to book one."""
    user = cast("User", request.user)
    patient = own_record(user)
    found = list(_series_of(user).filter(patient=patient).order_by("-created_at", "-id"))
    coming = Session.objects.filter(series__in=found, status__in=TO_COME, end__gt=clock.now()).order_by("start").first()
    if coming is None:
        return page(request, "no_visits", site=patient.site, earlier=found)
    running = next(each for each in found if each.pk == coming.series_id)
    return _show(request, running, [each for each in found if each.pk != running.pk])


@page_for("series.retrieve")
def series(request: HttpRequest, series: str) -> HttpResponse:
    """One course."""
    found = _series_of(cast("User", request.user)).filter(pk=series).first()
    if found is None:
        raise NotFound
    return _show(request, found, [])


def _series_of(user: User) -> QuerySet[Series]:
    return visible_series(user).select_related("site", "patient", "protocol")


def _show(request: HttpRequest, series: Series, earlier: list[Series]) -> HttpResponse:
    user, now, zone = cast("User", request.user), clock.now(), zone_of(series.site)
    sessions = list(series.sessions.select_related("nurse").order_by("sequence"))
    record_reads(user.pk, Session._meta.db_table, [(each.pk, each.patient_id) for each in sessions])
    coming = next((each for each in sessions if each.status in TO_COME and each.end > now), None)
    asked = [] if coming is None else to_say(coming, now)
    days = None if coming is None else (local_date(coming.start, zone) - local_date(now, zone)).days
    return page(
        request,
        "series",
        site=series.site,
        patient=series.patient,
        series=series,
        steps=[Step(each, _place(each, coming)) for each in sessions],
        coming=coming,
        days=days,
        preparation=preparation(series.protocol, begun=any(each.status in ENDED for each in sessions)),
        asked=asked,
        unsaid=sum(not each.answer for each in asked),
        earlier=earlier,
        charts=[] if is_staff(user) else progress(user, series.patient),
        for_other=is_staff(user),
    )


def _place(session: Session, coming: Session | None) -> str:
    if session.status in GONE:
        return "lost"
    if coming is not None and session.pk == coming.pk:
        return "now"
    return "todo" if session.status in TO_COME else "done"


@page_for("sessions.confirm", "POST")
def confirm(request: HttpRequest, session: str) -> HttpResponse:
    """ "I'll be there." Said twice it is still said."""
    visit = visit_seen_by(request, session)
    try:
        lifecycle.confirm(visit, cast("User", request.user), clock.now())
    except Conflict as refusal:
        if refusal.code != "already_done":
            raise
    messages.success(request, _("Thank you. You are expected."))
    return redirect("web:series", visit.series_id)


@page_for("sessions.cancel", "GET", "HEAD", "POST")
def cancel(request: HttpRequest, session: str) -> HttpResponse:
    """What it means for the rest to cancel a visit (GET), and doing it (POST)."""
    visit, user, now = visit_seen_by(request, session), cast("User", request.user), clock.now()
    lifecycle.check_move(visit, "cancel", now)
    if is_late(visit, now) and not is_staff(user):
        return page(request, "too_late", 409, site=visit.site, session=visit)
    if request.method == "POST":
        reason = request.POST.get("reason", "").replace("\0", "").strip()[:REASON_AT_MOST]
        lifecycle.cancel(visit, reason, user, now)
        messages.success(request, _("Cancelled. Your clinic sees it and will call you about the rest."))
        return redirect("web:series", visit.series_id)
    rest = visit.series.sessions.exclude(pk=visit.pk).filter(status__in=TO_COME).count()
    context: dict[str, Any] = {
        "site": visit.site,
        "session": visit,
        "gap": gap_without(visit),
        "rule": rule_of(visit.series, visit.sequence),
        "rest": rest,
        "for_other": is_staff(user),
    }
    return page(request, "cancel", **context)


def visit_seen_by(request: HttpRequest, session_id: str) -> Session:
    """The visit, looked up among those that the reader may see. Raises NotFound."""
    seen = visible_sessions(cast("User", request.user))
    found = seen.select_related("site", "series__protocol", "patient").filter(pk=session_id).first()
    if found is None:
        raise NotFound
    return found


def gap_without(session: Session) -> Gap | None:
    """The gap that is left where a visit is taken out; None for the first and the last that take place."""
    dates = _dates(session)
    before = [number for number in dates if number < session.sequence]
    after = [number for number in dates if number > session.sequence]
    if not before or not after:
        return None
    phases = phases_of(session.series.protocol)
    visits = {visit.sequence: visit for visit in islice(every_visit(phases), after[0])}
    allowed = visits[after[0]].gap
    most = allowed.max_days if allowed is not None and before[-1] <= allowed.after else None
    return Gap(before[-1], after[0], (dates[after[0]] - dates[before[-1]]).days, most)


def _dates(session: Session) -> dict[int, date]:
    """Number and date of the other visits of the series that take place or took place, in order."""
    zone = zone_of(session.site)
    others = session.series.sessions.exclude(status__in=GONE).exclude(pk=session.pk).order_by("sequence")
    return {each.sequence: local_date(each.start, zone) for each in others}
