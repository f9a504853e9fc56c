"""What staff and patients send on the day, and what they are shown of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from accounts.http import fields
from accounts.http.serializers import StrictModelSerializer, StrictSerializer
from scheduler.gates import ACTIONS, measures
from sessions import adverse_events, observation, scores
from sessions.api.serializers import SessionSerializer
from sessions.discharge import Leaving
from sessions.models import AdverseEvent, VitalSigns

if TYPE_CHECKING:
    from sessions.gates import Standing

OUTCOMES = ["met", "not_met", "not_applicable"]
NOTE_AT_MOST = 2000


class OverrideSerializer(StrictSerializer):
    """Why a rule is passed over."""

    reason = fields.TextField(max_length=500)


class StartSerializer(StrictSerializer):
    """The infusion begins; `override` passes gates that are open, for those whom the gates name."""

    override = OverrideSerializer(required=False, allow_null=True, default=None)


class MeasuresSerializer(StrictSerializer):
    """Measured values. What no human has is refused (`not_human`)."""

    systolic = fields.StrictInteger(required=False)
    diastolic = fields.StrictInteger(required=False)
    heart_rate = fields.StrictInteger(required=False)
    spo2 = fields.StrictInteger(required=False)
    respiratory_rate = fields.StrictInteger(required=False)
    temperature = fields.StrictNumber(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Something was measured, and a human can have it."""
        values = {name: attrs[name] for name in measures() if name in attrs}
        if not values:
            raise ValidationError({"systolic": [ErrorDetail("Give at least one value.", code="required")]})
        faults = {
            name: [ErrorDetail(f"This lies between {low} and {high}.", code="not_human")]
            for name, low, high in observation.human(values)
        }
        if values.get("diastolic", 0) >= values.get("systolic", 1000):
            faults["diastolic"] = [ErrorDetail("The lower pressure lies below the upper one.", code="not_human")]
        if faults:
            raise ValidationError(faults)
        return dict(attrs)


class GateSerializer(StrictSerializer):
    """Whether one of the protocol's gates is met; `values` are what was measured for it."""

    gate = fields.TextField(max_length=40)
    outcome = fields.StrictChoice(choices=OUTCOMES)
    note = fields.TextField(max_length=NOTE_AT_MOST, required=False, allow_blank=True, default="", multiline=True)
    values = MeasuresSerializer(required=False, allow_null=True, default=None)


class SaidSerializer(StrictSerializer):
    """What the patient says of one gate; of an escort, `note` is the name."""

    gate = fields.TextField(max_length=40)
    outcome = fields.StrictChoice(choices=OUTCOMES)
    note = fields.TextField(max_length=NOTE_AT_MOST, required=False, allow_blank=True, default="", multiline=True)


class PreparationSerializer(StrictSerializer):
    """What the patient says before the visit."""

    answers = fields.StrictList(child=SaidSerializer(), allow_empty=False, max_length=50)


