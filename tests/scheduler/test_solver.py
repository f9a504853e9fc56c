"""The planner against CP-SAT: a plan exactly where it finds one, at the same cost term by term, and no rule broken."""

from __future__ import annotations

import pytest

from scheduler.planner import Cost, WholePlan, plan
from scheduler.treatment import parse_phases, visits_from
from tests.scheduler.solver import Question
from tests.scheduler.test_planner import check_everything, random_case

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


@pytest.mark.parametrize("first", range(0, SEEDS, 25))
def test_the_same_optimum_by_another_way(first: int) -> None:
    plans = [compare(seed) for seed in range(first, first + 25)]
    assert any(plans)
    assert not all(plans)
