"""What proves a person beside the password: a code from their telephone, codes on paper."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

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
