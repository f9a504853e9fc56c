"""What the check-in page shows and reads: an instrument's items as questions, and a sent form as answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.http import QueryDict

    from accounts.refusals import Fault
    from notifications.instruments import Instrument, Item

# As a browser sends the value of a radio button; anything else is left for the instrument to refuse.
WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]?")
SHORT_LABEL = 9
FEW_OPTIONS = 5


@dataclass(frozen=True)
class Choice:
    """One answer on the page. `shown` is what the eye sees, `spoken` what a screen reader adds to it."""

    value: int
    shown: str
    spoken: str
    chosen: bool


@dataclass(frozen=True)
class Question:
    """One item on the page. `layout`: `stacked` rows, short words `across`, or `numbers` with words at both ends.

    `depends`: it is asked because of what was answered before.
    """

    id: str
    number: int
    text: str
    required: bool
    layout: str
    choices: tuple[Choice, ...]
    lowest: str
    highest: str
    wrong: bool
    focus: bool
    depends: bool

    @property
    def focus_value(self) -> int:
        """Value of the choice that takes the focus: the one chosen, else the first."""
        return next((choice.value for choice in self.choices if choice.chosen), self.choices[0].value)


def questions(
    instrument: Instrument, answers: Mapping[str, object] | None = None, faults: Sequence[Fault] = ()
) -> list[Question]:
    """The instrument's items in order, `answers` chosen again, `faults` marked; the first marked takes the focus."""
    pointed = {fault["pointer"].removeprefix("/answers/") for fault in faults}
    first = next((item.id for item in instrument.items if item.id in pointed), None)
    return [
        _question(number, item, (answers or {}).get(item.id), item.id in pointed, item.id == first)
        for number, item in enumerate(instrument.items, start=1)
    ]


def _question(number: int, item: Item, answer: object, wrong: bool, focus: bool) -> Question:
    labels = [option.label for option in item.options]
    layout = "across" if max(map(len, labels)) <= SHORT_LABEL else "stacked"
    if len(labels) > FEW_OPTIONS and labels[1].isdigit():
        layout = "numbers"
    choices = []
    for option in item.options:
        numeral = str(option.value)
        words = "" if option.label == numeral else option.label
        shown, spoken = (numeral, words) if layout == "numbers" else (option.label, "")
        choices.append(Choice(option.value, shown, spoken, type(answer) is int and answer == option.value))
    ends, depends = (labels[0], labels[-1]), bool(item.asked_if)
    return Question(item.id, number, item.text, item.required, layout, tuple(choices), *ends, wrong, focus, depends)


def sent_answers(form: QueryDict) -> dict[str, object]:
    """A sent form as `{item id: answer}`; a field sent twice stays a list, which no instrument accepts."""
    return {name: _answer(values) for name, values in form.lists()}


def _answer(values: list[str]) -> object:
    if len(values) != 1:
        return values
    return int(values[0]) if WHOLE_NUMBER.fullmatch(values[0]) else values[0]
