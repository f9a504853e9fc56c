"""Repairs of small clinics beside the least that any repair disturbs, by CP-SAT; and the same repair each time."""

from __future__ import annotations

import math

import pytest

from scheduler.repair import Worth, repair
from tests.scheduler import clinic
from tests.scheduler.disturbed import LOSSES, Disturbed, Least, Loss, disturbed

# Fewer than this many people may be off by nobody, since one of them is more than 5 %.
MORE = 1.05


def check(of: Disturbed, whole: bool, seconds: float = 20.0) -> tuple[Worth, Worth]:
    """Repair it, and the least: no more people than 5 % above, as many minutes, every series with its spacing."""
    found = repair(of.cases, of.courses, of.days, seconds=60.0)
    least = Worth(*Least(of, whole).best(seconds))
    for case in of.cases:
        spot, rule = found.spots[case.id], of.courses[case.series].visits[2].gap
        assert rule is not None
        if spot is not None:
            assert rule.min_days <= (spot.day - of.courses[case.series].dates[1]).days <= rule.max_days
    for name, day in found.days.items():
        assert {item.start for item in of.days[name].taken} <= {item.start for item in day.taken}
        for pool in clinic.POOLS:
            who = {each.id: each for each in clinic.members(day, pool)}
            assert all(clinic.stands_well(day, item, pool, who[getattr(item, pool)]) for item in day.taken), name
    ours = found.worth()
    assert ours.unresolved <= math.floor(least.unresolved * MORE), (ours, least)
    assert ours.people <= math.floor(least.people * MORE), (ours, least)
    assert ours.minutes <= math.floor(least.minutes * MORE), (ours, least)
    return ours, least


@pytest.mark.parametrize("loss", LOSSES)
def test_a_small_clinic_is_mended_as_well_as_can_be(loss: Loss) -> None:
    found = [check(disturbed(seed, loss, chairs=3, sessions=7, slots=48), whole=True) for seed in range(6)]
    assert any(ours.people for ours, _ in found)
