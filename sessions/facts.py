"""What the planner needs to know about a site's days: supply, bookings, live holds, as the planner's values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.db.models import Q

from scheduler.facts import Day, Taken
from scheduler.phases import SLOT_MINUTES
from scheduler.slots import mask
from scheduler.supply import supply_on
from sessions.models import GONE, TO_COME, Plan, Session

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
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


@dataclass(frozen=True)
class Booked:
    """What one session takes, whether it is booked or only held."""

    id: str
    times: dict[str, datetime]
    acuity: int
    chair: str
    nurse: str
    prescriber: str
    patient: UUID | None
    pinned: bool


def site_days(
    site: Site,
    dates: Collection[date],
    patient: Patient | None,
    holder: User | None,
    now: datetime,
    leaving_out: Collection[UUID] = (),
) -> tuple[Day, ...]:
    """Everything that bears on `patient`'s sessions at `site` on these site-local dates: supply, bookings, live holds.

    Holds of `holder`, and sessions and plans `leaving_out`, do not count. As many queries for much as for little.
    """
    supply = supply_on(site, dates)
    taken = [*_booked(site, supply, now, leaving_out), *_held(site, holder, now, leaving_out)]
    busy = [item.times for item in taken if patient is not None and item.patient == patient.pk]
    if patient is not None:
        busy += _elsewhere(patient, site, supply)
    return tuple(_with(day, taken, busy, now) for day in supply)


def _ends_of(day: Day) -> tuple[datetime, datetime]:
    return day.first_instant, day.first_instant + day.slots * SLOT


def _booked(site: Site, supply: Sequence[Day], now: datetime, leaving_out: Collection[UUID]) -> list[Booked]:
    """Live sessions at the site in the days' time. Begun and overdue ones are pinned."""
    since, until = _ends_of(supply[0])[0], _ends_of(supply[-1])[1]
    rows = Session.objects.filter(site=site, start__lt=until, start__gte=since - timedelta(days=1))
    rows = rows.filter(turnover_end__gt=since).exclude(status__in=GONE).exclude(pk__in=leaving_out)
    wanted = ("id", "acuity", "chair_id", "nurse_id", "prescriber_id", "patient_id", "status", *INSTANTS)
    return [
        Booked(
            id=str(row["id"]),
            times={name: row[name] for name in INSTANTS},
            acuity=row["acuity"],
            chair=str(row["chair_id"]),
            nurse=str(row["nurse_id"]),
            prescriber=str(row["prescriber_id"]),
            patient=row["patient_id"],
            pinned=row["status"] not in TO_COME or row["start"] < now,
        )
        for row in rows.values(*wanted)
    ]


def _held(site: Site, holder: User | None, now: datetime, leaving_out: Collection[UUID]) -> list[Booked]:
    """What the live holds of others take. A dead hold is simply not found."""
    holds = Plan.objects.filter(site=site, held_until__gt=now, booked_as=None).exclude(pk__in=leaving_out)
    if holder is not None:
        holds = holds.exclude(held_by=holder)
    return [
        Booked(
            id=f"{plan.pk}/{row['sequence']}",
            times={name: datetime.fromisoformat(row[name]) for name in INSTANTS},
            acuity=row["acuity"],
            chair=row["chair"],
            nurse=row["nurse"],
            prescriber=row["prescriber"],
            patient=plan.patient_id,
            pinned=False,
        )
        for plan in holds
        for row in plan.sessions
    ]


def _elsewhere(patient: Patient, site: Site, supply: Sequence[Day]) -> list[dict[str, datetime]]:
    """The patient's live sessions at other sites."""
    since, until = _ends_of(supply[0])[0], _ends_of(supply[-1])[1]
    rows = Session.objects.filter(patient=patient, start__lt=until, end__gt=since).exclude(
        Q(site=site) | Q(status__in=GONE)
    )
    return [{"start": start, "end": end} for start, end in rows.values_list("start", "end")]


def _with(day: Day, taken: Iterable[Booked], busy: Iterable[dict[str, datetime]], now: datetime) -> Day:
    """The day with what is taken on it, rounded outward to the grid."""
    begins, ends = _ends_of(day)
    here = [item for item in taken if item.times["start"] < ends and item.times["turnover_end"] > begins]
    free = day.patient_free
    for times in busy:
        if times["start"] < ends and times["end"] > begins:
            free &= ~mask(_floor(times["start"] - begins), _ceil(times["end"] - begins), day.slots)
    filled = replace(day, taken=tuple(_as_taken(item, begins) for item in here))
    return filled.seen_by(free, from_slot=min(day.slots, max(0, _ceil(now - begins))))


def _as_taken(item: Booked, begins: datetime) -> Taken:
    times = item.times
    return Taken(
        id=item.id,
        start=_floor(times["start"] - begins),
        infuse_start=_floor(times["infuse_start"] - begins),
        end=_ceil(times["end"] - begins),
        turnover_end=_ceil(times["turnover_end"] - begins),
        hands_on_until=_ceil(times["hands_on_until"] - begins),
        acuity=item.acuity,
        chair=item.chair,
        nurse=item.nurse,
        prescriber=item.prescriber,
        pinned=item.pinned,
    )


def _floor(length: timedelta) -> int:
    return length // SLOT


def _ceil(length: timedelta) -> int:
    return -(-length // SLOT)
