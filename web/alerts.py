"""The clinicians' inbox of red flags: what is open, whose it is, taking one on, and closing it with what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.contrib import messages
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts import clock
from accounts.audit import record_reads
from accounts.refusals import Conflict, NotFound
from accounts.rights import may
from notifications import alerts
from notifications.api.serializers import CloseSerializer
from notifications.models import Alert, AlertLevel, AlertStatus
from notifications.queries import visible_alerts
from web.pages import page, page_for
from web.people import site_of
from web.words import alert_words

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import User

SHOWN_AT_MOST = 100
DONE_AT_MOST = 20


@page_for("alerts.list")
def inbox(request: HttpRequest) -> HttpResponse:
    """Open alerts, the gravest and oldest first; those that somebody has and has not closed; what was closed lately."""
    user = cast("User", request.user)
    seen = visible_alerts(user).select_related("patient__site", "owner", "closed_by", "session")
    waiting = list(_gravest_first(seen.filter(status=AlertStatus.OPEN))[:SHOWN_AT_MOST])
    taken = list(_gravest_first(seen.filter(status=AlertStatus.ACKNOWLEDGED))[:SHOWN_AT_MOST])
    closed = list(seen.filter(status=AlertStatus.CLOSED).order_by("-closed_at", "-id")[:DONE_AT_MOST])
    every = (*waiting, *taken, *closed)
    record_reads(user.pk, Alert._meta.db_table, [(each.pk, each.patient_id) for each in every])
    return page(
        request,
        "alerts",
        site=site_of(user),
        now=clock.now(),
        patients=[each.patient for each in every],
        waiting=[(each, alert_words(each.kind)) for each in waiting],
        taken=[(each, alert_words(each.kind)) for each in taken],
        closed=[(each, alert_words(each.kind)) for each in closed],
        may_close=may(user, "alerts.close"),
    )


def _gravest_first(found: QuerySet[Alert]) -> QuerySet[Alert]:
    order = reversed(AlertLevel.values)
    grave = Case(
        *(When(level=level, then=Value(place)) for place, level in enumerate(order)),
        default=Value(len(AlertLevel.values)),
        output_field=IntegerField(),
    )
    return found.order_by(grave, "created_at", "id")


@page_for("alerts.acknowledge", "POST")
def take(request: HttpRequest, alert: str) -> HttpResponse:
    """ "I'll take it." Where somebody was first, the page says so and the owner stays."""
    user, found = _found(request, alert)
    try:
        alerts.acknowledge(found.pk, user)
    except Conflict as refusal:
        return _too_late(request, refusal, _("Somebody else has taken it already."))
    messages.success(request, _("It is yours now."))
    return redirect("web:alerts")


@page_for("alerts.close", "POST")
def close(request: HttpRequest, alert: str) -> HttpResponse:
    """It is done, and what was done is written down; without words nothing is closed."""
    user, found = _found(request, alert)
    said = CloseSerializer(data={"outcome": request.POST.get("outcome", "").strip()})
    if not said.is_valid():
        messages.error(request, _("Not closed: say in a few words what was done."))
        return redirect("web:alerts")
    try:
        alerts.close(found.pk, user, said.validated_data["outcome"])
    except Conflict as refusal:
        return _too_late(request, refusal, _("Somebody else has closed it already."))
    messages.success(request, _("Closed, with what was done."))
    return redirect("web:alerts")


def _found(request: HttpRequest, alert: str) -> tuple[User, Alert]:
    """The reader, and the alert among those they see."""
    user = cast("User", request.user)
    found = visible_alerts(user).filter(pk=alert).first()
    if found is None:
        raise NotFound
    return user, found


def _too_late(request: HttpRequest, refusal: Conflict, words: str) -> HttpResponse:
    """Back to the inbox, where somebody was first; any other refusal goes on."""
    if refusal.code != "already_done":
        raise refusal
    messages.warning(request, words)
    return redirect("web:alerts")
