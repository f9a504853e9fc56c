"""The phases of a protocol as fields: how its visits are spaced says which figures a phase has."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from web.protocol_words import CHAIRS
from web.record_forms import Lines, Numbers, at, drop_at, place_number, put_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_PHASES: Final = 20
# A phase of one visit may say nothing of its day.
ONCE: Final = "once"
ANCHORS: Final = {
    "previous": _("So many days after the visit before"),
    "series_start": _("On days counted from the first visit of all"),
    "cycle_start": _("On days of a cycle that comes again"),
    ONCE: _("One visit only"),
}
# Figures of a spacing in the order in which people read them, each with its words.
SPACINGS: Final[dict[str, dict[str, Any]]] = {
    "previous": {
        "target_days": _("Days between visits"),
        "min_days": _("Days between visits, at least"),
        "max_days": _("Days between visits, at most"),
    },
    "series_start": {
        "target_days": _("Day of each visit (the first of all is day 0)"),
        "early_days": _("Days sooner, at most"),
        "late_days": _("Days later, at most"),
    },
    "cycle_start": {
        "cycle_days": _("Days of a cycle"),
        "target_days": _("Days of the cycle with a visit (its first is day 0)"),
        "early_days": _("Days sooner, at most"),
        "late_days": _("Days later, at most"),
        "cycle_early_days": _("Days that a cycle may come sooner"),
        "cycle_late_days": _("Days that a cycle may come later"),
    },
    ONCE: {},
}
FIRST: Final = {
    "target_days": _("Days before the first visit"),
    "min_days": _("Days before the first visit, at least"),
    "max_days": _("Days before the first visit, at most"),
}
FIRST_ANCHORS: Final = [
    ("previous", _("the visit before")),
    ("series_start", _("the first visit of all")),
    ("cycle_start", _("the first visit of the last cycle")),
]
LATE: Final = [
    ("", _("nothing is said")),
    ("shift_chain", _("the rest moves with it")),
    ("keep_anchor", _("the rest stays")),
]
FIGURES: Final = {
    "minutes.prepare": _("Minutes to prepare"),
    "minutes.infuse": _("Minutes of infusion"),
    "minutes.recover": _("Minutes of recovery"),
    "minutes.turnover": _("Minutes to tidy"),
    "hands_on_minutes": _("Minutes with the nurse at the chair"),
    "acuity": _("Points against a nurse’s most"),
}
# Under which words the fields of a phase stand, by how their places begin.
PARTS: Final = {
    _("What it is"): ("name", "sessions"),
    _("When"): ("spacing.",),
    _("How long"): ("minutes.", "hands_on_minutes"),
    _("Nurse and chair"): ("acuity", "chair."),
}
OF_FIRST: Final = tuple(f"spacing.first.{name}" for name in FIRST)


@dataclass(frozen=True)
class Shape:
    """A phase on a form: how its visits are spaced, and which phase of the protocol it was (None: a new one)."""

    anchor: str
    was: int | None


def shapes_of(phases: list[Any]) -> list[Shape]:
    """The phases of a protocol as it is."""
    return [Shape((phase.get("spacing") or {}).get("anchor", ONCE), number) for number, phase in enumerate(phases)]


def shapes_said(said: Mapping[str, Any], phases: list[Any]) -> list[Shape]:
    """The phases that a sent form tells of, in order, told by `phases.0.anchor` and `phases.0.was`."""
    own, found = shapes_of(phases), list[Shape]()
    while len(found) <= MOST_PHASES and (anchor := said.get(f"phases.{len(found)}.anchor")) in ANCHORS:
        was = place_number(said.get(f"phases.{len(found)}.was", ""))
        # What a phase was, and does not stand on the form, goes along only as long as it is spaced alike.
        alike = was is not None and was < len(own) and own[was].anchor == anchor
        found.append(Shape(anchor, was if alike else None))
    return found


def fields_of(number: int, shape: Shape) -> Iterator[tuple[str, forms.Field]]:
    """The fields of a phase by their place in it; the first two, hidden, say what kind it is."""
    yield "anchor", forms.CharField(widget=forms.HiddenInput, required=False)
    yield "was", forms.CharField(widget=forms.HiddenInput, required=False)
    yield "name", forms.CharField(label=_("Name of this phase"), max_length=100, required=False)
    yield "sessions", Numbers(label=_("Visits (empty: as many as are ordered)"), required=False)
    for name, label in SPACINGS[shape.anchor].items():
        yield f"spacing.{name}", Numbers(label=label, required=False)
    if shape.anchor != ONCE:
        yield from _optional(number)
    for path, label in FIGURES.items():
        yield path, Numbers(label=label, required=False)
    kinds = [(kind, _(word)) for kind, word in CHAIRS.items()]
    boxes = forms.CheckboxSelectMultiple
    label = _("Chairs that will do (none: any)")
    yield "chair.kinds", forms.MultipleChoiceField(label=label, choices=kinds, required=False, widget=boxes)
    features = _("What the chair must have (one a line)")
    yield "chair.features", Lines(label=features, required=False, widget=forms.Textarea({"rows": 2}))


def _optional(number: int) -> Iterator[tuple[str, forms.Field]]:
    """What a phase may say of its first visit and of lateness; empty says nothing."""
    if number:
        for name, label in FIRST.items():
            yield f"spacing.first.{name}", Numbers(label=label, required=False)
        counted = _("The first visit’s days count from")
        yield "spacing.first.anchor", forms.ChoiceField(label=counted, choices=FIRST_ANCHORS, required=False)
    yield "spacing.max_span_days", Numbers(label=_("Days from first to last, at most"), required=False)
    yield "spacing.late_policy", forms.ChoiceField(label=_("If one comes late"), choices=LATE, required=False)


def place_of(path: str, shape: Shape) -> str:
    """The field at which a fault of a whole part of a phase stands."""
    days = "sessions" if shape.anchor == ONCE else "spacing.target_days"
    whole = {"": "name", "spacing": days, "spacing.first": "spacing.first.target_days", "minutes": "minutes.infuse"}
    return whole.get(path, path)


def phase_said(shape: Shape, phases: list[Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The phase in the API's shape: what it was, with what the form says of it by place."""
    phase: dict[str, Any] = {"minutes": {}} if shape.was is None else deepcopy(phases[shape.was])
    if shape.anchor != ONCE and shape.was is None:
        phase["spacing"] = {"anchor": shape.anchor}
    said = {path: value for path, value in said.items() if path not in ("anchor", "was")}
    if not any(said.get(path) for path in OF_FIRST):
        said = {path: None if path.startswith("spacing.first.") else value for path, value in said.items()}
        (phase.get("spacing") or {}).pop("first", None)
    for path, value in said.items():
        if at(phase, path) == [value]:
            continue
        if path == "sessions" or value not in (None, "", []):
            put_at(phase, path, value)
        elif at(phase, path) not in (None, []):
            drop_at(phase, path)
    return phase
