"""A patient's series and its sessions: ordered, planned, booked, lived through."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import Deferrable, F, Func, Q, Value
from django.db.models.lookups import LessThanOrEqual

from accounts import clock
from accounts.ids import uuid7
from accounts.models import Patient, Site, User
from scheduler.models import Chair, Protocol, Provider
from sessions.change_models import (
    Disruption,
    DisruptionItem,
    DisruptionKind,
    DisruptionStatus,
    EntryStatus,
    Offer,
    OfferStatus,
    Outcome,
    WaitlistEntry,
)

__all__ = [
    "GONE",
    "TO_COME",
    "Disruption",
    "DisruptionItem",
    "DisruptionKind",
    "DisruptionStatus",
    "EntryStatus",
    "Offer",
    "OfferStatus",
    "Order",
    "Outcome",
    "Plan",
    "Series",
    "SeriesStatus",
    "Session",
    "SessionEvent",
    "SessionStatus",
    "SiteDay",
    "WaitlistEntry",
]


class Order(models.Model):
    """A prescriber's order: this patient may have this many sessions under this protocol until a day."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="orders")
    protocol = models.ForeignKey(Protocol, on_delete=models.PROTECT, related_name="orders")
    sessions = models.PositiveSmallIntegerField()
    valid_until = models.DateField()
    prescribed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(sessions__gte=1), name="order_of_something")]

    def __str__(self) -> str:
        return str(self.id)


class SeriesStatus(models.TextChoices):
    """How a series stands."""

    ACTIVE = "active"
    ON_HOLD = "on_hold"
    NEEDS_REVIEW = "needs_review"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Series(models.Model):
    """One patient's course under one version of a protocol.

    `adjustments` are a prescriber's decisions for this course alone, oldest first: `{phase, sessions?, spacing?,
    reason, by, at}`, in the words of a protocol's phase. `replace_by` is the last date on which a
    lost session can be given again within its window; once that has passed, the series needs a clinician.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="series")
    protocol = models.ForeignKey(Protocol, on_delete=models.PROTECT, related_name="series")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="series")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="series", null=True, blank=True)
    status = models.CharField(max_length=20, choices=SeriesStatus, default=SeriesStatus.ACTIVE)
    adjustments = models.JSONField(default=list, blank=True)
    replace_by = models.DateField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    row_version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["site", "status"], name="series_by_site"),
            models.Index(fields=["replace_by"], name="series_to_replace", condition=Q(replace_by__isnull=False)),
        ]

    def __str__(self) -> str:
        return str(self.id)


class SessionStatus(models.TextChoices):
    """The contract's states of a session; `lifecycle.MOVES` says which follows which."""

    BOOKED = "booked"
    CONFIRMED = "confirmed"
    ARRIVED = "arrived"
    INFUSING = "infusing"
    RECOVERING = "recovering"
    COMPLETED = "completed"
    STOPPED_EARLY = "stopped_early"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"


# A session in one of these takes nothing: its chair, its people and its patient are free again.
GONE = (SessionStatus.CANCELLED, SessionStatus.NO_SHOW)
TO_COME = (SessionStatus.BOOKED, SessionStatus.CONFIRMED)


def _span(start: str, end: str) -> Func:
    """The half-open range of instants between two columns."""
    return Func(F(start), F(end), Value("[)"), function="tstzrange", output_field=DateTimeRangeField())


def _once(what: str, start: str, end: str, name: str) -> ExclusionConstraint:
    """No two live sessions share `what` at one instant. Deferred to commit, so that two sessions can swap."""
    return ExclusionConstraint(
        name=name,
        expressions=[(what, RangeOperators.EQUAL), (_span(start, end), RangeOperators.OVERLAPS)],
        condition=~Q(status__in=GONE),
        deferrable=Deferrable.DEFERRED,
    )


