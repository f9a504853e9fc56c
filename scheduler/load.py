"""What one day's sessions take and leave: the pools, and the starts that their sums may allow."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from scheduler.pools import Claim, Pool, Resource
from scheduler.slots import grid_marks, less, mask, runs, soon_after, soon_before, times, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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
        self.kept: dict[object, tuple[int, int, int]] = {}
        self.sets: dict[object, int] = {}
        self.edges: dict[Seat, tuple[int, int]] = {}

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
        during, pinned = self._between(item, item.start, item.turnover_end)
        return Claim(item.id, during, 0, 0, item.chair, item.seat, pinned)

    def carer(self, item: Taken) -> Claim:
        """What a session claims of the nurses."""
        during, pinned = self._between(item, item.start, item.end)
        hands = mask(item.start, item.hands_on_until, self.slots)
        asked = item.provider and self.nurse_asked(item)
        return Claim(item.id, during, hands, item.acuity, item.nurse, asked, pinned)

    def doctor(self, item: Taken) -> Claim:
        """What a session claims of the prescribers."""
        during, pinned = self._between(item, item.infuse_start, item.end)
        return Claim(item.id, during, 0, 0, item.prescriber, item.provider and self.doctor_asked(item), pinned)

    def _between(self, item: Taken, begin: int, end: int) -> tuple[int, bool]:
        """The slots of the day from one to another, and whether the session is pinned."""
        if item.start < 0 or item.turnover_end > self.slots:
            return mask(begin, end, self.slots), True
        return (1 << end) - (1 << begin), item.pinned

    def nurse_asked(self, item: Taken | Need) -> str | None:
        """The nurse wished for; somebody unknown counts as one."""
        return None if item.provider in self.doctors_known else item.provider

    def doctor_asked(self, item: Taken | Need) -> str | None:
        """The prescriber wished for."""
        return item.provider if item.provider in self.doctors_known else None

    def lanes(self, key: object, build: Callable[[], Iterable[tuple[int, int]]]) -> tuple[int, int, int]:
        """Pairs of sets of slots, the first ones side by side and the second ones too, and how many; built once a key.

        Whoever is like somebody else in both needs no lane of their own.
        """
        found = self.kept.get(key)
        if found is None:
            pairs = dict.fromkeys(build())
            one, two = (
                b"".join(pair[which].to_bytes(self.lane_bytes, "little") for pair in pairs) for which in range(2)
            )
            found = (int.from_bytes(one, "little"), int.from_bytes(two, "little"), len(pairs))
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
        pool = self.seats
        fixed, _, number = self.lanes(
            ("seats", seat), lambda: [(each.free & ~pool.firm[each.id].busy, 0) for each in pool.fitting(seat)]
        )
        room = self.once(("seats", seat), lambda: self._room_to_sit(seat))
        return runs(room, need.sitting) & self.any_lane(runs(fixed, need.sitting), number)

    def _room_to_sit(self, seat: Seat) -> int:
        """Each set of chairs that some session is bound to, and that holds all of this one's, needs one chair more."""
        mine, room = set(self.seats.fitting(seat)), self.seats.has_room(0)
        for asked in {seat, *self.seats.asked}:
            chairs = self.seats.fitting(asked)
            if mine.issubset(chairs) and len(chairs) < len(self.seats.resources):
                room &= self.seats.has_room_among(asked)
        return room

    def nurse_starts(self, need: Need) -> int:
        """Starts that nurses may allow."""
        asked, pool = self.nurse_asked(need), self.carers
        fixed, hands, number = self.lanes(
            ("nurses", asked, need.acuity),
            lambda: (
                (pool.firm[each.id].room(each, need.acuity, each.free), self.all & ~pool.firm[each.id].hands)
                for each in pool.fitting(asked)
            ),
        )
        one = self.any_lane(runs(fixed, need.stay) & runs(hands, need.hands_on), number)
        room = self.once(("nurses", need.acuity), lambda: pool.has_room(need.acuity))
        return one & runs(room, need.stay) & runs(self.once("hands", pool.has_hands), need.hands_on)

    def prescriber_starts(self, need: Need) -> int:
        """Starts that prescribers may allow, who are there from the start of infuse to the end of recover."""
        asked, pool, length = self.doctor_asked(need), self.doctors, need.stay - need.prepare
        fixed, _, number = self.lanes(
            ("prescribers", asked),
            lambda: ((pool.firm[each.id].room(each, 0, each.free), 0) for each in pool.fitting(asked)),
        )
        room = self.once("prescribers", lambda: pool.has_room(0))
        return (self.any_lane(runs(fixed, length), number) & runs(room, length)) >> need.prepare

    @cached_property
    def duty(self) -> list[int]:
        """How many nurses are on duty in each slot, as planes."""
        return total([each.free] for each in self.carers.resources.values())

    def level_at_most(self, level: int) -> int:
        """The slots in which, were work spread evenly, a nurse on duty has at most so many quarters of a session."""
        fourfold = [0, 0, *self.carers.count]
        return self.once(("level", level), lambda: less(fourfold, times(level + 1, self.duty), self.all))

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
        found = self.edges.get(seat)
        if found is None:
            mine = self.seats.fitting_ids(seat)
            apart = {asked for asked in self.seats.asked if mine.isdisjoint(self.seats.fitting_ids(asked))}
            sharing = [item for item in self.taken if item.seat not in apart] if apart else self.taken
            ends, begins = self.open & ~(self.open << 1), ~self.open & (self.open << 1)
            ends |= self._each({item.turnover_end for item in sharing})
            begins |= self._each({item.start for item in sharing})
            found = (ends, begins)
            keep(self.edges, seat, found)
        return found

    def _each(self, slots: set[int]) -> int:
        """Those of the slots that are the day's, as a set of slots."""
        return sum(1 << slot for slot in slots if 0 <= slot < self.slots)


def _seat_fits(chair: Resource, asks: Any) -> bool:
    seat: Seat = asks
    return seat.fits(*chair.alike)


def _person_fits(person: Resource, asks: Any) -> bool:
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
