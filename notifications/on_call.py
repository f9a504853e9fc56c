"""Who is on call at a site: by its roster, and without one its creator. So there is always somebody.

A roster is a week of wall time at the site. Whoever is asked for at an instant is found by the wall time of that
instant, so that a week without gaps leaves none on the days on which clocks change: an hour that comes twice has the
same person twice, and one that is left out is asked for by nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.models import Role, Site, User
from accounts.refusals import Invalid, RuleBroken
from notifications import red_flags
from notifications.models import OnCallShift, Pager, Roster
from scheduler.models import Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, time

DAY_MINUTES = 1440
WEEK_MINUTES = 7 * DAY_MINUTES
CARE = (Role.NURSE, Role.PRESCRIBER)


@dataclass(frozen=True, slots=True)
class Shift:
    """A span of every week in wall time; an end at or before the start is the next day's."""

    weekday: int
    start_time: time
    end_time: time
    user: User

    def spans(self) -> list[tuple[int, int]]:
        """Minutes of the week, half open; two spans where it runs over Sunday's end."""
        start = self.weekday * DAY_MINUTES + _minutes(self.start_time)
        end = self.weekday * DAY_MINUTES + _minutes(self.end_time)
        end += DAY_MINUTES if end <= start else 0
        return [(start, min(end, WEEK_MINUTES)), *([(0, end - WEEK_MINUTES)] if end > WEEK_MINUTES else [])]


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute


def gaps(shifts: Sequence[Shift]) -> list[tuple[int, int]]:
    """The minutes of the week in which nobody of these is on call, as half-open spans in order."""
    found, reached = [], 0
    for start, end in sorted(span for shift in shifts for span in shift.spans()):
        if start > reached:
            found.append((reached, start))
        reached = max(reached, end)
    return [*found, *([(reached, WEEK_MINUTES)] if reached < WEEK_MINUTES else [])]


def suicide_item_in_use(site: Site) -> bool:
    """Whether an approved protocol of the site's organization asks about suicide."""
    plans = Protocol.objects.filter(organization=site.organization_id, status=Protocol.Status.APPROVED)
    asked = {entry.get("instrument") for plan in plans.values_list("follow_ups", flat=True) for entry in plan}
    return bool(asked & red_flags.suicide_items())


@transaction.atomic
def set_roster(site: Site, shifts: Sequence[Shift]) -> Roster:
    """Put these shifts in place of the site's roster (none: its creator is on call again, which leaves no gap).

    Raises Invalid `not_care` for somebody who neither nurses nor prescribes, or is not active, or works elsewhere;
    RuleBroken `roster_gap` with the `gaps` (`{from, until}` in wall time) while a suicide item is in use.
    """
    site = Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    for number, shift in enumerate(shifts):
        if not may_be_on_call(site, shift.user):
            raise Invalid(f"/shifts/{number}/user", "not_care", "Nurses and prescribers of the site can be on call.")
    empty = gaps(shifts) if shifts else []
    if empty and suicide_item_in_use(site):
        told = [{"from": _wall(start), "until": _wall(end)} for start, end in empty]
        raise RuleBroken("roster_gap", "While a questionnaire asks about suicide, no hour may be empty.", gaps=told)
    roster, _ = Roster.objects.get_or_create(site=site)
    roster.shifts.all().delete()
    OnCallShift.objects.bulk_create(
        OnCallShift(roster=roster, weekday=s.weekday, start_time=s.start_time, end_time=s.end_time, user=s.user)
        for s in shifts
    )
    return roster


def may_be_on_call(site: Site, user: User) -> bool:
    """Whether the person is active, nurses or prescribes (or may do all), and works at the site."""
    able = user.is_active and set(user.roles) & {*CARE, Role.ADMIN}
    return bool(able) and (user.pk == site.on_call_id or Role.ADMIN in user.roles or site in user.sites.all())


def _wall(minute: int) -> str:
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Mon")
    return f"{days[minute // DAY_MINUTES]} {minute % DAY_MINUTES // 60:02d}:{minute % 60:02d}"


def on_call(site: Site, at: datetime) -> User:
    """The clinician on call at this instant; the first in the roster where shifts overlap, else the creator."""
    local = at.astimezone(ZoneInfo(site.time_zone))
    minute = local.weekday() * DAY_MINUTES + local.hour * 60 + local.minute
    for row in OnCallShift.objects.filter(roster__site=site, user__is_active=True).select_related("user"):
        shift = Shift(row.weekday, row.start_time, row.end_time, row.user)
        if any(start <= minute < end for start, end in shift.spans()):
            return row.user
    return site.on_call


def told_at(step: int, site: Site, at: datetime) -> list[User]:
    """Whom a step of the ladder tells, each once; the last step stands for all after it."""
    ladder = red_flags.ladder()
    who = ladder[min(step, len(ladder) - 1)]
    people = [on_call(site, at)]
    if who != "on_call":
        people.append(site.on_call)
    if who == "care_of_site":
        people += site.staff.filter(is_active=True, roles__overlap=[*CARE]).order_by("id")
    return list(dict.fromkeys(people))


def channels_of(user: User) -> list[str]:
    """The channels by which a clinician is told, each of which has an address; e-mail where none has."""
    pager = Pager.objects.filter(user=user).first()
    if pager is None:
        return ["email"]
    return [channel for channel in pager.channels if channel != "sms" or pager.phone] or ["email"]
