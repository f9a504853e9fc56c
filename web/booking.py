"""Booking a series, by the patient or for one: wishes, whole plans side by side, one held, then booked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts import clock
from accounts.audit import record_reads
from accounts.http.fields import as_uuid
from accounts.models import Patient
from accounts.refusals import Conflict, NotFound, Refusal
from accounts.rights import is_staff
from scheduler.walltime import local_date
from sessions import holds, planning
from sessions.booking import book_series, check_plan_is_open
from sessions.facts import zone_of
from sessions.models import Plan, Series
from sessions.queries import visible_plans
from web.pages import page, page_for
from web.people import own_record, patient_seen_by
from web.plan_cards import cards
from web.preparing import preparation, what_happens
from web.why_not import explained
from web.wishes import WishesForm, as_form, courses
from web.words import refusal_words

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from accounts.models import User


def begins_with(user: User) -> str:
    """The page that a patient begins with: the visits; booking, where none was ever booked and a course is ordered."""
    patient = Patient.objects.select_related("site").filter(user=user).first()
    if patient is None or Series.objects.filter(patient=patient).exists():
        return "web:visits"
    return "web:book" if courses(user, patient, local_date(clock.now(), zone_of(patient.site))) else "web:visits"


@page_for("plans.create")
def start(request: HttpRequest) -> HttpResponse:
    """To the patient's own wishes."""
    return redirect("web:wishes", own_record(_user(request)).pk)


@page_for("plans.create", "GET", "HEAD", "POST")
def wishes(request: HttpRequest, patient: str) -> HttpResponse:
    """The wishes (GET), and the search for plans (POST): to the plans, or why there is none and what would help."""
    user = _user(request)
    about = patient_seen_by(user, patient)
    today = local_date(clock.now(), zone_of(about.site))
    offered = courses(user, about, today)
    if request.method != "POST":
        initial = {"earliest": today, "same_time": True, **_wishes_before(user, request.GET.get("plan", ""))}
        form = WishesForm(offered, today, initial=initial)
        return _ask(request, about, form)
    form = WishesForm(offered, today, request.POST)
    if not form.is_valid():
        return _ask(request, about, form, 400)
    try:
        found = planning.propose(form.request(about), user, clock.now())
    except Refusal as refusal:
        return _ask(request, about, form, refusal.status, refusal=refusal_words(refusal))
    if not found.plans:
        return _ask(request, about, form, reasons=explained(found, form.cleaned_data, is_staff(user)))
    return redirect("web:plans", found.plans[0].pk)


def _ask(request: HttpRequest, patient: Patient, form: WishesForm, status: int = 200, **more: Any) -> HttpResponse:
    return page(request, "wishes", status, site=patient.site, patient=patient, form=form, **_who(request), **more)


def _wishes_before(user: User, plan_id: str) -> dict[str, object]:
    """The wishes behind a plan that the person has seen; none where the id is not one."""
    try:
        plan = _plan(user, plan_id)
    except NotFound:
        return {}
    return as_form(plan.protocol, plan.request)


@page_for("plans.retrieve")
def plans(request: HttpRequest, plan: str) -> HttpResponse:
    """The plans that were found together with this one, side by side."""
    user = _user(request)
    first = _plan(user, plan)
    found = [each for each in _together(user, first) if _is_open(each, user)]
    _seen(user, found)
    return page(
        request, "plans", site=first.site, patient=first.patient, plan=first, cards=cards(found), **_who(request)
    )


def _together(user: User, plan: Plan) -> list[Plan]:
    """The plans of one search, best first."""
    same = {"created_by": plan.created_by_id, "created_at": plan.created_at, "patient": plan.patient_id}
    return list(visible_plans(user).filter(**same).select_related("site", "protocol").order_by("score", "id"))


def _is_open(plan: Plan, user: User) -> bool:
    try:
        check_plan_is_open(plan, user, clock.now())
    except Conflict:
        return False
    return True


@page_for("plans.hold", "POST")
def hold(request: HttpRequest, plan: str) -> HttpResponse:
    """Keep a plan for some minutes, and go on to look it over."""
    user = _user(request)
    chosen = _plan(user, plan)
    try:
        holds.hold(chosen, user, clock.now())
    except Conflict as lost:
        return _gone(request, chosen, lost)
    return redirect("web:plan", chosen.pk)


@page_for("series.create", "GET", "HEAD", "POST")
def plan(request: HttpRequest, plan: str) -> HttpResponse:
    """One plan in full with what to expect (GET); booked, all visits or none (POST)."""
    user = _user(request)
    chosen = _plan(user, plan)
    if chosen.booked_as_id is not None:
        return redirect("web:series", chosen.booked_as_id)
    if request.method != "POST":
        _seen(user, [chosen])
        held = chosen.held_by_id == user.pk and chosen.held_until is not None and chosen.held_until > clock.now()
        about: dict[str, Any] = {
            "site": chosen.site,
            "patient": chosen.patient,
            "card": cards([chosen])[0],
            "held": held,
        }
        prepare: dict[str, Any] = {"preparation": preparation(chosen.protocol), "happens": what_happens(chosen)}
        return page(request, "plan", 200, **about, **prepare, **_who(request))
    if chosen.patient is None:
        raise NotFound
    try:
        series = book_series(chosen, chosen.patient, chosen.protocol, user, clock.now())
    except Conflict as lost:
        return _gone(request, chosen, lost)
    messages.success(request, _("Booked. Every visit below is yours.") if not is_staff(user) else _("Booked."))
    return redirect("web:series", series.pk)


def _gone(request: HttpRequest, plan: Plan, lost: Conflict) -> HttpResponse:
    """A race lost: fresh plans where there are some; nothing was booked, and the page says so."""
    user, now = _user(request), clock.now()
    fresh = lost.extra.get("plans") or planning.fresh_plans(plan, plan.patient, user, now)
    if not fresh:
        raise lost
    messages.warning(request, _("That place has just gone. Nothing was booked. Here are fresh plans."))
    return redirect("web:plans", fresh[0].pk)


def _plan(user: User, plan_id: str | UUID) -> Plan:
    found = visible_plans(user).select_related("site", "protocol", "patient__site")
    wanted = as_uuid(str(plan_id))
    plan = None if wanted is None else found.filter(pk=wanted).first()
    if plan is None:
        raise NotFound
    return plan


def _seen(user: User, found: list[Plan]) -> None:
    rows = [(each.pk, each.patient_id) for each in found if each.patient_id is not None]
    record_reads(user.pk, Plan._meta.db_table, rows)


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)


def _who(request: HttpRequest) -> dict[str, Any]:
    """Whether the reader speaks of themselves or of somebody else."""
    return {"for_other": is_staff(_user(request))}
