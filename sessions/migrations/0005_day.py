"""How far an infusion has run, vital signs, adverse events, how a patient left."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.clock
import accounts.ids


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0003_change"),
        ("infusion_sessions", "0004_change_guards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="session",
            name="discharge_record",
            field=models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AddField(
            model_name="session",
            name="infused_seconds",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="session",
            name="rate_percent",
            field=models.PositiveSmallIntegerField(db_default=100, default=100),
        ),
        migrations.AddField(
            model_name="session",
            name="rate_since",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="AdverseEvent",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("grade", models.PositiveSmallIntegerField()),
                ("term", models.CharField(max_length=200)),
                ("onset", models.DateTimeField()),
                ("action", models.CharField(max_length=20)),
                ("outcome", models.CharField(max_length=20)),
                ("symptoms", models.CharField(blank=True, default="", max_length=2000)),
                ("drugs_given", models.CharField(blank=True, default="", max_length=1000)),
                ("rechallenge_plan", models.CharField(blank=True, default="", max_length=1000)),
                ("rate_percent", models.PositiveSmallIntegerField(null=True)),
                ("reported_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                (
                    "amends",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="infusion_sessions.adverseevent",
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.patient"
                    ),
                ),
                (
                    "reported_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adverse_events",
                        to="infusion_sessions.session",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["session", "onset"], name="adverse_of_session")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("grade__gte", 1), ("grade__lte", 5)), name="adverse_grade"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="VitalSigns",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("taken_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                ("systolic", models.PositiveSmallIntegerField(null=True)),
                ("diastolic", models.PositiveSmallIntegerField(null=True)),
                ("heart_rate", models.PositiveSmallIntegerField(null=True)),
                ("spo2", models.PositiveSmallIntegerField(null=True)),
                ("respiratory_rate", models.PositiveSmallIntegerField(null=True)),
                ("temperature", models.FloatField(null=True)),
                ("note", models.CharField(blank=True, default="", max_length=2000)),
                ("answers", models.JSONField(blank=True, default=list)),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.patient"
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="vitals",
                        to="infusion_sessions.session",
                    ),
                ),
                (
                    "taken_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["session", "taken_at"], name="vitals_of_session")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("systolic__isnull", True),
                            models.Q(("systolic__gte", 40), ("systolic__lte", 300)),
                            _connector="OR",
                        ),
                        name="vitals_systolic_human",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("diastolic__isnull", True),
                            models.Q(("diastolic__gte", 20), ("diastolic__lte", 200)),
                            _connector="OR",
                        ),
                        name="vitals_diastolic_human",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("heart_rate__isnull", True),
                            models.Q(("heart_rate__gte", 20), ("heart_rate__lte", 250)),
                            _connector="OR",
                        ),
                        name="vitals_heart_rate_human",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("spo2__isnull", True), models.Q(("spo2__gte", 50), ("spo2__lte", 100)), _connector="OR"
                        ),
                        name="vitals_spo2_human",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("respiratory_rate__isnull", True),
                            models.Q(("respiratory_rate__gte", 4), ("respiratory_rate__lte", 60)),
                            _connector="OR",
                        ),
                        name="vitals_respiratory_rate_human",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("temperature__isnull", True),
                            models.Q(("temperature__gte", 30), ("temperature__lte", 44)),
                            _connector="OR",
                        ),
                        name="vitals_temperature_human",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("diastolic__isnull", True),
                            ("systolic__isnull", True),
                            ("diastolic__lt", models.F("systolic")),
                            _connector="OR",
                        ),
                        name="vitals_pressure_in_order",
                    ),
                ],
            },
        ),
    ]
