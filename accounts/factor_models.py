"""What proves a person beside the password, or without it: codes from a telephone or on paper, passkeys."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts import clock
from accounts.ids import uuid7


class SecondFactor(models.Model):
    """A person's code from a telephone (RFC 6238), and the codes that stand in for a telephone that is lost.

    `secret` is sealed with a key made from SECRET_KEY; of the recovery codes only hashes are kept. `last_step` is the
    half minute of the last code that was taken: it and those before it are used up. `failures` are wrong codes on
    end, the last at `failed_at`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.OneToOneField("accounts.User", on_delete=models.CASCADE, related_name="second_factor")
    secret = models.TextField()
    last_step = models.BigIntegerField(default=0)
    recovery_hashes = ArrayField(models.CharField(max_length=64), default=list)
    failures = models.PositiveSmallIntegerField(default=0)
    failed_at = models.DateTimeField(null=True)
    set_up_at = models.DateTimeField(default=clock.now)

    def __str__(self) -> str:
        return str(self.pk)


class Passkey(models.Model):
    """A person's passkey (WebAuthn), known by its id in base64url. Kept is its public key (COSE), which opens nothing.

    `sign_count` is how often it said it had signed; 0 for one that does not count. `stopped_at` is since when it opens
    nothing, since that count went back: somebody may have a copy.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="passkeys")
    name = models.CharField(max_length=60)
    # WebAuthn 5.8.3: an id of at most 1,023 bytes.
    credential_id = models.CharField(max_length=1364, unique=True)
    public_key = models.BinaryField()
    sign_count = models.BigIntegerField(default=0)
    added_at = models.DateTimeField(default=clock.now, editable=False)
    used_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(sign_count__gte=0) & ~Q(credential_id=""), name="passkey_whole")
        ]

    def __str__(self) -> str:
        return str(self.pk)


class SpentChallenge(models.Model):
    """A challenge that a passkey has answered: of two that come with one at a time, the database lets in one."""

    digest = models.CharField(primary_key=True, max_length=64)
    spent_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.digest
