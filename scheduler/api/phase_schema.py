"""The shape of a protocol's phases in words of JSON Schema, for the API's description. `scheduler.phases` judges."""

from __future__ import annotations

from typing import Any, Final

from scheduler.missed import RULES
from scheduler.models import ChairKind


def _record(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def _days(least: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least}


def _by_ordinal(one: dict[str, Any], meaning: str) -> dict[str, Any]:
    """A number, or a list by ordinal whose last entry repeats."""
    return {"oneOf": [one, {"type": "array", "items": one, "minItems": 1}], "description": meaning}


def _anchor(name: str) -> dict[str, Any]:
    return {"type": "string", "enum": [name]}


_MINUTES: Final = {"type": "integer", "minimum": 0, "multipleOf": 5}
_TARGETS: Final = {"type": "array", "items": _days(0), "minItems": 1, "description": "Days from the anchor."}
_FIRST: Final = _record(
    ["anchor", "min_days", "target_days", "max_days"],
    anchor={"type": "string", "enum": ["previous", "series_start", "cycle_start"]},
    min_days=_days(1),
    target_days=_days(1),
    max_days=_days(1),
)
_OPTIONAL: Final = {
    "first": {**_FIRST, "description": "When the first session of a later phase falls."},
    "max_span_days": {**_days(0), "description": "Last day minus first day of the phase."},
    "late_policy": {"type": "string", "enum": ["shift_chain", "keep_anchor"]},
}
SPACING: Final = {
    "description": "Calendar days of the site.",
    "oneOf": [
        _record(
            ["anchor", "min_days", "target_days", "max_days"],
            anchor=_anchor("previous"),
            min_days=_by_ordinal(_days(1), "Least days since the session before."),
            target_days=_by_ordinal(_days(1), "Wanted days since the session before."),
            max_days=_by_ordinal(_days(1), "Most days since the session before."),
            **_OPTIONAL,
        ),
        _record(
            ["anchor", "target_days"],
            anchor=_anchor("series_start"),
            target_days=_TARGETS,
            early_days=_days(0),
            late_days=_days(0),
            **_OPTIONAL,
        ),
        _record(
            ["anchor", "cycle_days", "target_days"],
            anchor=_anchor("cycle_start"),
            cycle_days=_days(1),
            target_days=_TARGETS,
            early_days=_days(0),
            late_days=_days(0),
            cycle_early_days=_days(0),
            cycle_late_days=_days(0),
            **_OPTIONAL,
        ),
    ],
}
PHASE: Final = _record(
    ["name", "sessions", "minutes"],
    name={"type": "string", "minLength": 1},
    sessions={"type": ["integer", "null"], "minimum": 1, "maximum": 200, "description": "null: open-ended."},
    spacing=SPACING,
    minutes=_record(
        ["prepare", "infuse", "recover", "turnover"],
        prepare=_MINUTES,
        infuse=_by_ordinal({**_MINUTES, "minimum": 5}, "By ordinal within the phase; the last entry repeats."),
        recover=_by_ordinal(_MINUTES, "By ordinal within the phase; the last entry repeats."),
        turnover=_MINUTES,
    ),
    hands_on_minutes={
        **_MINUTES,
        "minimum": 5,
        "default": 15,
        "description": "One patient at a time a nurse, from `start`.",
    },
    chair=_record(
        [],
        kinds={"type": "array", "items": {"type": "string", "enum": list(ChairKind.values)}},
        features={"type": "array", "items": {"type": "string"}},
    ),
    missed=_record(
        ["rule", "source"],
        rule={"type": "string", "enum": list(RULES), "description": "What a lost session means. Default: review."},
        source={"type": "string", "minLength": 1},
    ),
    acuity={"type": "integer", "minimum": 1, "maximum": 100, "default": 1, "description": "A nurse's points."},
)
PHASES: Final = {"type": "array", "items": PHASE, "minItems": 1, "maxItems": 20}
