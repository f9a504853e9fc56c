"""What nobody has answered is found without looking at what was."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies: ClassVar = [("notifications", "0006_lean")]
    operations: ClassVar = [
        AddIndexConcurrently(
            "followup",
            models.Index(
                fields=["expires_at"], name="follow_up_unanswered", condition=models.Q(("answered_at__isnull", True))
            ),
        )
    ]
