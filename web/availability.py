"""When somebody works, as a week: shifts and time off, changed only after the page has said whom it would touch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import clock
from accounts.audit import record_reads
from accounts.http.fields import FIRST_YEAR, LAST_YEAR, as_uuid
from accounts.refusals import Conflict, NotFound
from accounts.rights import may
from scheduler.api.serializers import AvailabilityRuleSerializer
from scheduler.availability_rules import check_may_change_hours, may_change_hours, refuse_overlap
from scheduler.changes import keeping_bookings, lock_site, open_drafts
from scheduler.models import AvailabilityRule, Provider, ProviderRole, TimeOff
from scheduler.queries import staffed_providers
from scheduler.walltime import DAY, first_instant, instant, local_date, shift
from sessions.drafting import Missing, draft_items
from sessions.facts import zone_of
from sessions.models import Disruption, DisruptionKind, DisruptionStatus, Session
from web.disruptions import SpanForm, rows_of, tally
from web.pages import page, page_for
from web.record_forms import RecordForm
from web.wishes import WEEKDAYS

if TYPE_CHECKING:
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from django.http import HttpRequest, HttpResponse

    from accounts.models import User

    Span = tuple[datetime, datetime]

WEEK = 7
HALVES_A_DAY = 48
# What a week without shifts shows; one with more shows all of it.
FIRST_HALF, LAST_HALF = 14, 38
WORKS, AWAY, FREE, NONE = "works", "away", "", "none"


class ShiftForm(RecordForm):
    """A weekly shift in the site's wall time, and the days on which it counts."""

    weekday = forms.TypedChoiceField(label=_("Day of the week"), choices=WEEKDAYS, coerce=int)
    start_time = forms.TimeField(label=_("From"), widget=forms.TimeInput({"type": "time"}, format="%H:%M"))
    end_time = forms.TimeField(
        label=_("Until"),
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
        help_text=_("Before the start means the next day."),
    )
    effective_from = forms.DateField(
        label=_("Counts from"), widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    )
    effective_until = forms.DateField(
        label=_("Counts until"),
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Empty: until further notice. For one day only, give that day in both."),
    )

    def sent(self) -> dict[str, Any]:
        """The values in the API's shape."""
        return {
            name: f"{value:%H:%M}" if isinstance(value, time) else str(value) if isinstance(value, date) else value
            for name, value in self.cleaned_data.items()
        }


class NewShiftForm(ShiftForm):
    """Another shift: each week, or on one day as an exception."""

    once = forms.BooleanField(
        label=_("On one day only"),
        required=False,
        help_text=_("An exception: that it counts from is the day, whichever weekday stands above."),
    )

    def sent(self) -> dict[str, Any]:
        """The values in the API's shape; of a shift of one day the day says which weekday it is."""
        body = super().sent()
        day = self.cleaned_data["effective_from"]
        return body | ({"weekday": day.weekday(), "effective_until": str(day)} if body.pop("once") else {})


class AwayForm(SpanForm):
    """A time in which somebody does not work."""

    def check_ahead(self, zone: ZoneInfo, now: datetime) -> bool:
        """Whether it is not over yet; a fault of the form where it is."""
        if self.during(zone)[1] <= now:
            self.add_error("last_day", gettext("This time has passed."))
        return not self.errors


@dataclass(frozen=True)
class Cell:
    """Half an hour of a day: whether it is worked, and how many patients are booked with the person then."""

    day: date
    start: time
    end: time
    state: str
    booked: int


@page_for("availability-rules.list")
def overview(request: HttpRequest) -> HttpResponse:
    """One person's week: `?provider=&week=`, by default the reader's own, this week."""
    user = cast("User", request.user)
    people = list(staffed_providers(user).filter(is_active=True).select_related("site").order_by("role", "name", "id"))
    wanted = request.GET.get("provider", "")
    if wanted:
        person = person_of(user, as_uuid(wanted))
    else:
        people_first = sorted(people, key=lambda each: each.user_id != user.pk)
        if not people_first:
            return page(request, "availability", person=None)
        person = people_first[0]
    return _week(request, person, people)


def person_of(user: User, pk: Any) -> Provider:
    """The provider, looked up where the person works. Raises NotFound."""
    found = None if pk is None else staffed_providers(user).select_related("site").filter(pk=pk).first()
    if found is None:
        raise NotFound
    return found


