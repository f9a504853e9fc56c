"""A closure on a page: other hours, with whom they hit seen before they count; and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.db import transaction
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext

from accounts import clock
from accounts.audit import record_reads
from accounts.http.fields import as_uuid
from accounts.queries import staffed_sites
from accounts.refusals import Conflict, NotFound
from scheduler.changes import keeping_bookings
from scheduler.models import ChairClosure, SiteClosure
from scheduler.queries import staffed_chairs
from sessions import closing
from sessions.drafting import draft_items
from sessions.facts import zone_of
from sessions.models import Disruption, DisruptionStatus, Session
from web.disruptions import SpanForm, rows_of, tally
from web.pages import page, page_for

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest, HttpResponse

    from accounts.models import Site, User

    Closure = ChairClosure | SiteClosure


def _of_chair(user: User, pk: str) -> ChairClosure:
    rows = ChairClosure.objects.filter(chair__in=staffed_chairs(user)).select_related("chair__site")
    return _there(rows.filter(pk=pk).first())


def _of_site(user: User, pk: str) -> SiteClosure:
    return _there(SiteClosure.objects.filter(site__in=staffed_sites(user)).select_related("site").filter(pk=pk).first())


def _there(found: Any) -> Any:
    if found is None:
        raise NotFound
    return found


@page_for("chair-closures.partial_update", "GET", "HEAD", "POST")
def chair(request: HttpRequest, closure: str) -> HttpResponse:
    """A chair's closure as a form."""
    return _change(request, _of_chair(cast("User", request.user), closure))


@page_for("site-closures.partial_update", "GET", "HEAD", "POST")
def site(request: HttpRequest, closure: str) -> HttpResponse:
    """A site's closure as a form."""
    return _change(request, _of_site(cast("User", request.user), closure))


@page_for("chair-closures.destroy", "GET", "HEAD", "POST")
def reopen_chair(request: HttpRequest, closure: str) -> HttpResponse:
    """The question before a chair's closure is taken back (GET), and the answer (POST)."""
    return _reopen(request, _of_chair(cast("User", request.user), closure))


@page_for("site-closures.destroy", "GET", "HEAD", "POST")
def reopen_site(request: HttpRequest, closure: str) -> HttpResponse:
    """The question before a site's closure is taken back (GET), and the answer (POST)."""
    return _reopen(request, _of_site(cast("User", request.user), closure))


def _change(request: HttpRequest, closure: Closure) -> HttpResponse:
    """Other hours. What hits visits that stand free of it so far is shown first; `visit` are those agreed to."""
    user, where, now = cast("User", request.user), closing.site_of(closure), clock.now()
    zone = zone_of(where)
    start, end = (edge.astimezone(zone) for edge in (closure.during.lower, closure.during.upper))
    shown = {"first_day": start.date(), "from_time": start.time(), "last_day": end.date(), "until_time": end.time()}
    form = SpanForm(request.POST if request.method == "POST" else None, initial=shown | {"reason": closure.reason})
    if form.is_valid():
        during, reason = form.during(zone), form.cleaned_data["reason"]
        agreed = [pk for pk in map(as_uuid, request.POST.getlist("visit")) if pk is not None]
        try:
            draft = closing.change(closure, during, reason, agreed, user, now)
        except Conflict as refused:
            if "sessions" not in refused.extra:
                raise
            return _effect(request, closure, form, during)
        messages.success(request, gettext("Saved."))
        if draft is None:
            return redirect(_supply(where))
        messages.warning(request, gettext("The visits that it hits stand below. They change only when you apply this."))
        return redirect("web:disruption", draft)
    status = 400 if form.errors else 200
    return page(request, "closure", status, site=where, form=form, back=_supply(where), **_named(closure))


def _effect(request: HttpRequest, closure: Closure, form: SpanForm, during: tuple[datetime, datetime]) -> HttpResponse:
    """What becomes of the visits that the new hours hit; nothing is saved."""
    user, where = cast("User", request.user), closing.site_of(closure)
    items = draft_items(closing.missing(closure, during), clock.now())
    visits = [visit.pk for visit in closing.missing(closure, during).affected()]
    rows = rows_of(where, items)
    record_reads(user.pk, Session._meta.db_table, [(row.item.session_id, row.item.patient_id) for row in rows])
    count, tells = tally(rows)
    shown: dict[str, Any] = {"rows": rows, "count": count, "tells": tells, "visits": visits, "form": form}
    shown |= {"during": during, "moved_on": "visit" in request.POST, "back": _supply(where), **_named(closure)}
    return page(request, "closure_preview", 409, site=where, **shown)


def _reopen(request: HttpRequest, closure: Closure) -> HttpResponse:
    """It can be booked again; what was moved for its sake stays where it is, and its draft goes with it."""
    where = closing.site_of(closure)
    if request.method == "POST":
        with transaction.atomic(), keeping_bookings(where.pk):
            closure.delete()
        messages.success(request, gettext("Taken back. That time can be booked again."))
        return redirect(_supply(where))
    column = "chair_closure" if isinstance(closure, ChairClosure) else "site_closure"
    about = Disruption.objects.filter(**{column: closure}).prefetch_related("items")
    applied = [each for each in about if each.status == DisruptionStatus.APPLIED]
    moved = sum(item.after is not None and item.after != item.before for each in applied for item in each.items.all())
    draft = next((each for each in about if each.status == DisruptionStatus.DRAFT), None)
    shown: dict[str, Any] = {"applied": applied, "moved": moved, "draft": draft, "during": closure.during}
    return page(request, "closure_reopen", site=where, back=_supply(where), **shown, **_named(closure))


def _supply(where: Site) -> str:
    return f"{reverse('web:supply')}?site={where.pk}"


def _named(closure: Closure) -> dict[str, Any]:
    """What is closed, and where its pages are."""
    kind = "chair" if isinstance(closure, ChairClosure) else "site"
    name = closure.chair.name if isinstance(closure, ChairClosure) else gettext("The whole clinic")
    return {
        "closed": name,
        "change": reverse(f"web:change-{kind}-closure", args=[closure.pk]),
        "reopen": reverse(f"web:reopen-{kind}", args=[closure.pk]),
    }
