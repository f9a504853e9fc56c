"""Wordings, replies and calendars as they come in and go out."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from accounts.http import fields
from accounts.http.serializers import StrictModelSerializer, StrictSerializer
from accounts.models import Channel
from accounts.queries import staffed_sites, visible_patients
from notifications import wordings
from notifications.models import CalendarFeed, Reply, Wording
from scheduler.queries import visible_chairs, visible_providers

KINDS = [(kind, kind) for kind in wordings.KINDS]
LANGUAGES = [("en", "English"), ("es", "Español")]


class WordingSerializer(StrictModelSerializer):
    """A site's own words for one kind of message. Fields stand in braces: `{clinic}`, `{day}`, `{time}`, `{phone}`."""

    site = fields.ReferenceField(staffed_sites)
    kind = fields.StrictChoice(choices=KINDS)
    channel = fields.StrictChoice(choices=Channel.choices)
    language = fields.StrictChoice(choices=LANGUAGES)
    subject = fields.TextField(required=False, allow_blank=True, max_length=wordings.SUBJECT_LENGTH)
    body = fields.TextField(max_length=wordings.BODY_LENGTH, multiline=True)

    class Meta:
        model = Wording
        fields: ClassVar = ["id", "site", "kind", "channel", "language", "subject", "body"]
        read_only_fields: ClassVar = ["id"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Nothing that may not be said is saved."""
        whole = {
            name: attrs.get(name, getattr(self.instance, name, "")) for name in ("kind", "channel", "subject", "body")
        }
        if whole["channel"] not in wordings.DATA["kinds"][whole["kind"]]:
            raise serializers.ValidationError({"channel": serializers.ErrorDetail("Not by this way.", code="not_said")})
        said = wordings.Wording(whole["subject"], whole["body"])
        faults: dict[str, list[Any]] = {}
        for problem in wordings.problems(whole["kind"], whole["channel"], said):
            faults.setdefault(problem.part, []).append(serializers.ErrorDetail(problem.detail, code=problem.code))
        if faults:
            raise serializers.ValidationError(faults)
        return attrs


class DraftedWordingSerializer(StrictSerializer):
    """A wording to be looked at; without `body` the one that is in use."""

    site = fields.ReferenceField(staffed_sites)
    kind = fields.StrictChoice(choices=KINDS)
    channel = fields.StrictChoice(choices=Channel.choices)
    language = fields.StrictChoice(choices=LANGUAGES)
    subject = fields.TextField(required=False, allow_blank=True, max_length=1000)
    body = fields.TextField(required=False, allow_blank=True, max_length=8000, multiline=True)


class WordingProblemSerializer(StrictSerializer):
    """Why a wording would not be taken."""

    part = serializers.CharField(read_only=True)
    code = serializers.CharField(read_only=True)
    detail = serializers.CharField(read_only=True)


class PreviewSerializer(StrictSerializer):
    """How it would look, filled in for a visit that is made up; `parts` of a text message, 0 for a mail."""

    wording = serializers.DictField(child=serializers.CharField(), read_only=True)
    subject = serializers.CharField(read_only=True)
    body = serializers.CharField(read_only=True)
    html = serializers.CharField(read_only=True)
    parts = serializers.IntegerField(read_only=True)
    problems = WordingProblemSerializer(many=True, read_only=True)


class ReplySerializer(StrictModelSerializer):
    """A text that came in. One that is `open` waits for somebody: the patient wishes another time, or wrote a note."""

    class Meta:
        model = Reply
        fields: ClassVar = [
            "id", "patient", "session", "kind", "text", "answer", "status", "closed_by", "closed_at", "received_at",
        ]  # fmt: skip
        read_only_fields: ClassVar = fields


class FeedSerializer(StrictModelSerializer):
    """A calendar that was given away: of one patient, provider or chair."""

    patient = fields.ReferenceField(visible_patients, required=False, allow_null=True)
    provider = fields.ReferenceField(visible_providers, required=False, allow_null=True)
    chair = fields.ReferenceField(visible_chairs, required=False, allow_null=True)

    class Meta:
        model = CalendarFeed
        fields: ClassVar = ["id", "patient", "provider", "chair", "created_at", "created_by"]
        read_only_fields: ClassVar = ["id", "created_at", "created_by"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the three."""
        named = {name: value for name, value in attrs.items() if value is not None}
        if len(named) != 1:
            code = "name_one" if named else "required"
            raise serializers.ValidationError("Name one of patient, provider and chair.", code=code)
        return named


class GivenFeedSerializer(FeedSerializer):
    """The calendar with its address, which is told this once."""

    url = serializers.CharField(read_only=True)

    class Meta(FeedSerializer.Meta):
        fields: ClassVar = [*FeedSerializer.Meta.fields, "url"]
