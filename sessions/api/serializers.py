"""Series, sessions, orders and what is asked of them, as they come in and go out."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from accounts.http import fields
from accounts.http.references import LateReference, found
from accounts.http.serializers import StrictModelSerializer, StrictSerializer
from accounts.queries import visible_patients
from scheduler.api.phase_schema import SPACING
from scheduler.missed import RULES
from scheduler.queries import staffed_chairs, staffed_providers, visible_protocols
from sessions.models import Order, Series, SeriesStatus, Session, SessionEvent
from sessions.queries import to_be_booked, visible_plans

if TYPE_CHECKING:
    from datetime import datetime


REFERENCES = ("series", "patient", "site", "chair", "nurse", "prescriber")
PLAIN = ("phase", "ordinal", "sequence", "status", "acuity", "cancelled_late", "version")
INSTANTS = (
    "start",
    "end",
    "hands_on_until",
    "arrived_at",
    "infusion_started_at",
    "paused_at",
    "infusion_ended_at",
    "ended_at",
)
KINDS = ("prepare", "infuse", "recover", "turnover")
MARKS = ("start", "infuse_start", "recover_start", "end", "turnover_end")
IDS = ("id", *(f"{name}_id" for name in REFERENCES))
# All that is shown of a session, for those who read it without the model.
COLUMNS = (*IDS, *PLAIN, *dict.fromkeys((*INSTANTS, *MARKS)))
SHOWN = ("id", *REFERENCES, *PLAIN, *INSTANTS)
shown_of, marks_of = itemgetter(*IDS, *PLAIN, *INSTANTS), itemgetter(*MARKS)
INSTANT = fields.InstantField()


def shown_instant(instant: datetime | None) -> str | None:
    """An instant as every field shows it."""
    return None if instant is None else INSTANT.to_representation(instant)


def as_row(session: Session) -> dict[str, Any]:
    """A session as `accounts.http.rows` has it: ids and instants are text as it is shown."""
    row = vars(session)
    ids = {name: str(row[name]) for name in IDS}
    return {**row, **ids, **{name: shown_instant(row[name]) for name in (*INSTANTS, *MARKS)}}


def blocks_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The planned parts of a session, each from where the one before ends; its instants as they are shown."""
    marks = marks_of(row)
    parts = zip(KINDS, marks, marks[1:], strict=False)
    return [{"kind": kind, "start": start, "end": end} for kind, start, end in parts]


class BlockSerializer(StrictSerializer):
    """One part of a session."""

    kind = fields.StrictChoice(choices=["prepare", "infuse", "recover", "turnover"])
    start = fields.InstantField()
    end = fields.InstantField()


class SessionSerializer(StrictModelSerializer):
    """One session, as everybody who may see it sees it."""

    blocks = BlockSerializer(many=True, read_only=True)

    class Meta:
        model = Session
        fields: ClassVar = [
            "id",
            "series",
            "patient",
            "site",
            "phase",
            "ordinal",
            "sequence",
            "status",
            "start",
            "end",
            "blocks",
            "hands_on_until",
            "acuity",
            "chair",
            "nurse",
            "prescriber",
            "arrived_at",
            "infusion_started_at",
            "paused_at",
            "infusion_ended_at",
            "ended_at",
            "cancelled_late",
            "version",
        ]
        read_only_fields: ClassVar = fields

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """The fields above, written out: asking each field object for each session is most of a list's time.

        `instance` is a session, or a row of `COLUMNS`.
        """
        return shown_session(instance)


def shown_session(instance: Any) -> dict[str, Any]:
    """A session, or a row of `COLUMNS`, as `SessionSerializer` shows it."""
    row = as_row(instance) if isinstance(instance, Session) else vars(instance)
    return {**dict(zip(SHOWN, shown_of(row), strict=True)), "blocks": blocks_of(row)}


class AdjustmentSerializer(StrictSerializer):
    """What a prescriber changed of a phase for this series alone."""

    phase = fields.TextField()
    sessions = fields.StrictInteger(required=False, allow_null=True)
    spacing = fields.StrictJSON(required=False)
    reason = fields.TextField()
    by = fields.UUIDField()
    at = fields.InstantField()

    def to_representation(self, instance: dict[str, Any]) -> dict[str, Any]:
        """As it is kept."""
        return shown_adjustment(instance)


def shown_adjustment(kept: dict[str, Any]) -> dict[str, Any]:
    """An adjustment as `AdjustmentSerializer` shows it."""
    return {**kept, "at": kept["at"].replace("+00:00", "Z")}


class SeriesSerializer(StrictModelSerializer):
    """A series with its sessions in order."""

    sessions = SessionSerializer(many=True, read_only=True)
    version = fields.StrictInteger(read_only=True)
    adjustments = AdjustmentSerializer(many=True, read_only=True)

    class Meta:
        model = Series
        fields: ClassVar = [
            "id",
            "patient",
            "protocol",
            "site",
            "order",
            "status",
            "adjustments",
            "replace_by",
            "created_at",
            "sessions",
            "version",
        ]
        read_only_fields: ClassVar = fields

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """The fields above, written out, as those of a session are."""
        return {
            "id": str(instance.pk),
            **{name: str(getattr(instance, f"{name}_id")) for name in ("patient", "protocol", "site")},
            "order": None if instance.order_id is None else str(instance.order_id),
            "status": str(instance.status),
            "adjustments": [shown_adjustment(each) for each in instance.adjustments],
            "replace_by": None if instance.replace_by is None else instance.replace_by.isoformat(),
            "created_at": shown_instant(instance.created_at),
            "sessions": [shown_session(each) for each in instance.sessions.all()],
            "version": instance.version,
        }


