"""How a site was used, in pictures: chairs and nurses as bars, visits as one bar, delays as ranges; numbers beside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

from django import forms
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from accounts import clock
from accounts.http.fields import FIRST_YEAR, LAST_YEAR
from accounts.queries import staffed_sites
from scheduler.walltime import DAY, local_date
from sessions.api.reports import MOST_DAYS
from sessions.facts import zone_of
from sessions.utilisation import utilisation
from web.pages import page, page_for
from web.people import site_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest, HttpResponse

    from accounts.models import Site, User
    from sessions.utilisation import Spread, Use, Utilisation

USUAL_DAYS: Final = timedelta(days=28)
SPREADS: Final = (
    ("late_arrival_minutes", gettext_noop("Patients arrive")),
    ("late_start_minutes", gettext_noop("Infusions start")),
    ("late_end_minutes", gettext_noop("Visits end")),
)


def _day() -> forms.DateInput:
    return forms.DateInput({"type": "date"}, format="%Y-%m-%d")


class PeriodForm(forms.Form):
    """Which site, from which day to which, both included: the query of `reports/utilisation/`."""

    site = forms.ChoiceField(label=_("Clinic"))
    since = forms.DateField(label=_("From"), widget=_day(), error_messages={"required": _("From which day?")})
    until = forms.DateField(label=_("Until"), widget=_day(), error_messages={"required": _("Until which day?")})

    def __init__(self, data: Any, sites: Sequence[Site]) -> None:
        super().__init__(data)
        self.fields["site"].choices = [(str(site.pk), site.name) for site in sites]  # type: ignore[attr-defined]
        if len(sites) == 1:
            self.fields["site"].widget = forms.HiddenInput()

    def clean(self) -> dict[str, Any]:
        """Days in order, not too many, within the years that the service knows."""
        said = self.cleaned_data
        if "since" in said and "until" in said:
            if said["until"] < said["since"]:
                self.add_error("until", _("This lies before the first day."))
            elif (said["until"] - said["since"]).days >= MOST_DAYS:
                most = {"days": MOST_DAYS}
                self.add_error("until", gettext("At most %(days)s days at once.") % most)
            elif not FIRST_YEAR < said["since"].year <= said["until"].year < LAST_YEAR:
                self.add_error("since", _("The service does not know that year."))
        return said


@dataclass(frozen=True)
class Bar:
    """One chair or nurse: how much of what was offered was booked, and really taken, in hundredths of the bar."""

    use: Use

    @property
    def booked(self) -> float:
        """Width of what was booked; a bar is full at a hundred."""
        return min(100.0, self.use.booked_percent or 0.0)

    @property
    def used(self) -> float:
        """Width of what was really taken."""
        return min(100.0, self.use.used_percent or 0.0)


@dataclass(frozen=True)
class Part:
    """One piece of the bar of visits: what became of them, how many, where it begins and how wide it is."""

    look: str
    word: str
    count: int
    at: float
    width: float


@dataclass(frozen=True)
class Delay:
    """Minutes late: the middle, and what nine of ten stay within, on a common scale of hundredths."""

    word: str
    spread: Spread
    middle: float
    most: float


@page_for("reports.utilisation")
def utilisation_page(request: HttpRequest) -> HttpResponse:
    """The pictures of one site and period: `?site=&since=&until=`, by default the last four weeks."""
    user = cast("User", request.user)
    sites = list(staffed_sites(user).order_by("name", "id"))
    site = site_of(user, request.GET.get("site", ""))
    form = PeriodForm({**_usual(site), **request.GET.dict()}, sites)
    if not form.is_valid():
        return page(request, "utilisation", 400, site=site, form=form)
    since, until = form.cleaned_data["since"], form.cleaned_data["until"]
    found = utilisation(site, since, until)
    earlier = utilisation(site, since - (until - since) - DAY, since - DAY)
    return page(request, "utilisation", site=site, form=form, found=found, **_pictures(found, earlier, site))


def _usual(site: Site) -> dict[str, str]:
    today = local_date(clock.now(), zone_of(site))
    return {"site": str(site.pk), "since": str(today - USUAL_DAYS), "until": str(today - DAY)}


def _pictures(found: Utilisation, earlier: Utilisation, site: Site) -> dict[str, Any]:
    asked = {"site": site.pk, "from": found.first, "until": found.last}
    return {
        "figures": _figures(found, earlier),
        "chairs": [Bar(each) for each in found.chairs],
        "nurses": [Bar(each) for each in found.nurses],
        "visits": _visits(found),
        "delays": _delays(found),
        "csv": f"{reverse('utilisation')}?{urlencode({**asked, 'format': 'csv'})}",
        "json": f"{reverse('utilisation')}?{urlencode(asked)}",
    }


def _figures(found: Utilisation, earlier: Utilisation) -> list[tuple[str, str, str]]:
    """Number, what it is, and what it was in the period before."""
    rows = [
        (gettext("of chair time booked"), _booked(found.chairs), _booked(earlier.chairs)),
        (gettext("of nurses’ places booked"), _booked(found.nurses), _booked(earlier.nurses)),
        (gettext("of visits missed"), found.no_show_percent, earlier.no_show_percent),
    ]
    shares = [(_share(now), word, _share(before)) for word, now, before in rows]
    lead = (_days(found.lead_days.median), gettext("days from booking to visit, in the middle"))
    return [*shares, (*lead, _days(earlier.lead_days.median))]


def _booked(uses: Sequence[Use]) -> float | None:
    offered = sum(use.offered for use in uses)
    return 100 * sum(use.booked for use in uses) / offered if offered else None


def _share(percent: float | None) -> str:
    return "–" if percent is None else f"{percent:.0f} %"


def _days(median: float | None) -> str:
    return "–" if median is None else f"{median:.0f}"


def _visits(found: Utilisation) -> list[Part]:
    """What became of the visits, as parts of one bar; what is over and what is not."""
    ended = found.completed + found.no_shows + found.cancelled
    counts = [
        ("completed", gettext("took place"), found.completed),
        ("booked", gettext("to come or under way"), found.sessions - ended),
        ("no_show", gettext("missed"), found.no_shows),
        ("cancelled", gettext("cancelled"), found.cancelled),
    ]
    parts, at = [], 0.0
    for look, word, count in counts:
        width = 100 * count / found.sessions if found.sessions else 0.0
        parts.append(Part(look, word, count, at, width))
        at += width
    return [part for part in parts if part.count]


def _delays(found: Utilisation) -> list[Delay]:
    """On one scale, which ends at the longest of them; what came early counts as in time."""
    known = [(word, getattr(found, name)) for name, word in SPREADS if getattr(found, name).count]
    longest = max((spread.p90 for _word, spread in known), default=0) or 1
    scale = 100 / max(longest, 1)
    return [
        Delay(gettext(word), spread, max(0.0, spread.median) * scale, max(0.0, spread.p90) * scale)
        for word, spread in known
    ]
