"""Days of real infusion centres, by their counted figures, and a reader who checks a plan by clock and calendar alone.

The reader knows nothing of slots: it has the protocol's JSON, the centre's hours as wall time, and instants.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from scheduler import walltime
from scheduler.day import ChairFacts, Day, StaffFacts, Taken
from tests.scheduler import clinic

if TYPE_CHECKING:
    from scheduler.planner import WholePlan

FIGURES = json.loads((Path(__file__).parent.parent / "data" / "centres" / "figures.json").read_text())
MINUTE = timedelta(minutes=1)
FEATURES = frozenset({"cardiac_monitor", "quiet"})


@dataclass(frozen=True)
class Booking:
    """A session of somebody else, as instants."""

    start: datetime
    infuse: datetime
    end: datetime
    turnover_end: datetime
    hands_until: datetime
    chair: str
    nurse: str
    prescriber: str
    acuity: int = 2


@dataclass(frozen=True)
class Centre:
    """A centre in some zone, with its bookings."""

    name: str
    zone: ZoneInfo
    chairs: dict[str, str]
    nurses: tuple[str, ...]
    bookings: dict[date, list[Booking]]

    def hours(self, on: date) -> tuple[datetime, datetime] | None:
        """When it is open on a date, as instants."""
        said = FIGURES[self.name]["hours"].get(str(on.weekday()))
        if said is None:
            return None
        opens, closes = (datetime.combine(on, time.fromisoformat(at), self.zone).astimezone(UTC) for at in said)
        return opens, closes


def centre(name: str, zone: str, first: date, count: int, seed: int = 1) -> Centre:
    """A centre with so many days of bookings: as many a day and as long as the real one's, in the first chair free."""
    luck, figures = Random(seed), FIGURES[name]
    kinds = [*clinic.KINDS[:2]] * figures["chairs"]
    chairs = {f"chair-{n}": kinds[n] for n in range(figures["chairs"] - 1)} | {"chair-room": "private_room"}
    nurses = tuple(f"nurse-{n}" for n in range(-(-figures["chairs"] // 3)))
    empty = Centre(name, ZoneInfo(zone), chairs, nurses, {})
    found: dict[date, list[Booking]] = {}
    for on in clinic.dates_from(first, count):
        hours, many = empty.hours(on), figures["bookings_a_day"].get(str(on.weekday()), 0)
        for _ in range(luck.randint(0, round(2 * many)) if hours else 0):
            length = int(luck.choices(list(figures["minutes"]), list(figures["minutes"].values()))[0])
            at = _somewhere(luck, empty, found.setdefault(on, []), hours, max(length, 30))
            found[on] += [at] if at else []
    return Centre(name, empty.zone, chairs, nurses, found)


def _somewhere(luck: Random, where: Centre, there: list[Booking], hours: Any, length: int) -> Booking | None:
    opens, closes = hours
    latest = int((closes - opens) / MINUTE) - length - 15
    if latest < 0:
        return None
    start = opens + luck.randrange(0, latest + 1, 5) * MINUTE
    end = start + length * MINUTE
    for chair in where.chairs:
        for nurse in where.nurses:
            one = Booking(
                start, start + 15 * MINUTE, end, end + 15 * MINUTE, start + 15 * MINUTE, chair, nurse, "doctor-0"
            )
            if not clashes(one, there):
                return one
    return None


def clashes(one: Booking, others: list[Booking]) -> str:
    """What two or more bookings take twice; empty where nothing."""
    near = [other for other in others if other.start < one.turnover_end and one.start < other.turnover_end]
    if any(other.chair == one.chair for other in near):
        return "chair"
    mine = [other for other in near if other.nurse == one.nurse]
    if any(other.start < one.hands_until and one.start < other.hands_until for other in mine):
        return "hands"
    for moment in [one.start, *(other.start for other in mine if other.start > one.start)]:
        beside = [other for other in mine if other.start <= moment < other.end]
        if moment < one.end and (len(beside) >= 4 or sum(other.acuity for other in beside) + one.acuity > 8):
            return "nurse"
    return ""


def days_of(where: Centre, first: date, count: int) -> list[Day]:
    """The centre's days as the planner's values."""
    return [_day(where, on) for on in clinic.dates_from(first, count)]


def _day(where: Centre, on: date) -> Day:
    begins, slots = walltime.first_instant(on, where.zone), walltime.slots_in(on, where.zone)
    hours = where.hours(on)
    opened = walltime.bits(begins, slots, *hours, inward=True) if hours else 0

    def slot(at: datetime) -> int:
        return int((at - begins) / walltime.SLOT)

    return Day(
        date=on,
        first_instant=begins,
        slots=slots,
        open=opened,
        wall=walltime.wall_minutes(on, where.zone),
        chairs=tuple(ChairFacts(name, kind, FEATURES, (1 << slots) - 1) for name, kind in where.chairs.items()),
        nurses=tuple(StaffFacts(name, "nurse", opened, 4, 8) for name in where.nurses),
        prescribers=(StaffFacts("doctor-0", "prescriber", opened, 20),),
        taken=tuple(
            Taken(
                f"{each.start}-{each.chair}",
                slot(each.start),
                slot(each.infuse),
                slot(each.end),
                slot(each.turnover_end),
                slot(each.hands_until),
                each.acuity,
                each.chair,
                each.nurse,
                each.prescriber,
                pinned=True,
            )
            for each in where.bookings.get(on, ())
        ),
        patient_free=(1 << slots) - 1,
    )


def check(found: WholePlan, phases: list[dict[str, Any]], where: Centre) -> list[date]:
    """Every rule again, from the protocol's words, the clock on the wall and the bookings; gives the dates."""
    numbered = [
        (phase, ordinal) for phase in phases for ordinal in range(1, (phase["sessions"] or len(found.sessions)) + 1)
    ]
    dates = []
    for session, (phase, ordinal) in zip(found.sessions, numbered, strict=False):
        minutes = phase["minutes"]
        lengths = [_entry(minutes[name], ordinal) for name in ("prepare", "infuse", "recover", "turnover")]
        marks = [session.instant + sum(lengths[:n]) * MINUTE for n in range(5)]
        hands = marks[0] + phase["hands_on_minutes"] * MINUTE
        booked = Booking(
            marks[0],
            marks[1],
            marks[3],
            marks[4],
            hands,
            session.chair,
            session.nurse,
            session.prescriber,
            phase["acuity"],
        )
        local = session.instant.astimezone(where.zone)
        dates.append(local.date())
        hours = where.hours(local.date())
        assert hours is not None
        assert hours[0] <= marks[0], local
        assert marks[4] <= hours[1], local
        assert (local.minute % 5, local.second) == (0, 0)
        assert where.chairs[session.chair] in (phase["chair"]["kinds"] or clinic.KINDS)
        assert set(phase["chair"]["features"]) <= FEATURES
        assert session.nurse in where.nurses
        assert clashes(booked, where.bookings.get(local.date(), [])) == "", local
    assert clinic.keeps_spacing(phases, dates) is not None
    return dates


def _entry(value: int | list[int], ordinal: int) -> int:
    return value if isinstance(value, int) else value[min(ordinal, len(value)) - 1]
