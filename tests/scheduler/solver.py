"""The whole question put to CP-SAT: days, starts, and who has each session of each day, all in one model.

Shares no code with the planner: rules and costs come from `clinic`, which tells them slot by slot.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ortools.sat.python import cp_model

from scheduler.day import ChairFacts, Day, Need, StaffFacts, Taken
from tests.scheduler import clinic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from scheduler.plans import Wishes
    from scheduler.treatment import Visit

# One unit of a term is more than all that the lesser ones can come to in a small clinic.
UNITS = (10**12, 10**7, 10**5, 10**2, 1)
Vector = tuple[int, int, int, int, int]


class Question:
    """One request as a model. Days are numbered by their place in `days`."""

    def __init__(self, visits: Sequence[Visit], days: Sequence[Day], wishes: Wishes, before: Sequence[date]) -> None:
        self.model = cp_model.CpModel()
        self.visits, self.days, self.wishes = visits, days, wishes
        self.needs = [Need.of(visit, wishes.chair_kind, wishes.provider) for visit in visits]
        self.chosen: list[dict[tuple[int, int], Any]] = [self._choice(number) for number in range(len(visits))]
        self.on: dict[int, Any] = {number + 1: on.toordinal() for number, on in enumerate(before)}
        for visit, choice in zip(visits, self.chosen, strict=True):
            self.on[visit.sequence] = sum(days[i].date.toordinal() * var for (i, _), var in choice.items())
        self.terms = (self._spacing(), self._same_time(), self._first_day(), *self._day_costs())
        for number in range(len(days)):
            for pool in clinic.POOLS:
                self._assign(number, pool)

    def best(self) -> Vector | None:
        """The least cost, term by term; None where there is no plan."""
        self.model.minimize(sum(unit * term for unit, term in zip(UNITS, self.terms, strict=True)))
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        status = solver.solve(self.model)
        if status == cp_model.INFEASIBLE:
            return None
        assert status == cp_model.OPTIMAL, solver.status_name(status)
        first, second, third, fourth, fifth = (solver.value(term) for term in self.terms)
        return first, second, third, fourth, fifth

    def _choice(self, number: int) -> dict[tuple[int, int], Any]:
        """A variable for each day and start that time itself allows; one of them is chosen."""
        asked = self.needs[number]
        found = {
            (i, start): self.model.new_bool_var("")
            for i, on in enumerate(self.days)
            for start in range(on.slots)
            if clinic.time_will_do(on, asked, start)
            and clinic.within_wishes(on, asked, self.wishes, start)
            and any(clinic.alone(on, asked.at(start), "nurse", nurse) for nurse in on.nurses)
        }
        self.model.add_exactly_one(found.values()) if found else self.model.add(False)
        return found

    def _spacing(self) -> Any:
        off: Any = 0
        for visit in self.visits:
            mine = self.on[visit.sequence]
            if visit.sequence > 1:
                self.model.add(mine >= self.on[visit.sequence - 1] + 1)
            if visit.span is not None:
                self.model.add(mine - self.on[visit.span.since] <= visit.span.max_days)
            if visit.gap is not None:
                days = mine - self.on[visit.gap.after]
                self.model.add(days >= visit.gap.min_days)
                self.model.add(days <= visit.gap.max_days)
                off += self._apart(days - visit.gap.target_days)
        return off

    def _apart(self, difference: Any) -> Any:
        found = self.model.new_int_var(0, 10**4, "")
        self.model.add(found >= difference)
        self.model.add(found >= -difference)
        return found

    def _same_time(self) -> Any:
        if not self.wishes.same_time_of_day:
            return 0
        minutes = [sum(self.days[i].wall[start] * var for (i, start), var in choice.items()) for choice in self.chosen]
        return sum((self._apart(one - other) for one, other in pairwise(minutes)), 0)

    def _first_day(self) -> Any:
        return self.on[self.visits[0].sequence] - self.wishes.earliest.toordinal()

    def _day_costs(self) -> tuple[Any, Any]:
        level: Any = 0
        fragments: Any = 0
        for asked, choice in zip(self.needs, self.chosen, strict=True):
            for (i, start), var in choice.items():
                level += clinic.level(self.days[i], asked, start) * var
                fragments += clinic.fragments(self.days[i], asked, start) * var
        return level, fragments

    def _assign(self, number: int, pool: str) -> None:
        """Everybody who may be laid anew, and whoever is chosen for this day, gets somebody who can bear it."""
        on = self.days[number]
        known = {who.id: who for who in clinic.members(on, pool)}
        fixed: list[Taken] = []
        shares: list[tuple[Taken, dict[str, Any]]] = []
        for item in on.taken:
            at = getattr(item, pool)
            if at not in known:
                continue
            if clinic.is_bound(on, item) or not clinic.stands_well(on, item, pool, known[at]):
                fixed.append(item)
            else:
                shares.append((item, self._share(on, item, pool, 1)))
        for asked, choice in zip(self.needs, self.chosen, strict=True):
            for (i, start), var in choice.items():
                if i == number:
                    shares.append((asked.at(start), self._share(on, asked.at(start), pool, var)))
        for name, who in known.items():
            there = [item for item in fixed if getattr(item, pool) == name]
            for slot in range(on.slots):
                self._bound(on, pool, who, slot, there, [(item, each[name]) for item, each in shares if name in each])

    def _share(self, on: Day, item: Taken, pool: str, wanted: Any) -> dict[str, Any]:
        """A variable for each who could have it; exactly one of them does, if it is there at all."""
        found = {
            who.id: self.model.new_bool_var("") for who in clinic.members(on, pool) if clinic.alone(on, item, pool, who)
        }
        self.model.add(sum(found.values()) == wanted)
        return found

    def _bound(
        self,
        on: Day,
        pool: str,
        who: ChairFacts | StaffFacts,
        slot: int,
        there: list[Taken],
        shares: list[tuple[Taken, Any]],
    ) -> None:
        mine = [(item, var) for item, var in shares if slot in clinic.slots_of(on, item, pool)]
        here = [item for item in there if slot in clinic.slots_of(on, item, pool)]
        self._at_most(mine, lambda item: 1, (1 if isinstance(who, ChairFacts) else who.capacity) - len(here))
        if pool == "nurse" and isinstance(who, StaffFacts):
            if who.max_acuity is not None:
                self._at_most(mine, lambda item: item.acuity, who.max_acuity - sum(item.acuity for item in here))
            hands = [(item, var) for item, var in mine if slot in clinic.hands_of(on, item)]
            self._at_most(hands, lambda item: 1, 1 - sum(slot in clinic.hands_of(on, item) for item in here))

    def _at_most(self, shares: list[tuple[Taken, Any]], weigh: Any, room: int) -> None:
        """What is fixed may be too much already; then nothing more may come."""
        if shares:
            self.model.add(sum(weigh(item) * var for item, var in shares) <= max(room, 0))
