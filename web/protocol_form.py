"""A protocol as a form: its words, its phases, gates, watching, going home, messages, and what it rests on."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from scheduler import catalogue
from scheduler.gates import name_of
from scheduler.protocols import CONTENT
from scheduler.queries import visible_gate_definitions
from web import phase_fields
from web.phase_fields import ANCHORS, MOST_PHASES, Shape
from web.protocol_rows import CHECK_INS, LIMITS, LISTS, REMINDERS, SCORES, VITALS, Rows
from web.protocol_words import spoken
from web.record_forms import Lines, Numbers, RecordForm, at, place_number, put_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.forms.boundfield import BoundField
    from django.http import QueryDict

    from accounts.models import User
    from scheduler.models import Protocol

# What a course is before anybody has said anything of it: one phase without a figure.
NOTHING: Final[dict[str, Any]] = {
    "name": "", "indications": [], "sources": [], "phases": [{"spacing": {"anchor": "previous"}}], "gates": [],
    "observation": {}, "discharge": {}, "reminders": [], "follow_ups": [],
}  # fmt: skip
NOTHING_SAID: Final[tuple[Any, ...]] = (None, [], "")
HOME: Final = ("discharge.minimum_recovery_minutes", "discharge.vitals_within_minutes", "discharge.escort")


@dataclass(frozen=True)
class Group:
    """Fields that stand together under a heading; `rows` are those of lists, each with its name.

    `phase` is the number of the phase that the group is, `last` whether none comes after it, `spaced` how its visits
    are spaced, `hidden` what the form carries along.
    """

    title: str
    fields: list[BoundField] = field(default_factory=list)
    rows: list[tuple[str, list[BoundField]]] = field(default_factory=list)
    hidden: list[BoundField] = field(default_factory=list)
    phase: int | None = None
    last: bool = False
    spaced: str = ""


def content_of(protocol: Protocol) -> dict[str, Any]:
    """All that a version says, as the API has it."""
    return {name: deepcopy(getattr(protocol, name)) for name in CONTENT}


class ProtocolForm(RecordForm):
    """All that a clinic says of a course; what does not stand on it (a missed visit, terms of gates) stays as it is."""

    # What is missing is told by the serializer with all the rest, so nothing is required here.
    name = forms.CharField(label=_("Name"), max_length=200, required=False)
    indications = Lines(label=_("For (one a line)"), required=False, widget=forms.Textarea({"rows": 3}))
    sources = Lines(label=_("What it rests on (one a line)"), required=False)
    gates = forms.MultipleChoiceField(label=_("What must be true"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(
        self, content: dict[str, Any], user: User, data: QueryDict | None = None, typed: QueryDict | None = None
    ) -> None:
        """`content` is what is changed; `data` what was sent to be saved, `typed` what was typed and is not judged."""
        super().__init__(data)
        self.as_it_is, self.typed = content, typed
        said = data if typed is None else typed
        phases = content["phases"]
        self.shapes = phase_fields.shapes_of(phases) if said is None else phase_fields.shapes_said(said, phases)
        self.counts = {rows.name: rows.count(content, said) for rows in LISTS}
        self.initial = {name: content[name] for name in ("name", "indications", "sources")}
        self.initial["gates"] = [name_of(entry) for entry in content["gates"]]
        own = visible_gate_definitions(user).values_list("gate", flat=True)
        known = dict.fromkeys([*self.initial["gates"], *catalogue.book()["gates"], *own])
        self.fields["gates"].choices = [(gate, spoken(gate)) for gate in known]  # type: ignore[attr-defined]
        self._add_phases()
        self._add_home()
        for rows in LISTS:
            for number in range(self.counts[rows.name]):
                for column, make in rows.columns.items():
                    path = f"{rows.name}.{number}.{column}"
                    self._add(path, make(), rows.shown(at(self.as_it_is, path)))
        if typed is not None:
            self.initial = {name: self._as_typed(name, typed) for name in self.fields}

    def _add(self, path: str, made: forms.Field, shown: Any) -> None:
        self.fields[path] = made
        self.initial[path] = shown

    def _add_phases(self) -> None:
        for number, shape in enumerate(self.shapes):
            for path, made in phase_fields.fields_of(number, shape):
                was = self.as_it_is["phases"][shape.was] if shape.was is not None else {}
                kind = {"anchor": shape.anchor, "was": "" if shape.was is None else str(shape.was)}
                self._add(f"phases.{number}.{path}", made, kind.get(path, at(was, path)))

    def _add_home(self) -> None:
        made = (
            Numbers(label=_("Least minutes before going home"), required=False),
            Numbers(label=_("Vital signs no older than so many minutes"), required=False),
            forms.BooleanField(label=_("Somebody by name takes the patient home"), required=False),
        )
        for path, each in zip(HOME, made, strict=True):
            self._add(path, each, at(self.as_it_is, path))

    def _as_typed(self, name: str, typed: QueryDict) -> Any:
        several = getattr(self.fields[name].widget, "allow_multiple_selected", False)
        return typed.getlist(name) if several else typed.get(name, "")

    def sent(self) -> dict[str, Any]:
        """The whole content that the form holds, as `PATCH protocols/{id}/` takes it."""
        said, body = self.cleaned_data, deepcopy(self.as_it_is)
        body |= {name: said[name] for name in ("name", "indications", "sources", "code") if name in said}
        terms = {name_of(entry): entry for entry in self.as_it_is["gates"]}
        body["gates"] = [terms.get(gate, gate) for gate in said["gates"]]
        body["phases"] = [self._phase(number, shape, said) for number, shape in enumerate(self.shapes)]
        self._send_home(body, said)
        self.numbers = {}
        for rows in LISTS:
            filled = rows.filled(said)
            self.numbers[rows.name] = list(filled)
            if filled or at(body, rows.name):
                put_at(body, rows.name, [_row(row) for row in filled.values()])
        # The serializer fills in what is left open, which is no change of what was left open before.
        same = [name for name in ("observation", "discharge") if body[name] == self.as_it_is[name]]
        return {name: value for name, value in body.items() if name not in same}

    def _phase(self, number: int, shape: Shape, said: Mapping[str, Any]) -> dict[str, Any]:
        start = f"phases.{number}."
        own = {path.removeprefix(start): value for path, value in said.items() if path.startswith(start)}
        return phase_fields.phase_said(shape, self.as_it_is["phases"], own)

    def _send_home(self, body: dict[str, Any], said: Mapping[str, Any]) -> None:
        least = said[HOME[0]]
        values = (least if least is None or isinstance(least, list) else [least], *(said[path] for path in HOME[1:]))
        for path, value in zip(HOME, values, strict=True):
            if value != at(body, path) and not (value in NOTHING_SAID and at(body, path) in NOTHING_SAID):
                put_at(body, path, [] if value is None and path == HOME[0] else value)

    def place_of(self, path: str) -> str:
        """Rows of lists have another number on the form, where empty ones fell away."""
        for rows in LISTS:
            number, _dot, column = path.removeprefix(f"{rows.name}.").partition(".")
            if path.startswith(f"{rows.name}.") and number.isdigit():
                return f"{rows.name}.{self.numbers[rows.name][int(number)]}.{column.partition('.')[0] or rows.whole}"
        start, number, rest = (*path.split(".", 2), "", "")[:3]
        if start != "phases" or not number.isdigit() or int(number) >= len(self.shapes):
            return path
        return f"{start}.{number}.{phase_fields.place_of(rest, self.shapes[int(number)])}"

    def groups(self) -> Iterator[Group]:
        """The fields under their headings, as the page shows them."""
        first = ["code"] if "code" in self.fields else []
        yield Group(gettext("What it is"), [self[name] for name in ("name", *first, "indications")])
        for number, shape in enumerate(self.shapes):
            yield self._phase_group(number, shape)
        yield Group(gettext("Before it starts"), [self["gates"]])
        yield Group(gettext("Watching"), rows=[*self._rows(VITALS), *self._rows(LIMITS)])
        yield Group(gettext("Going home"), [self[name] for name in HOME], self._rows(SCORES))
        yield Group(gettext("Reminders"), rows=self._rows(REMINDERS))
        yield Group(gettext("Check-ins"), rows=self._rows(CHECK_INS))
        yield Group(gettext("What it rests on"), [self["sources"]])

    def _phase_group(self, number: int, shape: Shape) -> Group:
        name = self[f"phases.{number}.name"].value() or gettext("not named yet")
        title = gettext("Phase %(number)s: %(name)s") % {"number": number + 1, "name": spoken(str(name))}
        found = {path.name.split(".", 2)[2]: path for path in self._starting(f"phases.{number}.")}
        parts = [
            (str(words), [found[path] for path in found if path.startswith(starts)])
            for words, starts in phase_fields.PARTS.items()
        ]
        hidden = [found["anchor"], found["was"]]
        last = number == len(self.shapes) - 1
        rows = [(words, fields) for words, fields in parts if fields]
        return Group(title, [], rows, hidden, number, last, str(ANCHORS[shape.anchor]))

    def _starting(self, start: str) -> list[BoundField]:
        return [self[name] for name in self.fields if name.startswith(start)]

    def _rows(self, rows: Rows) -> list[tuple[str, list[BoundField]]]:
        numbers = range(self.counts[rows.name])
        return [(rows.title % {"number": n + 1}, self._starting(f"{rows.name}.{n}.")) for n in numbers]

    @property
    def full(self) -> bool:
        """Whether no further phase may be added."""
        return len(self.shapes) >= MOST_PHASES


class NewProtocolForm(ProtocolForm):
    """A course that is not there yet: it has a code, which stays."""

    code = forms.CharField(label=_("Short code, as on orders and lists"), max_length=50, required=False)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return row | ({"at": f"{row['at']:%H:%M}"} if "at" in row else {})


def with_phase(typed: QueryDict, anchor: str) -> QueryDict:
    """What was typed, with one phase more that is spaced so; an unknown way of spacing adds none."""
    more, count = typed.copy(), 0
    while f"phases.{count}.anchor" in more:
        count += 1
    if anchor in ANCHORS and count < MOST_PHASES:
        more[f"phases.{count}.anchor"] = anchor
    return more


def without_phase(typed: QueryDict, number: int) -> QueryDict:
    """What was typed, without that phase; those after it move up. The only one stays."""
    less, end = typed.copy(), number
    while f"phases.{end + 1}.anchor" in less:
        end += 1
    if f"phases.{number}.anchor" not in less or (number == 0 and end == 0):
        return less
    places = {name: _place(name) for name in typed}
    for name, place in places.items():
        if number <= place <= end:
            less.pop(name)
    for name, place in places.items():
        if number < place <= end:
            less.setlist(f"phases.{place - 1}.{name.split('.', 2)[2]}", typed.getlist(name))
    return less


def _place(name: str) -> int:
    """The number of the phase that a field stands in; -1 where in none."""
    start, number, path = (*name.split(".", 2), "", "")[:3]
    place = place_number(number) if start == "phases" and path else None
    return -1 if place is None else place
