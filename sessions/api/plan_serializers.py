"""A request for plans, plans and holds as they come in and go out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from accounts.http import fields
from accounts.http.references import LateReference, found
from accounts.http.serializers import StrictModelSerializer, StrictSerializer
from scheduler.models import ChairKind
from scheduler.planner import Wishes
from scheduler.queries import visible_providers
from sessions.api.infeasible import InfeasibleSerializer
from sessions.models import Plan
from sessions.queries import to_be_planned, visible_series, visible_sessions

if TYPE_CHECKING:
    from uuid import UUID

    from accounts.models import Site


class TimeWindowSerializer(StrictSerializer):
    """A part of the day, in the site's wall time."""

    # `from` is no name in Python.
    def get_fields(self) -> dict[str, serializers.Field]:
        """The two ends."""
        return {"from": fields.LocalTimeField(), "until": fields.LocalTimeField()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The window must have something in it."""
        if attrs["until"] <= attrs["from"]:
            raise serializers.ValidationError({"until": ["The window ends before it begins."]}, code="empty_range")
        return attrs


class PreferencesSerializer(StrictSerializer):
    """Wishes; all but `same_time_of_day` are kept in every plan."""

    weekdays = fields.StrictList(
        child=fields.StrictInteger(min_value=0, max_value=6), required=False, allow_empty=False, max_length=7
    )
    time_windows = fields.StrictList(child=TimeWindowSerializer(), required=False, allow_empty=False, max_length=10)
    provider = fields.ReferenceField(visible_providers, required=False)
    chair_kind = fields.StrictChoice(choices=ChairKind.choices, required=False)
    same_time_of_day = fields.StrictBoolean(required=False, default=False)


class PlanRequestSerializer(StrictSerializer):
    """What is asked of the planner: a new series under a `protocol`, what is to come of a `series`, or another place
    for one `session`. The last two are at their own site."""

    protocol = LateReference(required=False)
    site = LateReference(required=False)
    series = fields.ReferenceField(
        lambda user: visible_series(user).select_related("site", "protocol", "patient__site"), required=False
    )
    session = fields.ReferenceField(
        lambda user: visible_sessions(user).select_related("series__site", "series__protocol", "series__patient__site"),
        required=False,
    )
    patient = LateReference(required=False, allow_null=True)
    earliest_date = fields.DateField()
    latest_date = fields.DateField()
    preferences = PreferencesSerializer(required=False)
    sessions = fields.StrictInteger(required=False, min_value=1, max_value=200)
    limit = fields.StrictInteger(required=False, default=3, min_value=1, max_value=10)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """What can be seen from the fields alone."""
        self._one_subject(attrs)
        if "site" in attrs:
            attrs |= self._found(attrs["site"], attrs.get("patient"), attrs["protocol"])
        if attrs["latest_date"] < attrs["earliest_date"]:
            raise serializers.ValidationError(
                {"latest_date": ["The latest date lies before the earliest."]}, code="empty_range"
            )
        provider = attrs.get("preferences", {}).get("provider")
        if provider is not None and provider.site_id != site_of(attrs).pk:
            raise serializers.ValidationError(
                {"preferences": {"provider": ["This provider works at another site."]}}, code="provider_of_other_site"
            )
        return attrs

    def _found(self, site: UUID, patient: UUID | None, protocol: UUID) -> dict[str, Any]:
        """The records of a new series by field, found by one question."""
        here, who, under = to_be_planned(self.context["request"].user, site, patient, protocol)
        named = {} if patient is None else {"patient": who}
        return found({"site": here, "protocol": under} | named)

    def _one_subject(self, attrs: dict[str, Any]) -> None:
        """A protocol at a site, a series, or a session; nothing that belongs to another of the three."""
        subject = next((name for name in ("series", "session") if name in attrs), None)
        own = {"protocol", "patient", "site"}
        if subject is None:
            missing = [name for name in ("protocol", "site") if name not in attrs]
            wrong = {name: [ErrorDetail("This field is required.", code="required")] for name in missing}
        else:
            said = own | {"session"} if subject == "series" else own | {"sessions"}
            detail = f"A {subject} says this itself."
            wrong = {name: [ErrorDetail(detail, code="not_with_subject")] for name in sorted(said & attrs.keys())}
        if wrong:
            raise serializers.ValidationError(wrong)


def site_of(asked: dict[str, Any]) -> Site:
    """The site that a checked request is about."""
    if "session" in asked:
        return asked["session"].series.site
    return asked["series"].site if "series" in asked else asked["site"]


def wishes_of(asked: dict[str, Any]) -> Wishes:
    """The planner's wishes from a checked request."""
    wished = asked.get("preferences", {})
    weekdays = wished.get("weekdays")
    provider = wished.get("provider")
    return Wishes(
        earliest=asked["earliest_date"],
        latest=asked["latest_date"],
        weekdays=None if weekdays is None else frozenset(weekdays),
        time_windows=tuple((minutes(each["from"]), minutes(each["until"])) for each in wished.get("time_windows", [])),
        provider=None if provider is None else str(provider.pk),
        chair_kind=wished.get("chair_kind"),
        same_time_of_day=wished.get("same_time_of_day", False),
    )


def minutes(wall: Any) -> int:
    """The minute of the wall clock."""
    return int(wall.hour * 60 + wall.minute)


PLANNED = ("sequence", "phase", "start", "end", "chair", "nurse", "prescriber")


class PlannedSessionSerializer(StrictSerializer):
    """One session of a plan."""

    sequence = fields.StrictInteger()
    phase = fields.TextField()
    start = fields.InstantField()
    end = fields.InstantField()
    chair = fields.UUIDField()
    nurse = fields.UUIDField()
    prescriber = fields.UUIDField()

    def to_representation(self, instance: dict[str, Any]) -> dict[str, Any]:
        """The row as it is kept; its instants are ISO 8601 already."""
        row = {name: instance[name] for name in PLANNED}
        return row | {name: row[name].replace("+00:00", "Z") for name in ("start", "end")}


class PlanSerializer(StrictModelSerializer):
    """A proposed whole series."""

    sessions = PlannedSessionSerializer(many=True, read_only=True)

    class Meta:
        model = Plan
        fields: ClassVar = [
            "id",
            "score",
            "expires_at",
            "held_until",
            "protocol",
            "site",
            "patient",
            "series",
            "session",
            "sessions",
        ]
        read_only_fields: ClassVar = fields


class ProposalSerializer(StrictSerializer):
    """What the planner found."""

    plans = PlanSerializer(many=True)
    infeasible = InfeasibleSerializer(allow_null=True)


class HoldSerializer(StrictSerializer):
    """Until when a plan is kept."""

    expires_at = fields.InstantField(source="held_until")
