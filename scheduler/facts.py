"""What one day at one site looks like to one patient, as values, and what its sessions leave free.

Time is counted in slots of five minutes of elapsed time from the day's first instant, so a day with a clock change has
276 or 300 slots and none is skipped or doubled. A set of slots is an int: bit i stands for slot i.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from scheduler.slots import add, at_most, grid_marks, mask, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime

    from scheduler.treatment import Visit


@dataclass(frozen=True)
class Taken:
    """A session already on the day, in slots; what lies off the grid was rounded outward.

    `pinned` marks one that has begun. Slots outside the day do not count.
    """

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
    """A nurse or a prescriber; at most `capacity` sessions and `max_acuity` points (None: no limit) at once."""

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

    @cached_property
    def load(self) -> Load:
        """What the sessions already there leave; worked out once."""
        return Load(self)

    def seen_by(self, patient_free: int, from_slot: int) -> Day:
        """The day as one patient finds it at one time. The load, which knows of neither, is worked out once for all."""
        seen = object.__new__(Day)
        # Field by field, as `replace` does it, a hundred days take longer than the search over them.
        seen.__dict__.update(self.__dict__, load=self.load, patient_free=patient_free, from_slot=from_slot)
        return seen


@dataclass(frozen=True)
class Need:
    """What one session asks of a day: lengths in slots, and hard wishes for a chair kind and a provider's id."""

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
        return cls(
            visit.prepare,
            visit.infuse,
            visit.recover,
            visit.turnover,
            visit.hands_on,
            visit.acuity,
            visit.chair.kinds,
            visit.chair.features,
            chair_kind,
            provider,
        )

    @property
    def stay(self) -> int:
        """Slots from start to end, without turnover."""
        return self.prepare + self.infuse + self.recover

    @property
    def sitting(self) -> int:
        """Slots for which the chair is taken: the stay and the turnover."""
        return self.stay + self.turnover

    def fits(self, chair: ChairFacts) -> bool:
        """Whether a chair's kind and features will do."""
        kind = (not self.kinds or chair.kind in self.kinds) and self.chair_kind in (None, chair.kind)
        return kind and self.features <= chair.features


