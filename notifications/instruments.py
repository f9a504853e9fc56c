"""The questionnaires of follow-up check-ins: exact items, scoring by their published rules, and what is a red flag.

Pure: no clock, no records. `instruments.json` holds the forms as data, each with its licence and the sources of its
score, bands and changes. Item texts are those of the published forms and are not to be reworded; another language comes
as that form's own published translation, never as a translation of these sentences. No such translation is here yet:
Spanish-speaking patients are asked in English, and told so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from accounts.refusals import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

TENTH = Decimal("0.1")
FAULTS_AT_MOST = 25
LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Option:
    """One possible answer: the whole number that is sent, and its words."""

    value: int
    label: str


@dataclass(frozen=True, slots=True)
class Item:
    """One question. `scored` is false for a question that the published rule leaves out of the score.

    `asked_if` names items of which one answered above 0 makes this one required; without such it may be left out.
    """

    id: str
    text: str
    options: tuple[Option, ...]
    required: bool = True
    scored: bool = True
    asked_if: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """When a score has changed enough to matter: fallen by `points` or by `percent` of the first, or to under `below`.

    `source` says who published the figure.
    """

    name: str
    source: str
    points: int | None = None
    percent: int | None = None
    below: int | None = None


@dataclass(frozen=True, slots=True)
class Clusters:
    """A rule over groups of items: of each group at least so many rated `rated` or more."""

    rated: int
    needed: tuple[tuple[int, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Instrument:
    """A questionnaire. `rule` makes the score of the scored items; `bands` are (lowest score, name), ascending.

    `acute` is an item that, answered above 0, makes the band one of its own whatever the score.
    """

    code: str
    title: str
    stem: str
    items: tuple[Item, ...]
    rule: Literal["sum", "mean", "highest"]
    licence: str
    sources: tuple[str, ...]
    bands: tuple[tuple[int, str], ...] = ()
    changes: tuple[Change, ...] = ()
    clusters: Clusters | None = None
    acute: tuple[str, str] | None = None

    @cached_property
    def version(self) -> str:
        """What the form's words and answers are known by; another word is another version."""
        words = [self.stem, *((item.id, item.text, [(o.value, o.label) for o in item.options]) for item in self.items)]
        return sha256(json.dumps(words).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Scored:
    """`score` has at most one decimal; `band` is the published name of its range, "" where none is published.

    `criteria` is whether the form's rule over clusters of items is met; None for a form without such a rule.
    """

    score: Decimal
    band: str
    criteria: bool | None = None


class InstrumentError(ValueError):
    """Answers that cannot be taken. `problems` are at least one fault, each with a pointer below `/answers`."""

    def __init__(self, problems: list[Fault]) -> None:
        super().__init__(f"{len(problems)} faults in the answers")
        self.problems = problems


def _load(path: Path) -> dict[str, Instrument]:
    data = json.loads(path.read_text(encoding="utf-8"))
    options = {
        name: tuple(Option(value, label) for value, label in enumerate(scale["labels"], scale.get("first", 0)))
        for name, scale in data["options"].items()
    }
    return {entry["code"]: _instrument(entry, options) for entry in data["instruments"]}


def _instrument(entry: dict[str, Any], options: Mapping[str, tuple[Option, ...]]) -> Instrument:
    items = tuple(
        Item(**{**item, "options": options[item["options"]], "asked_if": tuple(item.get("asked_if", ()))})
        for item in entry["items"]
    )
    clusters, acute = entry.get("clusters"), entry.get("acute")
    return Instrument(
        **{name: entry[name] for name in ("code", "title", "stem", "rule", "licence")},
        items=items,
        sources=tuple(entry["sources"]),
        bands=tuple((lowest, name) for lowest, name in entry["bands"]),
        changes=tuple(Change(**change) for change in entry["changes"]),
        clusters=Clusters(clusters["rated"], tuple((n, tuple(ids)) for n, ids in clusters["needed"]))
        if clusters
        else None,
        acute=(acute["item"], acute["band"]) if acute else None,
    )


INSTRUMENTS: Mapping[str, Instrument] = _load(Path(__file__).with_name("instruments.json"))

# Changes that mean something in either direction; a response or a remission is one way only.
WORSENS = frozenset({"clinically_meaningful", "minimal"})


def read_answers(code: str, answers: object, *, whole: bool = True) -> dict[str, int]:
    """The answers to instrument `code` as `{item id: value}` in the order of its items.

    `whole` false takes a form that is still being filled in: then nothing is required.

    `answers` is whatever JSON held. Refused with `InstrumentError`: what is not an object (`invalid`), an item that the
    instrument does not have (`unknown_item`), a required one left out (`required`), a value that is not a whole number
    (`invalid`: true, "1", 1.0 and null too) or not one of the item's options (`out_of_range`).
    """
    if not isinstance(answers, dict):
        raise InstrumentError([Fault(pointer="/answers", code="invalid", detail="Send an object of answers.")])
    items = INSTRUMENTS[code].items
    known = {item.id for item in items}
    faults = [fault for item in items for fault in _faults(item, answers, whole)]
    faults += [_unknown(key) for key in answers if key not in known]
    if faults:
        raise InstrumentError(faults[:FAULTS_AT_MOST])
    return {item.id: answers[item.id] for item in items if item.id in answers}


def _faults(item: Item, answers: dict[object, object], whole: bool) -> list[Fault]:
    pointer = f"/answers/{item.id}"
    if item.id not in answers:
        missing = whole and (item.required or _asked(item, answers))
        return [Fault(pointer=pointer, code="required", detail="Choose an answer.")] if missing else []
    value = answers[item.id]
    if type(value) is not int:  # a bool is an int to isinstance
        return [Fault(pointer=pointer, code="invalid", detail="Send one of the whole numbers of the options.")]
    if all(value != option.value for option in item.options):
        return [Fault(pointer=pointer, code="out_of_range", detail="Choose one of the answers offered.")]
    return []


def _asked(item: Item, answers: dict[object, object]) -> bool:
    given = [answers.get(other) for other in item.asked_if]
    return any(type(value) is int and value > 0 for value in given)


def _unknown(key: object) -> Fault:
    # A key from outside is repeated only where it cannot break the answer that carries it (a lone surrogate would).
    plain = isinstance(key, str) and key.isascii() and key.isprintable() and len(key) <= 64
    escaped = str(key).replace("~", "~0").replace("/", "~1")
    pointer = f"/answers/{escaped}" if plain else "/answers"
    return Fault(pointer=pointer, code="unknown_item", detail="There is no such question here.")


def score(code: str, answers: Mapping[str, int]) -> Scored:
    """Score of `answers` (as `read_answers` returned them) and its band, by the form's entry in `instruments.json`.

    PHQ-9, PHQ-2, GAD-7 and PCL-5: sum of the scored items, bands as published; ASQ: how many of the first four were
    answered yes, its band by the toolkit's rule. PEG: mean of its three items, kept to one decimal (a third never falls
    on half a tenth, so the way of rounding decides nothing). NRS and PGIC: the answer itself. Side effects: no score is
    published, so it is the highest item, and its word is the band; a sum would set many mild effects above one severe.
    """
    instrument = INSTRUMENTS[code]
    answered = (item for item in instrument.items if item.scored and (item.required or item.id in answers))
    values = [answers[item.id] for item in answered]
    if instrument.rule == "mean":
        total = (Decimal(sum(values)) / len(values)).quantize(TENTH, rounding=ROUND_HALF_UP)
    else:
        total = Decimal(sum(values) if instrument.rule == "sum" else max(values))
    band = next((name for lowest, name in reversed(instrument.bands) if total >= lowest), "")
    if instrument.acute and answers.get(instrument.acute[0]):
        band = instrument.acute[1]
    return Scored(total, band, _criteria(instrument.clusters, answers) if instrument.clusters else None)


def _criteria(clusters: Clusters, answers: Mapping[str, int]) -> bool:
    return all(sum(answers[item] >= clusters.rated for item in group) >= needed for needed, group in clusters.needed)


def changes(code: str, first: Decimal, now: Decimal) -> tuple[str, ...]:
    """Names of the changes from the `first` score to the score `now` that the form's sources call meaningful.

    Every score here falls as people get better. A rise as large as a meaningful fall has its name with `_worse` behind.
    """
    found = []
    for rule in INSTRUMENTS[code].changes:
        if _moved(rule, first - now, first) or (rule.below is not None and now < rule.below):
            found.append(rule.name)
        elif rule.name in WORSENS and _moved(rule, now - first, first):
            found.append(f"{rule.name}_worse")
    return tuple(found)


def _moved(rule: Change, by: Decimal, first: Decimal) -> bool:
    in_points = rule.points is not None and by >= rule.points
    return in_points or (rule.percent is not None and first > 0 and by * 100 >= rule.percent * first)
