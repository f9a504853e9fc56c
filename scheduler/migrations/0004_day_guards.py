"""What a gate means is in the audit trail like every other rule of a clinic."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from accounts.audit import audited


class Migration(migrations.Migration):
    dependencies: ClassVar = [("scheduler", "0003_day"), ("accounts", "0002_guards")]
    operations: ClassVar = [audited("scheduler_gatedefinition")]