class Session(models.Model):
    """One infusion visit: when, where, with whom, and how far it has come.

    Planned instants, in order: `start` (prepare) <= `infuse_start` <= `recover_start` <= `end` (of recover)
    <= `turnover_end`; `hands_on_until` is where the nurse's minutes alone with this patient end.
    Foreign keys without an index of their own are the first column of another one.
    Taken are: chair `start`..`turnover_end`, patient and nurse `start`..`end`, prescriber `infuse_start`..`end`.

    Chair, nurse and prescriber may be laid anew as long as the session is to come, within what the protocol asks of a
    chair (`chair_kinds`, none for any; `chair_features`) and what the patient wished for. One `placed_by_hand` stays
    where a person put it: whoever needs room takes it from others.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="sessions", db_index=False)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="sessions", db_index=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="sessions", db_index=False)
    phase = models.CharField(max_length=100)
    ordinal = models.PositiveSmallIntegerField()
    sequence = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=20, choices=SessionStatus, default=SessionStatus.BOOKED)
    start = models.DateTimeField()
    hands_on_until = models.DateTimeField()
    infuse_start = models.DateTimeField()
    recover_start = models.DateTimeField()
    end = models.DateTimeField()
    turnover_end = models.DateTimeField()
    acuity = models.PositiveSmallIntegerField(default=1)
    chair_kinds = ArrayField(models.CharField(max_length=20), default=list, db_default=[], blank=True)
    chair_features = ArrayField(models.CharField(max_length=50), default=list, db_default=[], blank=True)
    wished_chair_kind = models.CharField(max_length=20, default="", db_default="", blank=True)
    wished_provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    chair = models.ForeignKey(Chair, on_delete=models.PROTECT, related_name="sessions")
    nurse = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="nursed_sessions", db_index=False)
    prescriber = models.ForeignKey(
        Provider, on_delete=models.PROTECT, related_name="prescribed_sessions", db_index=False
    )
    placed_by_hand = models.BooleanField(default=False, db_default=False)
    arrived_at = models.DateTimeField(null=True, blank=True)
    infusion_started_at = models.DateTimeField(null=True, blank=True)
    infusion_ended_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(max_length=500, blank=True, default="")
    escort_name = models.CharField(max_length=200, blank=True, default="")
    discharge_score = models.PositiveSmallIntegerField(null=True, blank=True)
    discharge_record = models.JSONField(default=dict, blank=True, db_default=Value({}, models.JSONField()))
    # How much of the planned infusion had run at `rate_since`, in seconds at full rate, and the rate since then.
    infused_seconds = models.PositiveIntegerField(default=0, db_default=0)
    rate_percent = models.PositiveSmallIntegerField(default=100, db_default=100)
    rate_since = models.DateTimeField(null=True, blank=True)
    gates = models.JSONField(default=dict, blank=True)
    cancelled_late = models.BooleanField(db_default=False, default=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        constraints: ClassVar = [
            # A lost session may be given again: the same place in the series, another session.
            models.UniqueConstraint(
                fields=["series", "sequence"], condition=~Q(status__in=GONE), name="session_sequence_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    start__lt=F("hands_on_until"),
                    infuse_start__gte=F("start"),
                    recover_start__gt=F("infuse_start"),
                    end__gte=F("recover_start"),
                    turnover_end__gte=F("end"),
                    hands_on_until__lte=F("recover_start"),
                ),
                name="session_blocks_in_order",
            ),
            # So whoever looks for what takes an instant looks at starts of a day before it, by an ordinary index.
            models.CheckConstraint(
                condition=LessThanOrEqual(F("turnover_end") - F("start"), Value(timedelta(days=1))),
                name="session_within_a_day",
            ),
            models.CheckConstraint(
                condition=Q(start__gt="2000-01-01T00:00:00Z", turnover_end__lt="2100-01-01T00:00:00Z"),
                name="session_finite",
            ),
            models.CheckConstraint(condition=Q(acuity__gte=1), name="session_acuity_positive"),
            models.CheckConstraint(condition=Q(status__in=SessionStatus.values), name="session_status_known"),
            _once("chair", "start", "turnover_end", "chair_taken"),
            _once("patient", "start", "end", "patient_busy"),
            _once("nurse", "start", "hands_on_until", "nurse_hands_on"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["nurse", "start"], name="session_by_nurse"),
            models.Index(fields=["prescriber", "start"], name="session_by_prescriber"),
            models.Index(fields=["site", "start"], name="session_by_site"),
            models.Index(fields=["patient", "start"], name="session_by_patient"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class SessionEvent(models.Model):
    """One change of a session: what, who (or which part of the system), why, when. Rows are only ever added."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="events", db_index=False)
    kind = models.CharField(max_length=30)
    actor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True)
    system = models.CharField(max_length=30, blank=True, default="")
    at = models.DateTimeField(default=clock.now)
    reason = models.CharField(max_length=500, blank=True, default="")
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["session", "id"], name="event_by_session")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(actor__isnull=False) | ~Q(system=""), name="event_has_somebody_behind_it"
            )
        ]

    def __str__(self) -> str:
        return self.kind


