"""What somebody wishes for a series: the form, and the planner's request that it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.db.models import Count, Q
from django.utils.translation import gettext_lazy as _

from accounts.rights import is_staff
from scheduler.models import Protocol
from scheduler.planner import Wishes
from scheduler.queries import visible_protocols
from scheduler.treatment import visits
from sessions.models import GONE, Order
from sessions.planning import HORIZON_DAYS, WINDOW_DAYS, PlanRequest, phases_of
from sessions.queries import visible_orders
from web import wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from accounts.models import Patient, User
    from scheduler.treatment import Visit

# Beyond the days that the spacing aims at: room to find a place in.
SLACK_DAYS: Final = 35
NOON, MIDNIGHT = 12 * 60, 24 * 60 - 1
WINDOWS: Final[dict[str, tuple[tuple[int, int], ...]]] = {
    "any": (),
    "morning": ((0, NOON),),
    "afternoon": ((NOON, MIDNIGHT),),
}
TIMES = [("any", _("Any time")), ("morning", _("Mornings")), ("afternoon", _("Afternoons"))]
WEEKDAYS = [
    (0, _("Monday")),
    (1, _("Tuesday")),
    (2, _("Wednesday")),
    (3, _("Thursday")),
    (4, _("Friday")),
    (5, _("Saturday")),
    (6, _("Sunday")),
]


@dataclass(frozen=True)
class Course:
    """A course that can be planned: its protocol, and how many visits of an open-ended last phase (None: fixed)."""

    protocol: Protocol
    sessions: int | None

    @property
    def visits(self) -> tuple[Visit, ...]:
        """All of its visits."""
        return visits(phases_of(self.protocol), self.sessions)

    def days(self) -> int:
        """Days from the first visit to the last, where every gap is as the protocol aims at."""
        day = {1: 0}
        for visit in self.visits[1:]:
            before = day[visit.sequence - 1] + 1
            day[visit.sequence] = max(before, day[visit.gap.after] + visit.gap.target_days) if visit.gap else before
        return max(day.values())


def courses(user: User, patient: Patient, today: date) -> list[Course]:
    """What can be planned for the patient: staff choose among approved protocols, patients among their orders."""
    if is_staff(user):
        protocols = visible_protocols(user).filter(status=Protocol.Status.APPROVED)
        return [Course(each, None if _fixed(each) else 6) for each in protocols.order_by("name", "id")]
    return list(_ordered(visible_orders(user).filter(patient=patient, valid_until__gte=today)))


def _ordered(orders: Any) -> Iterable[Course]:
    """The courses that an order still has enough visits for, one a protocol."""
    used = Count("series__sessions", filter=~Q(series__sessions__status__in=GONE))
    offered: dict[Any, Course] = {}
    for order in orders.select_related("protocol").annotate(used=used).order_by("valid_until", "id"):
        course = _course(order, order.sessions - order.used)
        if course is not None:
            offered.setdefault(order.protocol_id, course)
    return offered.values()


def _course(order: Order, left: int) -> Course | None:
    if order.protocol.status != Protocol.Status.APPROVED:
        return None
    fixed = sum(phase.sessions or 0 for phase in phases_of(order.protocol))
    if _fixed(order.protocol):
        return Course(order.protocol, None) if left >= fixed else None
    return Course(order.protocol, left - fixed) if left > fixed else None


def _fixed(protocol: Protocol) -> bool:
    return phases_of(protocol)[-1].sessions is not None


def _day(label: Any, **more: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"), **more)


class DaysForm(forms.Form):
    """For which course, between which days, at what time of day: what plans and the waitlist both ask."""

    course = forms.ChoiceField(label=_("What is booked"))
    earliest = _day(_("Not before"))
    latest = _day(_("Not after"))
    times = forms.ChoiceField(label=_("Time of day"), choices=TIMES, initial="any", widget=forms.RadioSelect)

    def __init__(self, offered: Sequence[Course], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered = {str(course.protocol.pk): course for course in offered}
        self.fields["course"].choices = [(key, course.protocol.name) for key, course in self.offered.items()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """The two days together."""
        found = super().clean() or self.cleaned_data
        earliest, latest = found.get("earliest"), found.get("latest")
        if earliest and latest and latest < earliest:
            self.add_error("latest", _("Choose a day after the first one."))
        return found


class WishesForm(DaysForm):
    """A few wishes for plans. Everything but the course may be left as it is."""

    latest = _day(_("Done by"), required=False, help_text=_("May stay empty."))
    weekdays = forms.TypedMultipleChoiceField(
        label=_("Days that suit"),
        choices=WEEKDAYS,
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None means any day."),
    )
    same_time = forms.BooleanField(label=_("The same time every visit, where that can be"), required=False)
    field_order = ("course", "earliest", "latest", "weekdays", "times", "same_time")

    def __init__(self, offered: Sequence[Course], today: date, *args: Any, **kwargs: Any) -> None:
        super().__init__(offered, *args, **kwargs)
        self.today = today
        self.windows = dict(WINDOWS)
        self._offer_window(str(self.data.get("times") or self.initial.get("times") or ""))

    def _offer_window(self, times: str) -> None:
        """Add a window without a name to the choices, where it was asked for."""
        window = _window(times)
        if window is not None:
            self.windows[times] = (window,)
            label = " – ".join(wording.clock(time(*divmod(minute, 60))) for minute in window)
            self.fields["times"].choices = [*TIMES, (times, label)]  # type: ignore[attr-defined]

    def clean_earliest(self) -> date:
        """A day that the planner takes."""
        earliest: date = self.cleaned_data["earliest"]
        if not self.today <= earliest <= self.today + timedelta(days=HORIZON_DAYS):
            raise forms.ValidationError(_("Choose a day from today on, at most a year and a half ahead."))
        return earliest

    def clean(self) -> dict[str, Any]:
        """The last day within what the planner looks at."""
        found = super().clean()
        earliest, latest = found.get("earliest"), found.get("latest")
        if earliest and latest and latest > min(self._last(), earliest + timedelta(days=WINDOW_DAYS)):
            self.add_error("latest", _("Choose a day after the first one, at most a year later."))
        return found

    def _last(self) -> date:
        return self.today + timedelta(days=HORIZON_DAYS)

    def request(self, patient: Patient) -> PlanRequest:
        """What the planner is asked; only of a valid form."""
        asked = self.cleaned_data
        course, earliest = self.offered[asked["course"]], asked["earliest"]
        room = min(course.days() + SLACK_DAYS, WINDOW_DAYS)
        wishes = Wishes(
            earliest=earliest,
            latest=asked["latest"] or min(earliest + timedelta(days=room), self._last()),
            weekdays=frozenset(asked["weekdays"]) or None,
            time_windows=self.windows[asked["times"]],
            same_time_of_day=asked["same_time"],
        )
        return PlanRequest(patient.site, course.protocol, patient, wishes, course.sessions)


def as_form(protocol: Protocol, kept: dict[str, Any]) -> dict[str, Any]:
    """The form's values from a plan's `request`, so that wishes can be changed instead of told again."""
    return {
        "course": str(protocol.pk),
        "earliest": kept["earliest"],
        "weekdays": kept["weekdays"] or [],
        "times": _times([(since, until) for since, until in kept["time_windows"]]) or "any",
        "same_time": kept["same_time_of_day"],
    }


def fields_of(wishes: Wishes, sent: dict[str, Any]) -> list[tuple[str, str]] | None:
    """The fields of a form with these wishes in place of what was `sent`; None where the form cannot say them."""
    times = _times(wishes.time_windows)
    if times is None:
        return None
    fields = [("course", str(sent["course"])), ("earliest", wishes.earliest.isoformat()), ("times", times)]
    fields += [("latest", wishes.latest.isoformat())]
    fields += [("weekdays", str(weekday)) for weekday in sorted(wishes.weekdays or ())]
    return fields + ([("same_time", "on")] if wishes.same_time_of_day else [])


def _times(windows: Sequence[tuple[int, int]]) -> str | None:
    """The form's word for windows in minutes of the day, "480-750" for one without a name; None for several."""
    named = next((name for name, each in WINDOWS.items() if each == tuple(windows)), None)
    return named or ("-".join(map(str, windows[0])) if len(windows) == 1 else None)


def _window(text: str) -> tuple[int, int] | None:
    """The window that "480-750" stands for."""
    since, dash, until = text.partition("-")
    if not dash or not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in (since, until)):
        return None
    return (int(since), int(until)) if int(since) < int(until) <= MIDNIGHT else None
