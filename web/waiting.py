"""The waitlist on a page: who waits for what, and what is on offer to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.db.models import Q
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts import clock
from accounts.audit import record_reads
from accounts.queries import staffed_sites
from accounts.refusals import Conflict, NotFound
from accounts.rights import is_staff, may
from sessions import waitlist
from sessions.models import EntryStatus, Offer, OfferStatus, WaitlistEntry
from sessions.queries import visible_entries, visible_offers
from web.pages import page, page_for

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import User

LISTED = 100


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
    shown: dict[str, Any] = {"waiting": waiting, "open": open_offers, "past": past}
    return page(request, "waitlist", **shown, may_answer=may(user, "offers.accept"), own=not is_staff(user))


@page_for("offers.accept", "POST")
def accept(request: HttpRequest, offer: str) -> HttpResponse:
    """Take the place in the patient's name."""
    return _answer(request, offer, "accept", _("Taken. The old place is free again."))


@page_for("offers.decline", "POST")
def decline(request: HttpRequest, offer: str) -> HttpResponse:
    """Leave the place to others."""
    return _answer(request, offer, "decline", _("Declined. The wish goes on waiting."))


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
        messages.warning(request, refused.detail)
    return redirect("web:waitlist")
