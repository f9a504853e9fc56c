"""What a clinic says in its own words, what patients text back, and the calendars that were given away."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts import clock
from accounts.ids import uuid7
from accounts.models import Channel, Patient, Site, User
from scheduler.models import Chair, Provider
from sessions.models import Session


class Wording(models.Model):
    """A site's own words for one kind of message by one channel in one language, in place of those that are shipped."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="wordings")
    kind = models.CharField(max_length=30)
    channel = models.CharField(max_length=10, choices=Channel)
    language = models.CharField(max_length=2, choices=[("en", "English"), ("es", "Español")])
    subject = models.CharField(max_length=120, blank=True, default="")
    body = models.TextField(max_length=4000)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "kind", "channel", "language"], name="wording_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.channel} in {self.language}"


class ReplyKind(models.TextChoices):
    """What a text from a patient means."""

    CONFIRM = "confirm"
    OTHER_TIME = "other_time"
    STOP = "stop"
    START = "start"
    HELP = "help"
    OTHER = "other"


class ReplyStatus(models.TextChoices):
    """Whether somebody still has to look at it."""

    OPEN = "open"
    CLOSED = "closed"


class Reply(models.Model):
    """One text that came in. `sid` is the carrier's id of it: one that comes twice is one.

    `patient` is null for a number that nobody here has. `session` is the visit that was confirmed or is to be moved.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sid = models.CharField(max_length=64, unique=True)
    number = models.CharField(max_length=20)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="replies", null=True, blank=True)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="replies", null=True, blank=True)
    kind = models.CharField(max_length=10, choices=ReplyKind)
    text = models.TextField(max_length=1600)
    answer = models.CharField(max_length=400, blank=True, default="")
    status = models.CharField(max_length=10, choices=ReplyStatus, default=ReplyStatus.CLOSED)
    closed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name_plural = "replies"
        indexes: ClassVar = [models.Index(fields=["number", "received_at"], name="reply_of_number")]

    def __str__(self) -> str:
        return str(self.id)


class CalendarFeed(models.Model):
    """A calendar that was given away by a private address: a patient's, a provider's or a chair's visits."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="feeds", null=True, blank=True)
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="feeds", null=True, blank=True)
    chair = models.ForeignKey(Chair, on_delete=models.CASCADE, related_name="feeds", null=True, blank=True)
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(patient__isnull=False, provider__isnull=True, chair__isnull=True)
                | Q(patient__isnull=True, provider__isnull=False, chair__isnull=True)
                | Q(patient__isnull=True, provider__isnull=True, chair__isnull=False),
                name="feed_of_one_thing",
            )
        ]

    def __str__(self) -> str:
        return str(self.id)
