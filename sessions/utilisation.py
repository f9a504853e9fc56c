"""How a site was used: chairs, nurses, lead time, visits that did not take place, delays. Numbers only, no patients."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduler import walltime
from scheduler.phases import SLOT_MINUTES
from scheduler.supply import supply_on
from sessions.facts import zone_of
from sessions.models import GONE, Session, SessionStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from uuid import UUID

    from accounts.models import Site
    from scheduler.facts import Day

COLUMNS = (
    "status",
    "start",
    "infuse_start",
    "end",
    "turnover_end",
    "chair_id",
    "nurse_id",
    "arrived_at",
    "infusion_started_at",
    "ended_at",
    "cancelled_late",
    "series__created_at",
)
ENDED_AS = (SessionStatus.COMPLETED, SessionStatus.STOPPED_EARLY)

Row = dict[str, Any]


@dataclass(frozen=True)
class Use:
    """One chair or nurse: minutes there were, minutes booked of them, minutes really taken. For a nurse, of places."""

    id: UUID
    name: str
    offered: int
    booked: int
    used: int

    @property
    def booked_percent(self) -> float | None:
        """Booked of offered; None where nothing was offered."""
        return _percent(self.booked, self.offered)

    @property
    def used_percent(self) -> float | None:
        """Used of offered; None where nothing was offered."""
        return _percent(self.used, self.offered)


@dataclass(frozen=True)
class Spread:
    """Median, 90th percentile and number of some minutes or days; None where there are none."""

    count: int
    median: float | None
    p90: float | None


@dataclass(frozen=True)
class Utilisation:
    """The numbers of a site from one date to another, both included."""

    first: date
    last: date
    sessions: int
    completed: int
    no_shows: int
    no_show_percent: float | None
    cancelled: int
    cancelled_late: int
    chairs: tuple[Use, ...]
    nurses: tuple[Use, ...]
    lead_days: Spread
    late_arrival_minutes: Spread
    late_start_minutes: Spread
    late_end_minutes: Spread


def utilisation(site: Site, first: date, last: date) -> Utilisation:
    """The numbers of every session that starts within these dates of the site's calendar. Ten queries."""
    zone = zone_of(site)
    since, until = walltime.first_instant(first, zone), walltime.first_instant(last + walltime.DAY, zone)
    rows = list(Session.objects.filter(site=site, start__gte=since, start__lt=until).values(*COLUMNS))
    days = supply_on(site, [first + n * walltime.DAY for n in range((last - first).days + 1)])
    states = [row["status"] for row in rows]
    kept = sum(state in ENDED_AS for state in states)
    missed = states.count(SessionStatus.NO_SHOW)
    live = [row for row in rows if row["status"] not in GONE]
    return Utilisation(
        first=first,
        last=last,
        sessions=len(rows),
        completed=kept,
        no_shows=missed,
        no_show_percent=_percent(missed, missed + kept),
        cancelled=states.count(SessionStatus.CANCELLED),
        cancelled_late=sum(row["cancelled_late"] for row in rows),
        chairs=_chairs(site, days, live),
        nurses=_nurses(site, days, live),
        lead_days=_spread(_days(row["start"] - row["series__created_at"]) for row in rows),
        late_arrival_minutes=_late(live, "arrived_at", "start"),
        late_start_minutes=_late(live, "infusion_started_at", "infuse_start"),
        late_end_minutes=_late(live, "ended_at", "end"),
    )


def _chairs(site: Site, days: Sequence[Day], rows: Sequence[Row]) -> tuple[Use, ...]:
    """Offered is when the site is open and the chair not closed; booked and used with turnover."""
    offered: dict[str, int] = defaultdict(int)
    for day in days:
        for chair in day.chairs:
            offered[chair.id] += (chair.free & day.open).bit_count() * SLOT_MINUTES
    booked = _sum(rows, "chair_id", lambda row: (row["start"], row["turnover_end"]))
    used = _sum(rows, "chair_id", lambda row: _used(row, row["turnover_end"] - row["end"]))
    chairs = site.chairs.order_by("name", "id")
    return tuple(
        Use(chair.pk, chair.name, offered[str(chair.pk)], booked[chair.pk], used[chair.pk]) for chair in chairs
    )


def _nurses(site: Site, days: Sequence[Day], rows: Sequence[Row]) -> tuple[Use, ...]:
    """Offered is time on duty, once for each patient that the nurse may have at once."""
    duty: dict[str, int] = defaultdict(int)
    for day in days:
        for nurse in day.nurses:
            duty[nurse.id] += nurse.on_duty.bit_count() * SLOT_MINUTES * nurse.capacity
    booked = _sum(rows, "nurse_id", lambda row: (row["start"], row["end"]))
    used = _sum(rows, "nurse_id", lambda row: _used(row, timedelta(0)))
    nurses = site.providers.filter(role="nurse").order_by("name", "id")
    return tuple(Use(nurse.pk, nurse.name, duty[str(nurse.pk)], booked[nurse.pk], used[nurse.pk]) for nurse in nurses)


def _used(row: Row, after: timedelta) -> tuple[datetime, datetime] | None:
    """From arrival (not before the planned start) to the way home and what follows; None where it is not over."""
    if row["arrived_at"] is None or row["ended_at"] is None:
        return None
    return max(row["arrived_at"], row["start"]), row["ended_at"] + after


def _sum(rows: Iterable[Row], by: str, span: Callable[[Row], tuple[datetime, datetime] | None]) -> dict[UUID, int]:
    found: dict[UUID, int] = defaultdict(int)
    for row in rows:
        between = span(row)
        if between is not None:
            found[row[by]] += max(0, _minutes(between[1] - between[0]))
    return found


def _late(rows: Iterable[Row], real: str, planned: str) -> Spread:
    return _spread(_minutes(row[real] - row[planned]) for row in rows if row[real] is not None)


def _spread(values: Iterable[float]) -> Spread:
    ordered = sorted(values)
    if not ordered:
        return Spread(0, None, None)
    return Spread(len(ordered), statistics.median(ordered), ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))])


def _minutes(length: timedelta) -> int:
    return int(length.total_seconds() // 60)


def _days(length: timedelta) -> float:
    return round(length / timedelta(days=1), 1)


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None
