"""What one day's sessions take and leave: the pools, and the starts that their sums may allow."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

from scheduler.pools import Claim, Pool, Resource
from scheduler.slots import grid_marks, less, mask, runs, soon_after, soon_before, total

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from scheduler.facts import Day, Need, Seat, StaffFacts, Taken


class Load:
    """What one day's sessions take, pool by pool and as sets of slots.

    Lanes for many chairs or nurses lie side by side in one int. Each lane ends in at least one empty slot, so that no
    run of slots reaches from one lane into the next.
    Requests may share one, in threads: what it keeps is the same whoever works it out.
    """

    def __init__(self, day: Day) -> None:
        self.slots, self.all = day.slots, (1 << day.slots) - 1
        self.lane_bytes = day.slots // 8 + 1
        self.marks = grid_marks(day.wall)
        self.open, self.taken = day.open & self.all, day.taken
        self.doctors_known = frozenset(each.id for each in day.prescribers)
        self._chairs, self._nurses, self._prescribers = day.chairs, day.nurses, day.prescribers
        self.kept: dict[object, tuple[int, int]] = {}
        self.sets: dict[object, int] = {}

    @cached_property
    def seats(self) -> Pool:
        """The chairs. Each pool is made when somebody asks for it: often the clock alone says no."""
        chairs = [Resource(c.id, c.free & self.all, 1, None, (c.kind, c.features)) for c in self._chairs]
        return Pool(chairs, map(self.seat, self.taken), self.all, _seat_fits)

    @cached_property
    def carers(self) -> Pool:
        """The nurses."""
        return Pool(self._staff(self._nurses), map(self.carer, self.taken), self.all, _person_fits)

    @cached_property
    def doctors(self) -> Pool:
        """The prescribers, of whom no points are asked."""
        staff = [each._replace(max_points=None) for each in self._staff(self._prescribers)]
        return Pool(staff, map(self.doctor, self.taken), self.all, _person_fits)

    def _staff(self, staff: Sequence[StaffFacts]) -> list[Resource]:
        return [Resource(each.id, each.on_duty & self.all, each.capacity, each.max_acuity, ()) for each in staff]

    def seat(self, item: Taken) -> Claim:
        """What a session claims of the chairs."""
        during = mask(item.start, item.turnover_end, self.slots)
        return Claim(item.id, during, 0, 0, item.chair, item.seat, self._pinned(item))

    def carer(self, item: Taken) -> Claim:
        """What a session claims of the nurses."""
        during = mask(item.start, item.end, self.slots)
        hands = mask(item.start, item.hands_on_until, self.slots)
        return Claim(item.id, during, hands, item.acuity, item.nurse, self.nurse_asked(item), self._pinned(item))

    def doctor(self, item: Taken) -> Claim:
        """What a session claims of the prescribers."""
        during = mask(item.infuse_start, item.end, self.slots)
        return Claim(item.id, during, 0, 0, item.prescriber, self.doctor_asked(item), self._pinned(item))

    def _pinned(self, item: Taken) -> bool:
        return item.pinned or item.start < 0 or item.turnover_end > self.slots

    def nurse_asked(self, item: Taken | Need) -> str | None:
        """The nurse wished for; somebody unknown counts as one."""
        return None if item.provider in self.doctors_known else item.provider

    def doctor_asked(self, item: Taken | Need) -> str | None:
        """The prescriber wished for."""
        return item.provider if item.provider in self.doctors_known else None

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

    def once(self, key: object, build: Callable[[], int]) -> int:
        """A set of slots, worked out once a key."""
        found = self.sets.get(key)
        if found is None:
            found = build()
            keep(self.sets, key, found)
        return found

    def chair_starts(self, need: Need) -> int:
        """Starts that chairs may allow: the sums leave room, and some fitting chair is free of what cannot move."""
        seat = need.seat
        fixed, number = self.lanes(
            ("seats", seat),
            lambda: [chair.free & ~self.seats.firm[chair.id].busy for chair in self.seats.fitting(seat)],
        )
        room = self.once(("seats", seat), lambda: self._room_to_sit(seat))
        return runs(room, need.sitting) & self.any_lane(runs(fixed, need.sitting), number)

    def _room_to_sit(self, seat: Seat) -> int:
        """Each set of chairs that some session is bound to, and that holds all of this one's, needs one chair more."""
        mine, room = set(self.seats.fitting(seat)), self.seats.has_room(0)
        for asked in {seat, *(item.seat for item in self.taken)}:
            chairs = self.seats.fitting(asked)
            if mine.issubset(chairs) and len(chairs) < len(self.seats.resources):
                room &= self.seats.has_room_among(asked)
        return room

    def nurse_starts(self, need: Need) -> int:
        """Starts that nurses may allow."""
        asked, pool = self.nurse_asked(need), self.carers
        fixed, number = self.lanes(
            ("nurses", asked, need.acuity),
            lambda: [pool.firm[each.id].room(each, need.acuity, each.free) for each in pool.fitting(asked)],
        )
        hands, _ = self.lanes(
            ("hands", asked), lambda: [self.all & ~pool.firm[each.id].hands for each in pool.fitting(asked)]
        )
        one = self.any_lane(runs(fixed, need.stay) & runs(hands, need.hands_on), number)
        room = self.once(("nurses", need.acuity), lambda: pool.has_room(need.acuity))
        return one & runs(room, need.stay) & runs(self.once("hands", pool.has_hands), need.hands_on)

    def prescriber_starts(self, need: Need) -> int:
        """Starts that prescribers may allow, who are there from the start of infuse to the end of recover."""
        asked, pool, length = self.doctor_asked(need), self.doctors, need.stay - need.prepare
        fixed, number = self.lanes(
            ("prescribers", asked),
            lambda: [pool.firm[each.id].room(each, 0, each.free) for each in pool.fitting(asked)],
        )
        room = self.once("prescribers", lambda: pool.has_room(0))
        return (self.any_lane(runs(fixed, length), number) & runs(room, length)) >> need.prepare

    @cached_property
    def duty(self) -> list[int]:
        """How many nurses are on duty in each slot, as planes."""
        return total([each.free] for each in self.carers.resources.values())

    def level_at_most(self, level: int) -> int:
        """The slots in which, were work spread evenly, some nurse on duty has at most `level` sessions."""
        return self.once(("level", level), lambda: less(self.carers.count, total([self.duty] * (level + 1)), self.all))

    def loose(self, need: Need) -> tuple[int, int]:
        """The starts that leave a gap too short for another session like it before them, and those that do after them.

        A gap reaches to the nearest end (or begin) of a session that could have the same chair, or to the opening
        (closing) of the site: not to who sits where just now.
        """
        ends, begins = self._edges(need.seat)
        before = soon_after(ends, need.sitting - 1) & ~ends
        after = soon_before(begins, need.sitting - 1) & ~begins
        return before, after >> need.sitting

    def _edges(self, seat: Seat) -> tuple[int, int]:
        """Where opening hours and sessions that could share a chair begin a free time, and where they end one."""
        found = self.kept.get(("edges", seat))
        if found is None:
            mine = set(self.seats.fitting(seat))
            sharing = {asked: not mine.isdisjoint(self.seats.fitting(asked)) for asked in {t.seat for t in self.taken}}
            ends, begins = self.open & ~(self.open << 1), ~self.open & (self.open << 1)
            for item in self.taken:
                if sharing[item.seat]:
                    ends |= 1 << item.turnover_end if 0 <= item.turnover_end < self.slots else 0
                    begins |= 1 << item.start if 0 <= item.start < self.slots else 0
            found = (ends, begins)
            keep(self.kept, ("edges", seat), found)
        return found


def _seat_fits(chair: Resource, asks: Hashable) -> bool:
    return cast("Seat", asks).fits(*cast("tuple[str, frozenset[str]]", chair.alike))


def _person_fits(person: Resource, asks: Hashable) -> bool:
    return asks in (None, person.id)


# A day lives as long as nothing on it changes, and is asked about by whoever plans: what it remembers has an end.
KEPT_AT_MOST = 500

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def keep(kept: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Remember a value under a key; where there are very many, begin anew."""
    if len(kept) >= KEPT_AT_MOST:
        kept.clear()
    kept[key] = value
