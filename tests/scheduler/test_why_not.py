"""Reasons and relaxations against an oracle that tries every choice of days; and in examples."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.reasons import why_not
from scheduler.relaxations import MOST, Kind, Step, kinds_of_change, relaxations, smallest_steps
from scheduler.suppose import Question
from sessions import why_words
from tests.scheduler.supposing import Case, random_request


def question_of(case: Case) -> Question:
    return Question(case.visits, case.days, case.wishes, case.before, case.openings)


def check_reasons(case: Case) -> bool:
    """Whether there is no plan; if so, the rules told are enough and none of them is told needlessly."""
    told = why_not(question_of(case))
    assert bool(told) != case.possible()
    everything = case.all_rules()
    if [reason.code for reason in told] == ["too_few_days"]:
        assert not case.possible(everything)
    elif told:
        rules = frozenset((reason.code, reason.session) for reason in told)
        assert len(rules) == len(told)
        assert rules <= everything
        assert not case.possible(everything - rules)
        for rule in rules:
            assert case.possible(everything - rules | {rule}), rule
        alone = {rule for rule in everything if case.possible(frozenset([rule]))}
        assert alone <= rules
    assert all(
        why_words.reason(each, tongue) and why_words.reason_for_staff(each, tongue)
        for each in told
        for tongue in why_words.LANGUAGES
    )
    return bool(told)


def check_relaxations(case: Case) -> int:
    """Each step does and no smaller one; what is not told does not; pairs only where nothing does alone."""
    question = question_of(case)
    kinds, found = kinds_of_change(question), smallest_steps(question)

    def does(*steps: Step) -> bool:
        return case.possible(steps=steps)

    enough = [kind for kind in kinds if does(kind.layers[-1][0])]
    if enough:
        assert [len(steps) for steps in found] == [1] * len(enough)
        for kind, (step,) in zip(enough, found, strict=True):
            check_smallest(kind, step, lambda each: does(each))
    elif len(found) < MOST:
        pairs = [(one, other) for one, other in combinations(kinds, 2) if does(one.layers[-1][0], other.layers[-1][0])]
        assert len(found) == len(pairs)
        for (one, other), (first, second) in zip(pairs, found, strict=True):
            check_smallest(one, first, lambda each, second=second: does(each, second))
            check_smallest(other, second, lambda each, first=first: does(first, each))
    told = relaxations(question)
    assert len(told) == min(MOST, len(found))
    assert all(why_words.change(item, tongue).endswith(".") for item in told for tongue in why_words.LANGUAGES)
    for item, steps in zip(told, found, strict=False):
        assert (item.wishes is not None) == all(step.wishes is not None for step in steps)
        assert item.wishes is None or Case(**{**vars(case), "wishes": item.wishes, "known": {}}).possible()
    return len(found)


def check_smallest(kind: Kind, step: Step, does: Any) -> None:
    place = next(number for number, layer in enumerate(kind.layers) if step in layer)
    assert does(step)
    assert not any(does(each) for layer in kind.layers[:place] for each in layer)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60)
def test_reasons_and_relaxations_against_every_choice(seed: int) -> None:
    """For thousands: bin/chaos whynot."""
    case = random_request(seed)
    if check_reasons(case):
        check_relaxations(case)
