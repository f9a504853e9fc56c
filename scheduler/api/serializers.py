"""Supply and protocols as they come in and go out."""

from __future__ import annotations

from dataclasses import asdict
from datetime import time
from typing import Any, ClassVar, Final

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from accounts.http import fields
from accounts.http.serializers import StrictModelSerializer, StrictSerializer
from accounts.models import Channel, Site
from accounts.queries import staffed_sites
from scheduler.api.day_serializers import DischargeField, GateField, ObservationField
from scheduler.api.phase_schema import PHASES
from scheduler.gates import name_of
from scheduler.models import (
    AvailabilityRule,
    Chair,
    ChairClosure,
    OpeningHours,
    Protocol,
    Provider,
    SiteClosure,
    TimeOff,
)
from scheduler.plans import MOST_FOR_A_DAY_OFF, MOST_WEIGHT, Weights
from scheduler.protocols import INSTRUMENT_CODES
from scheduler.queries import colleagues, staffed_chairs, staffed_providers
from scheduler.sites import overlapping
from scheduler.treatment import Problem, TreatmentError, parse_phases

LAST_CLOSING: Final = time(23, 59)
# From what the hours of a follow-up count: this discharge, the start of this session, the end of the series.
ANCHORS: Final = ("discharge", "before_session", "series_end")
MOST_HOURS_BEFORE, MOST_HOURS_AFTER = 2160, 8760


class Fixed(StrictModelSerializer):
    """A record some of whose fields (`Meta.fixed`) are given when it is made and stay so."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a change of what is fixed; the same value again is no change."""
        for name in getattr(self.Meta, "fixed", ()) if self.instance is not None else ():
            if name in attrs and attrs[name] != getattr(self.instance, name):
                raise ValidationError({name: [ErrorDetail("This stays as it was made.", code="read_only")]})
        return attrs

    def value(self, attrs: dict[str, Any], name: str) -> Any:
        """The field as it will be."""
        return attrs[name] if name in attrs else getattr(self.instance, name, None)


class Entry(serializers.Serializer):
    """An entry of a list that is replaced whole: nothing of it may be left out, in a change neither."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse what lacks a field. DRF asks for none where the record around it is only changed."""
        value = super().to_internal_value(data)
        wanted = [name for name, field in self.fields.items() if field.required and name not in data]
        if wanted:
            raise ValidationError({name: [ErrorDetail("This field is required.", code="required")] for name in wanted})
        return value


class OpeningHoursSerializer(Entry, StrictModelSerializer):
    """One span of a weekday in which a site is open, in its wall time."""

    class Meta:
        model = OpeningHours
        fields: ClassVar = ["weekday", "opens", "closes"]

    def validate_closes(self, value: time) -> time:
        """Hours lie within a day."""
        if value > LAST_CLOSING:
            raise ValidationError("A site closes at 23:59 at the latest.", code="out_of_range")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Closing comes after opening."""
        if attrs["opens"] >= attrs["closes"]:
            raise ValidationError({"closes": [ErrorDetail("A site closes after it opens.", code="empty_range")]})
        return attrs


class PlanWeightsSerializer(Entry, StrictSerializer):
    """What one unit of each term of a plan's cost counts in its `score`."""

    deviation = fields.StrictInteger(min_value=0, max_value=MOST_FOR_A_DAY_OFF)
    same_time = fields.StrictInteger(min_value=0, max_value=MOST_WEIGHT)
    first_day = fields.StrictInteger(min_value=0, max_value=MOST_WEIGHT)
    level = fields.StrictInteger(min_value=0, max_value=MOST_WEIGHT)
    fragments = fields.StrictInteger(min_value=0, max_value=MOST_WEIGHT)

    def to_representation(self, instance: dict[str, int]) -> dict[str, int]:
        """All five, where a site has said nothing too."""
        return asdict(Weights(**instance))