class Load:
    """What one day's sessions take, as sets of slots; lanes for many chairs or nurses lie side by side in one int.

    Each lane ends in at least one empty slot, so that no run of slots reaches from one lane into the next.
    Requests may share one, in threads: what it keeps is the same whoever works it out.
    """

    def __init__(self, day: Day) -> None:
        self.all = (1 << day.slots) - 1
        self.lane_bytes = day.slots // 8 + 1
        self.marks = grid_marks(day.wall)
        self.chairs = tuple(sorted(day.chairs, key=lambda chair: chair.id))
        self.nurses = tuple(sorted(day.nurses, key=lambda nurse: nurse.id))
        self.prescribers = tuple(sorted(day.prescribers, key=lambda prescriber: prescriber.id))
        sat: dict[str | None, int] = {}
        self.hands: dict[str | None, int] = {}
        self.count: dict[str | None, list[int]] = {}
        self.points: dict[str | None, list[int]] = {}
        for taken in day.taken:
            stay = mask(taken.start, taken.end, day.slots)
            sat[taken.chair] = sat.get(taken.chair, 0) | mask(taken.start, taken.turnover_end, day.slots)
            hands = mask(taken.start, taken.hands_on_until, day.slots)
            self.hands[taken.nurse] = self.hands.get(taken.nurse, 0) | hands
            add(self.count.setdefault(taken.nurse, []), 1, stay)
            add(self.points.setdefault(taken.nurse, []), taken.acuity, stay)
            infusing = mask(taken.infuse_start, taken.end, day.slots)
            add(self.count.setdefault(taken.prescriber, []), 1, infusing)
        self.sittable = {chair.id: chair.free & day.open & self.all & ~sat.get(chair.id, 0) for chair in self.chairs}
        self.kept: dict[object, tuple[int, int]] = {}
        self.rooms: dict[tuple[str, int, int], int] = {}

    def lanes(self, key: object, build: Callable[[], list[int]]) -> tuple[int, int]:
        """Sets of slots side by side and how many they are; built once a key."""
        found = self.kept.get(key)
        if found is None:
            sets = build()
            packed = b"".join(slots.to_bytes(self.lane_bytes, "little") for slots in sets)
            found = (int.from_bytes(packed, "little"), len(sets))
            keep(self.kept, key, found)
        return found

    def any_lane(self, packed: int, lanes: int) -> int:
        """The slots that are in at least one lane."""
        width = self.lane_bytes * 8
        while lanes > 1:
            half = (lanes + 1) // 2
            packed = (packed >> half * width) | (packed & ((1 << half * width) - 1))
            lanes = half
        return packed

    def below(self, staff: StaffFacts, acuity: int, peak: int) -> int:
        """The slots in which a person on duty has room for `acuity` points and at most `peak` sessions already."""
        room = min(peak, staff.capacity - 1)
        key = (staff.id, acuity, room)
        found = self.rooms.get(key)
        if found is None:
            found = self._room(staff, acuity, room)
            keep(self.rooms, key, found)
        return found

    def _room(self, staff: StaffFacts, acuity: int, room: int) -> int:
        free = staff.on_duty & self.all & at_most(self.count.get(staff.id, []), room, self.all)
        if staff.max_acuity is not None:
            free &= at_most(self.points.get(staff.id, []), staff.max_acuity - acuity, self.all)
        return free

    def wished(self, need: Need) -> tuple[Sequence[StaffFacts], Sequence[StaffFacts]]:
        """Nurses and prescribers who may care for this session: all, or only the one wished for."""
        if need.provider is None:
            return self.nurses, self.prescribers
        nurses = [nurse for nurse in self.nurses if nurse.id == need.provider]
        prescribers = [prescriber for prescriber in self.prescribers if prescriber.id == need.provider]
        return (nurses if nurses or not prescribers else self.nurses), (prescribers or self.prescribers)

    def chair_lanes(self, need: Need) -> tuple[int, int]:
        """The free slots of each chair that fits."""
        key = ("chairs", need.kinds, need.features, need.chair_kind)
        return self.lanes(key, lambda: [self.sittable[chair.id] for chair in self.chairs if need.fits(chair)])

    def nurse_starts(self, need: Need, peak: int) -> int:
        """Starts at which some nurse can take the session with at most `peak` others at any instant."""
        nurses = self.wished(need)[0]
        room = self.lanes(
            ("nurses", need.acuity, need.provider, peak), lambda: [self.below(n, need.acuity, peak) for n in nurses]
        )
        hands = self.lanes(("hands", need.provider), lambda: [self.all & ~self.hands.get(n.id, 0) for n in nurses])
        return self.any_lane(runs(room[0], need.stay) & runs(hands[0], need.hands_on), room[1])

    def prescriber_starts(self, need: Need) -> int:
        """Starts for which some prescriber is there from the start of infuse to the end of recover."""
        people = self.wished(need)[1]
        lanes = self.lanes(("prescribers", need.provider), lambda: [self.below(p, 0, p.capacity) for p in people])
        return self.any_lane(runs(lanes[0], need.stay - need.prepare), lanes[1]) >> need.prepare

    @cached_property
    def most_at_once(self) -> int:
        """One less than the largest capacity among the nurses."""
        return max((nurse.capacity for nurse in self.nurses), default=1) - 1


# A day lives as long as nothing on it changes, and is asked about by whoever plans: what it remembers has an end.
KEPT_AT_MOST = 500

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def keep(kept: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Remember a value under a key; where there are very many, begin anew."""
    if len(kept) >= KEPT_AT_MOST:
        kept.clear()
    kept[key] = value
