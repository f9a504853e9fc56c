"""The front desk's day: who comes today, who has not said yet that they come tomorrow, and finding a patient."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import clock
from accounts.audit import record_reads
from accounts.models import Patient
from accounts.patients import contact_as_seen, named
from accounts.queries import visible_patients
from accounts.refusals import Conflict, NotFound
from scheduler.walltime import first_instant, local_date
from sessions import lifecycle
from sessions.facts import zone_of
from sessions.models import TO_COME, Session, SessionStatus
from sessions.queries import visible_sessions
from web.pages import page, page_for
from web.people import site_of

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import Site, User

FOUND_AT_MOST = 50
TERMS_AT_MOST, TEXT_AT_MOST = 5, 100
DATE_FORMATS = ("%Y-%m-%d", "%m/%d/%Y", "%m/%d/%y")


@page_for("sessions.arrive")
def desk(request: HttpRequest) -> HttpResponse:
    """Today's visits in order, and tomorrow's that nobody has confirmed, with the number to call."""
    user, now = cast("User", request.user), clock.now()
    site = site_of(user, request.GET.get("site", ""))
    today = local_date(now, zone_of(site))
    coming = _on(user, site, today)
    unsure = [each for each in _on(user, site, today + timedelta(days=1)) if each.status == SessionStatus.BOOKED]
    record_reads(user.pk, Session._meta.db_table, [(each.pk, each.patient_id) for each in (*coming, *unsure)])
    return page(
        request,
        "desk",
        site=site,
        now=now,
        arrivals=[_row(each, now) for each in coming],
        calls=[{"session": each, "phone": contact_as_seen(user, each.patient).get("phone", "")} for each in unsure],
    )


def _on(user: User, site: Site, day: date) -> list[Session]:
    first, last = (first_instant(each, zone_of(site)) for each in (day, day + timedelta(days=1)))
    seen = visible_sessions(user).filter(site=site, start__gte=first, start__lt=last)
    known = seen.exclude(status=SessionStatus.CANCELLED).select_related("patient", "chair", "nurse")
    return list(known.order_by("start", "id"))


def _row(session: Session, now: datetime) -> dict[str, Any]:
    """A visit with what can be said or done about it now."""
    expected = session.status in TO_COME
    late = round((now - session.start).total_seconds() / 60) if expected and session.start < now else 0
    words = ngettext("one minute late", "%(minutes)d min late", late) % {"minutes": late} if late else ""
    return {"session": session, "expected": expected, "late": words}


@page_for("sessions.arrive", "POST")
def arrive(request: HttpRequest, session: str) -> HttpResponse:
    """They are here."""
    visit = _visit(request, session)
    _once(lambda: lifecycle.arrive(visit, cast("User", request.user), clock.now()))
    messages.success(request, _("%(name)s is here.") % {"name": _name(visit)})
    return redirect("web:desk")


@page_for("sessions.confirm", "POST")
def confirmed(request: HttpRequest, session: str) -> HttpResponse:
    """They said on the phone that they come."""
    visit = _visit(request, session)
    _once(lambda: lifecycle.confirm(visit, cast("User", request.user), clock.now()))
    messages.success(request, _("%(name)s comes tomorrow.") % {"name": _name(visit)})
    return redirect("web:desk")


def _once(act: Any) -> None:
    """What two people do at the same moment is done once, and fine for both."""
    try:
        act()
    except Conflict as refusal:
        if refusal.code != "already_done":
            raise


def _name(session: Session) -> str:
    return f"{session.patient.given_name} {session.patient.family_name}"


def _visit(request: HttpRequest, session_id: str) -> Session:
    seen = visible_sessions(cast("User", request.user)).select_related("site", "series__protocol", "patient")
    found = seen.filter(pk=session_id).first()
    if found is None:
        raise NotFound
    return found


@page_for("patients.list", "GET", "HEAD", "POST")
def patients(request: HttpRequest) -> HttpResponse:
    """Find a patient by name or birth date. Asked by POST, so that no name stands in an address."""
    user = cast("User", request.user)
    asked = request.POST.get("who", "").replace("\0", "").strip()[:TEXT_AT_MOST]
    found = _found(user, asked) if asked else []
    record_reads(user.pk, Patient._meta.db_table, [(each.pk, each.pk) for each in found])
    return page(request, "patients", site=site_of(user), asked=asked, found=found, many=len(found) == FOUND_AT_MOST)


def _found(user: User, asked: str) -> list[Patient]:
    born = _date(asked)
    condition = {"birth_date": born} if born is not None else {}
    seen = visible_patients(user).select_related("site").filter(**condition)
    if born is None:
        seen = seen.filter(named(asked.split()[:TERMS_AT_MOST]))
    return list(seen.order_by("family_name", "given_name", "id")[:FOUND_AT_MOST])


def _date(text: str) -> date | None:
    for each in DATE_FORMATS:
        try:
            return datetime.strptime(text, each).date()  # noqa: DTZ007  (a birth date has no zone)
        except ValueError:
            continue
    return None
