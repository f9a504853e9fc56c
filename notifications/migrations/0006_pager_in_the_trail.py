"""A pager has an id of its own, by which the audit trail names it."""

from __future__ import annotations

from typing import ClassVar

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.ids
import accounts.models
from accounts.audit import audited


class Migration(migrations.Migration):
    dependencies: ClassVar = [("notifications", "0005_engine_guards")]
    operations: ClassVar = [
        migrations.DeleteModel(name="Pager"),
        migrations.CreateModel(
            name="Pager",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("phone", models.CharField(blank=True, default="", max_length=20)),
                (
                    "channels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(choices=[("email", "Email"), ("sms", "Sms")], max_length=10),
                        default=accounts.models.default_channels,
                        size=None,
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pager",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("channels__contained_by", ["email", "sms"])), name="pager_channels_known"
                    )
                ],
            },
        ),
        audited("notifications_pager"),
    ]
