"""Texts to one number are found, so that they go one after another."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies: ClassVar = [("notifications", "0004_alone")]
    operations: ClassVar = [
        AddIndexConcurrently(
            "message",
            models.Index(
                fields=["patient"],
                name="message_text_to_come",
                condition=models.Q(("channel", "sms"), ("status__in", ("due", "sending"))),
            ),
        ),
    ]
