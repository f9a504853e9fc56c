"""What a protocol says about the day itself, and the library of gates."""

from __future__ import annotations

from typing import ClassVar

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import accounts.ids


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0002_guards"),
        ("scheduler", "0002_guards"),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="protocol",
            name="discharge",
            field=models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AddField(
            model_name="protocol",
            name="observation",
            field=models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.CreateModel(
            name="GateDefinition",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("gate", models.CharField(max_length=40)),
                ("rule", models.CharField(max_length=500)),
                (
                    "severity",
                    models.CharField(choices=[("block", "Block"), ("warn", "Warn")], default="block", max_length=10),
                ),
                (
                    "at",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[("start", "Start"), ("discharge", "Discharge")], max_length=10
                        ),
                        default=list,
                        size=None,
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[("session", "Session"), ("series", "Series"), ("patient", "Patient")],
                        default="session",
                        max_length=10,
                    ),
                ),
                ("valid_hours", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "override_roles",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20), blank=True, default=list, size=None
                    ),
                ),
                ("patient_may", models.BooleanField(default=False)),
                ("limits", models.JSONField(blank=True, default=list)),
                (
                    "sources",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=500), blank=True, default=list, size=None
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="gate_definitions",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "gate"), name="gate_once"),
                    models.CheckConstraint(condition=models.Q(("at", []), _negated=True), name="gate_stands_somewhere"),
                ],
            },
        ),
    ]
