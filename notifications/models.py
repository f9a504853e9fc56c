"""What people are told and asked, and what they answered."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts import clock
from accounts.ids import uuid7
from accounts.models import Channel, Patient, Site, User
from notifications.alert_models import Alert, AlertLevel, AlertStatus, FlagRule, OnCallShift, Pager, Roster
from notifications.talk_models import CalendarFeed, Reply, ReplyKind, ReplyStatus, Wording
from sessions.models import Offer, Session

__all__ = [
    "Alert",
    "AlertLevel",
    "AlertStatus",
    "CalendarFeed",
    "FlagRule",
    "FollowUp",
    "FollowUpDraft",
    "FollowUpLink",
    "Heartbeat",
    "Message",
    "MessagePlan",
    "MessageStatus",
    "OnCallShift",
    "Pager",
    "Reconciled",
    "Reply",
    "ReplyKind",
    "ReplyStatus",
    "Roster",
    "Wording",
]


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
    """One questionnaire after a session, asked by a link and answered once.

    Asked `hours_after` its `anchor`: the discharge from the session, or the end of its series (`series_end`); or so
    many hours before the session begins (`before_session`).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="follow_ups")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="follow_ups")
    instrument = models.CharField(max_length=30)
    anchor = models.CharField(max_length=15, default="discharge")
    hours_after = models.PositiveIntegerField()
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    answers = models.JSONField(null=True, blank=True)
    score = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)
    band = models.CharField(max_length=40, blank=True, default="")
    form_version = models.CharField(max_length=12, blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["session", "instrument", "anchor", "hours_after"], name="follow_up_once"),
            models.CheckConstraint(
                condition=Q(answered_at__isnull=True, answers__isnull=True)
                | Q(answered_at__isnull=False, answers__isnull=False),
                name="follow_up_answered_whole",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["expires_at"], name="follow_up_unanswered", condition=Q(answered_at__isnull=True))
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
    """One thing to be said to one person by one channel: to the patient, or of an alert to a clinician (`recipient`).

    It speaks of a `session` or of an `offer` of the waitlist. A patient's has the key (session, kind, channel, start
    that it speaks of) or (offer, kind, channel), an alert's (alert, kind, channel, recipient). `rule` says by which
    rule it is said. What is said along in another message names that one in `told_with` and shares its fate; `tells`
    counts those that this one says along (`together.py`). What is `urgent` goes before everything else. `keyed` is set
    at the hand-over: the provider knows a repeat by the row's id. `alone`: it was in hand when workers died, and is
    taken by itself.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="messages", null=True, blank=True)
    offer = models.ForeignKey(
        Offer, on_delete=models.PROTECT, related_name="messages", null=True, blank=True, db_index=False
    )
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="messages")
    follow_up = models.ForeignKey(
        FollowUp, on_delete=models.PROTECT, related_name="messages", null=True, blank=True, db_index=False
    )
    alert = models.ForeignKey(
        "Alert", on_delete=models.PROTECT, related_name="messages", null=True, blank=True, db_index=False
    )
    recipient = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="+", null=True, blank=True, db_index=False
    )
    kind = models.CharField(max_length=60)
    rule = models.CharField(max_length=60, blank=True, default="")
    urgent = models.BooleanField(default=False)
    channel = models.CharField(max_length=10, choices=Channel)
    speaks_of = models.DateTimeField()
    due_at = models.DateTimeField()
    not_after = models.DateTimeField()
    status = models.CharField(max_length=10, choices=MessageStatus, default=MessageStatus.DUE)
    attempts = models.PositiveSmallIntegerField(default=0)
    try_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    handed_over_at = models.DateTimeField(null=True, blank=True)
    keyed = models.BooleanField(default=False)
    alone = models.BooleanField(default=False, db_default=False)
    sent_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    told_with = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="along", null=True, blank=True, db_index=False
    )
    tells = models.PositiveSmallIntegerField(default=0, db_default=0)
    reference = models.CharField(max_length=200, blank=True, default="")
    reason = models.CharField(max_length=200, blank=True, default="")
    resend_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="resends", null=True, blank=True, db_index=False
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["session", "kind", "channel", "speaks_of"],
                condition=Q(resend_of__isnull=True, alert__isnull=True),
                name="message_once",
            ),
            models.UniqueConstraint(
                fields=["alert", "kind", "channel", "recipient"],
                condition=Q(resend_of__isnull=True, alert__isnull=False),
                name="message_of_alert_once",
            ),
            models.UniqueConstraint(
                fields=["offer", "kind", "channel"],
                condition=Q(resend_of__isnull=True, offer__isnull=False),
                name="message_of_offer_once",
            ),
            models.CheckConstraint(
                condition=Q(session__isnull=False, offer__isnull=True)
                | Q(session__isnull=True, offer__isnull=False, follow_up__isnull=True, alert__isnull=True),
                name="message_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(told_with__isnull=True)
                | Q(tells=0, offer__isnull=True, alert__isnull=True, resend_of__isnull=True),
                name="message_told_along_is_plain",
            ),
            models.CheckConstraint(condition=Q(not_after__gt=models.F("due_at")), name="message_window"),
            models.CheckConstraint(
                condition=Q(alert__isnull=True, recipient__isnull=True)
                | Q(alert__isnull=False, recipient__isnull=False),
                name="message_alert_has_recipient",
            ),
            models.CheckConstraint(condition=Q(status__in=MessageStatus.values), name="message_status_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["try_at"], name="message_to_send", condition=Q(status="due")),
            models.Index(fields=["try_at"], name="message_urgent", condition=Q(status="due", urgent=True)),
            # Those whose window closes first go first; `try_at` so that what is not due is passed by in the index.
            models.Index(fields=["not_after", "id", "try_at"], name="message_in_order", condition=Q(status="due")),
            models.Index(fields=["not_after"], name="message_alone", condition=Q(status="due", alone=True)),
            models.Index(
                fields=["patient"],
                name="message_text_to_come",
                condition=Q(channel="sms", status__in=("due", "sending")),
            ),
            models.Index(fields=["reference"], name="message_by_reference", condition=~Q(reference="")),
            # Not by `lease_until`: a mark of the hand-over changes no indexed column, so that it writes to no index.
            models.Index(fields=["id"], name="message_in_hand", condition=Q(status="sending")),
            models.Index(fields=["offer"], name="message_of_offer", condition=Q(status="due", offer__isnull=False)),
            # Each write of a row goes to every index that it is in. What most rows have not, they are in no index for.
            *(
                models.Index(fields=[name], name=f"message_by_{name}", condition=Q(**{f"{name}__isnull": False}))
                for name in ("follow_up", "alert", "recipient", "told_with", "resend_of")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.channel}"

    @property
    def site(self) -> Site:
        """The clinic that says it."""
        return self.visit.site if self.offer is None else self.offer.site

    @property
    def visit(self) -> Session:
        """The session that it speaks of; not of a message about an offer."""
        assert self.session is not None
        return self.session


class MessagePlan(models.Model):
    """What a site says beside the protocols' reminders and check-ins. A site without one has these defaults.

    `preparation_hours` before the start (a week: fasting, escort, labs), null never; a check-in without an answer is
    asked once more after `ask_again_hours` (4), 0 never. Both are clinic policy, to be reviewed by each clinic.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="message_plan")
    receipts = models.BooleanField(default=True)
    changes = models.BooleanField(default=True)
    cancellations = models.BooleanField(default=True)
    no_shows = models.BooleanField(default=True)
    offers = models.BooleanField(default=True)
    preparation_hours = models.PositiveSmallIntegerField(null=True, blank=True, default=168)
    ask_again_hours = models.PositiveSmallIntegerField(default=4)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(preparation_hours__isnull=True) | Q(preparation_hours__gte=1, preparation_hours__lte=2160),
                name="message_plan_preparation",
            ),
            models.CheckConstraint(condition=Q(ask_again_hours__lte=72), name="message_plan_ask_again"),
        ]

    def __str__(self) -> str:
        return str(self.site_id)


class Reconciled(models.Model):
    """Which version of a session (and of its patient and series) the messages were last compared with."""

    session = models.OneToOneField(Session, on_delete=models.CASCADE, primary_key=True, related_name="reconciled")
    session_version = models.PositiveIntegerField()
    patient_version = models.PositiveIntegerField()
    series_version = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.session_id)


class Heartbeat(models.Model):
    """When a part of the system last showed that it lives."""

    name = models.CharField(max_length=30, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
