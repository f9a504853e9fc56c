"""A proposed series as people look at it: a name, weeks with beads, and a few honest lines against the first plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduler.models import Provider
from web import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessions.models import Plan

# A longer series is shown by the weeks that have a visit, one after the other.
WHOLE_WEEKS: Final = 10
FEW_WEEKDAYS: Final = 3


@dataclass(frozen=True)
class PlannedVisit:
    """One visit of a plan; `odd` starts at another time of day than most."""

    number: int
    start: datetime
    end: datetime
    nurse: str
    odd: bool


@dataclass(frozen=True)
class Cell:
    """One day of a week's row. `within`: between the first and the last visit."""

    day: date
    visit: PlannedVisit | None
    within: bool


@dataclass(frozen=True)
class Line:
    """What is good about a plan, or (`but`) what is less so."""

    text: str
    but: bool


@dataclass(frozen=True)
class Card:
    """A plan, ready to be shown. `weeks` begin on Mondays; times are on the clinic's clock."""

    plan: Plan
    tag: str
    name: str
    when: str
    visits: tuple[PlannedVisit, ...]
    weeks: tuple[tuple[Cell, ...], ...]
    lines: tuple[Line, ...]


def cards(plans: Sequence[Plan]) -> list[Card]:
    """Plans in the order given; the first is the one that fits best."""
    ids = {row["nurse"] for plan in plans for row in plan.sessions}
    names = {str(pk): name for pk, name in Provider.objects.filter(pk__in=ids).values_list("pk", "name")}
    visits = [_visits(plan, names) for plan in plans]
    return [
        Card(plan, _tag(place, visits), _name(each), _when(each), each, _weeks(each), _lines(each, visits[0]))
        for place, (plan, each) in enumerate(zip(plans, visits, strict=True))
    ]


def _visits(plan: Plan, names: dict[str, str]) -> tuple[PlannedVisit, ...]:
    zone = plan.site.time_zone
    starts = [_at(row, "start", zone) for row in plan.sessions]
    usual = Counter(at.time() for at in starts).most_common(1)[0][0]
    return tuple(
        PlannedVisit(row["sequence"], at, _at(row, "end", zone), names.get(row["nurse"], ""), at.time() != usual)
        for row, at in zip(plan.sessions, starts, strict=True)
    )


def _at(row: dict[str, Any], name: str, zone: str) -> datetime:
    return wording.local(datetime.fromisoformat(row[name]), zone)


def _tag(place: int, all_visits: Sequence[tuple[PlannedVisit, ...]]) -> str:
    """Why a plan is offered: the first word that is true of it and not of a plan before it."""
    mine, before = all_visits[place], all_visits[:place]
    if not before:
        return _("Fits best")
    if all(mine[-1].start.date() < each[-1].start.date() for each in before):
        return _("Finished soonest")
    if all(mine[0].start.date() < each[0].start.date() for each in before):
        return _("Starts soonest")
    for name, holds in ((_("Afternoons"), _after_noon), (_("Mornings"), _before_noon)):
        if holds(mine) and not any(map(holds, before)):
            return name
    return _("From %(day)s") % {"day": wording.date_only(mine[0].start)}


def _after_noon(visits: Sequence[PlannedVisit]) -> bool:
    return all(each.start.hour >= 12 for each in visits)


def _before_noon(visits: Sequence[PlannedVisit]) -> bool:
    return all(each.start.hour < 12 for each in visits)


def _name(visits: Sequence[PlannedVisit]) -> str:
    """ "Mondays and Thursdays, 9:00 am", or what is true of less regular visits."""
    days = sorted({each.start.weekday() for each in visits})
    first = wording.clock(visits[0].start)
    if len(visits) == 1:
        return f"{wording.long_day(visits[0].start)}, {first}"
    if len(days) <= FEW_WEEKDAYS:
        named = wording.joined([wording.every_weekday(day) for day in days])
    else:
        named = _rhythm(visits)
    return named if any(each.odd for each in visits) else f"{named}, {first}"


def _rhythm(visits: Sequence[PlannedVisit]) -> str:
    """ "Every 3 days", "Every 3 to 5 days"."""
    gaps = {(after.start.date() - before.start.date()).days for before, after in pairwise(visits)}
    if len(gaps) == 1:
        return ngettext("Every day", "Every %(days)d days", min(gaps)) % {"days": min(gaps)}
    return _("Every %(least)d to %(most)d days") % {"least": min(gaps), "most": max(gaps)}


def _when(visits: Sequence[PlannedVisit]) -> str:
    """ "Feb 8 to Feb 25 · 2 h 10 min each"."""
    lengths = {each.end - each.start for each in visits}
    first, last = wording.date_only(visits[0].start), wording.date_only(visits[-1].start)
    span = first if len(visits) == 1 else _("%(first)s to %(last)s") % {"first": first, "last": last}
    longest = wording.length(max(lengths))
    shown = {"span": span, "length": longest}
    return (_("%(span)s · %(length)s each") if len(lengths) == 1 else _("%(span)s · at most %(length)s each")) % shown


def _weeks(visits: Sequence[PlannedVisit]) -> tuple[tuple[Cell, ...], ...]:
    by_day = {each.start.date(): each for each in visits}
    first, last = min(by_day), max(by_day)
    monday = first - timedelta(days=first.weekday())
    count = (last - monday).days // 7 + 1
    weeks = [[monday + timedelta(days=7 * week + day) for day in range(7)] for week in range(count)]
    if count > WHOLE_WEEKS:
        weeks = [week for week in weeks if any(day in by_day for day in week)]
    return tuple(tuple(Cell(day, by_day.get(day), first <= day <= last) for day in week) for week in weeks)


def _lines(visits: Sequence[PlannedVisit], best: Sequence[PlannedVisit]) -> tuple[Line, ...]:
    return tuple(line for line in (_same_time(visits), _nurses(visits), _end(visits, best)) if line is not None)


def _same_time(visits: Sequence[PlannedVisit]) -> Line | None:
    odd = [each for each in visits if each.odd]
    if len(visits) == 1:
        return None
    if not odd:
        return Line(_("The same time, every visit"), but=False)
    text = ngettext("One visit (ring) is at another time", "%(count)d visits (rings) are at another time", len(odd)) % {
        "count": len(odd)
    }
    return Line(text, but=True)


def _nurses(visits: Sequence[PlannedVisit]) -> Line:
    nurses = {each.nurse for each in visits}
    if len(nurses) == 1:
        return Line(_("%(nurse)s is your nurse every time") % {"nurse": visits[0].nurse}, but=False)
    return Line(_("%(count)d different nurses") % {"count": len(nurses)}, but=True)


def _end(visits: Sequence[PlannedVisit], best: Sequence[PlannedVisit]) -> Line | None:
    days = (visits[-1].start.date() - best[-1].start.date()).days
    if not days:
        return None
    later = ngettext("Done one day later than the first plan", "Done %(count)d days later than the first plan", days)
    sooner = ngettext("Done one day earlier", "Done %(count)d days earlier", -days)
    return Line((later if days > 0 else sooner) % {"count": abs(days)}, but=days > 0)
