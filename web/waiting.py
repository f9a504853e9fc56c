"""The waitlist on pages: who waits for what, what is on offer to whom; putting somebody on it, taking them off."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.db.models import Q
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts import clock
from accounts.audit import record_reads
from accounts.queries import staffed_sites
from accounts.refusals import Conflict, NotFound, Refusal
from accounts.rights import is_staff, may
from scheduler.walltime import local_date
from sessions import lifecycle, waitlist
from sessions.facts import zone_of
from sessions.models import EntryStatus, Offer, OfferStatus, WaitlistEntry
from sessions.queries import visible_entries, visible_offers
from web.pages import page, page_for
from web.people import patient_seen_by
from web.visits import visit_seen_by
from web.wishes import WINDOWS, DaysForm, courses
from web.words import refusal_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest, HttpResponse

    from accounts.models import Patient, User
    from sessions.models import Session
    from web.wishes import Course

LISTED = 100
# How far ahead a free place is waited for, where nobody says otherwise.
WAITS = timedelta(days=28)


class WishForm(DaysForm):
    """When somebody would come. The course is asked for where it is for a whole one."""

    def __init__(self, offered: Sequence[Course], today: date, data: Any = None) -> None:
        super().__init__(offered, data, initial={"earliest": today, "latest": today + WAITS})
        self.fields["course"].label = _("What for")
        if not offered:
            del self.fields["course"]

    def wish(self) -> dict[str, Any]:
        """What the use case is told; only of a valid form."""
        told: dict[str, Any] = {name: self.cleaned_data[name] for name in ("earliest", "latest")}
        if windows := [list(window) for window in WINDOWS[self.cleaned_data["times"]]]:
            told["time_windows"] = windows
        course = self.offered.get(self.cleaned_data.get("course", ""))
        return told if course is None else {**told, "protocol": course.protocol, "sessions": course.sessions}


@page_for("waitlist-entries.list")
def overview(request: HttpRequest) -> HttpResponse:
    """Who waits at the reader's sites, longest first, and the latest offers; of patients their own."""
    user = cast("User", request.user)
    here = Q(site__in=staffed_sites(user).values("id")) if is_staff(user) else Q(patient__user=user)
    entries = visible_entries(user).filter(here, status=EntryStatus.WAITING).order_by("created_at", "id")
    offers = visible_offers(user).filter(here).order_by("-created_at", "-id")
    waiting = list(entries.select_related("patient", "protocol", "session", "site")[:LISTED])
    made = list(offers.select_related("patient", "entry", "session", "site")[:LISTED])
    record_reads(user.pk, WaitlistEntry._meta.db_table, [(each.pk, each.patient_id) for each in waiting])
    record_reads(user.pk, Offer._meta.db_table, [(each.pk, each.patient_id) for each in made])
    open_offers = [each for each in made if each.status == OfferStatus.OPEN]
    past = [each for each in made if each.status != OfferStatus.OPEN]
    shown: dict[str, Any] = {"waiting": waiting, "open": open_offers, "past": past, "shown": [*waiting, *made]}
    return page(
        request,
        "waitlist",
        **shown,
        may_answer=may(user, "offers.accept"),
        may_change=may(user, "waitlist-entries.destroy"),
        own=not is_staff(user),
    )


@page_for("offers.accept", "POST")
def accept(request: HttpRequest, offer: str) -> HttpResponse:
    """Take the place in the patient's name."""
    return _answer(request, offer, "accept", _("Taken. The old place is free again."))


@page_for("offers.decline", "POST")
def decline(request: HttpRequest, offer: str) -> HttpResponse:
    """Leave the place to others."""
    return _answer(request, offer, "decline", _("Declined. The wish goes on waiting."))


@page_for("waitlist-entries.create", "GET", "HEAD", "POST")
def for_visit(request: HttpRequest, session: str) -> HttpResponse:
    """Wait for another time for one visit."""
    visit = visit_seen_by(request, session)
    lifecycle.check_move(visit, "reschedule", clock.now())
    return _ask(request, visit.patient, (), visit)


@page_for("waitlist-entries.create", "GET", "HEAD", "POST")
def for_course(request: HttpRequest, patient: str) -> HttpResponse:
    """Wait for places for a whole course."""
    user = cast("User", request.user)
    about = patient_seen_by(user, patient)
    offered = courses(user, about, local_date(clock.now(), zone_of(about.site)))
    if not offered:
        return redirect("web:wishes", about.pk)
    return _ask(request, about, offered)


def _ask(
    request: HttpRequest, patient: Patient, offered: Sequence[Course], visit: Session | None = None
) -> HttpResponse:
    """The form (GET); what is wrong with it, or on to the list (POST)."""
    user, now = cast("User", request.user), clock.now()
    site = visit.site if visit else patient.site
    form = WishForm(offered, local_date(now, zone_of(site)), request.POST if request.method == "POST" else None)
    shown: dict[str, Any] = {
        "site": site,
        "patient": patient,
        "session": visit,
        "form": form,
        "for_other": is_staff(user),
    }
    if request.method != "POST":
        return page(request, "wait", **shown)
    if not form.is_valid():
        return page(request, "wait", 400, **shown)
    try:
        waitlist.enter(patient, user, now, session=visit, **form.wish())
    except Refusal as refusal:
        return page(request, "wait", refusal.status, refusal=refusal_words(refusal), **shown)
    messages.success(request, _("On the waitlist. A free place that fits is offered by mail or text."))
    return redirect("web:waitlist")


@page_for("waitlist-entries.destroy", "POST")
def withdraw(request: HttpRequest, entry: str) -> HttpResponse:
    """Take somebody off the list. What is booked stays as it is."""
    found = visible_entries(cast("User", request.user)).filter(pk=entry).first()
    if found is None:
        raise NotFound
    try:
        waitlist.withdraw(found, clock.now())
        messages.success(request, _("Off the waitlist. What is booked stays as it is."))
    except Conflict as refused:
        messages.warning(request, refusal_words(refused))
    return redirect("web:waitlist")


def _answer(request: HttpRequest, offer: str, what: str, done: str) -> HttpResponse:
    user = cast("User", request.user)
    found: Any = visible_offers(user).select_related("site", "session", "plan__site").filter(pk=offer).first()
    if found is None:
        raise NotFound
    try:
        if what == "accept":
            waitlist.accept(found, user, clock.now())
        else:
            waitlist.decline(found, clock.now())
        messages.success(request, done)
    except Conflict as refused:
        messages.warning(request, refusal_words(refused))
    return redirect("web:waitlist")
