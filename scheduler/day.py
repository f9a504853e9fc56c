"""The one predicate that says whether a day can take a session, and the same for all starts of a day at once.

Chairs, nurses and prescribers are pools: a start is feasible exactly when all of the day's sessions can be assigned
together with it, those to come free to change hands.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from scheduler.assignment import Place, joined, lay_pool
from scheduler.facts import ChairFacts, Day, Need, StaffFacts, Taken
from scheduler.phases import SLOT_MINUTES
from scheduler.slots import bits, mask, runs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ChairFacts",
    "Day",
    "Need",
    "Place",
    "Placement",
    "Refusal",
    "RefusalCode",
    "StaffFacts",
    "Taken",
    "bits",
    "can_keep",
    "mask",
    "place",
    "ranked",
    "seated",
    "starts",
    "timely",
]

# A start in the last hour in which one is possible at all leaves no room for what runs late.
LATE_SLOTS = 60 // SLOT_MINUTES
# What such a start counts for: as much as half a session more for every nurse.
LATE_LEVELS = 2

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
    """Where a session goes, and who `moved` for it: sessions to come that get another chair, nurse or prescriber.

    `level` and `fragments` are the day's part of the objective (docs/planner.md). They look at the times of the day's
    sessions and at what each asks for, never at who has whom, so that no laying makes a start dearer than another one.
    """

    start: int
    chair: str
    nurse: str
    prescriber: str
    level: int
    fragments: int
    moved: dict[str, Place] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """Why a day cannot take a session."""

    code: RefusalCode
    detail: str


def timely(day: Day, need: Need) -> int:
    """The starts that the clock leaves: on the grid, within hours with the turnover, not past, the patient free."""
    load = day.load
    ahead = load.all >> day.from_slot << day.from_slot
    return runs(load.open, need.sitting) & load.marks & ahead & runs(day.patient_free & load.all, need.stay)


def starts(day: Day, need: Need) -> int:
    """A set of slots that holds every start for which `place` finds a Placement, and few others: sums, not layings."""
    found = timely(day, need)
    # Where one says no, what the next have is not worked out.
    for allowed in (day.load.chair_starts, day.load.nurse_starts, day.load.prescriber_starts):
        found = found and found & allowed(need)
    return found


def ranked(day: Day, need: Need, within: int) -> Iterator[tuple[int, int, int]]:
    """Starts by what they cost the day: (level, fragments, starts) ascending; the sets are disjoint.

    The one place that says what `level` and `fragments` are. Level, in quarters of a session: the most others that a
    nurse on duty has at any instant of the stay, were work spread evenly, and `LATE_LEVELS` more for a start in the
    last hour in which one is possible. Fragments: the sides on which it leaves a gap too short for another session like
    it (`Load.loose`).
    """
    before, after = day.load.loose(need)
    sides = [~(before | after), before ^ after, before & after]
    for level, starts in _by_level(day, need, within):
        for count, side in enumerate(sides):
            if starts & side:
                yield level, count, starts & side


def _by_level(day: Day, need: Need, within: int) -> Iterator[tuple[int, int]]:
    """The levels, ascending, and the starts of each. Mostly the first is all that is asked for."""
    late, level = _late_starts(day, need), 0
    put_off: dict[int, int] = {}
    while within or put_off:
        reached = within & runs(day.load.level_at_most(level), need.stay)
        within &= ~reached
        if reached & late:
            put_off[level + LATE_LEVELS] = reached & late
        starts = reached & ~late | put_off.pop(level, 0)
        if starts:
            yield level, starts
        level += 1


def _late_starts(day: Day, need: Need) -> int:
    possible = runs(day.load.open, need.sitting) & day.load.marks
    last = possible.bit_length() - 1
    return mask(last - LATE_SLOTS + 1, last + 1, day.slots)


def place(
    day: Day, need: Need, start: int, preferred: Place | None = None, name: str = "", fewest: bool = True
) -> Placement | Refusal:
    """The predicate: chair, nurse and prescriber for a session at `start` and who moves for it, or why not.

    Exact: a Placement exactly where all the day's sessions can be assigned together with this one. Whoever is
    `preferred` is given where they are free. Else a free chair that it fills best, a free nurse with the lowest peak,
    lowest ids; only where nobody is free do others move, as few as can be (see assignment.py). `name` is the id under
    which the new session is thought of; no session on the day may have it. Who only asks whether there is room needs no
    `fewest`.
    """
    moved = seated(day, need, start, preferred, name, fewest)
    if isinstance(moved, Refusal):
        return moved
    mine = moved.pop(name)
    level, fragments = cost(day, need, start)
    return Placement(start, *mine, level, fragments, moved)


def seated(
    day: Day, need: Need, start: int, preferred: Place | None = None, name: str = "", fewest: bool = True
) -> dict[str, Place] | Refusal:
    """`place` for who does not ask what the start costs: who gets what, the new session by its `name`."""
    refusal = _time_refusal(day, need, start)
    if refusal is not None:
        return refusal
    new = need.at(start, name)
    if preferred is not None:
        new = replace(new, chair=preferred.chair, nurse=preferred.nurse, prescriber=preferred.prescriber)
    laid = []
    for which, refuse in enumerate(_REFUSALS):
        found = lay_pool(day, which, [new], fewest)
        if found is None:
            return refuse(day, new)
        laid.append(found)
    return joined(day, [new], laid)


def cost(day: Day, need: Need, start: int) -> tuple[int, int]:
    """Level and fragments of one start; see `ranked`."""
    level, fragments, _ = next(ranked(day, need, 1 << start))
    return level, fragments


def can_keep(day: Day, need: Need, start: int, chair: str, nurse: str, prescriber: str) -> Refusal | None:
    """None if a session may have just this chair, nurse and prescriber while all others keep theirs, else why not."""
    refusal = _time_refusal(day, need, start)
    if refusal is not None:
        return refusal
    new, load = need.at(start), day.load
    asked = (
        (load.seats, load.seat(new), chair, _chair_refusal),
        (load.carers, load.carer(new), nurse, _nurse_refusal),
        (load.doctors, load.doctor(new), prescriber, _prescriber_refusal),
    )
    for pool, claim, wanted, refuse in asked:
        one = next((each for each in pool.options(claim) if each.id == wanted), None)
        if one is None or not pool.full[wanted].takes(one, claim):
            return refuse(day, new, wanted)
    return None


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


def _chair_refusal(day: Day, new: Taken, wanted: str | None = None) -> Refusal:
    fitting = [each.id for each in day.load.seats.fitting(new.seat)]
    if not fitting or (wanted is not None and wanted not in fitting):
        return Refusal("chair_unfit", "no chair of the kind and with the features needed")
    return Refusal("chair_taken", "no fitting chair is free for the whole session and its turnover")


def _nurse_refusal(day: Day, new: Taken, wanted: str | None = None) -> Refusal:
    pool, claim = day.load.carers, day.load.carer(new)
    there = [each.id for each in pool.options(claim) if wanted in (None, each.id)]
    if not there:
        return Refusal("nurse_unavailable", "no nurse is on duty for the whole session")
    if all(claim.hands & pool.full[each].hands for each in there):
        return Refusal("nurse_unavailable", "no nurse is free to start another patient then")
    return Refusal("ratio_exceeded", "every nurse on duty has as many patients as allowed at once")


def _prescriber_refusal(day: Day, new: Taken, wanted: str | None = None) -> Refusal:
    return Refusal("prescriber_unavailable", "no prescriber is there, with room, from the infusion's start to the end")


_REFUSALS = (_chair_refusal, _nurse_refusal, _prescriber_refusal)
