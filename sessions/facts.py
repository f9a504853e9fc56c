"""What the planner needs to know about a site's days: supply, bookings, live holds, as the planner's values."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from accounts.prepared import all_rows
from scheduler.assignment import with_held
from scheduler.facts import Day, Taken
from scheduler.phases import SLOT_MINUTES
from scheduler.slots import mask
from sessions import kept_days
from sessions.kept_days import seat_of
from sessions.laying import held_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from uuid import UUID

    from accounts.models import Patient, Site, User
    from scheduler import treatment

SLOT = timedelta(minutes=SLOT_MINUTES)
INSTANTS = ("start", "hands_on_until", "infuse_start", "recover_start", "end", "turnover_end")


def zone_of(site: Site) -> ZoneInfo:
    """The site's time zone."""
    return ZoneInfo(site.time_zone)


def instants(visit: treatment.Visit, start: datetime) -> dict[str, datetime]:
    """The six instants of a session that starts at `start`."""
    infuse = start + visit.prepare * SLOT
    recover = infuse + visit.infuse * SLOT
    end = recover + visit.recover * SLOT
    return {
        "start": start,
        "hands_on_until": start + visit.hands_on * SLOT,
        "infuse_start": infuse,
        "recover_start": recover,
        "end": end,
        "turnover_end": end + visit.turnover * SLOT,
    }


class Known(NamedTuple):
    """What who asks for a plan's days has been told already, under the door's locks: their numbers (`kept_days`),
    whether no live hold of anybody else is at the site, and whether the patient is free for each of the sessions."""

    supply: int
    booked: Mapping[date, int]
    nobody_holds: bool
    patient_free: bool


def site_days(
    site: Site,
    dates: Collection[date],
    patient: Patient | None,
    holder: User | None,
    now: datetime,
    leaving_out: Collection[UUID] = (),
    known: Known | None = None,
) -> tuple[Day, ...]:
    """Everything that bears on `patient`'s sessions at `site` on these site-local dates: supply, bookings, live holds.

    Holds of `holder`, and sessions and plans `leaving_out`, do not count. As many queries for much as for little.
    Of what is here, only supply and bookings are the same for everybody: `kept_days.days_of` has those. What is `known`
    is not asked again.
    """
    days = kept_days.days_of(site, dates, None if known is None else (known.supply, known.booked))
    if not days:
        return ()
    left_out = list(leaving_out)
    held = [] if known is not None and known.nobody_holds else _held(site, holder, now, left_out)
    is_free = patient is None or (known is not None and known.patient_free)
    busy = [] if patient is None or is_free else _busy(patient, days, left_out)
    busy += [(hold.times["start"], hold.times["end"]) for hold in held if patient is not None and hold.is_of(patient)]
    names = frozenset(map(str, left_out))
    return tuple(_seen(_with_holds(_as_of(_without(day, names), now), held), busy, now) for day in days)


def _ends_of(day: Day) -> tuple[datetime, datetime]:
    return day.first_instant, day.first_instant + day.slots * SLOT


@dataclass(frozen=True)
class _Hold:
    """One session of a plan on hold: its name, whose it is, its instants, and what else is kept of it."""

    name: str
    patient: UUID | None
    times: dict[str, datetime]
    row: dict[str, Any]
    request: dict[str, Any]

    def is_of(self, patient: Patient) -> bool:
        """Whether the plan is this patient's."""
        return self.patient == patient.pk

    def on(self, day: Day) -> Taken | None:
        """What it takes of the day; None where it lies on another."""
        begins, ends = _ends_of(day)
        times = self.times
        if times["start"] >= ends or times["turnover_end"] <= begins:
            return None
        return Taken(
            id=self.name,
            start=_floor(times["start"] - begins),
            infuse_start=_floor(times["infuse_start"] - begins),
            end=_ceil(times["end"] - begins),
            turnover_end=_ceil(times["turnover_end"] - begins),
            hands_on_until=_ceil(times["hands_on_until"] - begins),
            acuity=self.row["acuity"],
            chair=self.row["chair"],
            nurse=self.row["nurse"],
            prescriber=self.row["prescriber"],
            seat=seat_of(tuple(self.row["kinds"]), tuple(self.row["features"]), self.request["chair_kind"]),
            provider=self.request["provider"],
        )


# Whoever plans asks these two.
HELD = """
SELECT id, patient_id, sessions, request FROM infusion_sessions_plan
WHERE site_id = %s AND held_until > %s AND booked_as_id IS NULL AND held_by_id IS DISTINCT FROM %s AND id <> ALL(%s)
ORDER BY id
"""
BUSY = """
SELECT start, "end" FROM infusion_sessions_session
WHERE patient_id = %s AND start < %s AND "end" > %s AND status NOT IN ('cancelled', 'no_show') AND id <> ALL(%s)
"""


def _held(site: Site, holder: User | None, now: datetime, left_out: list[UUID]) -> list[_Hold]:
    """What the live holds of others take. A dead hold is simply not found."""
    holds = all_rows(HELD, [site.pk, now, None if holder is None else holder.pk, left_out])
    return [
        _Hold(
            held_name(plan, row["sequence"]),
            patient,
            {name: datetime.fromisoformat(row[name]) for name in INSTANTS},
            row,
            json.loads(request),
        )
        for plan, patient, sessions, request in holds
        for row in json.loads(sessions)
    ]


def _busy(patient: Patient, days: Sequence[Day], left_out: list[UUID]) -> list[tuple[datetime, datetime]]:
    """When the patient has live sessions, here or at other sites."""
    since, until = _ends_of(days[0])[0], _ends_of(days[-1])[1]
    return [(start, end) for start, end in all_rows(BUSY, [patient.pk, until, since, left_out])]


def _without(day: Day, names: frozenset[str]) -> Day:
    """The day without these sessions."""
    if not names or not day.has_any(names):
        return day
    return replace(day, taken=tuple(item for item in day.taken if item.id not in names), numbers=None)


def _with_holds(day: Day, held: Iterable[_Hold]) -> Day:
    """The day with what holds take of it, wherever that can be laid."""
    more = [item for item in (hold.on(day) for hold in held) if item is not None]
    return with_held(day, more) if more else day


def _as_of(day: Day, now: datetime) -> Day:
    """The day with its overdue sessions pinned: those to come whose slot has come."""
    slot = _ceil(now - day.first_instant)
    # What lies on a day began a day before it at the earliest.
    if slot <= -day.slots or all(item.pinned or item.start >= slot for item in day.taken):
        return day
    return replace(day, taken=tuple(replace(item, pinned=True) if item.start < slot else item for item in day.taken))


def _seen(day: Day, busy: Iterable[tuple[datetime, datetime]], now: datetime) -> Day:
    """The day as the patient finds it now; what they do meanwhile is rounded outward to the grid."""
    begins, ends = _ends_of(day)
    free = day.patient_free
    for start, end in busy:
        if start < ends and end > begins:
            free &= ~mask(_floor(start - begins), _ceil(end - begins), day.slots)
    return day.seen_by(free, from_slot=min(day.slots, max(0, _ceil(now - begins))))


def _floor(length: timedelta) -> int:
    return length // SLOT


def _ceil(length: timedelta) -> int:
    return -(-length // SLOT)
