"""One weekly shift as a page: change, end or remove it; where visits need it, what becomes of them is seen first."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.db import transaction
from django.shortcuts import redirect
from django.utils.translation import gettext, ngettext

from accounts import clock
from accounts.audit import record_reads
from accounts.http.fields import as_uuid
from accounts.refusals import Conflict, NotFound
from scheduler.api.serializers import AvailabilityRuleSerializer
from scheduler.availability_rules import check_may_change_hours
from scheduler.changes import keeping_bookings
from scheduler.models import AvailabilityRule
from scheduler.queries import staffed_providers
from sessions.drafting import draft_items
from sessions.models import Session
from sessions.shift_loss import lose, lost_spans
from web.availability import ShiftForm, everything, person_of, save_shift, week_address
from web.disruptions import rows_of, tally
from web.pages import page, page_for

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from accounts.models import User


@page_for("availability-rules.partial_update", "GET", "HEAD", "POST")
def change_shift(request: HttpRequest, rule: str) -> HttpResponse:
    """A shift as a form. What would leave visits without their people is shown first; with `sure` it is agreed to."""
    user = cast("User", request.user)
    rows = AvailabilityRule.objects.select_related("provider__site")
    found = rows.filter(pk=rule, provider__in=staffed_providers(user)).first()
    if found is None:
        raise NotFound
    check_may_change_hours(user, found.provider)
    shown = {name: getattr(found, name) for name in ShiftForm.base_fields}
    removes = "remove" in request.POST
    form = ShiftForm(request.POST if request.method == "POST" and not removes else None, initial=shown)
    values = form.judge(AvailabilityRuleSerializer, user, found) if form.is_valid() else None
    if removes or values is not None:
        after = None if values is None else _with(found, values)
        try:
            drafts = _change(request, found, after)
        except Conflict as refused:
            ids = refused.extra.get("sessions", [])
            if ids:
                return _effect(request, found, after, ids)
            form.add_error("start_time", refused.detail)
        else:
            return _done(request, found, removes, drafts)
    person = person_of(user, found.provider_id)
    about: dict[str, Any] = {"person": person, "site": person.site, "back": week_address(person)}
    return page(request, "availability_shift", 400 if form.errors else 200, form=form, **about)


def _with(rule: AvailabilityRule, values: dict[str, Any]) -> AvailabilityRule:
    """The rule as it would be, unsaved."""
    after = copy(rule)
    for name, value in values.items():
        setattr(after, name, value)
    return after


def _change(request: HttpRequest, rule: AvailabilityRule, after: AvailabilityRule | None) -> list[UUID]:
    """Write it, or remove the shift where nothing comes after; the drafts that this opens, where it was agreed to."""

    def write() -> None:
        if after is None:
            AvailabilityRule.objects.filter(pk=rule.pk).delete()
        else:
            save_shift(after)

    agreed = [pk for pk in map(as_uuid, request.POST.getlist("visit")) if pk is not None]
    if "sure" in request.POST:
        return lose(rule, after, agreed, write, cast("User", request.user), clock.now())
    with transaction.atomic(), keeping_bookings(rule.provider.site_id):
        write()
    return []


def _effect(
    request: HttpRequest, rule: AvailabilityRule, after: AvailabilityRule | None, ids: list[str]
) -> HttpResponse:
    """What becomes of the visits that need the shift, day by day; nothing is saved."""
    user, person, now = cast("User", request.user), rule.provider, clock.now()
    visits = list(Session.objects.filter(pk__in=ids).order_by("start", "id"))
    spans = lost_spans(rule, after, visits)
    items = {item.session_id: item for span in spans for item in draft_items(everything(person, *span), now)}
    rows = rows_of(person.site, items.values())
    record_reads(user.pk, Session._meta.db_table, [(row.item.session_id, row.item.patient_id) for row in rows])
    count, tells = tally(rows)
    said = [(name, value) for name in request.POST if name not in ("csrfmiddlewaretoken", "sure", "visit")
            for value in request.POST.getlist(name)]  # fmt: skip
    shown: dict[str, Any] = {"rows": rows, "count": count, "tells": tells, "back": week_address(person)}
    shown |= {"said": said, "visits": visits, "spans": spans, "moved_on": "sure" in request.POST}
    return page(request, "shift_preview", 409, person=person, site=person.site, after=after, rule=rule, **shown)


def _done(request: HttpRequest, rule: AvailabilityRule, removed: bool, drafts: list[UUID]) -> HttpResponse:
    messages.success(request, gettext("Removed.") if removed else gettext("Saved."))
    if not drafts:
        return redirect(week_address(rule.provider))
    words = ngettext(
        "One day needs a look: its draft says what becomes of the visits. Apply it.",
        "%(n)d days need a look: each has a draft of its own that says what becomes of the visits. Apply them in turn.",
        len(drafts),
    )
    messages.warning(request, words % {"n": len(drafts)})
    return redirect("web:disruption", drafts[0]) if len(drafts) == 1 else redirect("web:disruptions")
