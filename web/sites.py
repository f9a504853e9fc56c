"""A clinic's sites as forms: another one, and changing one: its name, numbers, clock and opening hours."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, cast
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Site
from accounts.queries import staffed_sites
from accounts.refusals import NotFound
from scheduler import sites
from scheduler.api.serializers import SiteSerializer
from web import wording
from web.pages import page, page_for
from web.reaching import international
from web.record_forms import RecordForm
from web.supply import hours_of, written
from web.wishes import WEEKDAYS

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import User

# A day has room for a break at noon; one with more spans shows them all.
FEWEST_SPANS: Final = 2
EDGES: Final = (("opens", _("opens")), ("closes", _("closes")))


class SiteForm(RecordForm):
    """A site's name, numbers and opening hours: several spans a day, an empty one is none."""

    name = forms.CharField(label=_("Name"), max_length=200)
    phone = forms.CharField(label=_("Phone (with the country: +1 312 555 0142)"), max_length=30, required=False)
    crisis_line = forms.CharField(label=_("Crisis line"), max_length=20)
    emergency_number = forms.CharField(label=_("Emergency number"), max_length=20)

    def __init__(self, hours: Any, data: Any = None, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        self.country = "" if initial is None else initial["phone"]
        self.room = range(max([FEWEST_SPANS, *(len(spans) for _day, spans in hours)]))
        for day, _name in WEEKDAYS:
            for span in self.room:
                for edge, word in EDGES:
                    at = forms.TimeInput({"type": "time"}, format="%H:%M")
                    self.fields[f"hours.{day}.{span}.{edge}"] = forms.TimeField(label=word, required=False, widget=at)

    def sent(self) -> dict[str, Any]:
        """The names of the record; hours in the API's shape, `spans` where each stands on the form."""
        body = {name: value for name, value in self.cleaned_data.items() if not name.startswith("hours.")}
        body["phone"] = international(body["phone"], self.country)
        self.spans = [
            (day, span)
            for day, _name in WEEKDAYS
            for span in self.room
            if any(self.cleaned_data.get(f"hours.{day}.{span}.{edge}") for edge in ("opens", "closes"))
        ]
        return body | {"opening_hours": [self._span(day, span) for day, span in self.spans]}

    def _span(self, day: int, span: int) -> dict[str, Any]:
        edges = {edge: self.cleaned_data.get(f"hours.{day}.{span}.{edge}") for edge in ("opens", "closes")}
        return {"weekday": day} | {edge: f"{at:%H:%M}" for edge, at in edges.items() if at}

    def place_of(self, path: str) -> str:
        """A fault of a span stands at that span."""
        name, _dot, rest = path.partition(".")
        number, _dot, edge = rest.partition(".")
        if name != "opening_hours" or not number.isdigit():
            return path
        day, span = self.spans[int(number)]
        return f"hours.{day}.{span}.{edge if edge in ('opens', 'closes') else 'opens'}"

    def days(self) -> list[tuple[Any, list[Any]]]:
        """Each weekday with its fields."""
        return [(name, [self[f] for f in self.fields if f.startswith(f"hours.{day}.")]) for day, name in WEEKDAYS]


class NewSiteForm(SiteForm):
    """A site that is not there yet: it is asked by which clock it lives, too."""

    time_zone = forms.ChoiceField(label=_("Its clock"))
    field_order = ("name", "time_zone")

    def __init__(self, data: Any = None, initial: Any = None) -> None:
        super().__init__([], data, initial)
        self.fields["time_zone"].choices = _zones()  # type: ignore[attr-defined]


def _zones() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every place's clock by its part of the world."""
    named = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))
    parts = groupby(named, key=lambda zone: zone.partition("/")[0])
    return [(part, [(zone, wording.zone_city(zone)) for zone in each]) for part, each in parts]


@page_for("sites.create", "GET", "HEAD", "POST")
def add(request: HttpRequest) -> HttpResponse:
    """Another site, on the clock and with the lines of the reader's first one until they say otherwise."""
    user = cast("User", request.user)
    like = staffed_sites(user).order_by("name", "id").first() or Site()
    shown = {"phone": "", **{name: getattr(like, name) for name in ("time_zone", "crisis_line", "emergency_number")}}
    form = NewSiteForm(request.POST if request.method == "POST" else None, shown)
    form.country = like.phone
    if form.is_valid():
        values = form.judge(SiteSerializer, user)
        made: list[Site] = []
        if values is not None and written(form, lambda: made.append(sites.create_site(user, values))):
            messages.success(request, gettext("Saved. Next come its chairs and its people: nothing is booked without."))
            return redirect(f"{reverse('web:supply')}?site={made[0].pk}")
    return page(request, "supply_site", 400 if form.errors else 200, site=None, form=form)


@page_for("sites.partial_update", "GET", "HEAD", "POST")
def change(request: HttpRequest, site: str) -> HttpResponse:
    """A site as a form."""
    found = staffed_sites(cast("User", request.user)).filter(pk=site).first()
    if found is None:
        raise NotFound
    shown = {name: getattr(found, name) for name in SiteForm.base_fields}
    hours = hours_of(found)
    for day, (_name, spans) in enumerate(hours):
        for number, span in enumerate(spans):
            shown |= {f"hours.{day}.{number}.opens": span.opens, f"hours.{day}.{number}.closes": span.closes}
    form = SiteForm(hours, request.POST if request.method == "POST" else None, shown)
    if form.is_valid():
        values = form.judge(SiteSerializer, cast("User", request.user), found)
        if values is not None and written(form, lambda: sites.change_site(found.pk, values)):
            messages.success(request, gettext("Saved."))
            return redirect(f"{reverse('web:supply')}?site={found.pk}")
    return page(request, "supply_site", 400 if form.errors else 200, site=found, form=form)
