"""Records of change: disruptions with what they do to each session, and the waitlist with its offers."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import DateTimeRangeField
from django.db import models
from django.db.models import F, Q

from accounts import clock
from accounts.ids import uuid7
from accounts.models import Patient, Site, User
from scheduler.models import Chair, ChairClosure, Protocol, Provider, SiteClosure, TimeOff, bounded


class DisruptionKind(models.TextChoices):
    """What falls away."""

    PROVIDER_ABSENCE = "provider_absence"
    CHAIR_CLOSURE = "chair_closure"
    SITE_CLOSURE = "site_closure"


class DisruptionStatus(models.TextChoices):
    """A draft changes nothing; applied, its absence is recorded and its moves are made; undone, both are withdrawn."""

    DRAFT = "draft"
    APPLIED = "applied"
    UNDONE = "undone"
    REPLACED = "replaced"


class Disruption(models.Model):
    """A provider, a chair or a whole site that falls away for a time, and what that does to the sessions booked.

    `time_off`, `chair_closure` or `site_closure` is the record of it, once there is one: of an absence that was entered
    as such from the beginning, of one that was only drafted from `apply` on. `replaced_by` is the fresh draft that was
    made where the world had moved on before this one was applied.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="disruptions")
    kind = models.CharField(max_length=20, choices=DisruptionKind)
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="disruptions", null=True, blank=True)
    chair = models.ForeignKey(Chair, on_delete=models.PROTECT, related_name="disruptions", null=True, blank=True)
    during = DateTimeRangeField()
    reason = models.CharField(max_length=200, blank=True, default="")
    status = models.CharField(max_length=10, choices=DisruptionStatus, default=DisruptionStatus.DRAFT)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    applied_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    replaced_by = models.ForeignKey("self", on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    time_off = models.ForeignKey(TimeOff, on_delete=models.SET_NULL, related_name="+", null=True, blank=True)
    chair_closure = models.ForeignKey(ChairClosure, on_delete=models.SET_NULL, related_name="+", null=True, blank=True)
    site_closure = models.ForeignKey(SiteClosure, on_delete=models.SET_NULL, related_name="+", null=True, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        constraints: ClassVar = [
            bounded("during", "disruption_bounded"),
            models.CheckConstraint(
                condition=Q(kind="provider_absence", provider__isnull=False, chair__isnull=True)
                | Q(kind="chair_closure", provider__isnull=True, chair__isnull=False)
                | Q(kind="site_closure", provider__isnull=True, chair__isnull=True),
                name="disruption_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "replaced"], applied_at__isnull=True, undone_at__isnull=True)
                | Q(status="applied", applied_at__isnull=False, undone_at__isnull=True)
                | Q(status="undone", applied_at__isnull=False, undone_at__isnull=False),
                name="disruption_states",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "status"], name="disruption_by_site")]

    def __str__(self) -> str:
        return f"{self.kind} {self.during}"


class Outcome(models.TextChoices):
    """What becomes of a session. `kept`: same start, nobody need be told; `moved`; `unresolved`: somebody must call."""

    KEPT = "kept"
    MOVED = "moved"
    UNRESOLVED = "unresolved"


class DisruptionItem(models.Model):
    """What a disruption does to one session.

    `before` and `after` are `{start, end, chair, nurse, prescriber}`, instants as ISO 8601 in UTC, ids as strings;
    `after` is null where there is no place. `session_version` is the version that the draft was made from, and from
    `apply` on the one that it left behind, so that an undo sees whether anything has happened since.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    disruption = models.ForeignKey(Disruption, on_delete=models.CASCADE, related_name="items")
    session = models.ForeignKey("infusion_sessions.Session", on_delete=models.PROTECT, related_name="disruption_items")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=10, choices=Outcome)
    before = models.JSONField()
    after = models.JSONField(null=True)
    session_version = models.PositiveIntegerField()
    status_before = models.CharField(max_length=20)
    code = models.CharField(max_length=40, blank=True, default="")
    why = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["disruption", "session"], name="disruption_item_once"),
            models.CheckConstraint(
                condition=Q(outcome="unresolved", after__isnull=True)
                | ~Q(outcome="unresolved") & Q(after__isnull=False),
                name="disruption_item_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.outcome


class EntryStatus(models.TextChoices):
    """How a wish on the waitlist stands."""

    WAITING = "waiting"
    FILLED = "filled"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class WaitlistEntry(models.Model):
    """Somebody who would come sooner, or at another time: with one booked `session`, or with a whole new series.

    `earliest` and `latest` are inclusive dates at the site; `time_windows` as in a plan's preferences, in minutes of
    the wall clock; `sessions` counts those of an open-ended last phase.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="waitlist_entries")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="waitlist_entries")
    protocol = models.ForeignKey(
        Protocol, on_delete=models.PROTECT, related_name="waitlist_entries", null=True, blank=True
    )
    session = models.ForeignKey(
        "infusion_sessions.Session", on_delete=models.PROTECT, related_name="waitlist_entries", null=True, blank=True
    )
    sessions = models.PositiveSmallIntegerField(null=True, blank=True)
    earliest = models.DateField()
    latest = models.DateField()
    time_windows = models.JSONField(default=list, blank=True)
    status = models.CharField(max_length=10, choices=EntryStatus, default=EntryStatus.WAITING)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(protocol__isnull=True, session__isnull=False)
                | Q(protocol__isnull=False, session__isnull=True),
                name="entry_for_one_thing",
            ),
            models.CheckConstraint(condition=Q(latest__gte=F("earliest")), name="entry_dates_in_order"),
            models.UniqueConstraint(fields=["session"], condition=Q(status="waiting"), name="entry_once_a_session"),
            models.UniqueConstraint(
                fields=["patient", "protocol"], condition=Q(status="waiting"), name="entry_once_a_protocol"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site", "created_at"], name="entry_waiting", condition=Q(status="waiting"))
        ]

    def __str__(self) -> str:
        return str(self.id)


class OfferStatus(models.TextChoices):
    """How an offer stands. `gone`: the place was taken, or no longer fits."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    GONE = "gone"


class Offer(models.Model):
    """One place offered to one person until `expires_at`. It holds nothing: the first to accept has the place.

    For a session on the waitlist, `session` is what would move to `start`; for a series, `plan` is what would be booked
    and `start` its first session. Whoever tells patients speaks of open offers, of these fields and of nothing else.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    entry = models.ForeignKey(WaitlistEntry, on_delete=models.PROTECT, related_name="offers")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="offers")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="offers")
    session = models.ForeignKey(
        "infusion_sessions.Session", on_delete=models.PROTECT, related_name="offers", null=True, blank=True
    )
    plan = models.ForeignKey(
        "infusion_sessions.Plan", on_delete=models.PROTECT, related_name="offers", null=True, blank=True
    )
    start = models.DateTimeField()
    end = models.DateTimeField()
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField()
    status = models.CharField(max_length=10, choices=OfferStatus, default=OfferStatus.OPEN)
    answered_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(session__isnull=True, plan__isnull=False) | Q(session__isnull=False, plan__isnull=True),
                name="offer_of_one_thing",
            ),
            models.UniqueConstraint(fields=["entry"], condition=Q(status="open"), name="offer_one_open"),
            models.UniqueConstraint(fields=["entry"], condition=Q(status="accepted"), name="offer_one_accepted"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="offer_has_time"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site", "start"], name="offer_open", condition=Q(status="open")),
            models.Index(fields=["patient", "created_at"], name="offer_by_patient"),
        ]

    def __str__(self) -> str:
        return self.status
