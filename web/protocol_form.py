"""A protocol as a form: its words, each phase's figures, gates, reminders and check-ins, what it rests on."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from scheduler import catalogue
from scheduler.gates import name_of
from scheduler.protocols import INSTRUMENT_CODES
from scheduler.queries import visible_gate_definitions
from web.protocol_words import CHAIRS, CHANNELS, spoken
from web.record_forms import Lines, Numbers, RecordForm, at, put_at, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.forms.boundfield import BoundField

    from accounts.models import User
    from scheduler.models import Protocol

# Figures of a phase, by where they stand in it, in the order in which people read them.
FIGURES: Final = {
    "sessions": _("Visits (empty: as many as are ordered)"),
    "spacing.cycle_days": _("Days of a cycle"),
    "spacing.target_days": _("Days between visits, or day of each visit"),
    "spacing.min_days": _("Days between visits, at least"),
    "spacing.max_days": _("Days between visits, at most"),
    "spacing.early_days": _("Days sooner, at most"),
    "spacing.late_days": _("Days later, at most"),
    "spacing.cycle_early_days": _("Days that a cycle may come sooner"),
    "spacing.cycle_late_days": _("Days that a cycle may come later"),
    "spacing.first.min_days": _("Days before the first visit, at least"),
    "spacing.first.target_days": _("Days before the first visit"),
    "spacing.first.max_days": _("Days before the first visit, at most"),
    "spacing.max_span_days": _("Days from first to last, at most"),
    "minutes.prepare": _("Minutes to prepare"),
    "minutes.infuse": _("Minutes of infusion"),
    "minutes.recover": _("Minutes of recovery"),
    "minutes.turnover": _("Minutes to tidy"),
    "hands_on_minutes": _("Minutes with the nurse at the chair"),
    "acuity": _("Points against a nurse’s most"),
}
REMINDER: Final = ("hours_before", "days_before", "at", "channels")
CHECK_IN: Final = ("instrument", "hours_after", "anchor")
ANCHORS: Final = [
    ("", _("each visit’s end")),
    ("before_session", _("each visit’s start")),
    ("series_end", _("the last visit")),
]


@dataclass(frozen=True)
class Group:
    """Fields that stand together under a heading; `rows` are those of a list, each with its name."""

    title: str
    fields: list[BoundField]
    rows: list[tuple[str, list[BoundField]]]


class ProtocolForm(RecordForm):
    """What a clinic changes of a protocol. What it does not hold (watching, going home) stays as it is."""

    name = forms.CharField(label=_("Name"), max_length=200)
    indications = Lines(label=_("For (one a line)"), required=False, widget=forms.Textarea({"rows": 3}))
    sources = Lines(label=_("What it rests on (one a line)"), required=False)
    gates = forms.MultipleChoiceField(label=_("What must be true"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, protocol: Protocol, user: User, data: Any = None) -> None:
        super().__init__(data)
        self.protocol = protocol
        self.as_it_is: dict[str, Any] = {
            name: deepcopy(getattr(protocol, name))
            for name in ("name", "indications", "sources", "phases", "gates", "reminders", "follow_ups")
        }
        self.initial = {**self.as_it_is, "gates": [name_of(entry) for entry in protocol.gates]}
        own = visible_gate_definitions(user).values_list("gate", flat=True)
        known = dict.fromkeys([*self.initial["gates"], *catalogue.book()["gates"], *own])
        self.fields["gates"].choices = [(gate, spoken(gate)) for gate in known]  # type: ignore[attr-defined]
        for number in range(len(protocol.phases)):
            self._add_phase(number)
        for number in range(len(protocol.reminders) + 1):
            self._add_reminder(number)
        for number in range(len(protocol.follow_ups) + 1):
            self._add_check_in(number)

    def _add(self, path: str, field: forms.Field) -> None:
        self.fields[path] = field
        self.initial[path] = at(self.as_it_is, path)

    def _add_phase(self, number: int) -> None:
        for path, label in FIGURES.items():
            whole = f"phases.{number}.{path}"
            if path in ("sessions", "hands_on_minutes", "acuity") or at(self.as_it_is, whole) is not None:
                self._add(whole, Numbers(label=label, required=False))
        kinds = [(kind, _(word)) for kind, word in CHAIRS.items()]
        boxes = forms.MultipleChoiceField(
            label=_("Chairs that will do (none: any)"),
            choices=kinds,
            required=False,
            widget=forms.CheckboxSelectMultiple,
        )
        self._add(f"phases.{number}.chair.kinds", boxes)

    def _add_reminder(self, number: int) -> None:
        clock = forms.TimeInput({"type": "time"}, format="%H:%M")
        boxes = forms.CheckboxSelectMultiple
        whole = f"reminders.{number}"
        self._add(f"{whole}.hours_before", Numbers(label=_("Hours before"), required=False))
        self._add(f"{whole}.days_before", Numbers(label=_("or days before"), required=False))
        self._add(f"{whole}.at", forms.TimeField(label=_("at"), required=False, widget=clock))
        ways = [(way, _(word)) for way, word in CHANNELS.items()]
        how = forms.MultipleChoiceField(label=_("How"), choices=ways, required=False, widget=boxes)
        self._add(f"{whole}.channels", how)

    def _add_check_in(self, number: int) -> None:
        whole = f"follow_ups.{number}"
        codes = [("", _("none")), *((code, code) for code in INSTRUMENT_CODES)]
        self._add(f"{whole}.instrument", forms.ChoiceField(label=_("Questions"), choices=codes, required=False))
        self._add(f"{whole}.hours_after", Numbers(label=_("Hours after"), required=False))
        self._add(f"{whole}.anchor", forms.ChoiceField(label=_("Counted from"), choices=ANCHORS, required=False))
        if self.initial[f"{whole}.anchor"] == "discharge":
            self.initial[f"{whole}.anchor"] = ""

    def sent(self) -> dict[str, Any]:
        """The whole content that the form holds, as `PATCH protocols/{id}/` takes it."""
        said, body = self.cleaned_data, deepcopy(self.as_it_is)
        body |= {name: said[name] for name in ("name", "indications", "sources")}
        terms = {name_of(entry): entry for entry in self.protocol.gates}
        body["gates"] = [terms.get(gate, gate) for gate in said["gates"]]
        for path, value in said.items():
            if path.startswith("phases."):
                phase = body["phases"][int(path.split(".")[1])]
                phase.setdefault("chair", {})
                if value is not None or path.endswith(".sessions"):
                    put_at(body, path, value)
        reminders = rows_of(said, "reminders", REMINDER)
        check_ins = rows_of(said, "follow_ups", CHECK_IN)
        self.numbers = {"reminders": list(reminders), "follow_ups": list(check_ins)}
        body["reminders"] = [self._reminder(row) for row in reminders.values()]
        body["follow_ups"] = list(check_ins.values())
        return body

    def _reminder(self, row: dict[str, Any]) -> dict[str, Any]:
        return row | ({"at": f"{row['at']:%H:%M}"} if "at" in row else {})

    def place_of(self, path: str) -> str:
        """Rows of lists have another number on the form, where empty ones fell away."""
        name, _dot, rest = path.partition(".")
        number, _dot, column = rest.partition(".")
        if name not in self.numbers or not number.isdigit():
            return path
        column = column.partition(".")[0] or {"reminders": "channels", "follow_ups": "instrument"}[name]
        return f"{name}.{self.numbers[name][int(number)]}.{column}"

    def groups(self) -> Iterator[Group]:
        """The fields under their headings, as the page shows them."""
        yield Group(gettext("What it is"), [self["name"], self["indications"]], [])
        for number, phase in enumerate(self.protocol.phases):
            title = gettext("Phase %(number)s: %(name)s") % {"number": number + 1, "name": spoken(phase["name"])}
            yield Group(title, self._starting(f"phases.{number}."), [])
        yield Group(gettext("Before it starts"), [self["gates"]], [])
        yield Group(gettext("Reminders"), [], self._rows("reminders", gettext("Reminder %(number)s")))
        yield Group(gettext("Check-ins"), [], self._rows("follow_ups", gettext("Check-in %(number)s")))
        yield Group(gettext("What it rests on"), [self["sources"]], [])

    def _starting(self, start: str) -> list[BoundField]:
        return [self[name] for name in self.fields if name.startswith(start)]

    def _rows(self, name: str, title: str) -> list[tuple[str, list[BoundField]]]:
        count = len(getattr(self.protocol, name)) + 1
        return [(title % {"number": number + 1}, self._starting(f"{name}.{number}.")) for number in range(count)]
