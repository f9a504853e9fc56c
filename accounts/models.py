"""Who is who: organizations, sites, people who sign in, patients, and the audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from accounts import clock
from accounts.factor_models import Passkey, SecondFactor, SpentChallenge
from accounts.ids import uuid7
from accounts.staff_models import LANGUAGES, Invitation, Letter

if TYPE_CHECKING:
    from uuid import UUID

__all__ = [
    "LANGUAGES",
    "AuditEntry",
    "Channel",
    "Contact",
    "IdempotencyKey",
    "Invitation",
    "Letter",
    "Organization",
    "Passkey",
    "Patient",
    "Role",
    "SecondFactor",
    "Sight",
    "SignInLink",
    "Site",
    "SpentChallenge",
    "User",
]


class Role(models.TextChoices):
    """The contract's seven roles; a person may hold several, `admin` holds each in their organization."""

    PATIENT = "patient"
    FRONT_DESK = "front_desk"
    NURSE = "nurse"
    PRESCRIBER = "prescriber"
    MANAGER = "manager"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Channel(models.TextChoices):
    """Ways to reach a patient."""

    EMAIL = "email"
    SMS = "sms"


def default_approvers() -> list[str]:
    """Roles that may approve a protocol until an organization says otherwise."""
    return [Role.PRESCRIBER, Role.ADMIN]


def default_channels() -> list[str]:
    """Channels of a patient who has stated no wish."""
    return [Channel.EMAIL]


def demanded_by_default() -> bool:
    """Whether a new organization demands a second factor of its staff: in production it does."""
    return bool(settings.SECOND_FACTOR_DEMANDED)


class Organization(models.Model):
    """A clinic group: the wall that nothing crosses. Its staff may be let in only with a second factor."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    approver_roles = ArrayField(models.CharField(max_length=20, choices=Role), default=default_approvers)
    demands_second_factor = models.BooleanField(default=demanded_by_default, db_default=False)

    def __str__(self) -> str:
        return self.name


class Site(models.Model):
    """A clinic location with a time zone. Wall times of everything that happens there are in this zone."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="sites")
    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64)
    phone = models.CharField(max_length=20, blank=True, default="")
    # The crisis line and emergency number differ by country, so they are the site's (US: 988 Lifeline, 911).
    crisis_line = models.CharField(max_length=20, default="988")
    emergency_number = models.CharField(max_length=20, default="911")
    on_call = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="on_call_sites")
    last_reminder_minutes = models.PositiveSmallIntegerField(default=30)
    plan_life_minutes = models.PositiveSmallIntegerField(default=60)
    hold_life_minutes = models.PositiveSmallIntegerField(default=10)
    # What one unit of each term of a plan's cost counts in its score; empty: the standard (scheduler/plans.py).
    plan_weights = models.JSONField(default=dict, blank=True, db_default=Value({}, models.JSONField()))
    # A cancellation so many hours before the start, or later, is late: marked, and a patient has to call instead.
    late_cancel_hours = models.PositiveSmallIntegerField(default=24, db_default=24)
    # From this grade on an adverse event holds the series until a prescriber releases it (CTCAE v5, NCI 2017: 3 is
    # severe).
    hold_series_from_grade = models.PositiveSmallIntegerField(default=3, db_default=3)
    # So many minutes late is a visit looked for (nobody arrived), told as late, shown as forgotten (nobody ended it).
    # Clinic defaults without a published source, to be reviewed by each clinic.
    overdue_after_minutes = models.PositiveSmallIntegerField(default=15, db_default=15)
    late_from_minutes = models.PositiveSmallIntegerField(default=10, db_default=10)
    forgotten_after_minutes = models.PositiveSmallIntegerField(default=60, db_default=60)
    # Offers of freed places: how long there is to answer, to how many at once, how many a person and day, how long
    # before the start the last one goes out, and between which wall times none does.
    offer_minutes = models.PositiveSmallIntegerField(default=60, db_default=60)
    offers_at_once = models.PositiveSmallIntegerField(default=3, db_default=3)
    offers_a_day = models.PositiveSmallIntegerField(default=2, db_default=2)
    offer_lead_hours = models.PositiveSmallIntegerField(default=4, db_default=4)
    offers_rest_from = models.TimeField(default=time(20), db_default=time(20))
    offers_rest_until = models.TimeField(default=time(8), db_default=time(8))

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["organization", "name"], name="site_name_once")]

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    """Makes users; addresses are kept in lower case, so that one person is one row."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Save and return a user who signs in with `email`."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Save and return a user with every right; for Django's own command."""
        return self.create_user(email, password, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """Find the user who signs in with `username`, whatever the case it is typed in."""
        return self.get(email=(username or "").lower())


@dataclass(frozen=True)
class Sight:
    """What decides over whom a person may see, as one request found it.

    Ids of the sites where they work, of their own record as a patient (none or one) and of its site.
    """

    sites: frozenset[UUID]
    patient: frozenset[UUID]
    treated_at: frozenset[UUID]


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in. Staff belong to one organization and work at `sites`; `language` is that of mails to them.

    `session_round` goes on where all that let the person in is over: sessions name it, the database ends tokens.
    `sight` is set where a token signs in for one request, and None where nobody has asked.
    """

    sight: Sight | None = None

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=200, blank=True, default="")
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="users", null=True, blank=True
    )
    roles = ArrayField(models.CharField(max_length=20, choices=Role), default=list, blank=True)
    sites = models.ManyToManyField(Site, related_name="staff", blank=True)
    language = models.CharField(max_length=2, default="en", db_default="en", choices=LANGUAGES)
    is_active = models.BooleanField(default=True)
    session_round = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_lower_case"),
            models.CheckConstraint(condition=Q(roles__contained_by=list(Role.values)), name="user_roles_known"),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def is_staff(self) -> bool:
        """Whether Django's admin lets this person in."""
        return self.is_superuser

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django's own, with the round in it."""
        said = f"{self.password}{self.session_round}"
        return salted_hmac("accounts.models.User.session", said, secret=secret, algorithm="sha256").hexdigest()


class Contact(models.Model):
    """What is known of an address, whoever has it: who has it wants nothing of us there, or nobody is reached there."""

    channel = models.CharField(max_length=10, choices=Channel)
    address = models.CharField(max_length=254)
    stopped_at = models.DateTimeField(null=True, blank=True)
    dead_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["channel", "address"], name="contact_once")]

    def __str__(self) -> str:
        return str(self.pk)


