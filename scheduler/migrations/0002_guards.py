"""Changes of supply, protocols and gates are in the audit trail."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from accounts.audit import audited


class Migration(migrations.Migration):
    dependencies: ClassVar = [("scheduler", "0001_initial"), ("accounts", "0002_guards")]
    operations: ClassVar = [
        audited(
            "scheduler_openinghours",
            "scheduler_siteclosure",
            "scheduler_chair",
            "scheduler_chairclosure",
            "scheduler_provider",
            "scheduler_availabilityrule",
            "scheduler_timeoff",
            "scheduler_protocol",
            "scheduler_gatedefinition",
        )
    ]
