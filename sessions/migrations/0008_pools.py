"""What each session asks of a chair and of people, so that those to come can be laid anew."""

from __future__ import annotations

from typing import ClassVar

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("infusion_sessions", "0007_booked_days"),
        ("scheduler", "0002_guards"),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="session",
            name="chair_features",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=50), blank=True, db_default=[], default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="session",
            name="chair_kinds",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=20), blank=True, db_default=[], default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="session",
            name="wished_chair_kind",
            field=models.CharField(blank=True, db_default="", default="", max_length=20),
        ),
        migrations.AddField(
            model_name="session",
            name="wished_provider",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="scheduler.provider",
            ),
        ),
    ]