def _between(name: str, low: float, high: float) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__gte": low, f"{name}__lte": high}),
        name=f"vitals_{name}_human",
    )


class VitalSigns(models.Model):
    """One reading. Rows are only ever added: a right one follows a wrong one. `answers` tell what was out of limits."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="vitals")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="+")
    taken_at = models.DateTimeField()
    taken_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(default=clock.now, editable=False)
    systolic = models.PositiveSmallIntegerField(null=True)
    diastolic = models.PositiveSmallIntegerField(null=True)
    heart_rate = models.PositiveSmallIntegerField(null=True)
    spo2 = models.PositiveSmallIntegerField(null=True)
    respiratory_rate = models.PositiveSmallIntegerField(null=True)
    temperature = models.FloatField(null=True)
    note = models.CharField(max_length=2000, blank=True, default="")
    answers = models.JSONField(default=list, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["session", "taken_at"], name="vitals_of_session")]
        constraints: ClassVar = [
            _between("systolic", 40, 300),
            _between("diastolic", 20, 200),
            _between("heart_rate", 20, 250),
            _between("spo2", 50, 100),
            _between("respiratory_rate", 4, 60),
            _between("temperature", 30, 44),
            models.CheckConstraint(
                condition=Q(diastolic__isnull=True) | Q(systolic__isnull=True) | Q(diastolic__lt=F("systolic")),
                name="vitals_pressure_in_order",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class AdverseEvent(models.Model):
    """Something that went ill, graded 1 to 5 by CTCAE. Rows are only added; `amends` is the one that this corrects."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="adverse_events")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="+")
    amends = models.ForeignKey("self", on_delete=models.PROTECT, related_name="+", null=True)
    grade = models.PositiveSmallIntegerField()
    term = models.CharField(max_length=200)
    onset = models.DateTimeField()
    action = models.CharField(max_length=20)
    outcome = models.CharField(max_length=20)
    symptoms = models.CharField(max_length=2000, blank=True, default="")
    drugs_given = models.CharField(max_length=1000, blank=True, default="")
    rechallenge_plan = models.CharField(max_length=1000, blank=True, default="")
    rate_percent = models.PositiveSmallIntegerField(null=True)
    reported_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reported_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["session", "onset"], name="adverse_of_session")]
        constraints: ClassVar = [models.CheckConstraint(condition=Q(grade__gte=1, grade__lte=5), name="adverse_grade")]

    def __str__(self) -> str:
        return f"grade {self.grade}"


class SiteDay(models.Model):
    """One day at one site: the row that every change of that day's sessions locks, and the number that each moves.

    `booked` is new with each change of the day's sessions (0: never one) and, from a sequence, never used twice.
    """

    id = models.BigAutoField(primary_key=True)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="days")
    date = models.DateField()
    version = models.PositiveBigIntegerField(default=1)
    booked = models.BigIntegerField(db_default=0, editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["site", "date"], name="site_day_once")]

    def __str__(self) -> str:
        return str(self.date)


class Plan(models.Model):
    """A proposed whole series. While `held_until` lies ahead, what it takes is taken for everybody but `held_by`.

    With `series` it is the rest of that series instead, and with `session` too another place for that one session.

    `sessions` is a list of `{sequence, phase, ordinal, start, hands_on_until, infuse_start, recover_start, end,
    turnover_end, acuity, kinds, features, chair, nurse, prescriber}`, instants as ISO 8601 in UTC, ids as strings.
    `numbers` are those of the site's supply and of the sessions' days from which these places were found; None where
    that would not say enough to book them without another look (`as_planned`).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="plans")
    protocol = models.ForeignKey(Protocol, on_delete=models.PROTECT, related_name="plans")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="plans", null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="plans")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField()
    request = models.JSONField(default=dict)
    score = models.BigIntegerField(default=0)
    sessions = models.JSONField()
    numbers = ArrayField(models.BigIntegerField(), null=True, blank=True)
    held_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)
    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="rest_plans", null=True, blank=True)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="place_plans", null=True, blank=True)
    booked_as = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="plans", null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["site", "held_until"], name="plan_held", condition=Q(held_until__isnull=False)),
            models.Index(fields=["expires_at"], name="plan_by_age"),
        ]

    def __str__(self) -> str:
        return str(self.id)
