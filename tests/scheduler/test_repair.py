"""Repairs beside the least that any repair disturbs, by CP-SAT: small clinics whole, full ones by sums (a bound).

`bin/chaos repair` does it with many full days, closed ones among them, for which CP-SAT needs minutes.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.day import Placement, place
from scheduler.repair import Repair, Worth, repair
from scheduler.room import Room
from scheduler.slots import bits
from scheduler.spacing import check_spacing
from scheduler.treatment import Phase, parse_phases
from scheduler.windows import Course
from tests.scheduler import clinic
from tests.scheduler.disturbed import LOSSES, Disturbed, Least, Loss, disturbed
from tests.scheduler.protocols import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Collection

# Fewer than this many people may be off by nobody, since one of them is more than 5 %.
MORE = 1.05


def check(of: Disturbed, named: Collection[date] = (), seconds: float = 20.0) -> tuple[Worth, Worth]:
    """Repair it, and the least: no more people than 5 % above, as many minutes, every series with its spacing."""
    ours = repaired(of).worth()
    least = Worth(*Least(of, named).best(seconds))
    assert near(ours, least), (ours, least)
    return ours, least


def near(ours: Worth, least: Worth) -> bool:
    """Whether a repair is within 5 % of what none can undercut, in each of what counts."""
    return all(mine <= math.floor(bound * MORE) for mine, bound in zip(ours, least, strict=True))


def repaired(of: Disturbed) -> Repair:
    """Repair it: everybody else keeps their start, all can be assigned, every series keeps its spacing."""
    found = repair(of.cases, of.courses, of.days)
    for case in of.cases:
        spot, rule = found.spots[case.id], of.courses[case.series].visits[2].gap
        assert rule is not None
        if spot is not None:
            assert rule.min_days <= (spot.day - of.courses[case.series].dates[1]).days <= rule.max_days
    for name, day in found.days.items():
        stood = {item.id: item.start for item in of.days[name].taken}
        assert stood == {item.id: item.start for item in day.taken if item.id in stood}
        for pool in clinic.POOLS:
            who = {each.id: each for each in clinic.members(day, pool)}
            assert all(clinic.stands_well(day, item, pool, who[getattr(item, pool)]) for item in day.taken), name
    return found


@pytest.mark.parametrize("loss", LOSSES)
def test_a_small_clinic_is_mended_as_well_as_can_be(loss: Loss) -> None:
    small = [disturbed(seed, loss, chairs=3, sessions=7, slots=48) for seed in range(6)]
    found = [check(of, named=of.days) for of in small]
    assert any(ours.people for ours, _ in found)


@pytest.mark.parametrize("loss", ["nurse", "chair"])
def test_a_full_clinic_that_lacks_one_is_mended_as_well_as_can_be(loss: Loss) -> None:
    ours, _ = check(disturbed(3, loss))
    assert ours.people


def test_a_full_day_that_is_closed_is_mended_the_same_way_each_time() -> None:
    of = disturbed(3, "day")
    found, again = repaired(of), repair(of.cases, of.courses, of.days)
    assert (found.spots, found.days) == (again.spots, again.days)
    # Nine have neighbours that leave them no other day.
    assert found.worth()[:2] == (9, 51)
    assert all((spot is None) == (name in found.why) for name, spot in found.spots.items())


def test_sums_that_are_kept_up_to_date_leave_out_no_start_that_a_session_can_have() -> None:
    for seed in range(20):
        luck = Random(seed)
        day = clinic.random_day(luck, clinic.MONDAY, 36, busy=6, whole=0.8)
        needs = [clinic.random_need(luck, day) for _ in range(3)]
        room = Room(day, {need.seat for need in needs})
        for number, need in enumerate(needs):
            allowed = room.allowed(need)
            can = {
                slot: found for slot in range(36) if isinstance(found := place(day, need, slot, name="x"), Placement)
            }
            assert set(can) <= set(bits(allowed))
            if can:
                start, found = luck.choice(sorted(can.items()))
                who: dict[str, Any] = {"chair": found.chair, "nurse": found.nurse, "prescriber": found.prescriber}
                laid = [replace(t, **found.moved[t.id]._asdict()) if t.id in found.moved else t for t in day.taken]
                day = replace(day, taken=(*laid, replace(need.at(start, f"new-{number}"), **who)))
                room.take(need, start)
                room.give(need, start)
                assert room.allowed(need) == allowed
                room.take(need, start)


@pytest.mark.parametrize("form", CATALOGUE)
def test_the_dates_left_to_one_session_are_those_that_keep_every_rule(form: str) -> None:
    """Earlier neighbours and later ones, by the reading of spacing that booking uses."""
    phases = parse_phases(CATALOGUE[form])
    dates = kept_dates(phases, 5)
    for number in range(len(dates)):
        low, high = Course(phases, {at + 1: on for at, on in enumerate(dates)}).window(number + 1)
        for away in range(-45, 46):
            moved = [*dates]
            moved[number] += timedelta(days=away)
            kept = moved == sorted(set(moved)) and not check_spacing(phases, moved)
            assert kept == (low <= moved[number] <= high), (number, away, low, high)


def kept_dates(phases: tuple[Phase, ...], most: int) -> list[date]:
    """Dates of the first sessions, each the first that keeps all rules and leaves some days before it."""
    dates = [clinic.MONDAY]
    for _ in range(1, most):
        ahead = (dates[-1] + timedelta(days=n) for n in range(1, 400))
        found = [on for on in ahead if not check_spacing(phases, [*dates, on])]
        dates.append(found[len(found) // 2])
    return dates
