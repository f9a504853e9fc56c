"""The questionnaires of follow-up check-ins: exact items, scoring by their published rules, and what is a red flag.

Pure: no Django, no clock, no records. Item texts are those of the published forms and are not to be reworded; another
language comes as that form's own published translation, never as a translation of these sentences.

Sources
- PHQ-9: Kroenke, Spitzer, Williams, J Gen Intern Med 2001;16:606. Pfizer: no permission required to reproduce,
  translate, display or distribute.
- GAD-7: Spitzer, Kroenke, Williams, Löwe, Arch Intern Med 2006;166:1092. Same family, same notice.
- PEG: Krebs and others, J Gen Intern Med 2009;24:733, doi 10.1007/s11606-009-0981-1.
- NRS: the common numeric rating scale from 0 to 10 (Salaffi and others, Eur J Pain 2004, for change).
- side-effects: this service's own check, after the effects that trials report (Singh and others, Am J Psychiatry 2016,
  appi.ajp.2016.16010037). It is not a validated instrument.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Literal

from accounts.refusals import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

TENTH = Decimal("0.1")
FAULTS_AT_MOST = 25


@dataclass(frozen=True, slots=True)
class Option:
    """One possible answer: the whole number that is sent, and its words."""

    value: int
    label: str


@dataclass(frozen=True, slots=True)
class Item:
    """One question. `scored` is false for a question that the published rule leaves out of the score."""

    id: str
    text: str
    options: tuple[Option, ...]
    required: bool = True
    scored: bool = True


@dataclass(frozen=True, slots=True)
class Instrument:
    """A questionnaire. `rule` makes the score of the scored items; `bands` are (lowest score, name), ascending."""

    code: str
    title: str
    stem: str
    items: tuple[Item, ...]
    rule: Literal["sum", "mean", "highest"]
    bands: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Scored:
    """`score` has at most one decimal; `band` is the published name of its range, "" where none is published."""

    score: Decimal
    band: str


@dataclass(frozen=True, slots=True)
class Flag:
    """A red flag for a clinician. `detail` names the items that raised it, "" where the score did."""

    kind: str
    level: Literal["urgent", "high"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FlagRule:
    """Raises a flag where one of `items`, or the score where `items` is empty, is `at_least` so much."""

    instrument: str
    kind: str
    level: Literal["urgent", "high"]
    at_least: int
    source: str
    items: tuple[str, ...] = ()


class InstrumentError(ValueError):
    """Answers that cannot be taken. `problems` are at least one fault, each with a pointer below `/answers`."""

    def __init__(self, problems: list[Fault]) -> None:
        super().__init__(f"{len(problems)} faults in the answers")
        self.problems = problems


def _options(*labels: str) -> tuple[Option, ...]:
    return tuple(Option(value, label) for value, label in enumerate(labels))


def _items(prefix: str, texts: tuple[str, ...], options: tuple[Option, ...]) -> tuple[Item, ...]:
    return tuple(Item(f"{prefix}_{number}", text, options) for number, text in enumerate(texts, start=1))


def _zero_to_ten(lowest: str, highest: str) -> tuple[Option, ...]:
    return _options(lowest, *(str(value) for value in range(1, 10)), highest)


TWO_WEEKS = "Over the last 2 weeks, how often have you been bothered by any of the following problems?"
HOW_OFTEN = _options("Not at all", "Several days", "More than half the days", "Nearly every day")
HOW_MUCH = _options("None", "Mild", "Moderate", "Severe")
PAIN = _zero_to_ten("No pain", "Pain as bad as you can imagine")
INTERFERENCE = _zero_to_ten("Does not interfere", "Completely interferes")

PHQ_9 = Instrument(
    code="PHQ-9",
    title="Patient Health Questionnaire (PHQ-9)",
    stem=TWO_WEEKS,
    items=(
        *_items(
            "phq9",
            (
                "Little interest or pleasure in doing things",
                "Feeling down, depressed, or hopeless",
                "Trouble falling or staying asleep, or sleeping too much",
                "Feeling tired or having little energy",
                "Poor appetite or overeating",
                "Feeling bad about yourself - or that you are a failure or have let yourself or your family down",
                "Trouble concentrating on things, such as reading the newspaper or watching television",
                "Moving or speaking so slowly that other people could have noticed? Or the opposite - being so fidgety "
                "or restless that you have been moving around a lot more than usual",
                "Thoughts that you would be better off dead or of hurting yourself in some way",
            ),
            HOW_OFTEN,
        ),
        Item(
            "phq9_function",
            "If you checked off any problems, how difficult have these problems made it for you to do your work, take "
            "care of things at home, or get along with other people?",
            _options("Not difficult at all", "Somewhat difficult", "Very difficult", "Extremely difficult"),
            required=False,
            scored=False,
        ),
    ),
    rule="sum",
    bands=((0, "minimal"), (5, "mild"), (10, "moderate"), (15, "moderately severe"), (20, "severe")),
)

GAD_7 = Instrument(
    code="GAD-7",
    title="Generalized Anxiety Disorder scale (GAD-7)",
    stem=TWO_WEEKS,
    items=_items(
        "gad7",
        (
            "Feeling nervous, anxious or on edge",
            "Not being able to stop or control worrying",
            "Worrying too much about different things",
            "Trouble relaxing",
            "Being so restless that it is hard to sit still",
            "Becoming easily annoyed or irritable",
            "Feeling afraid as if something awful might happen",
        ),
        HOW_OFTEN,
    ),
    rule="sum",
    bands=((0, "minimal"), (5, "mild"), (10, "moderate"), (15, "severe")),
)

PEG = Instrument(
    code="PEG",
    title="Pain, enjoyment and general activity (PEG)",
    stem="",
    items=(
        Item("peg_pain", "What number best describes your pain on average in the past week?", PAIN),
        Item(
            "peg_enjoyment",
            "What number best describes how, during the past week, pain has interfered with your enjoyment of life?",
            INTERFERENCE,
        ),
        Item(
            "peg_activity",
            "What number best describes how, during the past week, pain has interfered with your general activity?",
            INTERFERENCE,
        ),
    ),
    rule="mean",
)

NRS = Instrument(
    code="NRS",
    title="Pain from 0 to 10 (NRS)",
    stem="",
    items=(Item("nrs_pain", "What number best describes your pain right now?", PAIN),),
    rule="highest",
)

SIDE_EFFECTS = Instrument(
    code="side-effects",
    title="Side-effect check",
    stem="Since your visit, how much have you had of each of these?",
    items=(
        Item("dissociation", "Feeling detached from yourself or from things around you", HOW_MUCH),
        Item("dizziness", "Dizziness", HOW_MUCH),
        Item("headache", "Headache", HOW_MUCH),
        Item("nausea", "Nausea or vomiting", HOW_MUCH),
        Item("blurred_vision", "Blurred vision", HOW_MUCH),
        Item("anxiety", "Anxiety", HOW_MUCH),
        Item("palpitations", "A racing or pounding heart", HOW_MUCH),
        Item("sedation", "Sleepiness", HOW_MUCH),
        Item("bladder", "Bladder pain, or needing to urinate often", HOW_MUCH),
        Item("memory", "Trouble with memory", HOW_MUCH),
        Item("iv_site", "Pain where the IV was", HOW_MUCH),
    ),
    rule="highest",
    bands=((0, "none"), (1, "mild"), (2, "moderate"), (3, "severe")),
)

INSTRUMENTS: Mapping[str, Instrument] = {
    instrument.code: instrument for instrument in (PHQ_9, GAD_7, PEG, NRS, SIDE_EFFECTS)
}

FLAG_RULES: tuple[FlagRule, ...] = (
    FlagRule(
        "PHQ-9",
        "suicide_item",
        "urgent",
        at_least=1,
        # Any answer above "Not at all" goes with a higher risk; 0 clears nobody.
        source="Simon 2013, appi.ps.201200587; Louzon 2016, appi.ps.201500149",
        items=("phq9_9",),
    ),
    FlagRule("PHQ-9", "high_score", "high", at_least=20, source="the band severe of Kroenke 2001"),
    FlagRule("NRS", "severe_pain", "high", at_least=8, source="clinic policy, to be reviewed by each clinic"),
    FlagRule(
        "side-effects",
        "severe_side_effect",
        "urgent",
        at_least=3,
        source="clinic policy, to be reviewed by each clinic",
        items=tuple(item.id for item in SIDE_EFFECTS.items),
    ),
)


def read_answers(code: str, answers: object) -> dict[str, int]:
    """The answers to instrument `code` as `{item id: value}` in the order of its items.

    `answers` is whatever JSON held. Refused with `InstrumentError`: what is not an object (`invalid`), an item that the
    instrument does not have (`unknown_item`), a required one left out (`required`), a value that is not a whole number
    (`invalid`: true, "1", 1.0 and null too) or not one of the item's options (`out_of_range`).
    """
    if not isinstance(answers, dict):
        raise InstrumentError([Fault(pointer="/answers", code="invalid", detail="Send an object of answers.")])
    items = INSTRUMENTS[code].items
    known = {item.id for item in items}
    faults = [fault for item in items for fault in _faults(item, answers)]
    faults += [_unknown(key) for key in answers if key not in known]
    if faults:
        raise InstrumentError(faults[:FAULTS_AT_MOST])
    return {item.id: answers[item.id] for item in items if item.id in answers}


def _faults(item: Item, answers: dict[object, object]) -> list[Fault]:
    pointer = f"/answers/{item.id}"
    if item.id not in answers:
        return [Fault(pointer=pointer, code="required", detail="Choose an answer.")] if item.required else []
    value = answers[item.id]
    if type(value) is not int:  # a bool is an int to isinstance
        return [Fault(pointer=pointer, code="invalid", detail="Send one of the whole numbers of the options.")]
    if all(value != option.value for option in item.options):
        return [Fault(pointer=pointer, code="out_of_range", detail="Choose one of the answers offered.")]
    return []


def _unknown(key: object) -> Fault:
    # A key from outside is repeated only where it cannot break the answer that carries it (a lone surrogate would).
    plain = isinstance(key, str) and key.isascii() and key.isprintable() and len(key) <= 64
    escaped = str(key).replace("~", "~0").replace("/", "~1")
    pointer = f"/answers/{escaped}" if plain else "/answers"
    return Fault(pointer=pointer, code="unknown_item", detail="There is no such question here.")


def score(code: str, answers: Mapping[str, int]) -> Scored:
    """Score of `answers` (as `read_answers` returned them) and its band.

    PHQ-9 (0 to 27) and GAD-7 (0 to 21): sum of the scored items, bands as published. PEG: mean of its three items,
    kept to one decimal (a third never falls on half a tenth, so the way of rounding decides nothing); no bands are
    published. NRS: the answer itself. Side effects: no score is published, so it is the highest item, and its word
    is the band; a sum would set many mild effects above one severe one.
    """
    instrument = INSTRUMENTS[code]
    values = [answers[item.id] for item in instrument.items if item.scored]
    if instrument.rule == "mean":
        total = (Decimal(sum(values)) / len(values)).quantize(TENTH, rounding=ROUND_HALF_UP)
    else:
        total = Decimal(sum(values) if instrument.rule == "sum" else max(values))
    return Scored(total, next((name for lowest, name in reversed(instrument.bands) if total >= lowest), ""))


def flags(code: str, answers: Mapping[str, int]) -> tuple[Flag, ...]:
    """Red flags of `answers` (as `read_answers` returned them), by `FLAG_RULES`; most have none."""
    total = score(code, answers).score
    found = []
    for rule in (rule for rule in FLAG_RULES if rule.instrument == code):
        raised = [item for item in rule.items if answers[item] >= rule.at_least]
        if raised or (not rule.items and total >= rule.at_least):
            found.append(Flag(rule.kind, rule.level, ", ".join(raised)))
    return tuple(found)
