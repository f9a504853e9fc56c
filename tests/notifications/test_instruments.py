"""Scoring against the published rules, red flags, refused answers, and links that cannot be forged."""

from __future__ import annotations

import base64
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications import follow_links, red_flags
from notifications.instruments import (
    FAULTS_AT_MOST,
    INSTRUMENTS,
    InstrumentError,
    changes,
    read_answers,
    score,
)
from scheduler.protocols import INSTRUMENT_CODES

PHQ = [f"phq9_{number}" for number in range(1, 10)]
GAD = [f"gad7_{number}" for number in range(1, 8)]
PEG = ["peg_pain", "peg_enjoyment", "peg_activity"]
EFFECTS = [item.id for item in INSTRUMENTS["side-effects"].items]

# The printed severity tables, total by total, written out apart from the code under test.
PHQ_BANDS = ["minimal"] * 5 + ["mild"] * 5 + ["moderate"] * 5 + ["moderately severe"] * 5 + ["severe"] * 8
GAD_BANDS = ["minimal"] * 5 + ["mild"] * 5 + ["moderate"] * 5 + ["severe"] * 7


def lowest(code: str) -> dict[str, int]:
    """A full set of answers to the required items, each the lowest there is."""
    return {item.id: item.options[0].value for item in INSTRUMENTS[code].items if item.required}


def with_total(ids: list[str], total: int) -> dict[str, int]:
    """Answers from 0 to 3 that add up to `total`."""
    return {item: max(0, min(3, total - 3 * place)) for place, item in enumerate(ids)}


def test_the_forms_are_those_that_were_published() -> None:
    shape = {code: [len(item.options) for item in found.items] for code, found in INSTRUMENTS.items()}
    assert shape == {
        "PHQ-9": [4] * 10, "PHQ-2": [4] * 2, "GAD-7": [4] * 7, "PEG": [11] * 3, "NRS": [11], "PGIC": [7],
        "PCL-5": [5] * 20, "ASQ": [2] * 5, "side-effects": [4] * 14,
    }  # fmt: skip
    assert [item.id for item in INSTRUMENTS["PHQ-9"].items] == [*PHQ, "phq9_function"]
    assert [option.label for option in INSTRUMENTS["GAD-7"].items[0].options] == [
        "Not at all",
        "Several days",
        "More than half the days",
        "Nearly every day",
    ]
    for found in INSTRUMENTS.values():
        first = int(found.code == "PGIC")
        for item in found.items:
            assert [option.value for option in item.options] == list(range(first, first + len(item.options)))
        assert found.licence
        assert found.sources


def test_another_word_in_a_form_is_another_version() -> None:
    form = INSTRUMENTS["NRS"]
    assert len({each.version for each in INSTRUMENTS.values()}) == len(INSTRUMENTS)
    assert replace(form, stem="Today").version != form.version
    assert replace(form, items=(replace(form.items[0], text="What?"),)).version != form.version
    assert replace(form, sources=()).version == form.version


def test_every_item_id_is_used_once_in_all_instruments() -> None:
    ids = [item.id for found in INSTRUMENTS.values() for item in found.items]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("total", range(28))
def test_phq_9_total_and_band(total: int) -> None:
    scored = score("PHQ-9", with_total(PHQ, total))
    assert (scored.score, scored.band) == (Decimal(total), PHQ_BANDS[total])


@given(values=st.lists(st.integers(0, 3), min_size=9, max_size=9), function=st.integers(0, 3))
def test_phq_9_is_the_sum_of_nine_and_never_counts_the_function_item(values: list[int], function: int) -> None:
    answers = dict(zip(PHQ, values, strict=True))
    scored = score("PHQ-9", answers)
    assert (scored.score, scored.band) == (Decimal(sum(values)), PHQ_BANDS[sum(values)])
    assert score("PHQ-9", answers | {"phq9_function": function}) == scored


