"""The lists of a protocol as rows of fields, one row more than there are: reminders, check-ins, watching, scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from scheduler.api.day_serializers import INSTRUMENTS
from scheduler.gates import ACTIONS, measures
from scheduler.protocols import INSTRUMENT_CODES
from web import protocol_words
from web.protocol_words import CHANNELS, spoken
from web.record_forms import Numbers, at, place_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# More than any list may hold: the serializer says so, and no form grows without end.
MOST_ROWS: Final = 60
CHECK_IN_ANCHORS: Final = [
    ("", _("each visit’s end")),
    ("before_session", _("each visit’s start")),
    ("series_end", _("the last visit")),
]
PARTS: Final = [("", _("none")), ("infuse", _("during the infusion")), ("recover", _("during recovery"))]


def _number(label: Any) -> Callable[[], forms.Field]:
    return lambda: Numbers(label=label, required=False)


def _one_of(label: Any, choices: Callable[[], list[tuple[str, Any]]]) -> Callable[[], forms.Field]:
    return lambda: forms.ChoiceField(label=label, choices=choices(), required=False)


def _clock(label: Any) -> Callable[[], forms.Field]:
    return lambda: forms.TimeField(
        label=label, required=False, widget=forms.TimeInput({"type": "time"}, format="%H:%M")
    )


def _ways() -> forms.Field:
    choices = [(way, _(word)) for way, word in CHANNELS.items()]
    boxes = forms.CheckboxSelectMultiple
    return forms.MultipleChoiceField(label=_("How"), choices=choices, required=False, widget=boxes)


def _named(names: Any, words: Mapping[str, str]) -> list[tuple[str, Any]]:
    return [("", _("none")), *((name, _(words[name]) if name in words else spoken(name)) for name in names)]


@dataclass(frozen=True)
class Rows:
    """A list at `name` of a protocol; `title` is of one row, `whole` the column where a fault of a whole row stands."""

    name: str
    title: Any
    whole: str
    columns: dict[str, Callable[[], forms.Field]]

    def count(self, content: Any, said: Any) -> int:
        """How many rows the form has: those there are, or were sent, and one more."""
        sent = [cell[0] for name in said or () if (cell := self.cell(name))]
        return min(max([len(at(content, self.name) or ()), *sent]) + 1, MOST_ROWS)

    def shown(self, value: Any) -> Any:
        """A value as the form shows it: what a check-in counts from, where nothing is said, is the visit's end."""
        return "" if self.name == "follow_ups" and value == "discharge" else value

    def cell(self, field: str) -> tuple[int, str] | None:
        """The row and the column of this list that a field of this name stands in; None where in none."""
        start, dot, rest = field.partition(f"{self.name}.")
        number, _dot, column = rest.partition(".")
        row = place_number(number)
        return (row, column) if dot and not start and row is not None and column in self.columns else None

    def filled(self, said: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
        """The rows that say something, by their number on the form; an empty row falls away."""
        found: dict[int, dict[str, Any]] = {}
        for field, value in said.items():
            if value not in (None, "", []) and (cell := self.cell(field)):
                found.setdefault(cell[0], {})[cell[1]] = value
        return dict(sorted(found.items()))


REMINDERS: Final = Rows(
    "reminders",
    _("Reminder %(number)s"),
    "channels",
    {
        "hours_before": _number(_("Hours before")),
        "days_before": _number(_("or days before")),
        "at": _clock(_("at")),
        "channels": _ways,
    },
)
CHECK_INS: Final = Rows(
    "follow_ups",
    _("Check-in %(number)s"),
    "instrument",
    {
        "instrument": _one_of(_("Questions"), lambda: [("", _("none")), *((code, code) for code in INSTRUMENT_CODES)]),
        "hours_after": _number(_("Hours after")),
        "anchor": _one_of(_("Counted from"), lambda: CHECK_IN_ANCHORS),
    },
)
VITALS: Final = Rows(
    "observation.vitals",
    _("Vital signs %(number)s"),
    "during",
    {
        "during": _one_of(_("Which part"), lambda: PARTS),
        "every": _number(_("Every so many minutes")),
        "from": _number(_("from minute")),
        "until": _number(_("until minute (empty: its end)")),
    },
)
LIMITS: Final = Rows(
    "observation.limits",
    _("Limit %(number)s"),
    "measure",
    {
        "measure": _one_of(_("What is measured"), lambda: _named(measures(), protocol_words.MEASURES)),
        "at_least": _number(_("This or more")),
        "at_most": _number(_("or this or less")),
        "action": _one_of(_("What then"), lambda: _named(ACTIONS, protocol_words.ACTIONS)),
    },
)
SCORES: Final = Rows(
    "discharge.scores",
    _("Score %(number)s"),
    "instrument",
    {
        "instrument": _one_of(_("Score"), lambda: _named(INSTRUMENTS, {})),
        "minimum": _number(_("at least")),
    },
)
LISTS: Final = (REMINDERS, CHECK_INS, VITALS, LIMITS, SCORES)
