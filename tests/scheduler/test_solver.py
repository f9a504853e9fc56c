"""The planner against CP-SAT: a plan exactly where it finds one, at the same cost term by term, and no rule broken."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from scheduler.planner import Cost, WholePlan, Wishes, plan
from scheduler.treatment import parse_phases, visits_from
from tests.scheduler import clinic
from tests.scheduler.protocols import previous
from tests.scheduler.solver import Question
from tests.scheduler.test_planner import check_everything, random_case, short

SEEDS = 200


def compare(seed: int) -> WholePlan | None:
    """Put the case of a seed to both; the planner's plan."""
    phases, days, wished, before = random_case(seed, busy=8)
    to_place = visits_from(parse_phases(phases), len(before))
    found = plan(to_place, days, wished, before=before)
    truth = Question(to_place, days, wished, before).best()
    assert [item.cost for item in found] == ([] if truth is None else [Cost(*truth)]), f"seed {seed}"
    for item in found:
        check_everything(item, phases, days, wished, before)
    return found[0] if found else None


def compare_days(seed: int) -> None:
    """The same where days are what is scarce: the day nearest to the target is often the wrong one."""
    luck = Random(seed)
    gaps = [sorted(luck.sample(range(1, 7), 3)) for _ in range(3)]
    low, target, high = ([1, *(gap[place] for gap in gaps)] for place in range(3))
    phases = [short(previous(low, target, high), 4)]
    days = [clinic.day(on, 6) for on in clinic.dates_from(clinic.MONDAY, 16) if luck.random() < 0.55]
    wished = Wishes(clinic.MONDAY, clinic.MONDAY + timedelta(days=16))
    to_place = visits_from(parse_phases(phases), 0)
    found = plan(to_place, days, wished)
    truth = Question(to_place, days, wished, ()).best()
    assert [item.cost for item in found] == ([] if truth is None else [Cost(*truth)]), f"seed {seed}"


@pytest.mark.parametrize("first", range(0, SEEDS, 50))
def test_the_right_days_by_another_way(first: int) -> None:
    for seed in range(first, first + 50):
        compare_days(seed)


@pytest.mark.parametrize("first", range(0, SEEDS, 25))
def test_the_same_optimum_by_another_way(first: int) -> None:
    plans = [compare(seed) for seed in range(first, first + 25)]
    assert any(plans)
    assert not all(plans)
