"""What a protocol says about the day itself: gates, vital signs, discharge."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from accounts.http import fields
from accounts.http.serializers import StrictModelSerializer, StrictSerializer
from accounts.models import Role
from scheduler.gates import ACTIONS, measures
from scheduler.models import GateDefinition, Moment, Scope, Severity

GATE: Final = re.compile(r"[a-z0-9_]{1,40}", re.ASCII)
MOST_HOURS, MOST_MINUTES = 10 * 366 * 24, 24 * 60
# Who may be named to pass an open gate; never the front desk.
OVERRIDERS: Final = (Role.NURSE.value, Role.PRESCRIBER.value)
INSTRUMENTS: Final = ("aldrete", "padss")


class GateName(fields.TextField):
    """The name of something that must be true before an infusion starts."""

    default_error_messages: ClassVar = {"invalid": "A name of 1 to 40 small letters, digits and underscores."}

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if not GATE.fullmatch(name):
            self.fail("invalid")
        return name


class LimitSerializer(StrictSerializer):
    """A measured value that calls for something: `at_least` or `at_most`, one of the two."""

    measure = fields.StrictChoice(choices=list(measures()))
    at_least = fields.StrictNumber(required=False, min_value=0, max_value=1000)
    at_most = fields.StrictNumber(required=False, min_value=0, max_value=1000)
    action = fields.StrictChoice(choices=list(ACTIONS))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One edge."""
        if ("at_least" in attrs) == ("at_most" in attrs):
            raise ValidationError({"at_least": [ErrorDetail("Give at_least or at_most.", code="one_edge")]})
        return dict(attrs)


class GateTermsSerializer(StrictSerializer):
    """What a protocol asks of a gate otherwise than the organization does."""

    gate = GateName()
    severity = fields.StrictChoice(choices=Severity.choices, required=False)
    at = fields.StrictList(
        child=fields.StrictChoice(choices=Moment.choices), unique=True, allow_empty=False, required=False
    )
    scope = fields.StrictChoice(choices=Scope.choices, required=False)
    valid_hours = fields.StrictInteger(min_value=1, max_value=MOST_HOURS, required=False, allow_null=True)
    override_roles = fields.StrictList(child=fields.StrictChoice(choices=OVERRIDERS), unique=True, required=False)
    patient_may = fields.StrictBoolean(required=False)
    limits = fields.StrictList(child=LimitSerializer(), max_length=50, required=False)


GATE_TERMS: Final = {
    "type": "object",
    "required": ["gate"],
    "additionalProperties": False,
    "description": "What is asked of the gate here, in the terms of gate-definitions.",
    "properties": {
        "gate": {"type": "string", "pattern": "^[a-z0-9_]{1,40}$"},
        "severity": {"enum": list(Severity.values)},
        "at": {"type": "array", "items": {"enum": list(Moment.values)}, "minItems": 1},
        "scope": {"enum": list(Scope.values)},
        "valid_hours": {"type": ["integer", "null"], "minimum": 1, "maximum": MOST_HOURS},
        "override_roles": {"type": "array", "items": {"enum": list(OVERRIDERS)}},
        "patient_may": {"type": "boolean"},
        "limits": {"type": "array", "items": {"type": "object"}},
    },
}