class VitalsSerializer(MeasuresSerializer):
    """One reading; `taken_at` is now unless it says otherwise."""

    taken_at = fields.InstantField(required=False)
    note = fields.TextField(max_length=NOTE_AT_MOST, required=False, allow_blank=True, default="", multiline=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """As a reading is recorded."""
        attrs = super().validate(attrs)
        values = {name: attrs.pop(name) for name in measures() if name in attrs}
        return {**attrs, "values": values}


class SlowSerializer(StrictSerializer):
    """Another rate, in percent of the planned one."""

    rate_percent = fields.StrictInteger(min_value=1, max_value=200)
    reason = fields.TextField(max_length=500, required=False, allow_blank=True, default="")


class AdverseEventSerializer(StrictModelSerializer):
    """Something that went ill, with its CTCAE grade (1 mild, 2 moderate, 3 severe, 4 life-threatening, 5 death)."""

    grade = fields.StrictInteger(min_value=1, max_value=5)
    term = fields.TextField(max_length=200)
    onset = fields.InstantField()
    action = fields.StrictChoice(choices=adverse_events.ACTIONS)
    outcome = fields.StrictChoice(choices=adverse_events.OUTCOMES)
    symptoms = fields.TextField(max_length=2000, required=False, allow_blank=True, default="", multiline=True)
    drugs_given = fields.TextField(max_length=1000, required=False, allow_blank=True, default="", multiline=True)
    rechallenge_plan = fields.TextField(max_length=1000, required=False, allow_blank=True, default="", multiline=True)
    amends = fields.ReferenceField(
        lambda user: adverse_events.visible_adverse_events(user), required=False, allow_null=True, default=None
    )

    class Meta:
        model = AdverseEvent
        fields: ClassVar = [
            "id",
            "session",
            "grade",
            "term",
            "onset",
            "action",
            "outcome",
            "symptoms",
            "drugs_given",
            "rechallenge_plan",
            "rate_percent",
            "amends",
            "reported_by",
            "reported_at",
        ]
        read_only_fields: ClassVar = ["id", "session", "rate_percent", "reported_by", "reported_at"]


class ScoreItemsField(serializers.DictField):
    """The items of a score, each 0, 1 or 2."""

    child = fields.StrictInteger(min_value=0, max_value=2)


class DischargeSerializer(StrictSerializer):
    """How the patient leaves; `score` is the recovery score, 0 to 10 (modified Aldrete or PADSS)."""

    escort_name = fields.TextField(max_length=200, required=False, allow_blank=True, default="")
    score = fields.StrictInteger(min_value=0, max_value=10, required=False, allow_null=True, default=None)
    instrument = fields.StrictChoice(choices=list(scores.ITEMS), required=False, allow_null=True, default=None)
    items = ScoreItemsField(required=False, allow_null=True, default=None)
    take_home = fields.StrictList(child=fields.TextField(max_length=200), max_length=20, required=False, default=list)
    override = OverrideSerializer(required=False, allow_null=True, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """As `discharge` takes it."""
        override = attrs.pop("override")
        return {"leaving": Leaving(**attrs), "override": override}


class OutOfLimitsSerializer(StrictSerializer):
    """One value beyond a limit, and what that calls for."""

    measure = fields.TextField()
    value = fields.StrictNumber()
    limit = fields.StrictNumber()
    action = fields.StrictChoice(choices=list(ACTIONS))


class ReadingSerializer(StrictModelSerializer):
    """One reading."""

    answers = OutOfLimitsSerializer(many=True)

    class Meta:
        model = VitalSigns
        fields: ClassVar = [
            "id",
            "taken_at",
            "taken_by",
            "systolic",
            "diastolic",
            "heart_rate",
            "spo2",
            "respiratory_rate",
            "temperature",
            "note",
            "answers",
        ]
        read_only_fields: ClassVar = fields


class VitalsAnswerSerializer(SessionSerializer):
    """The session, with the reading just written and what it calls for."""

    reading = ReadingSerializer(read_only=True)

    class Meta(SessionSerializer.Meta):
        fields: ClassVar = [*SessionSerializer.Meta.fields, "reading"]
        read_only_fields: ClassVar = fields


class AdverseAnswerSerializer(SessionSerializer):
    """The session, with the event just written and how the series stands now."""

    adverse_event = AdverseEventSerializer(read_only=True)
    series_status = fields.TextField(read_only=True)

    class Meta(SessionSerializer.Meta):
        fields: ClassVar = [*SessionSerializer.Meta.fields, "adverse_event", "series_status"]
        read_only_fields: ClassVar = fields


class StandingSerializer(StrictSerializer):
    """How one gate stands."""

    gate = fields.TextField()
    rule = fields.TextField()
    severity = fields.TextField()
    at = fields.StrictList(child=fields.TextField())
    open = fields.StrictBoolean()
    outcome = fields.TextField(allow_null=True)
    note = fields.TextField(allow_blank=True)
    answered_at = fields.TextField(allow_null=True)
    answered_by = fields.TextField(allow_null=True)
    said_by = fields.TextField(allow_null=True)
    session = fields.UUIDField(allow_null=True)
    patient_may = fields.StrictBoolean()
    override_roles = fields.StrictList(child=fields.TextField())

    def to_representation(self, instance: Standing) -> dict[str, Any]:
        """The gate and its answer, beside each other."""
        gate, answer = instance.gate, instance.answer
        return {
            "gate": gate.name,
            "rule": gate.rule,
            "severity": gate.severity,
            "at": list(gate.at),
            "open": instance.open,
            "outcome": answer.get("outcome"),
            "note": answer.get("note", ""),
            "answered_at": answer.get("at"),
            "answered_by": answer.get("by"),
            "said_by": answer.get("said_by"),
            "session": None if instance.session is None else str(instance.session),
            "patient_may": gate.patient_may,
            "override_roles": sorted(gate.override_roles),
        }


class DueSerializer(StrictSerializer):
    """One time at which vital signs are wanted."""

    at = fields.InstantField()
    status = fields.StrictChoice(choices=["coming", "due", "overdue", "missed", "done"])


class SessionDaySerializer(StrictSerializer):
    """One visit as it is lived: gates, readings and what is due, what went ill, when it should be over."""

    session = fields.UUIDField()
    gates = StandingSerializer(many=True)
    vitals = ReadingSerializer(many=True)
    due = DueSerializer(many=True)
    adverse_events = AdverseEventSerializer(many=True)
    expected_end = fields.InstantField(allow_null=True)
    ready_at = fields.InstantField(allow_null=True)
    rate_percent = fields.StrictInteger()
    escort_name = fields.TextField(allow_blank=True)
    discharge_score = fields.StrictInteger(allow_null=True)
    discharge_record = fields.StrictJSON()


class PreparationAskedSerializer(StrictSerializer):
    """What the patient may say before the visit, and what was said."""

    gates = StandingSerializer(many=True)
