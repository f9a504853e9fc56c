"""One visit to another chair, nurse or time, as somebody at the board says it: a form, and the same for a drag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as noop

from accounts import clock
from accounts.audit import record_reads
from accounts.refusals import NotFound, Refusal
from scheduler.models import ProviderRole
from scheduler.queries import staffed_chairs, staffed_providers
from scheduler.walltime import instant, local_date
from sessions import lifecycle, reseating
from sessions.facts import SLOT, zone_of
from sessions.models import Session
from sessions.queries import visible_sessions
from web import wording
from web.board import short_name
from web.pages import page, page_for

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User

# What forbids it, in the words of who stands at the board.
REASONS: Final = {
    "chair_unfit": noop("That chair has not what this visit needs."),
    "chair_taken": noop("That chair is not free for the whole visit and its turnover."),
    "nurse_unavailable": noop("That nurse is not on duty for the whole visit, or starts another patient then."),
    "ratio_exceeded": noop("That nurse would have more patients than allowed."),
    "prescriber_unavailable": noop("No prescriber is there for the whole infusion."),
    "patient_busy": noop("The patient has another visit then."),
    "outside_opening_hours": noop("The clinic is not open then."),
    "recovery_after_close": noop("The visit would not end while the clinic is open."),
    "in_past": noop("This time has passed."),
    "off_grid": noop("Visits start on five-minute marks."),
    "gap_too_short": noop("That is too soon after, or before, another visit of this series."),
    "gap_too_long": noop("That is too long after, or before, another visit of this series."),
    "stale": noop("Somebody has changed this visit meanwhile. Look again."),
    "already_done": noop("The visit is there already."),
}


# A day of five-minute steps: no drag on one board goes farther.
MOST_STEPS: Final = 288


class SeatForm(forms.Form):
    """Day, time, chair and nurse; those of the visit at first."""

    day = forms.DateField(label=gettext_lazy("Day"), widget=forms.DateInput(attrs={"type": "date"}))
    at = forms.TimeField(
        label=gettext_lazy("Time"), widget=forms.TimeInput(attrs={"type": "time", "step": 300}, format="%H:%M")
    )
    chair = forms.ChoiceField(label=gettext_lazy("Chair"))
    nurse = forms.ChoiceField(label=gettext_lazy("Nurse"))

    def __init__(self, user: User, visit: Session, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chairs = staffed_chairs(user).filter(site=visit.site_id, is_active=True).order_by("name")
        nurses = staffed_providers(user).filter(site=visit.site_id, is_active=True, role=ProviderRole.NURSE)
        for name, rows in (("chair", chairs), ("nurse", nurses.order_by("name"))):
            cast("forms.ChoiceField", self.fields[name]).choices = [(str(each.pk), each.name) for each in rows]

    def wanted(self, visit: Session) -> reseating.Wanted:
        """What the form asks for; only what differs from how the visit stands."""
        values = self.cleaned_data
        start = instant(values["day"], values["at"], zone_of(visit.site))
        return reseating.Wanted(
            start=None if start == visit.start else start,
            chair=_other(values["chair"], visit.chair_id),
            nurse=_other(values["nurse"], visit.nurse_id),
        )


def _other(chosen: str, stands: Any) -> Any:
    return None if chosen == str(stands) else UUID(chosen)


@page_for("sessions.reseat", "GET", "HEAD", "POST")
def seat(request: HttpRequest, session: str) -> HttpResponse:
    """The form (GET); the visit goes there, or the reason why not is told (POST)."""
    visit, user = _visit(request, session), cast("User", request.user)
    if request.method == "POST" and "steps" in request.POST:
        return _dragged(request, visit)
    local = wording.local(visit.start, visit.site.time_zone)
    stands = {"day": local.date(), "at": local.time(), "chair": visit.chair_id, "nurse": visit.nurse_id}
    lifecycle.check_move(visit, "reseat", clock.now())
    form = SeatForm(user, visit, request.POST or None, initial=stands)
    refused = ""
    if request.method == "POST" and form.is_valid():
        try:
            moved = _put(request, visit, form.wanted(visit))
        except Refusal as refusal:
            refused = reason(refusal)
        else:
            messages.success(request, _("%(name)s has moved.") % {"name": short_name(visit)})
            return redirect(_board(moved))
    status = 409 if refused else 400 if form.errors else 200
    context: dict[str, Any] = {
        "form": form,
        "refused": refused,
        "session": visit,
        "who": short_name(visit),
        "back": _board(visit),
    }
    return page(request, "seat", status, site=visit.site, **context)


def _dragged(request: HttpRequest, visit: Session) -> HttpResponse:
    """A drag's answer in plain words: nothing where it has landed, else the reason."""
    try:
        steps = int(request.POST["steps"])
    except ValueError:
        return HttpResponse(status=400, content_type="text/plain")
    chairs = staffed_chairs(cast("User", request.user)).filter(site=visit.site_id)
    named = {str(each): each for each in chairs.values_list("pk", flat=True)}
    chair = named.get(request.POST.get("chair", ""))
    if chair is None or abs(steps) > MOST_STEPS:
        return HttpResponse(status=400, content_type="text/plain")
    start = visit.start + steps * SLOT if steps else None
    try:
        _put(request, visit, reseating.Wanted(start=start, chair=_other(str(chair), visit.chair_id) and chair))
    except Refusal as refusal:
        return HttpResponse(reason(refusal), status=refusal.status, content_type="text/plain; charset=utf-8")
    return HttpResponse(status=204)


def _put(request: HttpRequest, visit: Session, wanted: reseating.Wanted) -> Session:
    version = request.POST.get("version", "")
    return reseating.reseat(visit, wanted, cast("User", request.user), clock.now(), frozenset({version}))


def reason(refusal: Refusal) -> str:
    """Why a visit cannot go there."""
    return _(REASONS[refusal.code]) if refusal.code in REASONS else refusal.detail


def _board(visit: Session) -> str:
    day = local_date(visit.start, zone_of(visit.site))
    return f"{reverse('web:board')}?site={visit.site_id}&date={day}"


def _visit(request: HttpRequest, session_id: str) -> Session:
    user = cast("User", request.user)
    seen = visible_sessions(user).select_related("site", "series__protocol", "series__site", "patient__site", "chair")
    found = seen.filter(pk=session_id).first()
    if found is None:
        raise NotFound
    record_reads(user.pk, Session._meta.db_table, [(found.pk, found.patient_id)])
    return found
