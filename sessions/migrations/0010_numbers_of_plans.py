"""A plan remembers the numbers of what it was made from."""

from __future__ import annotations

from typing import ClassVar

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("infusion_sessions", "0009_one_lock")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="plan",
            name="numbers",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), blank=True, null=True, size=None
            ),
        ),
    ]
