"""Disruptions and their items, the waitlist and its offers, as they come in and go out."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from accounts.http import fields
from accounts.http.serializers import StrictModelSerializer, StrictSerializer
from accounts.models import Channel
from accounts.queries import staffed_sites, visible_patients
from scheduler.queries import staffed_chairs, staffed_providers, visible_protocols
from scheduler.walltime import local_date
from sessions.api.plan_serializers import TimeWindowSerializer, minutes
from sessions.facts import zone_of
from sessions.models import Disruption, DisruptionItem, DisruptionKind, Offer, Outcome, WaitlistEntry
from sessions.queries import visible_sessions

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

SUBJECTS = {
    DisruptionKind.PROVIDER_ABSENCE: "provider",
    DisruptionKind.CHAIR_CLOSURE: "chair",
    DisruptionKind.SITE_CLOSURE: "site",
}
TELL = ("nobody", "message", "call")


class WhereSerializer(StrictSerializer):
    """A place of a session."""

    start = fields.InstantField()
    end = fields.InstantField()
    chair = fields.UUIDField()
    nurse = fields.UUIDField()
    prescriber = fields.UUIDField()

    def to_representation(self, instance: dict[str, Any]) -> dict[str, Any]:
        """As it is kept; its instants are ISO 8601 already."""
        return {**instance, **{name: instance[name].replace("+00:00", "Z") for name in ("start", "end")}}


class DisruptionItemSerializer(StrictModelSerializer):
    """What becomes of one session. `tell` says how the patient hears of it: not at all, by message, or by a call."""

    # `from` is no name in Python.
    tell = serializers.SerializerMethodField()
    days_shifted = serializers.SerializerMethodField()

    class Meta:
        model = DisruptionItem
        fields: ClassVar = ["session", "patient", "outcome", "code", "why", "tell", "days_shifted"]
        read_only_fields: ClassVar = fields

    def get_fields(self) -> dict[str, serializers.Field]:
        """With the two places."""
        places = {
            "from": WhereSerializer(source="before", read_only=True),
            "to": WhereSerializer(source="after", read_only=True, allow_null=True),
        }
        return {**super().get_fields(), **places}

    @extend_schema_field(fields.StrictChoice(choices=TELL))
    def get_tell(self, item: DisruptionItem) -> str:
        """Who keeps their start need not know; who cannot be reached by message is called."""
        return told(item)

    def get_days_shifted(self, item: DisruptionItem) -> int | None:
        """Days of the site's calendar from the one place to the other; less than 0 is earlier, null no place."""
        return days_shifted(item, zone_of(item.disruption.site))


def told(item: DisruptionItem) -> str:
    """How the patient of an item hears of it; see `DisruptionItemSerializer`."""
    if item.outcome == Outcome.KEPT:
        return "nobody"
    patient = item.patient
    by_message = (Channel.EMAIL in patient.preferred_channels and patient.email) or (
        Channel.SMS in patient.preferred_channels and patient.phone
    )
    return "message" if item.outcome == Outcome.MOVED and by_message else "call"


def days_shifted(item: DisruptionItem, zone: ZoneInfo) -> int | None:
    """Days of the calendar in `zone` between an item's places, less than 0 for an earlier one; None without a place."""
    if item.after is None:
        return None
    old, new = (local_date(datetime.fromisoformat(where["start"]), zone) for where in (item.before, item.after))
    return (new - old).days