class BookSerializer(StrictSerializer):
    """What books a series. Its three records are found by one question."""

    patient = LateReference()
    protocol = LateReference()
    plan = LateReference()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """All three must be there for the caller."""
        plan, patient, protocol = to_be_booked(self.context["request"].user, **attrs)
        return found({"patient": patient, "protocol": protocol, "plan": plan})


class OrderSerializer(StrictModelSerializer):
    """A prescriber's order."""

    patient = fields.ReferenceField(visible_patients)
    protocol = fields.ReferenceField(visible_protocols)
    sessions = fields.StrictInteger(min_value=1, max_value=200)
    valid_until = fields.DateField()

    class Meta:
        model = Order
        fields: ClassVar = ["id", "patient", "protocol", "sessions", "valid_until", "prescribed_by", "created_at"]
        read_only_fields: ClassVar = ["id", "prescribed_by", "created_at"]


class ToldSerializer(StrictSerializer):
    """One thing that the patient was to be told; `sent_at` is null where it was not said, or not yet."""

    kind = serializers.CharField(read_only=True)
    channel = serializers.CharField(read_only=True)
    status = serializers.CharField(read_only=True)
    sent_at = fields.InstantField(read_only=True, allow_null=True)


class EventSerializer(StrictModelSerializer):
    """One change of a session, and what the patient was told from it to the next."""

    actor = serializers.SerializerMethodField()
    told = serializers.SerializerMethodField()

    class Meta:
        model = SessionEvent
        fields: ClassVar = ["id", "kind", "actor", "at", "reason", "before", "after", "told"]
        read_only_fields: ClassVar = fields

    @extend_schema_field(ToldSerializer(many=True))
    def get_told(self, event: SessionEvent) -> Any:
        """Told by whom the page was asked for, in one question for all events."""
        return ToldSerializer(self.context["told"][event.pk], many=True).data

    def get_actor(self, event: SessionEvent) -> str:
        """The person's id, or the name of the part of the system."""
        return str(event.actor_id) if event.actor_id else event.system


class NothingSerializer(StrictSerializer):
    """A verb that takes no body."""


class ReasonedSerializer(StrictSerializer):
    """A verb that wants a reason."""

    reason = fields.TextField(max_length=500)


class ReleaseSerializer(StrictSerializer):
    """What a prescriber says when a series may go on."""

    reason = fields.TextField(max_length=500, required=False, allow_blank=True, default="")


class RescheduleSerializer(StrictSerializer):
    """Where a session should go: a `start`, or a `plan` that was made for it or for the rest of its series."""

    start = fields.InstantField(required=False)
    plan = fields.ReferenceField(lambda user: visible_plans(user).select_related("site", "protocol"), required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two."""
        if len(attrs) != 1:
            code = "required" if not attrs else "one_of"
            raise serializers.ValidationError({"start": [ErrorDetail("Give a start or a plan.", code=code)]})
        return attrs


class ReseatSerializer(StrictSerializer):
    """Just where a session is to go: another start, another chair, another nurse; what is left out stays."""

    start = fields.InstantField(required=False)
    chair = fields.ReferenceField(staffed_chairs, required=False)
    nurse = fields.ReferenceField(staffed_providers, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Something is to change."""
        if not attrs:
            raise serializers.ValidationError(
                {"chair": [ErrorDetail("Give a chair, a nurse or a start.", code="required")]}
            )
        return attrs


class ReplanSerializer(StrictSerializer):
    """The plan that the rest of a series moves to."""

    plan = fields.ReferenceField(lambda user: visible_plans(user).select_related("site", "protocol"))


@extend_schema_field(SPACING)
class SpacingField(fields.StrictJSON):
    """A phase's spacing in the contract's shape; the use case judges it within its protocol."""


class AdjustSerializer(StrictSerializer):
    """What a prescriber changes of one phase, for this series alone, in the words of a protocol's phase."""

    phase = fields.TextField(max_length=100)
    spacing = SpacingField(required=False)
    sessions = fields.StrictInteger(required=False, allow_null=True, min_value=1, max_value=200)
    reason = fields.TextField(max_length=500)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Something has to change."""
        if "spacing" not in attrs and "sessions" not in attrs:
            raise serializers.ValidationError(
                {"spacing": [ErrorDetail("Give a spacing or a number of sessions.", code="required")]}
            )
        return attrs


class ConsequenceSerializer(StrictSerializer):
    """What a lost session means for its series: the protocol's rule, and where the series stands now."""

    rule = fields.StrictChoice(choices=RULES)
    status = fields.StrictChoice(choices=SeriesStatus.choices)
    detail = fields.TextField()
    earliest = fields.DateField(allow_null=True)
    latest = fields.DateField(allow_null=True)


class LostSessionSerializer(SessionSerializer):
    """A session that was just lost, and what that means."""

    consequence = ConsequenceSerializer(read_only=True)

    class Meta(SessionSerializer.Meta):
        fields: ClassVar = [*SessionSerializer.Meta.fields, "consequence"]
        read_only_fields: ClassVar = fields

    def to_representation(self, instance: Session) -> dict[str, Any]:
        """The session, and the consequence that the view has worked out."""
        means = ConsequenceSerializer(self.context["consequence"]).data
        return {**super().to_representation(instance), "consequence": means}
