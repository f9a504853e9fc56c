"""How somebody comes to work here, and what is written to staff about how they sign in."""

from __future__ import annotations

from typing import ClassVar, Final

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from accounts import clock
from accounts.ids import uuid7

LANGUAGES: Final = (("en", "English"), ("es", "Español"))


class Invitation(models.Model):
    """A wish that somebody works here, with these roles at these sites. Who takes it up becomes `user`.

    It is no person yet: whether the address signs in at another organization is for nobody here to know.
    """

    class Status(models.TextChoices):
        """Worked out from the row: a clock makes an open one expire."""

        OPEN = "open"
        EXPIRED = "expired"
        ACCEPTED = "accepted"
        WITHDRAWN = "withdrawn"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.PROTECT, related_name="invitations")
    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=200)
    roles = ArrayField(models.CharField(max_length=20))
    sites = models.ManyToManyField("accounts.Site", related_name="+", blank=True)
    language = models.CharField(max_length=2, default="en", db_default="en", choices=LANGUAGES)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    invited_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(email=Lower("email")), name="invitation_email_lower_case"),
            models.UniqueConstraint(
                fields=["organization", "email"],
                name="invitation_once",
                condition=Q(accepted_at__isnull=True, withdrawn_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def status(self) -> str:
        """What became of it."""
        if self.accepted_at is not None:
            return self.Status.ACCEPTED
        if self.withdrawn_at is not None:
            return self.Status.WITHDRAWN
        return self.Status.EXPIRED if self.expires_at <= clock.now() else self.Status.OPEN


class Letter(models.Model):
    """A mail to be sent to who signs in, or to who is invited. One with a link opens once, until `expires_at`.

    The worker that sends it makes the link's token and keeps only its hash.
    """

    class Kind(models.TextChoices):
        """What it says: come in, set a new password, your second factor was taken off, a passkey was added."""

        INVITATION = "invitation"
        PASSWORD = "password"  # noqa: S105  (a kind of mail)
        FACTOR_RESET = "factor_reset"
        PASSKEY_ADDED = "passkey_added"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=20, choices=Kind)
    invitation = models.ForeignKey(Invitation, on_delete=models.PROTECT, related_name="letters", null=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    requested_at = models.DateTimeField()
    try_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    token_hash = models.CharField(max_length=64, unique=True, null=True)
    sent_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind="invitation", invitation__isnull=False, user__isnull=True)
                | (~Q(kind="invitation") & Q(invitation__isnull=True, user__isnull=False)),
                name="letter_to_one",
            )
        ]
        indexes: ClassVar = [models.Index(fields=["try_at"], name="letter_to_send", condition=Q(sent_at__isnull=True))]

    def __str__(self) -> str:
        return str(self.id)