def test_gad_7_on_every_answer_set() -> None:
    for values in product(range(4), repeat=7):
        scored = score("GAD-7", dict(zip(GAD, values, strict=True)))
        assert (scored.score, scored.band) == (Decimal(sum(values)), GAD_BANDS[sum(values)])


def test_peg_on_every_answer_set() -> None:
    for values in product(range(11), repeat=3):
        scored = score("PEG", dict(zip(PEG, values, strict=True)))
        whole, thirds = divmod(sum(values), 3)
        assert (str(scored.score), scored.band) == (f"{whole}.{[0, 3, 7][thirds]}", "")


def test_phq_2_on_every_answer_set() -> None:
    for values in product(range(4), repeat=2):
        scored = score("PHQ-2", {"phq2_1": values[0], "phq2_2": values[1]})
        assert (scored.score, scored.band) == (sum(values), "positive" if sum(values) >= 3 else "negative")


def test_asq_on_every_answer_set() -> None:
    for *four, now in product(range(2), repeat=5):
        answers = {f"asq_{number}": value for number, value in enumerate(four, start=1)} | {"asq_5": now}
        band = "positive, acute" if now else "positive, not acute" if any(four) else "negative"
        assert (score("ASQ", answers).score, score("ASQ", answers).band) == (sum(four), band)
        assert read_answers("ASQ", answers) == answers
        del answers["asq_5"]
        if any(four):
            with pytest.raises(InstrumentError) as caught:
                read_answers("ASQ", answers)
            assert [(fault["pointer"], fault["code"]) for fault in caught.value.problems] == [
                ("/answers/asq_5", "required")
            ]
        else:
            assert read_answers("ASQ", answers) == answers


@pytest.mark.parametrize("value", range(1, 8))
def test_pgic_is_the_answer_itself_in_its_own_words(value: int) -> None:
    words = "very much improved,much improved,minimally improved,no change,minimally worse,much worse,very much worse"
    scored = score("PGIC", {"pgic": value})
    assert (scored.score, scored.band) == (value, words.split(",")[value - 1])
    assert ("responder" in changes("PGIC", Decimal(4), scored.score)) is (value <= 2)


@given(values=st.lists(st.integers(0, 4), min_size=20, max_size=20))
@settings(max_examples=1000)
def test_pcl_5_is_the_sum_of_twenty_and_its_clusters_are_counted_apart(values: list[int]) -> None:
    scored = score("PCL-5", {f"pcl5_{number}": value for number, value in enumerate(values, start=1)})
    total = sum(values)
    band = "below the cut-off" if total < 31 else "at the cut-off" if total <= 33 else "above the cut-off"
    assert (scored.score, scored.band) == (total, band)
    rated = [value >= 2 for value in values]
    b, c, d, e = sum(rated[:5]), sum(rated[5:7]), sum(rated[7:14]), sum(rated[14:])
    assert scored.criteria is (b >= 1 and c >= 1 and d >= 2 and e >= 2)


def test_pcl_5_at_each_edge_of_its_rules() -> None:
    met = dict.fromkeys((f"pcl5_{number}" for number in range(1, 21)), 0)
    met |= dict.fromkeys(("pcl5_1", "pcl5_6", "pcl5_8", "pcl5_14", "pcl5_15", "pcl5_20"), 2)
    assert score("PCL-5", met).criteria is True
    for item in [name for name, value in met.items() if value]:
        assert score("PCL-5", met | {item: 1}).criteria is False, item


