"""A text message may raise an alert by its words."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0009_clinical_settings"),
        ("infusion_sessions", "0012_placed_by_hand"),
        ("notifications", "0010_together"),
    ]

    operations: ClassVar = [
        migrations.RemoveConstraint(
            model_name="alert",
            name="alert_has_a_cause",
        ),
        migrations.AddField(
            model_name="alert",
            name="reply",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="notifications.reply",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(fields=("reply", "kind"), name="alert_of_reply_once"),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("follow_up__isnull", False),
                    ("message__isnull", False),
                    ("reading__isnull", False),
                    ("adverse_event__isnull", False),
                    ("reply__isnull", False),
                    _connector="OR",
                ),
                name="alert_has_a_cause",
            ),
        ),
    ]
