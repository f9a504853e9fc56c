"""Scoring against the published rules, red flags, refused answers, and links that cannot be forged."""

from __future__ import annotations

import base64
import hmac
from decimal import Decimal
from hashlib import sha256
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import follow_links
from notifications.instruments import (
    FAULTS_AT_MOST,
    FLAG_RULES,
    INSTRUMENTS,
    Flag,
    InstrumentError,
    flags,
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
    """A full set of answers to the required items, all 0."""
    return {item.id: 0 for item in INSTRUMENTS[code].items if item.required}


def with_total(ids: list[str], total: int) -> dict[str, int]:
    """Answers from 0 to 3 that add up to `total`."""
    return {item: max(0, min(3, total - 3 * place)) for place, item in enumerate(ids)}


def test_the_forms_are_those_that_were_published() -> None:
    shape = {code: [len(item.options) for item in found.items] for code, found in INSTRUMENTS.items()}
    assert shape == {"PHQ-9": [4] * 10, "GAD-7": [4] * 7, "PEG": [11] * 3, "NRS": [11], "side-effects": [4] * 11}
    assert [item.id for item in INSTRUMENTS["PHQ-9"].items] == [*PHQ, "phq9_function"]
    assert [option.label for option in INSTRUMENTS["GAD-7"].items[0].options] == [
        "Not at all",
        "Several days",
        "More than half the days",
        "Nearly every day",
    ]
    for found in INSTRUMENTS.values():
        for item in found.items:
            assert [option.value for option in item.options] == list(range(len(item.options)))


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


@pytest.mark.parametrize("value", range(11))
def test_nrs_is_the_answer_itself(value: int) -> None:
    scored = score("NRS", {"nrs_pain": value})
    assert (scored.score, scored.band) == (Decimal(value), "")


@given(values=st.lists(st.integers(0, 3), min_size=11, max_size=11))
def test_side_effects_are_as_bad_as_the_worst(values: list[int]) -> None:
    scored = score("side-effects", dict(zip(EFFECTS, values, strict=True)))
    assert scored.score == max(values)
    assert scored.band == ["none", "mild", "moderate", "severe"][max(values)]


@pytest.mark.parametrize(
    ("code", "answers", "expected"),
    [
        ("PHQ-9", {}, ()),
        ("PHQ-9", {"phq9_9": 1}, (Flag("suicide_item", "urgent", "phq9_9"),)),
        ("PHQ-9", {"phq9_9": 2}, (Flag("suicide_item", "urgent", "phq9_9"),)),
        ("PHQ-9", {"phq9_9": 3}, (Flag("suicide_item", "urgent", "phq9_9"),)),
        ("PHQ-9", {"phq9_function": 3}, ()),
        ("PHQ-9", with_total(PHQ, 19), ()),
        ("PHQ-9", with_total(PHQ, 20), (Flag("high_score", "high"),)),
        (
            "PHQ-9",
            with_total(PHQ, 27),
            (Flag("suicide_item", "urgent", "phq9_9"), Flag("high_score", "high")),
        ),
        ("GAD-7", with_total(GAD, 21), ()),
        ("PEG", dict.fromkeys(PEG, 10), ()),
        ("NRS", {"nrs_pain": 7}, ()),
        ("NRS", {"nrs_pain": 8}, (Flag("severe_pain", "high"),)),
        ("side-effects", dict.fromkeys(EFFECTS, 2), ()),
        ("side-effects", {"headache": 3}, (Flag("severe_side_effect", "urgent", "headache"),)),
        ("side-effects", {"nausea": 3, "iv_site": 3}, (Flag("severe_side_effect", "urgent", "nausea, iv_site"),)),
    ],
)
def test_red_flags(code: str, answers: dict[str, int], expected: tuple[Flag, ...]) -> None:
    assert flags(code, lowest(code) | answers) == expected


@given(values=st.lists(st.integers(0, 3), min_size=9, max_size=9))
def test_the_suicide_item_is_flagged_whatever_else_is_answered(values: list[int]) -> None:
    kinds = [flag.kind for flag in flags("PHQ-9", dict(zip(PHQ, values, strict=True)))]
    assert ("suicide_item" in kinds) == (values[8] > 0)


def test_each_flag_rule_names_its_source_and_real_items() -> None:
    for rule in FLAG_RULES:
        assert rule.source
        assert set(rule.items) <= {item.id for item in INSTRUMENTS[rule.instrument].items}


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


KEY, OLD_KEY = b"k" * 32, b"o" * 32
FOLLOW_UP = UUID("0198f2a4-5b6c-7d8e-9fa0-b1c2d3e4f506")


@given(follow_up=st.uuids(), key=st.binary(min_size=16, max_size=64))
def test_a_link_leads_back_to_its_follow_up(follow_up: UUID, key: bytes) -> None:
    token = follow_links.token_for(follow_up, key)
    assert len(token) == 64
    assert token.replace("-", "a").replace("_", "a").isalnum()
    assert follow_links.read_token(token, [key]) == follow_up


def test_an_older_key_still_opens_and_a_withdrawn_one_does_not() -> None:
    token = follow_links.token_for(FOLLOW_UP, OLD_KEY)
    assert follow_links.read_token(token, [KEY, OLD_KEY]) == FOLLOW_UP
    assert follow_links.read_token(token, [KEY]) is None
    assert follow_links.read_token(token, []) is None


def test_each_single_bit_counts() -> None:
    genuine = base64.urlsafe_b64decode(follow_links.token_for(FOLLOW_UP, KEY))
    for bit in range(48 * 8):
        changed = bytearray(genuine)
        changed[bit // 8] ^= 1 << bit % 8
        assert follow_links.read_token(base64.urlsafe_b64encode(changed).decode(), [KEY, OLD_KEY]) is None, bit


def test_no_other_character_will_do_in_any_place() -> None:
    token = follow_links.token_for(FOLLOW_UP, KEY)
    for place, own in enumerate(token):
        for other in "A_-z9+/=.\n\x00é":
            if other != own:
                assert follow_links.read_token(token[:place] + other + token[place + 1 :], [KEY]) is None


def test_shortened_padded_and_respelled_links_are_refused() -> None:
    token = follow_links.token_for(FOLLOW_UP, KEY)
    for length in range(len(token)):
        assert follow_links.read_token(token[:length], [KEY]) is None
    for suffix in ("=", "==", "====", "A", "AAAA", " ", "\n", "%00"):
        assert follow_links.read_token(token + suffix, [KEY]) is None
    for number in range(200):
        spelled = follow_links.token_for(UUID(int=number), KEY)
        standard = spelled.replace("-", "+").replace("_", "/")
        assert standard == spelled or follow_links.read_token(standard, [KEY]) is None


@given(token=st.text())
def test_no_text_whatever_opens_or_breaks_anything(token: str) -> None:
    assert follow_links.read_token(token, [KEY]) is None


def test_a_seal_made_for_another_purpose_with_the_same_key_opens_nothing() -> None:
    for prefix in (b"", b"infusion.calendar.v1:"):
        seal = hmac.digest(KEY, prefix + FOLLOW_UP.bytes, sha256)
        token = base64.urlsafe_b64encode(FOLLOW_UP.bytes + seal).decode()
        assert follow_links.read_token(token, [KEY]) is None


def test_protocols_may_ask_for_just_what_can_be_asked_here() -> None:
    assert set(INSTRUMENT_CODES) == set(INSTRUMENTS)
