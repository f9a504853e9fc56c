"""What people are told and asked, and what they answered."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts import clock
from accounts.ids import uuid7
from accounts.models import Channel, Patient, User
from sessions.models import Session


class MessageStatus(models.TextChoices):
    """How far a message has come. `unknown`: handed over, and nobody can say whether it was accepted."""

    DUE = "due"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class FollowUp(models.Model):
    """One questionnaire after a session, asked by a link and answered once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="follow_ups")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="follow_ups")
    instrument = models.CharField(max_length=30)
    hours_after = models.PositiveIntegerField()
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    answers = models.JSONField(null=True, blank=True)
    score = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)
    band = models.CharField(max_length=40, blank=True, default="")
    form_version = models.CharField(max_length=12, blank=True, default="")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["session", "instrument", "hours_after"], name="follow_up_once"),
            models.CheckConstraint(
                condition=Q(answered_at__isnull=True, answers__isnull=True)
                | Q(answered_at__isnull=False, answers__isnull=False),
                name="follow_up_answered_whole",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class FollowUpLink(models.Model):
    """One link that was sent to a questionnaire. Its token is not here, only the hash by which it is found again."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    follow_up = models.ForeignKey(FollowUp, on_delete=models.CASCADE, related_name="links")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return str(self.id)


class FollowUpDraft(models.Model):
    """What of a questionnaire was filled in and not sent. Removed once it is sent or can no longer be."""

    follow_up = models.OneToOneField(FollowUp, on_delete=models.CASCADE, primary_key=True, related_name="draft")
    answers = models.JSONField()
    saved_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.follow_up_id)


class Message(models.Model):
    """One thing to be said to one patient by one channel. Its key is (session, kind, channel, start it speaks of)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="messages")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="messages")
    follow_up = models.ForeignKey(FollowUp, on_delete=models.PROTECT, related_name="messages", null=True, blank=True)
    kind = models.CharField(max_length=60)
    channel = models.CharField(max_length=10, choices=Channel)
    speaks_of = models.DateTimeField()
    due_at = models.DateTimeField()
    not_after = models.DateTimeField()
    status = models.CharField(max_length=10, choices=MessageStatus, default=MessageStatus.DUE)
    attempts = models.PositiveSmallIntegerField(default=0)
    try_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    handed_over_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    reference = models.CharField(max_length=200, blank=True, default="")
    reason = models.CharField(max_length=200, blank=True, default="")
    resend_of = models.ForeignKey("self", on_delete=models.PROTECT, related_name="resends", null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["session", "kind", "channel", "speaks_of"],
                condition=Q(resend_of__isnull=True),
                name="message_once",
            ),
            models.CheckConstraint(condition=Q(not_after__gt=models.F("due_at")), name="message_window"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["try_at"], name="message_to_send", condition=Q(status="due")),
            models.Index(fields=["lease_until"], name="message_in_hand", condition=Q(status="sending")),
            models.Index(fields=["session"], name="message_of_session"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.channel}"


class Reconciled(models.Model):
    """Which version of a session (and of its patient) the messages were last compared with."""

    session = models.OneToOneField(Session, on_delete=models.CASCADE, primary_key=True, related_name="reconciled")
    session_version = models.PositiveIntegerField()
    patient_version = models.PositiveIntegerField()

    def __str__(self) -> str:
        return str(self.session_id)


class AlertLevel(models.TextChoices):
    """How quickly a person must look."""

    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"
    EMERGENCY = "emergency"


class AlertStatus(models.TextChoices):
    """Whether somebody owns an alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"


class Alert(models.Model):
    """A red flag for a clinician. `owner` is the clinician on call until somebody acknowledges it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="alerts")
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="alerts")
    follow_up = models.ForeignKey(FollowUp, on_delete=models.PROTECT, related_name="alerts")
    kind = models.CharField(max_length=40)
    level = models.CharField(max_length=10, choices=AlertLevel)
    status = models.CharField(max_length=15, choices=AlertStatus, default=AlertStatus.OPEN)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="alerts")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    acknowledged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["follow_up", "kind"], name="alert_once")]

    def __str__(self) -> str:
        return f"{self.level} {self.kind}"


class Heartbeat(models.Model):
    """When a part of the system last showed that it lives."""

    name = models.CharField(max_length=30, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