@pytest.mark.parametrize(
    ("code", "first", "now", "expected"),
    [
        ("PHQ-9", 20, 16, ()),
        ("PHQ-9", 20, 15, ("clinically_meaningful",)),
        ("PHQ-9", 20, 10, ("clinically_meaningful", "response")),
        ("PHQ-9", 20, 4, ("clinically_meaningful", "response", "remission")),
        ("PHQ-9", 10, 5, ("clinically_meaningful", "response")),
        ("PHQ-9", 6, 4, ("remission",)),
        ("PHQ-9", 6, 11, ("clinically_meaningful_worse",)),
        ("PHQ-9", 0, 0, ("remission",)),
        ("GAD-7", 12, 8, ("clinically_meaningful",)),
        ("GAD-7", 12, 9, ()),
        ("GAD-7", 12, 16, ("clinically_meaningful_worse",)),
        ("PEG", "6.7", "4.7", ()),
        ("PEG", "6.7", "4.6", ("clinically_meaningful",)),
        ("PEG", 0, 9, ()),
        ("NRS", 8, 7, ("minimal",)),
        ("NRS", 8, 6, ("minimal", "much_better")),
        ("NRS", 3, 2, ("minimal", "much_better")),
        ("NRS", 4, 5, ("minimal_worse",)),
        ("PCL-5", 60, 55, ("response",)),
        ("PCL-5", 60, 50, ("response", "clinically_meaningful")),
        ("ASQ", 4, 0, ()),
    ],
)
def test_a_change_is_called_meaningful_by_the_published_figures(
    code: str, first: float | str, now: float | str, expected: tuple[str, ...]
) -> None:
    assert changes(code, Decimal(first), Decimal(now)) == expected


@pytest.mark.parametrize("value", range(11))
def test_nrs_is_the_answer_itself(value: int) -> None:
    scored = score("NRS", {"nrs_pain": value})
    assert (scored.score, scored.band) == (Decimal(value), "")


@given(values=st.lists(st.integers(0, 3), min_size=14, max_size=14))
def test_side_effects_are_as_bad_as_the_worst(values: list[int]) -> None:
    scored = score("side-effects", dict(zip(EFFECTS, values, strict=True)))
    assert scored.score == max(values)
    assert scored.band == ["none", "mild", "moderate", "severe"][max(values)]


@given(values=st.lists(st.integers(0, 3), min_size=9, max_size=9))
def test_the_suicide_item_is_flagged_whatever_else_is_answered(values: list[int]) -> None:
    answered = red_flags.Answered("PHQ-9", dict(zip(PHQ, values, strict=True)), Decimal(sum(values)), 24)
    kinds = [rule.kind for rule in red_flags.raised(answered, list(red_flags.rules().values()))]
    assert ("suicide_item" in kinds) == (values[8] > 0)


def test_each_flag_rule_names_real_items() -> None:
    for rule in red_flags.rules().values():
        for code in rule.instruments:
            assert set(rule.items) - {red_flags.ANY} <= {item.id for item in INSTRUMENTS[code].items}


@pytest.mark.parametrize("code", INSTRUMENTS)
def test_answers_come_back_in_the_order_of_the_form(code: str) -> None:
    answers = lowest(code)
    assert list(read_answers(code, dict(reversed(answers.items()))).items()) == list(answers.items())


def test_the_function_item_may_be_answered_or_left_out() -> None:
    assert "phq9_function" not in read_answers("PHQ-9", lowest("PHQ-9"))
    assert read_answers("PHQ-9", lowest("PHQ-9") | {"phq9_function": 2})["phq9_function"] == 2