def _monday(request: HttpRequest, zone: ZoneInfo) -> date:
    """The Monday of the week that the address names, else of today's."""
    try:
        day = date.fromisoformat(request.GET.get("week", ""))
    except ValueError:
        day = local_date(clock.now(), zone)
    if not FIRST_YEAR <= day.year < LAST_YEAR:
        raise NotFound
    return day - day.weekday() * DAY


def _week(
    request: HttpRequest,
    person: Provider,
    people: list[Provider],
    shift_form: NewShiftForm | None = None,
    away_form: AwayForm | None = None,
) -> HttpResponse:
    user, zone = cast("User", request.user), zone_of(person.site)
    monday, today = _monday(request, zone), local_date(clock.now(), zone)
    wrong = any(form is not None and form.errors for form in (shift_form, away_form))
    rules = list(person.availability_rules.order_by("weekday", "start_time", "effective_from"))
    gone = person.time_off.filter(during__endswith__gt=min(clock.now(), first_instant(monday, zone)))
    changes = may(user, "availability-rules.create") and may_change_hours(user, person)
    days = [monday + number * DAY for number in range(WEEK)]
    return page(
        request,
        "availability",
        400 if wrong else 200,
        person=person,
        people=people,
        site=person.site,
        role=gettext("Nurse") if person.role == ProviderRole.NURSE else gettext("Prescriber"),
        days=[(day, name, day == today) for day, (_number, name) in zip(days, WEEKDAYS, strict=True)],
        rows=_grid(person, days, rules),
        monday=monday,
        before=monday - WEEK * DAY,
        after=monday + WEEK * DAY,
        this_week=monday == today - today.weekday() * DAY,
        rules=[(WEEKDAYS[rule.weekday][1], rule) for rule in rules if not _is_over(rule, min(monday, today))],
        gone=gone.order_by("during"),
        changes=changes,
        shift_form=shift_form or NewShiftForm(initial={"effective_from": max(monday, today)}),
        away_form=away_form or AwayForm(),
    )  # fmt: skip


def _is_over(rule: AvailabilityRule, day: date) -> bool:
    return rule.effective_until is not None and rule.effective_until < day


def _grid(person: Provider, days: list[date], rules: list[AvailabilityRule]) -> list[tuple[time, bool, list[Cell]]]:
    """Rows of half hours: the wall time, whether a whole hour begins, and each day's cell."""
    zone = zone_of(person.site)
    edges = (first_instant(days[0], zone), first_instant(days[-1] + DAY, zone))
    shifts = [
        shift(day, rule.start_time, rule.end_time, zone)
        for rule in rules
        for day in (days[0] - DAY, *days)
        if day.weekday() == rule.weekday and rule.effective_from <= day <= (rule.effective_until or day)
    ]
    away = [(row.during.lower, row.during.upper) for row in person.time_off.filter(during__overlap=edges)]
    booked = [_with_person(session, person.pk) for session in everything(person, *edges).affected()]
    rows = [[_cell(day, half, zone, (shifts, away, booked)) for day in days] for half in range(HALVES_A_DAY)]
    busy = [half for half, row in enumerate(rows) if any(cell.state == WORKS or cell.booked for cell in row)]
    low, high = min([FIRST_HALF, *busy]), max([LAST_HALF, *(half + 1 for half in busy)])
    return [(row[0].start, half % 2 == 0, row) for half, row in enumerate(rows) if low <= half < high]


def everything(person: Provider, start: datetime, end: datetime) -> Missing:
    """What would be missing if the person were away from `start` to `end`."""
    return Missing(person.site, DisruptionKind.PROVIDER_ABSENCE, person.pk, None, start, end)


def _with_person(session: Session, person: UUID) -> Span:
    """For how long the session has the person: a nurse for all of it, a prescriber from the infusion on."""
    return (session.start if session.nurse_id == person else session.infuse_start), session.end