class SiteSerializer(StrictModelSerializer):
    """A clinic location. `opening_hours`, where sent, replace those there were."""

    time_zone = fields.TimeZoneField()
    phone = fields.PhoneField(required=False, allow_blank=True)
    opening_hours = OpeningHoursSerializer(many=True, required=False)
    plan_weights = PlanWeightsSerializer(required=False)

    class Meta:
        model = Site
        fields: ClassVar = [
            "id",
            "organization",
            "name",
            "time_zone",
            "phone",
            "crisis_line",
            "emergency_number",
            "on_call",
            "opening_hours",
            "last_reminder_minutes",
            "plan_life_minutes",
            "hold_life_minutes",
            "plan_weights",
            "late_cancel_hours",
            "hold_series_from_grade",
            "overdue_after_minutes",
            "late_from_minutes",
            "forgotten_after_minutes",
            "offer_minutes",
            "offers_at_once",
            "offers_a_day",
            "offer_lead_hours",
            "offers_rest_from",
            "offers_rest_until",
        ]
        read_only_fields: ClassVar = ["id", "organization", "on_call"]
        extra_kwargs: ClassVar = {
            "last_reminder_minutes": {"min_value": 0, "max_value": 1440},
            "plan_life_minutes": {"min_value": 1, "max_value": 1440},
            "hold_life_minutes": {"min_value": 1, "max_value": 120},
            "late_cancel_hours": {"min_value": 0, "max_value": 720},
            "hold_series_from_grade": {"min_value": 1, "max_value": 5},
            "overdue_after_minutes": {"min_value": 0, "max_value": 240},
            "late_from_minutes": {"min_value": 1, "max_value": 240},
            "forgotten_after_minutes": {"min_value": 0, "max_value": 720},
            "offer_minutes": {"min_value": 5, "max_value": 1440},
            "offers_at_once": {"min_value": 1, "max_value": 20},
            "offers_a_day": {"min_value": 0, "max_value": 20},
            "offer_lead_hours": {"min_value": 0, "max_value": 720},
        }

    def validate_opening_hours(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Spans of one weekday do not overlap."""
        if overlapping((span["weekday"], span["opens"], span["closes"]) for span in value):
            raise ValidationError("Two spans of one weekday overlap.", code="overlapping_hours")
        return value


class During(Fixed):
    """A record about a span of time: `start` and `end` outside, the range `during` inside.

    `disruption`, in the answer that tells of a new one, is the draft that mends what it does to bookings.
    """

    start = fields.InstantField(source="during.lower")
    end = fields.InstantField(source="during.upper")
    disruption = serializers.SerializerMethodField()

    @extend_schema_field({"type": ["string", "null"], "format": "uuid"})
    def get_disruption(self, record: Any) -> str | None:
        """The draft that was opened just now; null otherwise."""
        found = self.context.get("disruption")
        return None if found is None else str(found)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The end comes after the start."""
        attrs = super().validate(attrs)
        given, present = attrs.pop("during", {}), getattr(self.instance, "during", None)
        start, end = (given.get(edge) or getattr(present, edge) for edge in ("lower", "upper"))
        if end <= start:
            raise ValidationError({"end": [ErrorDetail("The end must come after the start.", code="empty_range")]})
        return {**attrs, "during": DateTimeTZRange(start, end)}


class SiteClosureSerializer(During):
    """A time in which a whole site is closed."""

    site = fields.ReferenceField(staffed_sites)

    class Meta:
        model = SiteClosure
        fields: ClassVar = ["id", "site", "start", "end", "reason", "disruption"]
        fixed: ClassVar = ["site"]


class ChairSerializer(Fixed):
    """A place where an infusion is given."""

    site = fields.ReferenceField(staffed_sites)
    features = fields.StrictList(child=fields.TextField(max_length=50), unique=True, max_length=50, required=False)

    class Meta:
        model = Chair
        fields: ClassVar = ["id", "site", "name", "kind", "features", "is_active"]
        fixed: ClassVar = ["site"]


class ChairClosureSerializer(During):
    """A time in which one chair cannot be used."""

    chair = fields.ReferenceField(staffed_chairs)

    class Meta:
        model = ChairClosure
        fields: ClassVar = ["id", "chair", "start", "end", "reason", "disruption"]
        fixed: ClassVar = ["chair"]


class ProviderSerializer(Fixed):
    """A person who gives care at a site."""

    site = fields.ReferenceField(staffed_sites)
    user = fields.ReferenceField(colleagues, required=False, allow_null=True)

    class Meta:
        model = Provider
        fields: ClassVar = ["id", "site", "name", "role", "capacity", "max_acuity", "user", "is_active"]
        fixed: ClassVar = ["site"]


class AvailabilityRuleSerializer(Fixed):
    """A weekly shift in the site's wall time; an end at or before the start is on the next day."""

    provider = fields.ReferenceField(staffed_providers)

    class Meta:
        model = AvailabilityRule
        fields: ClassVar = [
            "id",
            "provider",
            "weekday",
            "start_time",
            "end_time",
            "effective_from",
            "effective_until",
        ]
        fixed: ClassVar = ["provider"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A shift is not empty, nor are its dates reversed."""
        attrs = super().validate(attrs)
        if self.value(attrs, "start_time") == self.value(attrs, "end_time"):
            raise ValidationError({"end_time": [ErrorDetail("A shift is not empty.", code="empty_range")]})
        until = self.value(attrs, "effective_until")
        if until is not None and until < self.value(attrs, "effective_from"):
            fault = ErrorDetail("The last day comes on or after the first.", code="empty_range")
            raise ValidationError({"effective_until": [fault]})
        return attrs


class TimeOffSerializer(During):
    """A time in which a provider does not work."""

    provider = fields.ReferenceField(staffed_providers)

    class Meta:
        model = TimeOff
        fields: ClassVar = ["id", "provider", "start", "end", "reason", "disruption"]
        fixed: ClassVar = ["provider"]


@extend_schema_field(PHASES)
class PhasesField(serializers.Field):
    """A protocol's phases in the contract's shape, every contradiction in them told at once."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            parse_phases(data)
        except TreatmentError as error:
            raise ValidationError(_nested(error.problems)) from None
        return data

    def to_representation(self, value: Any) -> Any:
        return value


def _nested(problems: list[Problem]) -> dict[str, Any]:
    """The problems as nested dicts along their pointers, which is how faults of fields are told."""
    found: dict[str, Any] = {}
    for problem in problems:
        node = found
        for part in problem.pointer.split("/")[1:]:
            node = node.setdefault(part.replace("~1", "/").replace("~0", "~"), {})
        node.setdefault("non_field_errors", []).append(ErrorDetail(problem.detail, code=problem.code))
    return found


class ReminderSerializer(Entry, StrictSerializer):
    """A message before each session: so many hours before, or so many days before `at` a wall time of the site."""

    hours_before = fields.StrictInteger(min_value=0, max_value=MOST_HOURS_BEFORE, required=False)
    days_before = fields.StrictInteger(min_value=1, max_value=MOST_HOURS_BEFORE // 24, required=False)
    at = fields.LocalTimeField(required=False)
    channels = fields.StrictList(child=fields.StrictChoice(choices=Channel.choices), unique=True, allow_empty=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Hours, or days with a time; kept as JSON has it."""
        by_days = {"days_before", "at"} & attrs.keys()
        if not by_days and "hours_before" not in attrs:
            raise ValidationError({"hours_before": [ErrorDetail("How many hours before?", code="required")]})
        if by_days and ("hours_before" in attrs or len(by_days) == 1):
            raise ValidationError("Either hours_before, or days_before and at.", code="ambiguous")
        return attrs | ({"at": f"{attrs['at']:%H:%M}"} if by_days else {})


class FollowUpPlanSerializer(Entry, StrictSerializer):
    """A questionnaire so many hours after each discharge (or before a session, or after the series' end)."""

    instrument = fields.StrictChoice(choices=INSTRUMENT_CODES)
    hours_after = fields.StrictInteger(min_value=0, max_value=MOST_HOURS_AFTER)
    anchor = fields.StrictChoice(choices=ANCHORS, required=False)


class ProtocolSerializer(Fixed):
    """A treatment plan in one version. A change of what was approved or is in use gives the next version."""

    code = fields.TextField(max_length=50)
    indications = fields.StrictList(child=fields.TextField(max_length=200), unique=True, required=False)
    sources = fields.StrictList(child=fields.TextField(max_length=500), unique=True, required=False)
    phases = PhasesField()
    gates = fields.StrictList(child=GateField(), unique=True, max_length=50, required=False)
    observation = ObservationField(required=False)
    discharge = DischargeField(required=False)
    reminders = fields.StrictList(child=ReminderSerializer(), max_length=20, required=False)
    follow_ups = fields.StrictList(child=FollowUpPlanSerializer(), max_length=50, required=False)

    class Meta:
        model = Protocol
        fields: ClassVar = [
            "id",
            "code",
            "version",
            "name",
            "indications",
            "status",
            "approved_by",
            "approved_at",
            "sources",
            "phases",
            "gates",
            "observation",
            "discharge",
            "reminders",
            "follow_ups",
            "created_at",
        ]
        read_only_fields: ClassVar = ["id", "version", "approved_by", "approved_at", "created_at"]
        fixed: ClassVar = ["code"]

    def validate_status(self, value: str) -> str:
        """Nothing begins as retired."""
        if self.instance is None and value == Protocol.Status.RETIRED:
            raise ValidationError("A new protocol is a draft or approved.", code="invalid_choice")
        return value

    def validate_gates(self, value: list[Any]) -> list[Any]:
        """A gate stands here once, by name or as an object."""
        if len({name_of(entry) for entry in value}) < len(value):
            raise ValidationError("A gate stands here twice.", code="duplicate")
        return value

    def validate_reminders(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """One reminder an hour."""
        return _distinct(value, [(row.get("hours_before"), row.get("days_before"), row.get("at")) for row in value])

    def validate_follow_ups(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The same questionnaire once an hour."""
        return _distinct(
            value, [(row["instrument"], row.get("anchor", ANCHORS[0]), row["hours_after"]) for row in value]
        )


def _distinct(rows: list[dict[str, Any]], keys: list[Any]) -> list[dict[str, Any]]:
    if len(set(keys)) < len(keys):
        raise ValidationError("Two of these are for the same time.", code="duplicate")
    return [dict(row) for row in rows]
