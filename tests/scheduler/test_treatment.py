"""Protocols as data: what is accepted, what is refused and where, and the visits that come of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.treatment import Gap, Span, TreatmentError, Visit, parse_phases, visits, visits_from
from tests.scheduler import protocols
from tests.scheduler.protocols import cycle, phase, previous, series


def problems(*phases: object) -> list[tuple[str, str]]:
    try:
        parse_phases(list(phases))
    except TreatmentError as error:
        return [(problem.pointer, problem.code) for problem in error.problems]
    return []


def gaps(*phases: dict[str, Any], sessions: int | None = None) -> list[tuple[int, int, int, int] | None]:
    found = visits(parse_phases(list(phases)), sessions)
    each = [visit.gap for visit in found]
    return [None if gap is None else (gap.after, gap.min_days, gap.target_days, gap.max_days) for gap in each]


@pytest.mark.parametrize("name", sorted(protocols.CATALOGUE))
def test_catalogue_is_accepted(name: str) -> None:
    phases = parse_phases(protocols.CATALOGUE[name])
    found = visits(phases, 3 if phases[-1].sessions is None else None)
    assert [visit.sequence for visit in found] == list(range(1, len(found) + 1))
    assert [visit.gap is None for visit in found] == [True] + [False] * (len(found) - 1)


WHOLE = phase(previous(1, 2, 4))
FIRST = {"anchor": "previous", "min_days": 3, "target_days": 3, "max_days": 4}


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ([], [("", "empty")]),
        ([3], [("/0", "invalid")]),
        ([{}], [("/0/name", "required"), ("/0/sessions", "required"), ("/0/minutes", "required")]),
        ([WHOLE | {"colour": "red"}], [("/0/colour", "unknown_field")]),
        ([WHOLE | {"a/b~c": 1}], [("/0/a~1b~0c", "unknown_field")]),
        ([WHOLE | {"name": ""}], [("/0/name", "invalid")]),
        ([WHOLE | {"name": "a\x00b"}], [("/0/name", "invalid")]),
        ([WHOLE | {"name": "\ud800"}], [("/0/name", "invalid")]),
        ([WHOLE | {"acuity": 0}], [("/0/acuity", "out_of_range")]),
        ([WHOLE | {"acuity": 101}], [("/0/acuity", "out_of_range")]),
        ([WHOLE | {"acuity": True}], [("/0/acuity", "invalid")]),
        ([WHOLE | {"sessions": 0}], [("/0/sessions", "out_of_range")]),
        ([WHOLE | {"sessions": 201}], [("/0/sessions", "too_many_sessions")]),
        ([WHOLE | {"sessions": "6"}], [("/0/sessions", "invalid")]),
        ([WHOLE | {"sessions": None}, WHOLE], [("/0/sessions", "open_ended_not_last")]),
        (
            [WHOLE | {"chair": {"kinds": ["sofa"], "colour": 1}}],
            [("/0/chair/colour", "unknown_field"), ("/0/chair/kinds/0", "invalid")],
        ),
        ([WHOLE | {"chair": {"features": ["ok", 3]}}], [("/0/chair/features/1", "invalid")]),
        ([WHOLE | {"chair": []}], [("/0/chair", "invalid")]),
        ([WHOLE | {"minutes": {"prepare": 30, "infuse": 40, "recover": 60}}], [("/0/minutes/turnover", "required")]),
        ([phase(previous(1, 2, 4), infuse=[40, 42])], [("/0/minutes/infuse/1", "off_grid")]),
        ([phase(previous(1, 2, 4), infuse=0)], [("/0/minutes/infuse", "out_of_range")]),
        ([phase(previous(1, 2, 4), infuse=[])], [("/0/minutes/infuse", "empty")]),
        ([phase(previous(1, 2, 4), prepare=32)], [("/0/minutes/prepare", "off_grid")]),
        ([phase(previous(1, 2, 4), infuse=1400)], [("/0/minutes", "out_of_range")]),
        ([WHOLE | {"hands_on_minutes": 70}], []),
        ([WHOLE | {"hands_on_minutes": 75}], [("/0/hands_on_minutes", "hands_on_too_long")]),
        (
            [phase(previous(1, 2, 4), infuse=[90, 40], hands_on_minutes=75)],
            [("/0/hands_on_minutes", "hands_on_too_long")],
        ),
        ([WHOLE | {"hands_on_minutes": 0}], [("/0/hands_on_minutes", "out_of_range")]),
        ([phase(None)], [("/0/spacing", "required")]),
        ([phase(None, sessions=1)], []),
        ([phase({"min_days": 1})], [("/0/spacing/anchor", "required")]),
        ([phase({"anchor": "moon"})], [("/0/spacing/anchor", "invalid")]),
        ([phase({"anchor": ["previous"]})], [("/0/spacing/anchor", "invalid")]),
        ([phase("previous")], [("/0/spacing", "invalid")]),
        (
            [phase({"anchor": "previous", "min_days": 1})],
            [("/0/spacing/target_days", "required"), ("/0/spacing/max_days", "required")],
        ),
        ([phase(previous(True, 1.0, None))], [(f"/0/spacing/{n}_days", "invalid") for n in ("min", "target", "max")]),
        ([phase(previous(0, 1, 2))], [("/0/spacing/min_days", "out_of_range")]),
        ([phase(previous(1, 1, 10**30))], [("/0/spacing/max_days", "out_of_range")]),
        ([phase(previous(3, 3, 2))], [("/0/spacing/max_days", "max_below_min")]),
        ([phase(previous([1, 3], 3, [4, 2]))], [("/0/spacing/max_days/1", "max_below_min")]),
        ([phase(previous(2, 1, 4))], [("/0/spacing/target_days", "target_outside")]),
        ([phase(previous(1, [2, 5], 4))], [("/0/spacing/target_days/1", "target_outside")]),
        ([phase(previous(2, 2, 2, max_span_days=10))], []),
        ([phase(previous(2, 2, 2, max_span_days=9))], [("/0/spacing/max_span_days", "span_too_short")]),
        ([phase(previous(2, 2, 2, late_policy="whenever"))], [("/0/spacing/late_policy", "invalid")]),
        ([phase(previous(2, 2, 2, early_days=1))], [("/0/spacing/early_days", "unknown_field")]),
        ([phase(series([0, 7, 14], 1, 1), sessions=3)], []),
        ([phase(series([1, 7, 14], 1, 1), sessions=3)], [("/0/spacing/target_days/0", "first_target_not_zero")]),
        ([phase(series([0, 14, 14], 1, 1), sessions=3)], [("/0/spacing/target_days/2", "targets_out_of_order")]),
        ([phase(series([0, 14], 1, 1), sessions=3)], [("/0/spacing/target_days", "targets_out_of_order")]),
        ([phase(series([0, 14], 1, 1), sessions=None)], [("/0/spacing/target_days", "targets_out_of_order")]),
        ([phase(series([0, 7, 14], 1, 1, max_span_days=13), sessions=3)], []),
        (
            [phase(series([0, 7, 14], 1, 1, max_span_days=12), sessions=3)],
            [("/0/spacing/max_span_days", "span_too_short")],
        ),
        ([phase(cycle(15, [0, 7, 14], 0, 0, 0, 0), sessions=9)], []),
        ([phase(cycle(14, [0, 7, 14], 0, 0, 0, 0), sessions=9)], [("/0/spacing/cycle_days", "cycle_too_short")]),
        ([phase(cycle(14, [1, 7], 0, 0, 0, 0))], [("/0/spacing/target_days/0", "first_target_not_zero")]),
        ([phase(cycle(28, [0, 7], 1, 0, 2, 0, max_span_days=32), sessions=4)], []),
        (
            [phase(cycle(28, [0, 7], 1, 0, 2, 0, max_span_days=31), sessions=4)],
            [("/0/spacing/max_span_days", "span_too_short")],
        ),
        ([phase(previous(5, 5, 5), sessions=3), phase(series([11], 0, 0), sessions=1)], []),
        (
            [phase(previous(5, 5, 5), sessions=3), phase(series([10], 0, 0), sessions=1)],
            [("/1/spacing", "targets_out_of_order")],
        ),
        (
            [WHOLE, phase(previous(1, 2, 3, first=FIRST | {"target_days": 2}))],
            [("/1/spacing/first/target_days", "target_outside")],
        ),
        (
            [WHOLE, phase(previous(1, 2, 3, first=FIRST | {"anchor": "cycle_start"}))],
            [("/1/spacing/first/anchor", "invalid")],
        ),
        ([phase(previous(1, 2, 3, first=FIRST))], [("/0/spacing/first", "invalid")]),
    ],
)
def test_faults_are_named_and_pointed_at(phases: list[object], expected: list[tuple[str, str]]) -> None:
    assert problems(*phases) == expected


def test_all_faults_come_at_once() -> None:
    bad = phase(previous(3, 2, 1), prepare=7, hands_on_minutes=4) | {"name": 4}
    pointers = {pointer for pointer, _ in problems(bad, bad)}
    expected = {"name", "minutes/prepare", "hands_on_minutes", "spacing/max_days"}
    assert pointers == {f"/{place}/{name}" for place in (0, 1) for name in expected}


@pytest.mark.parametrize("data", [None, {}, "x", 3, True])
def test_phases_are_a_list(data: object) -> None:
    with pytest.raises(TreatmentError) as caught:
        parse_phases(data)
    assert [(p.pointer, p.code) for p in caught.value.problems] == [("", "invalid")]


def test_gaps_of_each_anchor() -> None:
    uneven = phase(previous([9, 2, 11], [9, 3, 12], [9, 4, 14]), sessions=4)
    assert gaps(uneven) == [None, (1, 2, 3, 4), (2, 11, 12, 14), (3, 11, 12, 14)]
    assert gaps(phase(series([0, 14, 42], 3, 2), sessions=3)) == [None, (1, 11, 14, 16), (1, 39, 42, 44)]
    chemo = phase(cycle(28, [0, 7, 14], 1, 2, 0, 7), sessions=5)
    assert gaps(chemo) == [None, (1, 6, 7, 9), (1, 13, 14, 16), (1, 28, 28, 35), (4, 6, 7, 9)]


def test_first_session_of_a_later_phase() -> None:
    opening = phase(series([0, 14], 2, 7), sessions=2)
    first = {"anchor": "series_start", "min_days": 140, "target_days": 168, "max_days": 196}
    later = phase(previous(140, 168, 200, first=first), sessions=None)
    assert gaps(opening, later, sessions=2)[2:] == [(1, 140, 168, 196), (3, 140, 168, 200)]
    assert gaps(opening, phase(previous([30, 7], [30, 7], [31, 8]), sessions=2))[2:] == [(2, 30, 30, 31), (3, 7, 7, 8)]
    after_cycles = phase(previous(7, 7, 7, first={**first, "anchor": "cycle_start"}), sessions=1)
    assert gaps(phase(cycle(28, [0, 7], 0, 0, 0, 0), sessions=4), after_cycles)[4] == (3, 140, 168, 196)
    assert gaps(phase(None, sessions=1), phase(None, sessions=1)) == [None, None]


def test_minutes_become_slots_by_ordinal() -> None:
    data = phase(previous(1, 2, 4), sessions=3, infuse=[300, 180], recover=[120, 120, 60], acuity=4)
    found = visits(parse_phases([data]))
    assert [(v.prepare, v.infuse, v.recover, v.turnover, v.hands_on, v.acuity) for v in found] == [
        (6, 60, 24, 3, 3, 4),
        (6, 36, 24, 3, 3, 4),
        (6, 36, 12, 3, 3, 4),
    ]


def test_open_ended_phase_is_planned_for_as_many_as_asked() -> None:
    phases = parse_phases([phase(previous(1, 2, 4), sessions=2), phase(previous(7, 14, 21), sessions=None)])
    assert [(v.sequence, v.phase, v.ordinal) for v in visits(phases, 2)] == [
        (1, "a", 1),
        (2, "a", 2),
        (3, "a", 1),
        (4, "a", 2),
    ]
    for sessions in (None, 0, 201):
        with pytest.raises(ValueError, match="open-ended"):
            visits(phases, sessions)


@given(name=st.sampled_from(sorted(protocols.CATALOGUE)), done=st.integers(0, 12), sessions=st.integers(1, 9))
@settings(max_examples=100)
def test_visits_still_to_come_are_the_rest_of_all(name: str, done: int, sessions: int) -> None:
    phases = parse_phases(protocols.CATALOGUE[name])
    assert visits_from(phases, done, sessions) == visits(phases, sessions)[done:]


def test_span_counts_from_the_phase() -> None:
    phases = parse_phases([phase(None, sessions=1), phase(previous(1, 3, 4, max_span_days=8), sessions=3)])
    assert [visit.span for visit in visits(phases)] == [None, None, Span(2, 8), Span(2, 8)]
    found: Visit = visits(phases)[1]
    assert found.gap == Gap(1, 1, 3, 4)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(data=st.data())
@settings(max_examples=300)
def test_any_json_gives_phases_or_faults_and_never_an_error(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(protocols.CATALOGUE)))
    phases = [dict(item) for item in protocols.CATALOGUE[name]]
    target: Any = data.draw(st.sampled_from(phases))
    for _ in range(data.draw(st.integers(0, 2))):
        nested = [key for key, value in target.items() if isinstance(value, dict)]
        if nested:
            key = data.draw(st.sampled_from(nested))
            target[key] = dict(target[key])
            target = target[key]
    target[data.draw(st.sampled_from(sorted(target)) | st.text(max_size=4))] = data.draw(json)
    faults = problems(*phases)
    assert faults or visits(parse_phases(phases), 1)
