"""What a clinic decides of its day: from which grade an event holds a series, how late a visit is looked for."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0008_plan_weights_guards"),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="site",
            name="forgotten_after_minutes",
            field=models.PositiveSmallIntegerField(db_default=60, default=60),
        ),
        migrations.AddField(
            model_name="site",
            name="hold_series_from_grade",
            field=models.PositiveSmallIntegerField(db_default=3, default=3),
        ),
        migrations.AddField(
            model_name="site",
            name="late_from_minutes",
            field=models.PositiveSmallIntegerField(db_default=10, default=10),
        ),
        migrations.AddField(
            model_name="site",
            name="overdue_after_minutes",
            field=models.PositiveSmallIntegerField(db_default=15, default=15),
        ),
    ]