class Patient(models.Model):
    """A person who is treated. `user` is set where the patient signs in.

    Texts and calls come outside quiet hours only, by the patient's clock: `time_zone`, or the site's where that is "".
    `texting_consent` is what the patient said (null: was not asked), recorded when and by whom. `stopped_channels` and
    `dead_channels` are what `Contact` knows of the addresses.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="patients")
    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="patient", null=True, blank=True)
    given_name = models.CharField(max_length=100)
    family_name = models.CharField(max_length=100)
    birth_date = models.DateField()
    email = models.EmailField(max_length=254, blank=True, default="")
    phone = models.CharField(max_length=20, blank=True, default="")
    preferred_channels = ArrayField(
        models.CharField(max_length=10, choices=Channel), default=default_channels, blank=True
    )
    language = models.CharField(max_length=2, default="en", choices=LANGUAGES)
    time_zone = models.CharField(max_length=64, blank=True, default="", db_default="")
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    texting_consent = models.BooleanField(null=True, blank=True)
    texting_consent_at = models.DateTimeField(null=True, blank=True)
    texting_consent_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    stopped_channels = ArrayField(
        models.CharField(max_length=10, choices=Channel), default=list, db_default=[], blank=True
    )
    dead_channels = ArrayField(
        models.CharField(max_length=10, choices=Channel), default=list, db_default=[], blank=True
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(preferred_channels__contained_by=list(Channel.values)), name="patient_channels_known"
            ),
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | (Q(quiet_from__isnull=False, quiet_until__isnull=False) & ~Q(quiet_from=models.F("quiet_until"))),
                name="patient_quiet_hours_whole",
            ),
            models.CheckConstraint(
                condition=Q(texting_consent__isnull=True) | Q(texting_consent_at__isnull=False),
                name="patient_consent_has_a_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site", "family_name"], name="patient_by_name"),
            models.Index(fields=["phone"], name="patient_by_phone", condition=~Q(phone="")),
            models.Index(fields=["email"], name="patient_by_email", condition=~Q(email="")),
        ]

    def __str__(self) -> str:
        return str(self.id)


class SignInLink(models.Model):
    """A wish to be let in by a link in the mail. `user` is empty where nobody signs in with the address.

    The worker that sends the mail makes the token and keeps only its hash; who comes with it before `expires_at` is let
    in once.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", null=True)
    requested_at = models.DateTimeField()
    try_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    token_hash = models.CharField(max_length=64, unique=True, null=True)
    sent_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["try_at"], name="link_to_send", condition=Q(sent_at__isnull=True))]

    def __str__(self) -> str:
        return str(self.id)


class AuditEntry(models.Model):
    """One change of a record, or one read of a patient's record. The database lets nobody change or remove a row.

    Changes are written by a trigger on every audited table, so raw SQL is seen too; reads by `accounts.audit`.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    actor = models.UUIDField(null=True, db_index=True)
    action = models.CharField(max_length=10)
    record_type = models.CharField(max_length=63)
    record_id = models.CharField(max_length=64)
    patient_id = models.UUIDField(null=True, db_index=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"{self.action} {self.record_type} {self.record_id}"


class IdempotencyKey(models.Model):
    """The answer once given to a POST, so that a repeat gets the same one and nothing is done twice."""

    id = models.BigAutoField(primary_key=True)
    caller = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.TextField()
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once")]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="idempotency_by_age")]

    def __str__(self) -> str:
        return self.key
