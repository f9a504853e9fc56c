"""What each term of a plan's cost counts is a site's setting."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("accounts", "0005_contacts")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="site",
            name="plan_weights",
            field=models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict),
        )
    ]
