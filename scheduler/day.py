"""The one predicate that says whether a day can take a session, and the same for all starts of a day at once.

Sessions already there keep their chair, nurse and prescriber.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from scheduler.facts import ChairFacts, Day, Need, StaffFacts, Taken
from scheduler.phases import SLOT_MINUTES
from scheduler.slots import at_most, bits, mask, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = [
    "ChairFacts",
    "Day",
    "Need",
    "Parts",
    "Placement",
    "Refusal",
    "RefusalCode",
    "StaffFacts",
    "Taken",
    "bits",
    "can_keep",
    "mask",
    "parts",
    "place",
    "ranked",
    "starts",
]

# A start in the last hour in which one is possible at all leaves no room for what runs late.
LATE_SLOTS = 60 // SLOT_MINUTES

RefusalCode = Literal[
    "off_grid",
    "in_past",
    "outside_opening_hours",
    "recovery_after_close",
    "patient_busy",
    "chair_unfit",
    "chair_taken",
    "nurse_unavailable",
    "ratio_exceeded",
    "prescriber_unavailable",
]


@dataclass(frozen=True)
class Placement:
    """Where a session goes.

    `level` is the most sessions that its nurse has beside it at any instant, plus 1 for a start in the last hour in
    which one is possible. `fragments` counts the sides (0 to 2) on which the chair keeps a gap too short for another
    session like it.
    """

    start: int
    chair: str
    nurse: str
    prescriber: str
    level: int
    fragments: int


@dataclass(frozen=True)
class Refusal:
    """Why a day cannot take a session."""

    code: RefusalCode
    detail: str


@dataclass(frozen=True)
class Parts:
    """The starts that each resource alone would allow: hours, clock, patient, chairs, nurses, prescribers."""

    open: int
    ahead: int
    patient: int
    chair: int
    nurse: int
    prescriber: int


def parts(day: Day, need: Need) -> Parts:
    """The starts that each resource alone would allow."""
    load = day.load
    chairs, number = load.chair_lanes(need)
    return Parts(
        open=runs(day.open & load.all, need.sitting) & load.marks,
        ahead=load.all >> day.from_slot << day.from_slot,
        patient=runs(day.patient_free & load.all, need.stay),
        chair=load.any_lane(runs(chairs, need.sitting), number),
        nurse=load.nurse_starts(need, load.most_at_once),
        prescriber=load.prescriber_starts(need),
    )


def starts(day: Day, need: Need) -> int:
    """All starts that the day can take, as a set of slots: exactly those for which `place` gives a Placement."""
    each = parts(day, need)
    return each.open & each.ahead & each.patient & each.chair & each.nurse & each.prescriber


def ranked(day: Day, need: Need, within: int) -> list[tuple[int, int, int]]:
    """Feasible starts by cost: (level, fragments, starts) ascending, as `place` would give them; sets are disjoint."""
    levels = _by_level(day, need, within)
    loose = _by_fragments(day, need, within)
    classes = [(level, count, a & b) for level, a in levels.items() for count, b in loose.items()]
    return sorted(item for item in classes if item[2])


def _by_level(day: Day, need: Need, within: int) -> dict[int, int]:
    late = _late_starts(day, need)
    levels: dict[int, int] = {}
    for peak in range(day.load.most_at_once + 1):
        reached = within & day.load.nurse_starts(need, peak)
        levels[peak] = levels.get(peak, 0) | (reached & ~late)
        levels[peak + 1] = reached & late
        within &= ~reached
        if not within:
            break
    return levels


def _late_starts(day: Day, need: Need) -> int:
    possible = runs(day.open & day.load.all, need.sitting) & day.load.marks
    last = possible.bit_length() - 1
    return mask(last - LATE_SLOTS + 1, last + 1, day.slots)


def _by_fragments(day: Day, need: Need, within: int) -> dict[int, int]:
    """A side is tidy where the chair's free time ends at the session, or leaves room for another one like it."""
    load, length = day.load, need.sitting
    free, number = load.chair_lanes(need)
    everywhere = (1 << number * load.lane_bytes * 8) - 1
    fit = runs(free, length)
    before = (everywhere & ~(free << 1)) | (fit << length)
    after = ((everywhere & ~free) >> length) | (fit >> length)
    tidy = [fit & before & after, fit & (before | after), fit]
    classes = {}
    for count, lanes in enumerate(tidy):
        classes[count] = within & load.any_lane(lanes, number)
        within &= ~classes[count]
    return classes


def place(day: Day, need: Need, start: int) -> Placement | Refusal:
    """The predicate: chair, nurse and prescriber for a session at `start`, or why not.

    Of the chairs that will do, one with the fewest fragments; of the nurses, one with the lowest peak; then lowest ids.
    """
    refusal = _time_refusal(day, need, start)
    if refusal is not None:
        return refusal
    nurses, prescribers = day.load.wished(need)
    chair = _best(
        day.load.chairs,
        lambda item: _chair_refusal(day, need, start, item),
        lambda item: _fragments(day, need, start, item),
        Refusal("chair_unfit", "the site has no chair in use"),
    )
    nurse = _best(
        nurses,
        lambda item: _nurse_refusal(day, need, start, item),
        lambda item: _peak(day, need, start, item),
        Refusal("nurse_unavailable", "no nurse may take this session"),
    )
    prescriber = _best(
        prescribers,
        lambda item: _prescriber_refusal(day, need, start, item),
        lambda item: 0,
        Refusal("prescriber_unavailable", "no prescriber may take this session"),
    )
    if isinstance(chair, Refusal):
        return chair
    if isinstance(nurse, Refusal):
        return nurse
    if isinstance(prescriber, Refusal):
        return prescriber
    level = nurse[1] + (_late_starts(day, need) >> start & 1)
    return Placement(start, chair[0].id, nurse[0].id, prescriber[0].id, level, chair[1])


