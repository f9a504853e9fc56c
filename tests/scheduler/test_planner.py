"""Whole plans: the optimum against every choice tried by hand, shapes of real treatment, plans worth choosing from."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.day import ChairFacts, Day, Need, StaffFacts, can_keep, mask
from scheduler.planner import Cost, Weights, WholePlan, Wishes, check_spacing, plan
from scheduler.plans import MOST_FOR_A_DAY_OFF, MOST_WEIGHT
from scheduler.treatment import TreatmentError, parse_phases, visits, visits_from
from tests.scheduler import clinic
from tests.scheduler.clinic import MONDAY, chair, day, staff, taken
from tests.scheduler.protocols import CATALOGUE, cycle, phase, previous, series

SHORT = {"prepare": 5, "infuse": 10, "recover": 5, "turnover": 5, "hands_on_minutes": 5}


def short(spacing: object, sessions: int | None, **more: Any) -> dict[str, Any]:
    """A phase of sessions of 20 minutes and 5 of turnover."""
    return phase(spacing, sessions, **{**SHORT, **more})


def open_days(count: int, slots: int = 24, **more: Any) -> list[Day]:
    return [day(on, slots, **more) for on in clinic.dates_from(MONDAY, count)]


def wishes(days: list[Day], **more: Any) -> Wishes:
    return Wishes(days[0].date, days[-1].date, **more)


def dates(found: WholePlan) -> list[int]:
    return [(session.date - MONDAY).days for session in found.sessions]


def best(phases: list[dict[str, Any]], days: list[Day], sessions: int | None = None, **more: Any) -> list[int]:
    found = plan(visits(parse_phases(phases), sessions), days, wishes(days, **more))
    return dates(found[0]) if found else []


# -- Examples ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phases", "days", "expected"),
    [
        ([short(previous(2, 3, 4), 3)], 7, [0, 3, 6]),
        ([short(previous(2, 3, 4), 3)], 6, [0, 2, 5]),
        ([short(previous(2, 3, 4), 3)], 5, [0, 2, 4]),
        ([short(previous(2, 3, 4), 3)], 4, []),
        ([short(previous(1, 1, 2, max_span_days=2), 3)], 9, [0, 1, 2]),
        ([short(series([0, 2, 5], 1, 1), 3)], 6, [0, 2, 5]),
        ([short(series([0, 2, 5], 1, 1), 3)], 5, [0, 2, 4]),
        ([short(series([0, 2, 5], 1, 1), 3)], 4, []),
        ([short(cycle(5, [0, 2], 0, 1, 1, 1), 4)], 8, [0, 2, 5, 7]),
        ([short(cycle(5, [0, 2], 0, 1, 1, 1), 4)], 7, [0, 2, 4, 6]),
        ([short(cycle(5, [0, 2], 0, 1, 1, 1), 4)], 6, []),
        ([short(previous(1, 1, 1), 2), short(previous(3, 4, 4), 2)], 10, [0, 1, 5, 9]),
        ([short(None, 1), short(None, 1)], 3, [0, 1]),
    ],
)
def test_days_of_each_spacing(phases: list[dict[str, Any]], days: int, expected: list[int]) -> None:
    assert best(phases, open_days(days)) == expected


def test_not_greedy() -> None:
    """Taking the target at once would put the third session three days off; one day off in all is possible."""
    days = [on for on in open_days(10) if (on.date - MONDAY).days in (0, 2, 3, 5, 9)]
    found = plan(visits(parse_phases([short(previous([1, 2, 3], 3, 6), 3)])), days, wishes(days))
    assert (dates(found[0]), found[0].cost.deviation) == ([0, 2, 5], 1)


def test_one_day_off_now_is_taken_where_it_saves_two_later() -> None:
    """From its own target the next session would be two days off: it may not come sooner."""
    days = [on for on in open_days(9) if (on.date - MONDAY).days in (0, 2, 3, 5, 8)]
    phases = parse_phases([short(previous([3, 3, 1, 3], 3, [3, 3, 4, 6]), 4)])
    found = plan(visits_from(phases, 1), days, wishes(days), before=[MONDAY - timedelta(days=3)])
    assert (dates(found[0]), found[0].cost.deviation) == ([0, 2, 5], 1)


def test_weekdays_windows_and_kinds_are_kept() -> None:
    days = open_days(15, chairs=(chair("a"), chair("b", kind="bed")))
    phases = [short(previous(1, 2, 7), 3)]
    assert best(phases, days, weekdays=frozenset({1, 3})) == [1, 3, 8]
    found = plan(visits(parse_phases(phases)), days, wishes(days, time_windows=((545, 565),), chair_kind="bed"))[0]
    assert {(session.start, session.chair) for session in found.sessions} == {(13, "b")}
    assert best(phases, days, time_windows=((545, 560), (480, 499))) == []
    assert best(phases, days, time_windows=((545, 560), (480, 500))) == [0, 2, 4]


def test_same_time_of_day_comes_before_an_earlier_first_day_but_after_spacing() -> None:
    def hours(first: int, end: int, on: int) -> Day:
        return day(MONDAY + timedelta(days=on), 24, opens=(first, end))

    days = [hours(0, 5, 0), hours(6, 11, 1), hours(6, 11, 2), hours(0, 5, 3)]
    two = visits(parse_phases([short(previous(1, 1, 3), 2)]))
    found = plan(two, days, wishes(days, same_time_of_day=True))[0]
    assert (dates(found), found.cost.same_time, found.cost.deviation) == ([1, 2], 0, 0)
    assert dates(plan(two, days, wishes(days))[0]) == [0, 1]
    spaced = visits(parse_phases([short(previous(1, 3, 3), 2)]))
    assert dates(plan(spaced, days, wishes(days, same_time_of_day=True))[0]) == [0, 3]


def test_clock_change_keeps_the_wall_time() -> None:
    early = tuple(range(480, 600, 5))
    before = day(MONDAY, 24, wall=early)
    after = day(MONDAY + timedelta(days=1), 24, wall=tuple(minute + 60 for minute in early))
    found = plan(
        visits(parse_phases([short(previous(1, 1, 1), 2)])),
        [before, after],
        wishes([before, after], same_time_of_day=True),
    )[0]
    assert [session.start for session in found.sessions] == [12, 0]


def test_earlier_days_then_earlier_starts_then_lower_ids() -> None:
    days = open_days(5, chairs=(chair("b"), chair("a")), nurses=(staff("n2"), staff("n1")))
    session = plan(visits(parse_phases([short(None, 1)])), days[::-1], wishes(days))[0].sessions[0]
    assert (session.date, session.start, session.chair, session.nurse) == (MONDAY, 0, "a", "n1")
    assert session.instant == datetime(2027, 3, 1, 8, tzinfo=UTC)


def test_level_moves_a_start_off_a_busy_nurse() -> None:
    on = day(nurses=(staff("n"),), chairs=(chair("a"), chair("b")), taken=(taken(0, 4, nurse="n", chair="a"),))
    found = plan(visits(parse_phases([short(None, 1)])), [on], wishes([on]))[0]
    assert (found.sessions[0].start, found.cost.level) == (4, 0)


def test_series_under_way_counts_from_the_days_that_were() -> None:
    phases = parse_phases([short(series([0, 7, 14], 1, 1), 3), short(previous(5, 7, 9), None)])
    days = open_days(40)
    before = [MONDAY - timedelta(days=3), MONDAY + timedelta(days=5)]
    days_from = [on for on in days if on.date > before[-1]]
    found = plan(visits_from(phases, 2, 2), days_from, wishes(days_from), before=before)[0]
    assert dates(found) == [11, 18, 25]
    assert check_spacing(phases, [*before, *(session.date for session in found.sessions)]) == []


def test_choices_differ_by_first_day_then_by_half_of_the_day_then_by_hour() -> None:
    days = open_days(2, 96)
    one = visits(parse_phases([short(None, 1)]))
    many = plan(one, days, wishes(days), limit=10)
    hours = [(item.sessions[0].date, days[0].wall[item.sessions[0].start] // 60) for item in many]
    assert len(set(hours)) == 10
    assert {item.sessions[0].start % 12 for item in many} == {0}
    found = plan(one, days, wishes(days), limit=4)
    assert set(found) <= set(many)
    assert [(dates(item)[0], item.sessions[0].start >= 48) for item in found] == [
        (0, False),
        (0, True),
        (1, False),
        (1, True),
    ]
    assert [item.score for item in found] == sorted(item.score for item in found)
    assert [dates(item) for item in plan(one, days, wishes(days), limit=2)] == [[0], [1]]
    assert plan(one, days, wishes(days), limit=1) == found[:1]


def test_score_is_the_weighted_cost() -> None:
    days = open_days(5)[1:]
    found = plan(visits(parse_phases([short(previous(3, 3, 3), 2)])), days, Wishes(MONDAY, days[-1].date))[0]
    assert found.cost == Cost(0, 0, 1, 0, 0)
    assert found.score == Weights().first_day
    dear = plan(visits(parse_phases([short(None, 1)])), days, Wishes(MONDAY, days[-1].date), Weights(1, 1, 7, 1, 1))
    assert dear[0].score == 7


def test_the_dearest_score_fits_what_keeps_it() -> None:
    weights = Weights(MOST_FOR_A_DAY_OFF, MOST_WEIGHT, MOST_WEIGHT, MOST_WEIGHT, MOST_WEIGHT)
    # 200 sessions in a window of 400 days, a hundred patients a nurse.
    worst = Cost(200 * 400, 200 * 1435, 400, 200 * 101, 200 * 2)
    assert weights.score(worst) < 2**63
    standard = Weights()
    assert standard.deviation <= MOST_FOR_A_DAY_OFF
    assert max(standard.same_time, standard.first_day, standard.level, standard.fragments) <= MOST_WEIGHT


def test_long_series_do_not_exhaust_the_stack() -> None:
    days = open_days(400, 8, opens=(0, 6))
    found = plan(visits(parse_phases([short(previous(1, 1, 3), 200)] * 2)), days, wishes(days, same_time_of_day=True))
    assert dates(found[0]) == list(range(400))


# -- Spacing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phases", "days", "expected"),
    [
        ([short(previous(2, 3, 4), 3)], [0, 2, 6], []),
        ([short(previous(2, 3, 4), 3)], [0, 1, 4], [(2, "gap_too_short")]),
        ([short(previous(2, 3, 4), 3)], [0, 2, 7], [(3, "gap_too_long")]),
        ([short(previous(2, 3, 4), 3)], [0, 3, 3], [(3, "gap_too_short")]),
        ([short(previous(2, 3, 4), 3)], [0, 3], []),
        ([short(previous(2, 3, 4, max_span_days=7), 3)], [0, 4, 8], [(3, "span")]),
        ([short(previous(2, 3, 4, max_span_days=7), 3)], [0, 4, 7], []),
        ([short(series([0, 14, 42], 3, 3), 3)], [0, 11, 45], []),
        ([short(series([0, 14, 42], 3, 3), 3)], [0, 14, 46], [(3, "window")]),
        ([short(cycle(28, [0, 7], 1, 2, 0, 7), 4)], [0, 9, 35, 41], []),
        ([short(cycle(28, [0, 7], 1, 2, 0, 7), 4)], [0, 9, 27, 34], [(3, "window")]),
    ],
)
def test_spacing_of_given_dates(phases: list[dict[str, Any]], days: list[int], expected: list[tuple[int, str]]) -> None:
    found = check_spacing(parse_phases(phases), [MONDAY + timedelta(days=n) for n in days])
    assert [(problem.sequence, problem.code) for problem in found] == expected


# -- Every choice tried by hand ----------------------------------------------------------------------------------------


def random_spacing(rng: Random, place: int, sessions: int) -> dict[str, Any]:
    kind = rng.choice(["previous", "previous", "series", "cycle"])
    more: dict[str, Any] = {"max_span_days": rng.randint(1, 7)} if rng.random() < 0.3 else {}
    if place and rng.random() < 0.5:
        first = sorted(rng.randint(1, 6) for _ in range(3))
        names = ("min_days", "target_days", "max_days")
        more["first"] = {"anchor": rng.choice(["previous", "series_start"]), **dict(zip(names, first, strict=True))}
    if kind == "previous":
        gaps = [sorted(rng.randint(1, 4) for _ in range(3)) for _ in range(rng.randint(1, 3))]
        low, target, high = ([gap[i] for gap in gaps] for i in range(3))
        return previous(low, target, high, **more)
    if kind == "series":
        targets = sorted(rng.sample(range(1, 8), sessions))
        return series([0, *targets[1:]] if place == 0 else targets, rng.randint(0, 2), rng.randint(0, 2), **more)
    targets = rng.choice([[0], [0, 1], [0, 2]])
    days = targets[-1] + rng.randint(1, 3)
    tolerances = [rng.randint(0, 1) for _ in range(4)]
    return cycle(days, targets, *tolerances, **more)


def random_phases(rng: Random) -> list[dict[str, Any]]:
    phases = []
    for place in range(rng.choice([1, 1, 2])):
        sessions = rng.choice([1, 2]) if place or rng.random() < 0.4 else rng.randint(2, 4)
        minutes = {"prepare": 5 * rng.randint(0, 1), "infuse": [5 * rng.randint(1, 2) for _ in range(2)]}
        minutes |= {"recover": 5 * rng.randint(0, 1), "turnover": 5 * rng.randint(0, 1)}
        spacing = random_spacing(rng, place, sessions)
        phases.append(phase(spacing, sessions, hands_on_minutes=5, acuity=rng.randint(1, 3), **minutes))
    return phases


def random_case(seed: int, busy: int = 3) -> tuple[list[dict[str, Any]], list[Day], Wishes, list[date]]:
    """A small clinic, a protocol that can be kept in some week, wishes, and the days of sessions already had."""
    rng = Random(seed)
    phases = random_phases(rng)
    while True:
        try:
            parse_phases(phases)
            break
        except TreatmentError:
            phases = random_phases(rng)
    total = sum(item["sessions"] for item in phases)
    done = rng.choice([0, 0, 0, min(total - 1, 2)])
    before = sorted(MONDAY - timedelta(days=n) for n in rng.sample(range(1, 5), done))
    if before and clinic.keeps_spacing(phases, before) is None:
        before = []
    slots = {1: 12, 2: 12, 3: 8}.get(total - len(before), 6)
    whole = rng.choice([0.6, 0.9, 0.95])
    week = [on for on in clinic.dates_from(MONDAY, 8) if rng.random() < 0.95]
    days = [clinic.random_day(rng, on, slots, busy=busy, whole=whole) for on in week]
    clock = clinic.wall_from(rng.choice([480, 700]), slots)
    days = [Day(**{**vars(on), "wall": clock if rng.random() < 0.8 else on.wall}) for on in days]
    windows = rng.choice([(), (), (), (), (), ((480, 500), (505, 540)), ((700, 730),)])
    people = [person.id for person in days[0].nurses] if days else []
    wished = Wishes(
        MONDAY + timedelta(days=rng.choice([0, 0, 0, 1])),
        MONDAY + timedelta(days=rng.choice([7, 7, 6])),
        weekdays=rng.choice([None, None, None, None, frozenset(rng.sample(range(7), 5))]),
        time_windows=windows,
        provider=rng.choice([*[None] * 8, *people]),
        chair_kind=rng.choice([*[None] * 8, "recliner"]),
        same_time_of_day=rng.random() < 0.5,
    )
    return phases, days, wished, before


def check_everything(
    found: WholePlan, phases: list[dict[str, Any]], days: list[Day], wished: Wishes, before: list[date]
) -> None:
    """Every rule again, from the plan's own words."""
    by_date = {on.date: on for on in days}
    assert clinic.keeps_spacing(phases, [*before, *(session.date for session in found.sessions)]) is not None
    for session in found.sessions:
        on, asked = by_date[session.date], Need.of(session.visit, wished.chair_kind, wished.provider)
        assert clinic.within_wishes(on, asked, wished, session.start)
        assert session.start in clinic.oracle(on, asked)
        for pool, name in zip(clinic.POOLS, (session.chair, session.nurse, session.prescriber), strict=True):
            who = next(each for each in clinic.members(on, pool) if each.id == name)
            assert clinic.alone(on, asked.at(session.start), pool, who)
        assert session.instant == on.first_instant + timedelta(minutes=5 * session.start)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=200)
