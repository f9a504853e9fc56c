"""An absence or a closure on a page: each visit before and after; apply it, undo it, and what happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import clock
from accounts.audit import record_reads
from accounts.http.fields import FIRST_YEAR, LAST_YEAR
from accounts.models import Site
from accounts.queries import staffed_sites
from accounts.refusals import Conflict, NotFound, Refusal
from accounts.rights import may
from notifications.models import Message
from scheduler.models import Chair, Provider
from scheduler.queries import staffed_chairs, staffed_providers
from scheduler.walltime import instant
from sessions import applying, disruptions
from sessions.api.change_serializers import days_shifted, told
from sessions.facts import zone_of
from sessions.models import (
    TO_COME,
    Disruption,
    DisruptionItem,
    DisruptionKind,
    DisruptionStatus,
    Outcome,
    SessionEvent,
)
from sessions.queries import visible_disruptions
from web.pages import page, page_for

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from zoneinfo import ZoneInfo

    from django.http import HttpRequest, HttpResponse

    from accounts.models import User

LISTED = 50
# What browsers take as the value of such a field, in whichever language the page is.
DAY_FIELD = forms.DateInput({"type": "date"}, format="%Y-%m-%d")
CLOCK_FIELD = forms.TimeInput({"type": "time"}, format="%H:%M")


class SpanForm(forms.Form):
    """From when until when, in the site's wall time, and why."""

    first_day = forms.DateField(label=gettext_lazy("First day"), widget=DAY_FIELD)
    from_time = forms.TimeField(label=gettext_lazy("From"), widget=CLOCK_FIELD)
    last_day = forms.DateField(label=gettext_lazy("Last day"), widget=DAY_FIELD)
    until_time = forms.TimeField(label=gettext_lazy("Until"), widget=CLOCK_FIELD)
    reason = forms.CharField(
        label=gettext_lazy("Why"), required=False, max_length=200, help_text=gettext_lazy("Patients do not see this.")
    )

    def clean(self) -> dict[str, Any]:
        """An end after the start, within years that have instants."""
        values = super().clean() or {}
        for name in {"first_day", "last_day"} & values.keys():
            if not FIRST_YEAR <= values[name].year < LAST_YEAR:
                self.add_error(name, _("There is no such day in the calendar of this clinic."))
        if {"first_day", "from_time", "last_day", "until_time"} <= values.keys():
            start = (values["first_day"], values["from_time"])
            if (values["last_day"], values["until_time"]) <= start:
                self.add_error("until_time", _("This is before it begins."))
        return values

    def during(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The instants that the form names."""
        values = self.cleaned_data
        start = instant(values["first_day"], values["from_time"], zone)
        return start, instant(values["last_day"], values["until_time"], zone)


class DraftForm(SpanForm):
    """Who or what falls away, and when."""

    what = forms.ChoiceField(label=gettext_lazy("Who or what is missing"))
    field_order = ("what",)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subjects: dict[str, Provider | Chair | Site] = {f"provider:{each.pk}": each for each in _providers(user)}
        self.subjects |= {f"chair:{each.pk}": each for each in staffed_chairs(user).filter(is_active=True)}
        self.subjects |= {f"site:{each.pk}": each for each in staffed_sites(user)}
        field = cast("forms.ChoiceField", self.fields["what"])
        field.choices = [
            (name, _("The whole clinic %(name)s") % {"name": each.name} if isinstance(each, Site) else each.name)
            for name, each in self.subjects.items()
        ]

    def draft(self, user: User, now: datetime) -> Disruption:
        """The draft that the form asks for."""
        subject = self.subjects[self.cleaned_data["what"]]
        site = subject if isinstance(subject, Site) else subject.site
        kind, who = DisruptionKind.SITE_CLOSURE, dict[str, Any]()
        if isinstance(subject, Provider):
            kind, who = DisruptionKind.PROVIDER_ABSENCE, {"provider": subject}
        elif isinstance(subject, Chair):
            kind, who = DisruptionKind.CHAIR_CLOSURE, {"chair": subject}
        return disruptions.draft(kind, site, self.during(zone_of(site)), self.cleaned_data["reason"], user, now, **who)


def _providers(user: User) -> Iterable[Provider]:
    return staffed_providers(user).filter(is_active=True).select_related("site").order_by("role", "name")


@dataclass(frozen=True)
class Row:
    """One visit: where it is, where it would go, what changes in words, and how the patient hears of it."""

    item: DisruptionItem
    before: datetime
    after: datetime | None
    was: str
    will: str
    apart: str
    tell: str
    number: int
    count: int
    messages: list[Message]
    can_move: bool


def rows_of(site: Site, items: Collection[DisruptionItem], applied_at: datetime | None = None) -> list[Row]:
    """The items with names, those that need somebody first."""
    now = clock.now()
    order = {Outcome.UNRESOLVED: 0, Outcome.MOVED: 1, Outcome.KEPT: 2}
    names = {str(pk): name for pk, name in Chair.objects.filter(site=site).values_list("pk", "name")}
    names |= {str(pk): name for pk, name in Provider.objects.filter(site=site).values_list("pk", "name")}
    said: dict[Any, list[Message]] = {}
    if applied_at is not None:
        sessions = [item.session_id for item in items]
        for message in Message.objects.filter(session__in=sessions, created_at__gte=applied_at).order_by("id"):
            said.setdefault(message.session_id, []).append(message)
    rows = [
        Row(
            item=item,
            before=datetime.fromisoformat(item.before["start"]),
            after=None if item.after is None else datetime.fromisoformat(item.after["start"]),
            was=_people(item.before, names),
            will="" if item.after is None else _people(item.after, names),
            apart=_apart(days_shifted(item, zone_of(site)) or 0),
            tell=told(item),
            number=item.session.sequence,
            count=item.session.series.sessions.count(),
            messages=said.get(item.session_id, []),
            can_move=item.session.status in TO_COME and item.session.start > now,
        )
        for item in items
    ]
    return sorted(rows, key=lambda row: (order[Outcome(row.item.outcome)], row.before))


def tally(rows: Collection[Row]) -> tuple[dict[str, int], dict[str, int]]:
    """How many are kept, moved, unresolved; and how many are to be told by message or by phone."""
    count = {name: sum(row.item.outcome == name for row in rows) for name in Outcome.values}
    return count, {name: sum(row.tell == name for row in rows) for name in ("message", "call")}


def _apart(days: int) -> str:
    """How far a visit is moved, in words; "" within a day."""
    if days > 0:
        return ngettext("one day later", "%(n)d days later", days) % {"n": days}
    return ngettext("one day earlier", "%(n)d days earlier", -days) % {"n": -days} if days else ""


def _people(where: dict[str, str], names: dict[str, str]) -> str:
    return f"{names.get(where['chair'], '')}, {names.get(where['nurse'], '')}"


def title_of(found: Disruption) -> str:
    """What falls away, as a heading."""
    if found.provider is not None:
        return _("%(name)s is away") % {"name": found.provider.name}
    if found.chair is not None:
        return _("%(name)s is out of use") % {"name": found.chair.name}
    return _("%(name)s is closed") % {"name": found.site.name}


def _seen(request: HttpRequest) -> Any:
    user = cast("User", request.user)
    people = ("created_by", "applied_by", "undone_by")
    return visible_disruptions(user).select_related("site", "provider", "chair", *people)


@page_for("disruptions.list", "GET", "HEAD", "POST")
def overview(request: HttpRequest) -> HttpResponse:
    """What falls away from now on, and a form that drafts what another absence would do."""
    user = cast("User", request.user)
    form = DraftForm(user, request.POST or None)
    if request.method == "POST":
        if not may(user, "disruptions.create"):
            raise NotFound
        if form.is_valid():
            try:
                return redirect("web:disruption", form.draft(user, clock.now()).pk)
            except Refusal as refusal:
                form.add_error(None, refusal.detail)
    shown = list(_seen(request).exclude(status=DisruptionStatus.REPLACED).order_by("-id")[:LISTED])
    listed = [{"row": each, "title": title_of(each)} for each in shown]
    status = 400 if form.errors else 200
    can_draft = may(user, "disruptions.create")
    return page(request, "disruptions", status, form=form, listed=listed, shown=shown, can_draft=can_draft)


@page_for("disruptions.retrieve")
def disruption(request: HttpRequest, disruption: str) -> HttpResponse:
    """One disruption: before and after, whom to tell, and what happened."""
    found = _seen(request).filter(pk=disruption).first()
    if found is None:
        raise NotFound
    return _show(request, found)


def _show(request: HttpRequest, found: Disruption, status: int = 200, refused: Conflict | None = None) -> HttpResponse:
    user = cast("User", request.user)
    rows = rows_of(found.site, found.items.select_related("patient", "session__series"), found.applied_at)
    record_reads(user.pk, DisruptionItem._meta.db_table, [(row.item.pk, row.item.patient_id) for row in rows])
    count, tells = tally(rows)
    return page(
        request,
        "disruption",
        status,
        found=found,
        title=title_of(found),
        site=found.site,
        rows=rows,
        count=count,
        tells=tells,
        changes=count["kept"] + count["moved"],
        may_apply=may(user, "disruptions.apply") and disruptions.may_record(found, user),
        refused=refused,
        events=SessionEvent.objects.filter(after__disruption=str(found.pk)).count(),
    )


@page_for("disruptions.apply", "POST")
def apply(request: HttpRequest, disruption: str) -> HttpResponse:
    """Apply it whole; where the world has moved on, the fresh draft is shown instead."""
    return _change(request, disruption, applying.apply, _("Applied. What patients are told follows by itself."))


@page_for("disruptions.undo", "POST")
def undo(request: HttpRequest, disruption: str) -> HttpResponse:
    """Undo it whole, or say what stands in the way."""
    return _change(request, disruption, applying.undo, _("Undone. Everybody is back where they were."))


def _change(request: HttpRequest, disruption: str, use_case: Any, done: str) -> HttpResponse:
    user = cast("User", request.user)
    found = _seen(request).filter(pk=disruption).first()
    if found is None:
        raise NotFound
    disruptions.check_may_record(found, user)
    try:
        use_case(found, user, clock.now())
    except Conflict as refused:
        if "disruption" in refused.extra:
            messages.warning(request, refused.detail)
            return redirect("web:disruption", refused.extra["disruption"])
        return _show(request, found, 409, refused)
    messages.success(request, done)
    return redirect("web:disruption", found.pk)
