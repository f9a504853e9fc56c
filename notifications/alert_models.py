"""Alerts, the rules that an organization has changed, and who is on call."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts import clock
from accounts.ids import uuid7
from accounts.models import Channel, Organization, Patient, Site, User, default_channels
from sessions.models import AdverseEvent, Session, VitalSigns


class AlertLevel(models.TextChoices):
    """How quickly a person must look."""

    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"
    EMERGENCY = "emergency"


class AlertStatus(models.TextChoices):
    """Whether somebody owns an alert, and whether it is dealt with."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Alert(models.Model):
    """A red flag or a task for a clinician. `owner` is the clinician on call until somebody acknowledges it.

    Raised by the answers to `follow_up`, by a `reading` of vital signs, by an `adverse_event`, by the words of a
    `reply`, or by a `message` that could not be said. While it is open it is passed on at `escalate_at`, one `step`
    further each time. `act_by` is when a person must have acted. Closed by a person alone, with what was done; the
    database takes no other end.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="alerts")
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="alerts")
    follow_up = models.ForeignKey(
        "notifications.FollowUp", on_delete=models.PROTECT, related_name="alerts", null=True, blank=True
    )
    message = models.ForeignKey(
        "notifications.Message", on_delete=models.PROTECT, related_name="alerts", null=True, blank=True
    )
    reading = models.ForeignKey(VitalSigns, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    adverse_event = models.ForeignKey(AdverseEvent, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    reply = models.ForeignKey("notifications.Reply", on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    kind = models.CharField(max_length=40)
    level = models.CharField(max_length=10, choices=AlertLevel)
    status = models.CharField(max_length=15, choices=AlertStatus, default=AlertStatus.OPEN)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="alerts")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    act_by = models.DateTimeField(null=True, blank=True)
    step = models.PositiveSmallIntegerField(default=0)
    escalate_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    outcome = models.CharField(max_length=1000, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["follow_up", "kind"], name="alert_once"),
            models.UniqueConstraint(fields=["message", "kind"], name="alert_of_message_once"),
            models.UniqueConstraint(fields=["reading", "kind"], name="alert_of_reading_once"),
            models.UniqueConstraint(fields=["adverse_event", "kind"], name="alert_of_adverse_event_once"),
            models.UniqueConstraint(fields=["reply", "kind"], name="alert_of_reply_once"),
            models.CheckConstraint(
                condition=Q(follow_up__isnull=False)
                | Q(message__isnull=False)
                | Q(reading__isnull=False)
                | Q(adverse_event__isnull=False)
                | Q(reply__isnull=False),
                name="alert_has_a_cause",
            ),
            models.CheckConstraint(
                condition=Q(status="open", acknowledged_at__isnull=True, closed_at__isnull=True)
                | Q(status="acknowledged", acknowledged_at__isnull=False, closed_at__isnull=True)
                | Q(status="closed", acknowledged_at__isnull=False, closed_at__isnull=False),
                name="alert_states",
            ),
            models.CheckConstraint(
                condition=~Q(status="closed") | Q(closed_by__isnull=False) & ~Q(outcome=""),
                name="alert_closed_by_a_person",
            ),
            models.CheckConstraint(condition=Q(level__in=AlertLevel.values), name="alert_level_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["escalate_at"], name="alert_to_pass_on", condition=Q(status="open")),
        ]

    def __str__(self) -> str:
        return f"{self.level} {self.kind}"


class FlagRule(models.Model):
    """What an organization has changed of one rule of `red_flags.json`; null leaves the rule's own value."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="flag_rules")
    kind = models.CharField(max_length=40)
    level = models.CharField(max_length=10, choices=AlertLevel)
    at_least = models.PositiveSmallIntegerField(null=True, blank=True)
    act_minutes = models.PositiveIntegerField()
    escalate_minutes = models.PositiveIntegerField()
    source = models.CharField(max_length=500)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "kind"], name="flag_rule_once"),
            models.CheckConstraint(condition=Q(act_minutes__gte=1, escalate_minutes__gte=1), name="flag_rule_clock"),
        ]

    def __str__(self) -> str:
        return self.kind


class Roster(models.Model):
    """Who is on call at a site through the week. A site without one has its creator on call."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="roster")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    def __str__(self) -> str:
        return str(self.site_id)


class OnCallShift(models.Model):
    """One span of every week in the site's wall time; an end at or before the start is the next day's.

    A week of wall time that is filled leaves no instant empty, whatever the clocks do: every instant has a wall time.
    """

    roster = models.ForeignKey(Roster, on_delete=models.CASCADE, related_name="shifts")
    weekday = models.PositiveSmallIntegerField()
    start_time = models.TimeField()
    end_time = models.TimeField()
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="on_call_shifts")

    class Meta:
        ordering: ClassVar = ["weekday", "start_time", "id"]
        constraints: ClassVar = [models.CheckConstraint(condition=Q(weekday__lte=6), name="on_call_weekday")]

    def __str__(self) -> str:
        return f"{self.weekday} {self.start_time}-{self.end_time}"


class Pager(models.Model):
    """How a clinician is reached when on call: by these channels, at this number. Without one, by e-mail."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="pager")
    phone = models.CharField(max_length=20, blank=True, default="")
    channels = ArrayField(models.CharField(max_length=10, choices=Channel), default=default_channels)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(channels__contained_by=list(Channel.values)), name="pager_channels_known"
            )
        ]

    def __str__(self) -> str:
        return str(self.user_id)