@extend_schema_field({"oneOf": [{"type": "string", "pattern": "^[a-z0-9_]{1,40}$"}, GATE_TERMS]})
class GateField(serializers.Field):
    """A gate by its name, or an object with what is asked of it here."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            terms = GateTermsSerializer(data=data)
            terms.is_valid(raise_exception=True)
            return dict(terms.validated_data)
        return GateName().run_validation(data)

    def to_representation(self, value: Any) -> Any:
        return value


class StepSerializer(StrictSerializer):
    """Vital signs every so many minutes, from and until so many minutes of a part of the visit (null: its end)."""

    during = fields.StrictChoice(choices=["infuse", "recover"])
    every = fields.StrictInteger(min_value=1, max_value=MOST_MINUTES)

    def get_fields(self) -> dict[str, serializers.Field]:
        """`from` is no name in Python."""
        until = fields.StrictInteger(min_value=0, max_value=MOST_MINUTES, allow_null=True, required=False, default=None)
        return {
            **super().get_fields(),
            "from": fields.StrictInteger(min_value=0, max_value=MOST_MINUTES, required=False, default=0),
            "until": until,
        }


class ObservationSerializer(StrictSerializer):
    """Which vital signs are due when, and which values call for what."""

    vitals = fields.StrictList(child=StepSerializer(), max_length=20, required=False, default=list)
    early_minutes = fields.StrictInteger(min_value=0, max_value=60, required=False, default=5)
    late_minutes = fields.StrictInteger(min_value=0, max_value=60, required=False, default=5)
    repeat_after_minutes = fields.StrictInteger(min_value=1, max_value=60, required=False, default=5)
    limits = fields.StrictList(child=LimitSerializer(), max_length=50, required=False, default=list)


class ScoreRuleSerializer(StrictSerializer):
    """The least score with which a patient may leave."""

    instrument = fields.StrictChoice(choices=INSTRUMENTS)
    minimum = fields.StrictInteger(min_value=0, max_value=10)


class DischargeRulesSerializer(StrictSerializer):
    """What must be true before a patient goes home. `minimum_recovery_minutes` by ordinal; the last one repeats."""

    minimum_recovery_minutes = fields.StrictList(
        child=fields.StrictInteger(min_value=0, max_value=MOST_MINUTES), max_length=200, required=False, default=list
    )
    escort = fields.StrictBoolean(required=False, default=False)
    scores = fields.StrictList(child=ScoreRuleSerializer(), max_length=2, required=False, default=list)
    vitals_within_minutes = fields.StrictInteger(
        min_value=1, max_value=MOST_MINUTES, required=False, allow_null=True, default=None
    )
    override_roles = fields.StrictList(
        child=fields.StrictChoice(choices=OVERRIDERS), unique=True, required=False, default=list
    )


class Rules(serializers.Field):
    """An object of one of the shapes above, {} for none; kept as plain values."""

    def __init__(self, shape: type[StrictSerializer], **kwargs: Any) -> None:
        self.shape = shape
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if data == {}:
            return {}
        found = self.shape(data=data)
        found.is_valid(raise_exception=True)
        return _plain(found.validated_data)

    def to_representation(self, value: Any) -> Any:
        return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


@extend_schema_field(ObservationSerializer)
class ObservationField(Rules):
    """`ObservationSerializer`, or {}."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(ObservationSerializer, **kwargs)


@extend_schema_field(DischargeRulesSerializer)
class DischargeField(Rules):
    """`DischargeRulesSerializer`, or {}."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(DischargeRulesSerializer, **kwargs)


class GateDefinitionSerializer(StrictModelSerializer):
    """What a gate means in this organization."""

    gate = GateName()
    rule = fields.TextField(max_length=500)
    at = fields.StrictList(
        child=fields.StrictChoice(choices=Moment.choices), unique=True, allow_empty=False, required=False
    )
    valid_hours = fields.StrictInteger(min_value=1, max_value=MOST_HOURS, required=False, allow_null=True)
    override_roles = fields.StrictList(child=fields.StrictChoice(choices=OVERRIDERS), unique=True, required=False)
    limits = fields.StrictList(child=LimitSerializer(), max_length=50, required=False)
    sources = fields.StrictList(child=fields.TextField(max_length=500), unique=True, required=False)

    class Meta:
        model = GateDefinition
        fields: ClassVar = [
            "id",
            "gate",
            "rule",
            "severity",
            "at",
            "scope",
            "valid_hours",
            "override_roles",
            "patient_may",
            "limits",
            "sources",
        ]
        read_only_fields: ClassVar = ["id"]

    def validate_gate(self, value: str) -> str:
        """A name stays: protocols call the gate by it."""
        if self.instance is not None and value != self.instance.gate:
            raise ValidationError("This stays as it was made.", code="read_only")
        return value

    def validate_limits(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Plain values, for JSON."""
        return list(map(dict, value))
