"""A patient's visits in the patient's own calendar: giving its private address away, and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts.audit import record_reads
from accounts.refusals import NotFound
from notifications import feeds
from notifications.models import CalendarFeed
from web.pages import page, page_for
from web.people import own_record

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import User


@page_for("calendar-feeds.create", "GET", "HEAD", "POST")
def calendar(request: HttpRequest) -> HttpResponse:
    """The reader's calendars (GET), and one more (POST), whose address stands on this one answer and nowhere else."""
    user = cast("User", request.user)
    patient = own_record(user)
    address = feeds.give(user, {"patient": patient})[1] if request.method == "POST" else ""
    given = list(feeds.visible_feeds(user).filter(patient=patient).order_by("-created_at", "-id"))
    record_reads(user.pk, CalendarFeed._meta.db_table, [(each.pk, patient.pk) for each in given])
    # What a telephone's own calendar opens by a tap; others take the address by hand.
    opens = "webcal:" + address.partition(":")[2]
    return page(request, "calendar", site=patient.site, feeds=given, address=address, opens=opens)


@page_for("calendar-feeds.destroy", "POST")
def take_back(request: HttpRequest, feed: str) -> HttpResponse:
    """The address opens nothing from here on."""
    user = cast("User", request.user)
    found = feeds.visible_feeds(user).filter(pk=feed).first()
    if found is None:
        raise NotFound
    feeds.take_back(user, found)
    messages.success(request, _("Taken back. That address opens nothing any more."))
    return redirect("web:calendar")