class DisruptionSerializer(StrictModelSerializer):
    """Something that falls away for a time, and what that does to each session booked then."""

    site = fields.ReferenceField(staffed_sites, required=False)
    provider = fields.ReferenceField(
        lambda user: staffed_providers(user).select_related("site"), required=False, allow_null=True
    )
    chair = fields.ReferenceField(
        lambda user: staffed_chairs(user).select_related("site"), required=False, allow_null=True
    )
    start = fields.InstantField(source="during.lower")
    end = fields.InstantField(source="during.upper")
    items = DisruptionItemSerializer(many=True, read_only=True)

    class Meta:
        model = Disruption
        fields: ClassVar = [
            "id",
            "kind",
            "site",
            "provider",
            "chair",
            "start",
            "end",
            "reason",
            "status",
            "items",
            "replaced_by",
            "time_off",
            "chair_closure",
            "site_closure",
            "created_by",
            "created_at",
            "applied_by",
            "applied_at",
            "undone_by",
            "undone_at",
            "version",
        ]
        read_only_fields: ClassVar = [*fields[8:]]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The subject that the kind asks for and no other, and an end after the start."""
        wanted = SUBJECTS[DisruptionKind(attrs["kind"])]
        wrong: dict[str, list[ErrorDetail]] = {}
        for name in ("site", "provider", "chair"):
            given = attrs.get(name) is not None
            if name == wanted and not given:
                wrong[name] = [ErrorDetail("This field is required.", code="required")]
            elif name != wanted and given:
                wrong[name] = [ErrorDetail("This kind of disruption is of another thing.", code="not_with_kind")]
        if attrs["during"]["upper"] <= attrs["during"]["lower"]:
            wrong["end"] = [ErrorDetail("The end must come after the start.", code="empty_range")]
        if wrong:
            raise serializers.ValidationError(wrong)
        return attrs


@extend_schema_field(TimeWindowSerializer(many=True))
class WindowsField(serializers.Field):
    """Parts of the day in the site's wall time; kept as minutes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.listed = fields.StrictList(child=TimeWindowSerializer(), max_length=10)

    def to_internal_value(self, data: Any) -> list[list[int]]:
        """Minutes of the wall clock."""
        return [[minutes(each["from"]), minutes(each["until"])] for each in self.listed.run_validation(data)]

    def to_representation(self, value: list[list[int]]) -> list[dict[str, str]]:
        """Wall times again."""
        return [{"from": _wall(since), "until": _wall(until)} for since, until in value]


def _wall(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


class WaitlistEntrySerializer(StrictModelSerializer):
    """Somebody who would come sooner or at another time: with one `session`, or with a new series under `protocol`."""

    patient = fields.ReferenceField(lambda user: visible_patients(user).select_related("site"))
    protocol = fields.ReferenceField(visible_protocols, required=False, allow_null=True)
    session = fields.ReferenceField(
        lambda user: visible_sessions(user).select_related("site", "series__protocol"), required=False, allow_null=True
    )
    sessions = fields.StrictInteger(required=False, allow_null=True, min_value=1, max_value=200)
    time_windows = WindowsField(required=False)

    class Meta:
        model = WaitlistEntry
        fields: ClassVar = [
            "id",
            "patient",
            "site",
            "protocol",
            "session",
            "sessions",
            "earliest",
            "latest",
            "time_windows",
            "status",
            "created_at",
            "version",
        ]
        read_only_fields: ClassVar = ["id", "site", "status", "created_at", "version"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One subject, dates in order; what it is for stays as it was made."""
        wrong: dict[str, list[ErrorDetail]] = {}
        if self.instance is not None:
            for name in ("patient", "protocol", "session", "sessions"):
                if name in attrs and attrs[name] != getattr(self.instance, name):
                    wrong[name] = [ErrorDetail("This stays as it was made.", code="read_only")]
        elif (attrs.get("protocol") is None) == (attrs.get("session") is None):
            code = "required" if attrs.get("protocol") is None else "one_of"
            wrong["protocol"] = [ErrorDetail("Give a protocol or a session.", code=code)]
        elif attrs.get("session") is not None and attrs.get("sessions") is not None:
            wrong["sessions"] = [ErrorDetail("One session is one session.", code="not_with_subject")]
        earliest = attrs.get("earliest", getattr(self.instance, "earliest", None))
        latest = attrs.get("latest", getattr(self.instance, "latest", None))
        if earliest is not None and latest is not None and latest < earliest:
            wrong["latest"] = [ErrorDetail("The latest date lies before the earliest.", code="empty_range")]
        if wrong:
            raise serializers.ValidationError(wrong)
        return attrs


class WaitlistOfferSerializer(StrictModelSerializer):
    """One place offered to one person. It holds nothing: the first to accept has the place."""

    class Meta:
        model = Offer
        fields: ClassVar = [
            "id",
            "entry",
            "patient",
            "site",
            "session",
            "plan",
            "start",
            "end",
            "status",
            "created_at",
            "expires_at",
            "answered_at",
            "version",
        ]
        read_only_fields: ClassVar = fields