@pytest.mark.parametrize(
    ("answers", "pointer", "code"),
    [
        ({"phq9_9": True}, "/answers/phq9_9", "invalid"),
        ({"phq9_9": "1"}, "/answers/phq9_9", "invalid"),
        ({"phq9_9": 1.0}, "/answers/phq9_9", "invalid"),
        ({"phq9_9": None}, "/answers/phq9_9", "invalid"),
        ({"phq9_9": float("nan")}, "/answers/phq9_9", "invalid"),
        ({"phq9_9": [1]}, "/answers/phq9_9", "invalid"),
        ({"phq9_9": {"value": 1}}, "/answers/phq9_9", "invalid"),
        ({"phq9_9": "\x00"}, "/answers/phq9_9", "invalid"),
        ({"phq9_9": 4}, "/answers/phq9_9", "out_of_range"),
        ({"phq9_9": -1}, "/answers/phq9_9", "out_of_range"),
        ({"phq9_9": 10**4000}, "/answers/phq9_9", "out_of_range"),
        ({"phq9_function": None}, "/answers/phq9_function", "invalid"),
        ({"phq9_function": 4}, "/answers/phq9_function", "out_of_range"),
        ({"phq9_10": 0}, "/answers/phq9_10", "unknown_item"),
        ({"gad7_1": 0}, "/answers/gad7_1", "unknown_item"),
        ({"a/b~c": 0}, "/answers/a~1b~0c", "unknown_item"),
        ({"\ud800": 0}, "/answers", "unknown_item"),
        ({"nul\x00": 0}, "/answers", "unknown_item"),
        ({"x" * 5000: 0}, "/answers", "unknown_item"),
    ],
)
def test_one_bad_answer_is_refused_where_it_stands(answers: dict[str, object], pointer: str, code: str) -> None:
    with pytest.raises(InstrumentError) as caught:
        read_answers("PHQ-9", lowest("PHQ-9") | answers)
    assert [(fault["pointer"], fault["code"]) for fault in caught.value.problems] == [(pointer, code)]


@pytest.mark.parametrize("answers", [None, [], [0] * 9, "answers", 7, True])
def test_what_is_no_object_is_refused(answers: object) -> None:
    with pytest.raises(InstrumentError) as caught:
        read_answers("PHQ-9", answers)
    assert [(fault["pointer"], fault["code"]) for fault in caught.value.problems] == [("/answers", "invalid")]


@pytest.mark.parametrize("code", INSTRUMENTS)
def test_each_required_item_that_is_missing_is_named(code: str) -> None:
    with pytest.raises(InstrumentError) as caught:
        read_answers(code, {})
    assert [(fault["pointer"], fault["code"]) for fault in caught.value.problems] == [
        (f"/answers/{item}", "required") for item in lowest(code)
    ]


def test_a_flood_of_unknown_items_gets_a_short_answer() -> None:
    with pytest.raises(InstrumentError) as caught:
        read_answers("NRS", {f"x{number}": 0 for number in range(10_000)})
    assert len(caught.value.problems) == FAULTS_AT_MOST
    assert caught.value.problems[0] == {
        "pointer": "/answers/nrs_pain",
        "code": "required",
        "detail": "Choose an answer.",
    }


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(code=st.sampled_from(list(INSTRUMENTS)), change=st.data())
def test_any_json_is_either_read_or_refused(code: str, change: st.DataObject) -> None:
    ids = st.sampled_from([item.id for item in INSTRUMENTS[code].items]) | st.text()
    answers = lowest(code) | change.draw(st.dictionaries(ids, JUNK | st.integers(0, 11), max_size=4))
    try:
        read = read_answers(code, answers)
    except InstrumentError as error:
        pointers = [fault["pointer"].encode("utf-8") for fault in error.problems]
        read = {}
    else:
        pointers = []
        assert read == answers
        assert score(code, read).score >= 0
    assert bool(pointers) != bool(read)


@given(token=st.text(st.characters(categories=None)))
def test_any_text_whatever_can_be_looked_up(token: str) -> None:
    assert len(follow_links.hash_of(token)) == 64


def test_tokens_are_of_256_bits_and_what_is_kept_does_not_hold_them() -> None:
    made = {follow_links.new_token() for _ in range(1000)}
    assert len(made) == 1000
    for token in made:
        assert len(base64.urlsafe_b64decode(token + "=")) == 32
        kept = follow_links.hash_of(token)
        assert kept == sha256(token.encode()).hexdigest()
        assert kept not in token
    # Every bit is one of chance: each is set in about half of them.
    values = [int.from_bytes(base64.urlsafe_b64decode(token + "=")) for token in made]
    assert all(350 < sum(value >> bit & 1 for value in values) < 650 for bit in range(256))


def test_protocols_may_ask_for_just_what_can_be_asked_here() -> None:
    assert set(INSTRUMENT_CODES) == set(INSTRUMENTS)