def _cell(day: date, half: int, zone: ZoneInfo, spans: tuple[list[Span], list[Span], list[Span]]) -> Cell:
    wall, later = (time(number // 2 % 24, number % 2 * 30) for number in (half, half + 1))
    start = instant(day, wall, zone)
    end = instant(day if half + 1 < HALVES_A_DAY else day + DAY, later, zone)
    shifts, away, booked = ([span for span in each if span[0] < end and start < span[1]] for each in spans)
    state = NONE if start >= end else AWAY if away else WORKS if shifts else FREE
    return Cell(day, wall, later, state, len(booked) if start < end else 0)


@page_for("availability-rules.create", "POST")
def add_shift(request: HttpRequest, provider: str) -> HttpResponse:
    """Another weekly shift. More supply strands nobody, so it counts at once."""
    user = cast("User", request.user)
    person = person_of(user, provider)
    check_may_change_hours(user, person)
    form = NewShiftForm(request.POST)
    values = (
        form.judge(AvailabilityRuleSerializer, user, None, {"provider": str(person.pk)}) if form.is_valid() else None
    )
    if values is not None:
        try:
            with transaction.atomic():
                lock_site(person.site_id)
                save_shift(AvailabilityRule(**values))
        except Conflict as refused:
            form.add_error("start_time", refused.detail)
        else:
            messages.success(request, gettext("Saved."))
            return redirect(week_address(person, values["effective_from"]))
    return _week(request, person, [person], shift_form=form)


def save_shift(rule: AvailabilityRule) -> None:
    """Save a shift; the caller has locked the site. Raises Conflict `overlapping_rule`."""
    refuse_overlap(rule, AvailabilityRule.objects.filter(provider=rule.provider_id))
    rule.save()


def week_address(person: Provider, day: date | None = None) -> str:
    """The address of the week with the day, else of this week."""
    week = {} if day is None or not FIRST_YEAR <= day.year < LAST_YEAR else {"week": str(day)}
    return f"{reverse('web:availability')}?{urlencode({'provider': person.pk, **week})}"


@page_for("time-off.create", "POST")
def away(request: HttpRequest, provider: str) -> HttpResponse:
    """Time off: what it would do, nothing being saved; with `sure`, it counts, and the draft that mends it opens."""
    user, now = cast("User", request.user), clock.now()
    person = person_of(user, provider)
    check_may_change_hours(user, person)
    form, zone = AwayForm(request.POST), zone_of(person.site)
    if not (form.is_valid() and form.check_ahead(zone, now)):
        return _week(request, person, [person], away_form=form)
    during = form.during(zone)
    if "sure" in request.POST:
        with transaction.atomic():
            lock_site(person.site_id)
            reason = form.cleaned_data["reason"]
            record = TimeOff.objects.create(provider=person, during=DateTimeTZRange(*during), reason=reason)
            draft = open_drafts(record, user)
        if draft is None:
            messages.success(request, gettext("Saved. Nobody was booked then."))
            return redirect(week_address(person, form.cleaned_data["first_day"]))
        messages.success(
            request, gettext("Saved. Nobody is booked into it any more. The visits that it hits stand below.")
        )
        return redirect("web:disruption", draft)
    items = draft_items(everything(person, *during), now)
    rows = rows_of(person.site, items)
    record_reads(user.pk, Session._meta.db_table, [(row.item.session_id, row.item.patient_id) for row in rows])
    count, tells = tally(rows)
    back = week_address(person, form.cleaned_data["first_day"])
    shown: dict[str, Any] = {"rows": rows, "count": count, "tells": tells, "back": back}
    return page(request, "availability_preview", person=person, site=person.site, form=form, during=during, **shown)


@page_for("time-off.destroy", "POST")
def take_back(request: HttpRequest, absence: str) -> HttpResponse:
    """Take time off back: the shifts count again. What was moved for its sake stays where it is."""
    user = cast("User", request.user)
    found = TimeOff.objects.filter(pk=absence, provider__in=staffed_providers(user)).first()
    if found is None:
        raise NotFound
    person = person_of(user, found.provider_id)
    check_may_change_hours(user, person)
    try:
        with transaction.atomic(), keeping_bookings(person.site_id):
            found.delete()
    except Conflict as refused:
        draft = Disruption.objects.filter(time_off__pk=absence, status=DisruptionStatus.DRAFT).first()
        if refused.code != "bookings_affected" or draft is None:
            raise
        words = gettext("Not taken back: the shift itself is gone. Apply this draft, or add the shift again, first.")
        messages.warning(request, words)
        return redirect("web:disruption", draft.pk)
    messages.success(request, gettext("Taken back. The shifts of that time count again."))
    return redirect(week_address(person, local_date(found.during.lower, zone_of(person.site))))
