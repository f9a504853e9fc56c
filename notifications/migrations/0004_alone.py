"""What may have killed its workers is taken by itself."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies: ClassVar = [("notifications", "0003_together")]
    operations: ClassVar = [
        migrations.AddField("message", "alone", models.BooleanField(default=False, db_default=False)),
        AddIndexConcurrently(
            "message",
            models.Index(
                fields=["not_after"], name="message_alone", condition=models.Q(("alone", True), ("status", "due"))
            ),
        ),
    ]
