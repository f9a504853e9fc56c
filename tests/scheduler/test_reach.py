"""Days for all visits, against every choice of days tried by hand."""

from __future__ import annotations

from datetime import date
from itertools import combinations
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.reach import chain
from scheduler.treatment import parse_phases, visits, visits_from
from tests.scheduler import clinic
from tests.scheduler.protocols import phase, previous
from tests.scheduler.test_planner import random_case


@given(seed=st.integers(0, 2**32))
@settings(max_examples=300)
def test_days_are_found_exactly_where_there_are_some(seed: int) -> None:
    phases, _, _, before = random_case(seed)
    luck = Random(seed)
    places = visits_from(parse_phases(phases), len(before))
    start = min([*before, clinic.MONDAY])
    base = start.toordinal() - 1
    week = [on.toordinal() - base for on in clinic.dates_from(clinic.MONDAY, 12)]
    free = [{day for day in week if luck.random() < 0.6} for _ in places]

    def dates(days: tuple[int, ...]) -> list[date]:
        return [*before, *(date.fromordinal(base + day) for day in days)]

    choices = (
        days
        for days in combinations(week, len(places))
        if all(day in some for day, some in zip(days, free, strict=True))
        and clinic.keeps_spacing(phases, dates(days)) is not None
    )
    found = chain(places, [sum(1 << day for day in some) for some in free], [on.toordinal() - base for on in before])
    assert (found is None) == (next(choices, None) is None)
    if found is not None:
        assert clinic.keeps_spacing(phases, dates(found)) is not None
        assert all(day in some for day, some in zip(found, free, strict=True))


def test_long_series_over_a_year() -> None:
    places = visits(parse_phases([phase(previous(1, 1, 3, max_span_days=398), sessions=200)]))
    every_other = sum(1 << day for day in range(1, 400, 2))
    assert chain(places, [every_other] * 200) == tuple(range(1, 400, 2))
    assert chain(places, [every_other & ~2] * 200) is None
