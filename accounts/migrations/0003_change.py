"""What a site says of late cancellations and of offers."""

from __future__ import annotations

import datetime
from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0002_guards"),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="site",
            name="late_cancel_hours",
            field=models.PositiveSmallIntegerField(db_default=24, default=24),
        ),
        migrations.AddField(
            model_name="site",
            name="offer_lead_hours",
            field=models.PositiveSmallIntegerField(db_default=4, default=4),
        ),
        migrations.AddField(
            model_name="site",
            name="offer_minutes",
            field=models.PositiveSmallIntegerField(db_default=60, default=60),
        ),
        migrations.AddField(
            model_name="site",
            name="offers_a_day",
            field=models.PositiveSmallIntegerField(db_default=2, default=2),
        ),
        migrations.AddField(
            model_name="site",
            name="offers_at_once",
            field=models.PositiveSmallIntegerField(db_default=3, default=3),
        ),
        migrations.AddField(
            model_name="site",
            name="offers_rest_from",
            field=models.TimeField(db_default=datetime.time(20, 0), default=datetime.time(20, 0)),
        ),
        migrations.AddField(
            model_name="site",
            name="offers_rest_until",
            field=models.TimeField(db_default=datetime.time(8, 0), default=datetime.time(8, 0)),
        ),
    ]
