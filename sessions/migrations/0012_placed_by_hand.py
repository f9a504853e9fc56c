"""What a person put somewhere on the board is not laid anew."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("infusion_sessions", "0011_within_a_day")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="session",
            name="placed_by_hand",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
