"""Full days on which something falls away, and the least that any repair of them has to disturb, by CP-SAT.

`Least` shares no code with the repair: rules come from `clinic`, which tells them slot by slot.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from ortools.sat.python import cp_model

from scheduler.day import Day, Need, Place, Refusal, Taken, place, starts
from scheduler.repair import Case
from scheduler.slots import bits, mask
from scheduler.treatment import parse_phases
from scheduler.windows import Course
from tests.scheduler import clinic
from tests.scheduler.protocols import phase, previous
from tests.scheduler.solver import Question

if TYPE_CHECKING:
    from collections.abc import Collection

Loss = Literal["nurse", "chair", "day"]
LOSSES: tuple[Loss, ...] = ("nurse", "chair", "day")
# 08:00 to 18:00 in slots of five minutes.
SLOTS = 120
# Minutes of preparing, infusing, recovering, by how often in a hundred.
LENGTHS = {(15, 15, 15): 20, (15, 30, 30): 25, (30, 60, 30): 25, (30, 90, 30): 15, (30, 150, 30): 10, (30, 240, 30): 5}
# Days earlier and later that the neighbours of a session leave it.
TOLERANCES = ((1, 1), (2, 2), (3, 3), (1, 3), (2, 5), (0, 0))
SEATS = (frozenset[str](), frozenset(("recliner", "bed")), frozenset(("bed",)), frozenset(("private_room",)))


@dataclass(frozen=True)
class Disturbed:
    """What `repair` is asked."""

    cases: tuple[Case, ...]
    courses: dict[str, Course]
    days: dict[date, Day]


def disturbed(seed: int, loss: Loss, chairs: int = 20, sessions: int = 60, slots: int = SLOTS) -> Disturbed:
    """Days of so many chairs and about so many sessions; on the Monday something falls away."""
    luck = Random()
    full, state = _full_days(seed, chairs, sessions, slots)
    luck.setstate(state)
    days = dict(full)
    hit = list(days)[2]
    lost = luck.choice(days[hit].nurses).id if loss == "nurse" else luck.choice(days[hit].chairs[: chairs // 2]).id
    gone = [item for item in days[hit].taken if loss == "day" or lost in (item.nurse, item.chair)]
    days[hit] = _without(replace(days[hit], taken=tuple(t for t in days[hit].taken if t not in gone)), loss, lost)
    cases = tuple(_case(item, days[hit]) for item in gone)
    return Disturbed(cases, {case.series: _course(luck, case) for case in cases}, days)


@lru_cache(maxsize=8)
def _full_days(seed: int, chairs: int, sessions: int, slots: int) -> tuple[dict[date, Day], Any]:
    """Eight weekdays before anything falls away, and the luck that is left: whatever is lost, they are the same."""
    luck = Random(seed)
    dates = [on for on in clinic.dates_from(clinic.MONDAY + timedelta(days=3), 10) if on.weekday() < 5]
    return {on: filled(luck, on, chairs, sessions, slots) for on in dates}, luck.getstate()


def _without(day: Day, loss: Loss, lost: str) -> Day:
    if loss == "day":
        return replace(day, open=0)
    chairs = tuple(replace(each, free=0) if each.id == lost else each for each in day.chairs)
    return replace(
        day, chairs=chairs, nurses=tuple(replace(each, on_duty=0) if each.id == lost else each for each in day.nurses)
    )


def filled(luck: Random, on: date, chairs: int = 20, sessions: int = 60, slots: int = SLOTS) -> Day:
    """A day filled as a clinic does it: each session at the start nearest to the one wished for."""
    kinds = ["private_room"] + ["bed"] * (chairs // 6) + ["recliner"] * chairs
    nurses, whole = -(-chairs * 2 // 5), mask(0, slots, slots)
    shifts = [mask(0, slots * 5 // 6, slots), mask(slots // 6, slots, slots), whole]
    day = clinic.day(
        on,
        slots,
        chairs=tuple(clinic.chair(f"chair-{n:02}", kind) for n, kind in enumerate(reversed(kinds[:chairs]))),
        nurses=tuple(clinic.staff(f"nurse-{n}", "nurse", shifts[n % 3], 4, 8) for n in range(nurses)),
        prescribers=tuple(clinic.staff(f"doctor-{n}", "prescriber", whole, 20) for n in range(-(-chairs // 8))),
    )
    for number in range(sessions):
        need, wished = _need(luck, slots), luck.randrange(slots)
        for start in sorted(bits(starts(day, need)), key=lambda start: abs(start - wished))[:12]:
            found = place(day, need, start, name=f"{on}-{number}")
            if not isinstance(found, Refusal):
                mine = Place(found.chair, found.nurse, found.prescriber)._asdict()
                taken = [replace(t, **found.moved[t.id]._asdict()) if t.id in found.moved else t for t in day.taken]
                day = replace(day, taken=(*taken, replace(need.at(start, f"{on}-{number}"), **mine)))
                break
    return day


def _need(luck: Random, slots: int) -> Need:
    lengths = [each for each in LENGTHS if sum(each) // 5 + 3 <= slots]
    prepare, infuse, recover = luck.choices(lengths, [LENGTHS[each] for each in lengths])[0]
    kinds, acuity = luck.choices(SEATS, (50, 40, 7, 3))[0], luck.choices((1, 2, 3), (50, 35, 15))[0]
    return Need(prepare // 5, infuse // 5, recover // 5, 3, 3, acuity, kinds, frozenset())


def _case(item: Taken, day: Day) -> Case:
    need = Need(
        item.infuse_start - item.start, 0, item.end - item.infuse_start, item.turnover_end - item.end,
        item.hands_on_until - item.start, item.acuity, item.seat.kinds, frozenset(),
    )  # fmt: skip
    present = Place(item.chair or "", item.nurse or "", item.prescriber or "")
    start = day.first_instant + timedelta(minutes=5 * item.start)
    return Case(item.id, f"person {item.id}", f"series {item.id}", 2, need, start, day.date, present, {})


def _course(luck: Random, case: Case) -> Course:
    """A series whose second session has `early` and `late` days to either side."""
    early, late = luck.choice(TOLERANCES)
    gap = luck.choice((7, 14, 21))
    phases = parse_phases([phase(previous(gap - early, gap, gap + late), sessions=2)])
    return Course(phases, {1: case.day - timedelta(days=gap), 2: case.day})


class Least(Question):
    """The case as a model. Of the dates in `named` it says who has each session; of others it only counts.

    To count is to bound from below: the more dates are named, the closer the bound, and the longer it takes.
    """

    def __init__(self, of: Disturbed, named: Collection[date] = ()) -> None:
        self.model = cp_model.CpModel()
        self.cases = of.cases
        self.days = list(of.days.values())
        self.needs = [case.need for case in of.cases]
        self.chosen: list[dict[tuple[int, int], Any]] = [
            self._spots(case, of.courses[case.series]) for case in of.cases
        ]
        for number, on in enumerate(self.days):
            for pool in clinic.POOLS if on.date in named else ():
                self._assign(number, pool)
            if on.date not in named:
                self._count(number)

    def best(self, seconds: float = 20.0) -> tuple[int, int, int]:  # type: ignore[override]
        """Sessions without a place, people moved, minutes moved: none of them, in this order, can be undercut."""
        moved = sum(
            var for which, choice in enumerate(self.chosen) for at, var in choice.items() if self._off(which, at)
        )
        return self.fewest_nowhere(seconds), self._least(moved, seconds), self._least(self.minutes, seconds)

    @property
    def nowhere(self) -> Any:
        """How many sessions have no place."""
        return len(self.cases) - sum(var for choice in self.chosen for var in choice.values())

    @property
    def minutes(self) -> Any:
        """The minutes that all of them are moved together."""
        return sum(self._off(which, at) * var for which, choice in enumerate(self.chosen) for at, var in choice.items())

    def fewest_nowhere(self, seconds: float) -> int:
        """How many are without a place at the least; from here on as few are."""
        return self._least(self.nowhere, seconds)

    def _least(self, goal: Any, seconds: float) -> int:
        """What the goal cannot be less than; from here on it stays at the least that was found."""
        self.model.minimize(goal)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers, solver.parameters.max_time_in_seconds = 8, seconds
        status = solver.solve(self.model)
        assert status in (cp_model.OPTIMAL, cp_model.FEASIBLE), solver.status_name(status)
        self.model.add(goal <= round(solver.objective_value))
        return max(round(solver.best_objective_bound), 0)

    def _off(self, which: int, at: tuple[int, int]) -> int:
        """Minutes between where a case is and a spot."""
        there = self.days[at[0]].first_instant + timedelta(minutes=5 * at[1])
        return int(abs((there - self.cases[which].start).total_seconds())) // 60

    def _spots(self, case: Case, course: Course) -> dict[tuple[int, int], Any]:
        """A variable for each day and start that clock and neighbours allow; at most one of them is chosen."""
        rule, before = course.visits[2].gap, course.dates[1]
        assert rule is not None
        found = {
            (i, start): self.model.new_bool_var("")
            for i, on in enumerate(self.days)
            if rule.min_days <= (on.date - before).days <= rule.max_days
            for start in range(on.slots)
            if clinic.time_will_do(on, case.need, start)
        }
        self.model.add_at_most_one(found.values())
        return found

    def _count(self, number: int) -> None:
        """In each slot no more than there are: chairs by what is asked of them, nurses, prescribers."""
        on = self.days[number]
        mine = [
            (need.at(start), var)
            for need, choice in zip(self.needs, self.chosen, strict=True)
            for (i, start), var in choice.items()
            if i == number
        ]
        if not mine:
            return
        asked = {item.seat.kinds for item in (*on.taken, *(item for item, _ in mine))}
        for kinds in asked:
            within = {each for each in asked if not kinds or (each and each <= kinds)}
            chairs = [(each.free, 1) for each in on.chairs if not kinds or each.kind in kinds]
            self._fits(on, mine, "chair", chairs, within)
        self._fits(on, mine, "nurse", [(each.on_duty, each.capacity) for each in on.nurses])
        self._fits(on, mine, "nurse", [(each.on_duty, each.max_acuity or 0) for each in on.nurses], by_acuity=True)
        self._fits(on, mine, "hands", [(each.on_duty, 1) for each in on.nurses])
        self._fits(on, mine, "prescriber", [(each.on_duty, each.capacity) for each in on.prescribers])

    def _fits(
        self,
        on: Day,
        mine: list[tuple[Taken, Any]],
        pool: str,
        there: list[tuple[int, int]],
        seats: set[frozenset[str]] | None = None,
        *,
        by_acuity: bool = False,
    ) -> None:
        """Slot by slot: what they take together of those who are there, (slots, room) each."""
        takes: list[list[tuple[int, Any]]] = [[] for _ in range(on.slots)]
        used = [0] * on.slots
        for item, var in (*((item, None) for item in on.taken), *mine):
            if seats is not None and item.seat.kinds not in seats:
                continue
            weight = item.acuity if by_acuity else 1
            for slot in clinic.hands_of(on, item) if pool == "hands" else clinic.slots_of(on, item, pool):
                if var is None:
                    used[slot] += weight
                else:
                    takes[slot].append((weight, var))
        for slot, each in enumerate(takes):
            left = sum(room for free, room in there if clinic.has(free, slot)) - used[slot]
            if sum(weight for weight, _ in each) > left:
                self.model.add(sum(weight * var for weight, var in each) <= max(left, 0))