def can_keep(day: Day, need: Need, start: int, chair: str, nurse: str, prescriber: str) -> Refusal | None:
    """None if a session at `start` may have just this chair, nurse and prescriber, else why not."""
    refusal = _time_refusal(day, need, start)
    if refusal is not None:
        return refusal
    nurses, prescribers = day.load.wished(need)
    for seat in day.load.chairs:
        if seat.id == chair:
            refusal = _chair_refusal(day, need, start, seat)
            break
    else:
        refusal = Refusal("chair_unfit", "this chair is not in use at the site")
    return (
        refusal
        or _staff_refusal(nurses, nurse, lambda person: _nurse_refusal(day, need, start, person), "nurse_unavailable")
        or _staff_refusal(
            prescribers,
            prescriber,
            lambda person: _prescriber_refusal(day, need, start, person),
            "prescriber_unavailable",
        )
    )


def _staff_refusal(
    staff: Sequence[StaffFacts], wanted: str, refuse: Callable[[StaffFacts], Refusal | None], code: RefusalCode
) -> Refusal | None:
    for person in staff:
        if person.id == wanted:
            return refuse(person)
    return Refusal(code, "this person does not work at the site or is not the one wished for")


_Item = TypeVar("_Item", ChairFacts, StaffFacts)


def _best(
    pool: Iterable[_Item], refuse: Callable[[_Item], Refusal | None], cost: Callable[[_Item], int], nobody: Refusal
) -> tuple[_Item, int] | Refusal:
    """The first of the cheapest that will do, with its cost; else the refusal that came nearest."""
    best: tuple[_Item, int] | None = None
    why = nobody
    for item in pool:
        refusal = refuse(item)
        if refusal is None:
            price = cost(item)
            best = (item, price) if best is None or price < best[1] else best
        elif why is nobody or refusal.code in ("chair_taken", "ratio_exceeded"):
            why = refusal
    return best or why


def _time_refusal(day: Day, need: Need, start: int) -> Refusal | None:
    if not 0 <= start < day.slots:
        return Refusal("outside_opening_hours", "the day has no such time")
    if not day.load.marks >> start & 1:
        return Refusal("off_grid", "a session starts on a five-minute mark of the clock")
    if start < day.from_slot:
        return Refusal("in_past", "this time has passed")
    if not day.open >> start & 1:
        return Refusal("outside_opening_hours", "the site is not open then")
    sitting = mask(start, start + need.sitting, day.slots)
    if start + need.sitting > day.slots or sitting & ~day.open:
        return Refusal("recovery_after_close", "the session and its turnover would not end while the site is open")
    if mask(start, start + need.stay, day.slots) & ~day.patient_free:
        return Refusal("patient_busy", "the patient has another session then")
    return None


def _chair_refusal(day: Day, need: Need, start: int, chair: ChairFacts) -> Refusal | None:
    if not need.fits(chair):
        return Refusal("chair_unfit", "no chair of the kind and with the features needed")
    if mask(start, start + need.sitting, day.slots) & ~day.load.sittable[chair.id]:
        return Refusal("chair_taken", "no fitting chair is free for the whole session and its turnover")
    return None


def _nurse_refusal(day: Day, need: Need, start: int, nurse: StaffFacts) -> Refusal | None:
    stay = mask(start, start + need.stay, day.slots)
    if stay & ~nurse.on_duty:
        return Refusal("nurse_unavailable", "no nurse is on duty for the whole session")
    if mask(start, start + need.hands_on, day.slots) & day.load.hands.get(nurse.id, 0):
        return Refusal("nurse_unavailable", "no nurse is free to start another patient then")
    if stay & ~day.load.below(nurse, need.acuity, nurse.capacity):
        return Refusal("ratio_exceeded", "every nurse on duty has as many patients as allowed at once")
    return None


def _prescriber_refusal(day: Day, need: Need, start: int, prescriber: StaffFacts) -> Refusal | None:
    there = mask(start + need.prepare, start + need.stay, day.slots)
    if there & ~day.load.below(prescriber, 0, prescriber.capacity):
        return Refusal(
            "prescriber_unavailable", "no prescriber is there, with room, from the infusion's start to the end"
        )
    return None


def _peak(day: Day, need: Need, start: int, nurse: StaffFacts) -> int:
    """The most sessions that a nurse has already at any instant of the stay."""
    stay = mask(start, start + need.stay, day.slots)
    peak = 0
    while stay & ~at_most(day.load.count.get(nurse.id, []), peak, day.load.all):
        peak += 1
    return peak


def _fragments(day: Day, need: Need, start: int, chair: ChairFacts) -> int:
    """Sides on which the chair keeps a gap that is too short for another session like this one."""
    free, end = day.load.sittable[chair.id], start + need.sitting
    gap_before = start - (mask(0, start, day.slots) & ~free).bit_length()
    taken_after = mask(end, day.slots, day.slots) & ~free
    gap_after = (taken_after & -taken_after).bit_length() - 1 - end if taken_after else day.slots - end
    return sum(0 < gap < need.sitting for gap in (gap_before, gap_after))