def test_plan_is_the_best_of_all_choices(seed: int) -> None:
    phases, days, wished, before = random_case(seed)
    to_place = visits_from(parse_phases(phases), len(before))
    needs = [Need.of(visit, wished.chair_kind, wished.provider) for visit in to_place]
    truth = clinic.best_by_hand(phases, days, needs, wished, before)
    found = plan(to_place, days, wished, limit=10, before=before)
    assert bool(found) == (truth is not None)
    for item in found:
        check_everything(item, phases, days, wished, before)
    walls = {on.date: on.wall for on in days}
    firsts = [item.sessions[0] for item in found]
    assert len({(first.date, walls[first.date][first.start] // 60) for first in firsts}) == len(found)
    assert [item.score for item in found] == sorted(item.score for item in found)
    if truth is not None:
        cost, on, slots = truth
        assert found[0].cost == Cost(*cost)
        assert tuple(session.date for session in found[0].sessions) == on
        assert tuple(session.start for session in found[0].sessions) == slots
    again = plan(to_place, [Day(**_plain(on)) for on in reversed(days)], wished, limit=10, before=before)
    assert again == found


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60)
def test_best_for_each_first_day(seed: int) -> None:
    """Each further plan is the best of all that begin on its day; no better first day is passed over."""
    phases, days, wished, before = random_case(seed)
    to_place = visits_from(parse_phases(phases), len(before))
    needs = [Need.of(visit, wished.chair_kind, wished.provider) for visit in to_place]
    by_day = [clinic.best_by_hand(phases, days, needs, wished, before, first=on.date) for on in days]
    expected = sorted(found for found in by_day if found is not None)[:3]
    got = plan(to_place, days, wished, limit=3, before=before)
    firsts = {item.sessions[0].date: item for item in reversed(got)}
    assert [Cost(*cost) for cost, _, _ in expected] == [firsts[on[0]].cost for _, on, _ in expected]


def _plain(on: Day) -> dict[str, Any]:
    return {name: value for name, value in vars(on).items() if name != "load"}


# -- Shapes of real work -----------------------------------------------------------------------------------------------


def clinic_days(count: int, busy: int = 6) -> list[Day]:
    """A pain clinic from 08:00 to 18:00, Sundays closed: 8 chairs, 4 nurses, 2 prescribers, some bookings a day."""
    rng = Random(7)
    features = frozenset({"cardiac_monitor"})
    chairs = tuple(ChairFacts(f"c{i}", clinic.KINDS[i % 3], features, mask(0, 288, 288)) for i in range(8))
    nurses = tuple(StaffFacts(f"n{i}", "nurse", mask(96, 204 + 6 * (i % 2), 288), 4, 8) for i in range(4))
    doctors = tuple(StaffFacts(f"p{i}", "prescriber", mask(96, 216, 288), 8) for i in range(2))
    days = []
    for on in clinic.dates_from(MONDAY, count):
        sessions = tuple(
            taken(
                start := rng.randrange(96, 180),
                start + 24,
                infuse_start=start + 6,
                turnover=3,
                hands_on=3,
                acuity=4,
                chair=f"c{rng.randrange(8)}",
                nurse=f"n{rng.randrange(4)}",
                prescriber=f"p{rng.randrange(2)}",
            )
            for _ in range(rng.randint(0, busy))
        )
        opens = (96, 216) if on.weekday() < 6 else (0, 0)
        wall = clinic.wall_from(0, 288)
        days.append(
            day(
                on,
                288,
                opens=opens,
                wall=wall,
                chairs=chairs,
                nurses=nurses,
                prescribers=doctors,
                taken=sessions,
            )
        )
    return days


YEAR = clinic_days(400)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_catalogue_is_planned(name: str) -> None:
    phases = parse_phases(CATALOGUE[name])
    sessions = None if phases[-1].sessions else 1 if name in ("zoledronic acid", "ocrelizumab") else 3
    to_place = visits(phases, sessions)
    for same_time in (False, True):
        wished = wishes(YEAR, same_time_of_day=same_time)
        found = plan(to_place, YEAR, wished)
        assert len(found) == 1
        on = [session.date for session in found[0].sessions]
        assert check_spacing(phases, on) == []
        assert all(item.weekday() != 6 for item in on)
        by_date = {item.date: item for item in YEAR}
        for session in found[0].sessions:
            place = (session.start, session.chair, session.nurse, session.prescriber)
            assert can_keep(by_date[session.date], Need.of(session.visit), *place) is None


def test_ten_daily_infusions_go_round_the_sundays() -> None:
    phases = CATALOGUE["ketamine for CRPS"][:1]
    assert best(phases, YEAR[:14]) == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10]
    assert best(phases, YEAR[:14], weekdays=frozenset(range(5))) == [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]


def test_infliximab_and_chemotherapy_on_their_days() -> None:
    assert best(CATALOGUE["infliximab"], YEAR[:160], 1) == [0, 14, 42, 98]
    assert best([{**CATALOGUE["chemotherapy 1, 8, 15 of 28"][0], "sessions": 6}], YEAR[:60]) == [0, 7, 14, 28, 35, 42]
