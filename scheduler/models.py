"""Supply: opening hours, closures, chairs, providers and when they work; and the protocols that series follow."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField, DateTimeRangeField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Func, Q, Value

from accounts import clock
from accounts.ids import uuid7
from accounts.models import Organization, Site, User

WEEKDAY = [MinValueValidator(0), MaxValueValidator(6)]


def bounded(field: str, name: str) -> models.CheckConstraint:
    """A range must have two finite ends and something between them: an empty one would slip past every exclusion."""
    lower, upper = Func(F(field), function="lower"), Func(F(field), function="upper")
    return models.CheckConstraint(
        condition=Q(**{f"{field}__isempty": False, f"{field}__lower_inf": False, f"{field}__upper_inf": False})
        & models.Q(models.lookups.Exact(Func(lower, function="isfinite", output_field=models.BooleanField()), True))
        & models.Q(models.lookups.Exact(Func(upper, function="isfinite", output_field=models.BooleanField()), True)),
        name=name,
    )


class ChairKind(models.TextChoices):
    """What a patient sits or lies in."""

    RECLINER = "recliner"
    BED = "bed"
    PRIVATE_ROOM = "private_room"


class ProviderRole(models.TextChoices):
    """What a provider does in a session."""

    NURSE = "nurse"
    PRESCRIBER = "prescriber"


class OpeningHours(models.Model):
    """One span of a weekday in which a site is open, in its wall time."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="opening_hours")
    weekday = models.PositiveSmallIntegerField(validators=WEEKDAY)
    opens = models.TimeField()
    closes = models.TimeField()

    class Meta:
        ordering: ClassVar = ["weekday", "opens"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(opens__lt=F("closes")), name="opening_hours_not_empty"),
            models.CheckConstraint(condition=Q(weekday__lte=6), name="opening_hours_weekday"),
        ]

    def __str__(self) -> str:
        return f"{self.weekday} {self.opens}-{self.closes}"


class SiteClosure(models.Model):
    """A time in which a whole site is closed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="closures")
    during = DateTimeRangeField()
    reason = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints: ClassVar = [bounded("during", "site_closure_bounded")]

    def __str__(self) -> str:
        return str(self.during)


class Chair(models.Model):
    """A place where an infusion is given."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="chairs")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=ChairKind)
    features = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["site", "name"], name="chair_name_once")]

    def __str__(self) -> str:
        return self.name


class ChairClosure(models.Model):
    """A time in which one chair cannot be used."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    chair = models.ForeignKey(Chair, on_delete=models.CASCADE, related_name="closures")
    during = DateTimeRangeField()
    reason = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints: ClassVar = [bounded("during", "chair_closure_bounded")]

    def __str__(self) -> str:
        return str(self.during)


class Provider(models.Model):
    """A person who gives care at a site; `capacity` is patients at once, `max_acuity` points at once (null: any)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="providers")
    name = models.CharField(max_length=200)
    role = models.CharField(max_length=20, choices=ProviderRole)
    capacity = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(50)])
    max_acuity = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="providers", null=True, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(capacity__gte=1), name="provider_capacity_positive"),
            models.CheckConstraint(
                condition=Q(max_acuity__isnull=True) | Q(max_acuity__gte=1), name="provider_acuity_positive"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AvailabilityRule(models.Model):
    """When a provider works each week, in the site's wall time; an end at or before the start is the next day's."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="availability_rules")
    weekday = models.PositiveSmallIntegerField(validators=WEEKDAY)
    start_time = models.TimeField()
    end_time = models.TimeField()
    effective_from = models.DateField()
    effective_until = models.DateField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(weekday__lte=6), name="availability_weekday"),
            models.CheckConstraint(condition=~Q(start_time=F("end_time")), name="availability_not_empty"),
            models.CheckConstraint(
                condition=Q(effective_until__isnull=True) | Q(effective_until__gte=F("effective_from")),
                name="availability_dates_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.weekday} {self.start_time}-{self.end_time}"


class TimeOff(models.Model):
    """A time in which a provider does not work, whatever the weekly rules say."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="time_off")
    during = DateTimeRangeField()
    reason = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints: ClassVar = [bounded("during", "time_off_bounded")]

    def __str__(self) -> str:
        return str(self.during)


class Protocol(models.Model):
    """A treatment plan in one version. `phases` has the contract's shape, which `treatment.parse_phases` reads.

    `gates` is a list of names, or of objects with what this protocol asks otherwise (`scheduler.gates`); `reminders` of
    `{hours_before, channels}`, `follow_ups` of `{instrument, hours_after}`. `observation` says which vital signs are
    due when and what they may not be, `discharge` what must be true before a patient goes home; {}: nothing.
    A version that a series follows is never edited: a change makes the next version.
    """

    class Status(models.TextChoices):
        DRAFT = "draft"
        APPROVED = "approved"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="protocols")
    code = models.CharField(max_length=50)
    version = models.PositiveIntegerField(default=1)
    name = models.CharField(max_length=200)
    indications = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    approved_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    sources = ArrayField(models.CharField(max_length=500), default=list, blank=True)
    phases = models.JSONField()
    gates = models.JSONField(default=list, blank=True)
    observation = models.JSONField(default=dict, blank=True, db_default=Value({}, models.JSONField()))
    discharge = models.JSONField(default=dict, blank=True, db_default=Value({}, models.JSONField()))
    reminders = models.JSONField(default=list, blank=True)
    follow_ups = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "code", "version"], name="protocol_version_once"),
            models.CheckConstraint(
                condition=Q(status="draft") | Q(approved_by__isnull=False, approved_at__isnull=False),
                name="protocol_approved_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} v{self.version}"


class Severity(models.TextChoices):
    """Whether an open gate stops the patient's way or only has to be looked at."""

    BLOCK = "block"
    WARN = "warn"


class Moment(models.TextChoices):
    """The move that a gate stands before."""

    START = "start"
    DISCHARGE = "discharge"


class Scope(models.TextChoices):
    """How far an answer reaches: this session, the whole series, or whatever the patient has here."""

    SESSION = "session"
    SERIES = "series"
    PATIENT = "patient"


class GateDefinition(models.Model):
    """What a gate of that name means in an organization: its own edition of the catalogue's gate, or one of its own.

    An answer counts for `valid_hours` (null: no limit) within its `scope`. `limits` is a list of `{measure, at_least or
    at_most, action}`: a value measured at the gate that calls for more than a warning keeps it from being met.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="gate_definitions")
    gate = models.CharField(max_length=40)
    rule = models.CharField(max_length=500)
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.BLOCK)
    at = ArrayField(models.CharField(max_length=10, choices=Moment), default=list)
    scope = models.CharField(max_length=10, choices=Scope, default=Scope.SESSION)
    valid_hours = models.PositiveIntegerField(null=True, blank=True)
    override_roles = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    patient_may = models.BooleanField(default=False)
    limits = models.JSONField(default=list, blank=True)
    sources = ArrayField(models.CharField(max_length=500), default=list, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "gate"], name="gate_once"),
            models.CheckConstraint(condition=~Q(at=[]), name="gate_stands_somewhere"),
        ]

    def __str__(self) -> str:
        return self.gate


class SupplyVersion(models.Model):
    """A number that is new with each change of what a site has to offer; no row: nothing was ever written.

    Triggers move it (migration `supply_versions`). It comes from a sequence, so a number never stands for two things,
    not even where a transaction was rolled back.
    """

    site = models.OneToOneField(Site, on_delete=models.CASCADE, primary_key=True, related_name="supply_version")
    version = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.version)
