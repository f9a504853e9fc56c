"""One day at one site, and the one predicate that says whether that day can take a session.

Time is counted in slots of five minutes of elapsed time from the day's first instant, so a day with a clock change has
276 or 300 slots and none is skipped or doubled. A set of slots is an int: bit i stands for slot i.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from scheduler.treatment import Visit

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
class Taken:
    """A session already on the day, in slots; what lies off the grid was rounded outward. Parts outside the day are ignored."""

    id: str
    start: int
    infuse_start: int
    end: int
    turnover_end: int
    hands_on_until: int
    acuity: int
    chair: str | None
    nurse: str | None
    prescriber: str | None
    pinned: bool = False


@dataclass(frozen=True)
class ChairFacts:
    """A chair; `free` holds the slots in which it is not closed (sessions are not taken off here)."""

    id: str
    kind: str
    features: frozenset[str]
    free: int


@dataclass(frozen=True)
class StaffFacts:
    """A nurse or a prescriber; `on_duty` are slots, `capacity` sessions at once, `max_acuity` points at once (None: no limit)."""

    id: str
    role: str
    on_duty: int
    capacity: int
    max_acuity: int | None = None


@dataclass(frozen=True)
class Day:
    """Everything that bears on one patient's session on one day. `patient_free`, `open` and `from_slot` are in slots.

    `wall[i]` is the minute of the wall clock (0..1439) at which slot i begins. `from_slot` is the first slot that is
    not in the past (0 on a day to come, `slots` on a day gone by).
    """

    date: date
    first_instant: datetime
    slots: int
    open: int
    wall: tuple[int, ...]
    chairs: tuple[ChairFacts, ...]
    nurses: tuple[StaffFacts, ...]
    prescribers: tuple[StaffFacts, ...]
    taken: tuple[Taken, ...]
    patient_free: int
    from_slot: int = 0


@dataclass(frozen=True)
class Need:
    """What one session asks of a day: lengths in slots, and the hard wishes for a chair kind and for one provider (an id)."""

    prepare: int
    infuse: int
    recover: int
    turnover: int
    hands_on: int
    acuity: int
    kinds: frozenset[str]
    features: frozenset[str]
    chair_kind: str | None = None
    provider: str | None = None

    @classmethod
    def of(cls, visit: Visit, chair_kind: str | None = None, provider: str | None = None) -> Need:
        """The need of a visit under the wishes given."""
        raise NotImplementedError


@dataclass(frozen=True)
class Placement:
    """Where a session goes. `level` and `fragments` as in the objective (whole numbers, 0 best)."""

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


def mask(start: int, end: int, slots: int) -> int:
    """The slots [start, end) that lie within a day of `slots` slots."""
    raise NotImplementedError


def bits(slots: int) -> Iterable[int]:
    """The slots of a set, ascending."""
    raise NotImplementedError


def starts(day: Day, need: Need) -> int:
    """All starts that the day can take, as a set of slots: exactly those for which `place` gives a Placement."""
    raise NotImplementedError


def place(day: Day, need: Need, start: int) -> Placement | Refusal:
    """The predicate: chair, nurse and prescriber for a session at `start`, or why not."""
    raise NotImplementedError


def can_keep(day: Day, need: Need, start: int, chair: str, nurse: str, prescriber: str) -> Refusal | None:
    """None if a session at `start` may have just this chair, nurse and prescriber, else why not."""
    raise NotImplementedError
