"""Messages, follow-ups and alerts as they come in and go out."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from accounts.http import fields
from accounts.http.serializers import StrictModelSerializer, StrictSerializer
from notifications.instruments import INSTRUMENTS, score
from notifications.models import Alert, FollowUp, Message


class MessageSerializer(StrictModelSerializer):
    """One message: what was to be said, by when, and what became of it."""

    class Meta:
        model = Message
        fields: ClassVar = [
            "id",
            "patient",
            "session",
            "offer",
            "follow_up",
            "alert",
            "recipient",
            "kind",
            "rule",
            "urgent",
            "channel",
            "speaks_of",
            "due_at",
            "not_after",
            "status",
            "attempts",
            "sent_at",
            "delivered_at",
            "reason",
            "told_with",
            "resend_of",
            "created_at",
        ]
        read_only_fields: ClassVar = fields


class FollowUpSerializer(StrictModelSerializer):
    """One questionnaire of one patient. `score`, `band` and `answers` are empty until it is answered.

    `criteria` is whether the rule over clusters of items is met, null for an instrument without one.
    """

    score = serializers.FloatField(read_only=True, allow_null=True)
    answers = fields.StrictJSON(read_only=True, allow_null=True)
    criteria = serializers.SerializerMethodField()

    class Meta:
        model = FollowUp
        fields: ClassVar = [
            "id",
            "patient",
            "session",
            "instrument",
            "hours_after",
            "due_at",
            "expires_at",
            "answered_at",
            "score",
            "band",
            "criteria",
            "answers",
        ]
        read_only_fields: ClassVar = fields

    def get_criteria(self, follow_up: FollowUp) -> bool | None:
        """By the rule of the instrument."""
        return score(follow_up.instrument, follow_up.answers).criteria if follow_up.answers else None


class PointSerializer(StrictSerializer):
    """One answer in a trend."""

    follow_up = serializers.UUIDField(source="id", read_only=True)
    session = serializers.UUIDField(source="session_id", read_only=True)
    answered_at = fields.InstantField(read_only=True)
    score = serializers.FloatField(read_only=True)
    band = serializers.CharField(read_only=True)
    difference = serializers.FloatField(read_only=True)
    changes = serializers.ListField(child=serializers.CharField(), read_only=True)


class TrendSerializer(StrictSerializer):
    """A patient's answers to one instrument, oldest first; each beside the first of them.

    `changes` names what the instrument's sources call meaningful: `clinically_meaningful`, `response`, `remission`, ...
    and `..._worse` for a rise as large.
    """

    patient = serializers.UUIDField(read_only=True)
    instrument = serializers.CharField(read_only=True)
    points = PointSerializer(many=True, read_only=True)


class OptionSerializer(StrictSerializer):
    """One possible answer."""

    value = serializers.IntegerField(read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]


class ItemSerializer(StrictSerializer):
    """One question."""

    id = serializers.CharField(read_only=True)
    text = serializers.CharField(read_only=True)
    required = serializers.BooleanField(read_only=True)  # type: ignore[assignment]
    options = OptionSerializer(many=True, read_only=True)


class OpenSerializer(StrictSerializer):
    """A questionnaire to be answered, without a word about who is asked; and whom to call in need."""

    instrument = serializers.CharField(read_only=True)
    title = serializers.CharField(read_only=True)
    stem = serializers.CharField(read_only=True)
    version = serializers.CharField(read_only=True)
    items = ItemSerializer(many=True, read_only=True)
    expires_at = fields.InstantField(read_only=True)
    crisis_line = serializers.CharField(read_only=True)
    emergency_number = serializers.CharField(read_only=True)

    def to_representation(self, instance: FollowUp) -> dict[str, Any]:
        """The instrument's words and the site's numbers."""
        asked, site = INSTRUMENTS[instance.instrument], instance.session.site
        shown: dict[str, Any] = super().to_representation(
            {
                "instrument": asked.code,
                "title": asked.title,
                "stem": asked.stem,
                "version": asked.version,
                "items": asked.items,
                "expires_at": instance.expires_at,
                "crisis_line": site.crisis_line,
                "emergency_number": site.emergency_number,
            }
        )
        return shown


class AnswersSerializer(StrictSerializer):
    """Answers to a questionnaire: for each item the value of the option chosen.

    `version`, where it is sent, is that of the form which was answered; 409 `form_changed` if there is a newer one.
    """

    answers = fields.StrictJSON()
    version = fields.TextField(required=False, max_length=12)


class AnsweredSerializer(StrictSerializer):
    """Thanks; and whom to call in need. Scores are for the clinic to speak of."""

    instrument = serializers.CharField(read_only=True)
    answered_at = fields.InstantField(read_only=True)
    crisis_line = serializers.CharField(source="session.site.crisis_line", read_only=True)
    emergency_number = serializers.CharField(source="session.site.emergency_number", read_only=True)


class AlertSerializer(StrictModelSerializer):
    """A red flag. `owner` is on call until somebody acknowledges, then who did."""

    class Meta:
        model = Alert
        fields: ClassVar = [
            "id",
            "patient",
            "session",
            "follow_up",
            "message",
            "reading",
            "adverse_event",
            "kind",
            "level",
            "status",
            "owner",
            "created_at",
            "act_by",
            "step",
            "escalate_at",
            "acknowledged_at",
            "closed_at",
            "closed_by",
            "outcome",
        ]
        read_only_fields: ClassVar = fields


class CloseSerializer(StrictSerializer):
    """What was done about an alert."""

    outcome = fields.TextField(max_length=1000)


class NothingSerializer(StrictSerializer):
    """A verb that takes no more words."""
