"""Supply and protocols."""

from __future__ import annotations

from typing import ClassVar

import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.core.validators
import django.db.models.deletion
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models

import accounts.clock
import accounts.ids


class Migration(migrations.Migration):
    initial: ClassVar = True

    dependencies: ClassVar = [
        ("accounts", "0001_initial"),
        ("accounts", "__first__"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="SupplyVersion",
            fields=[
                (
                    "site",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="supply_version",
                        serialize=False,
                        to="accounts.site",
                    ),
                ),
                ("version", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Chair",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100)),
                (
                    "kind",
                    models.CharField(
                        choices=[("recliner", "Recliner"), ("bed", "Bed"), ("private_room", "Private Room")],
                        max_length=20,
                    ),
                ),
                (
                    "features",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50), blank=True, default=list, size=None
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="chairs", to="accounts.site"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("site", "name"), name="chair_name_once")],
            },
        ),
        migrations.CreateModel(
            name="ChairClosure",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("during", django.contrib.postgres.fields.ranges.DateTimeRangeField()),
                ("reason", models.CharField(blank=True, default="", max_length=200)),
                (
                    "chair",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="closures", to="scheduler.chair"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("during__isempty", False),
                            ("during__lower_inf", False),
                            ("during__upper_inf", False),
                            django.db.models.lookups.Exact(
                                models.Func(
                                    models.Func(models.F("during"), function="lower"),
                                    function="isfinite",
                                    output_field=models.BooleanField(),
                                ),
                                True,
                            ),
                            django.db.models.lookups.Exact(
                                models.Func(
                                    models.Func(models.F("during"), function="upper"),
                                    function="isfinite",
                                    output_field=models.BooleanField(),
                                ),
                                True,
                            ),
                        ),
                        name="chair_closure_bounded",
                    )
                ],
            },
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
        migrations.CreateModel(
            name="OpeningHours",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "weekday",
                    models.PositiveSmallIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(6),
                        ]
                    ),
                ),
                ("opens", models.TimeField()),
                ("closes", models.TimeField()),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="opening_hours", to="accounts.site"
                    ),
                ),
            ],
            options={
                "ordering": ["weekday", "opens"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("opens__lt", models.F("closes"))), name="opening_hours_not_empty"
                    ),
                    models.CheckConstraint(condition=models.Q(("weekday__lte", 6)), name="opening_hours_weekday"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Protocol",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("code", models.CharField(max_length=50)),
                ("version", models.PositiveIntegerField(default=1)),
                ("name", models.CharField(max_length=200)),
                (
                    "indications",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=200), blank=True, default=list, size=None
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("draft", "Draft"), ("approved", "Approved"), ("retired", "Retired")],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("approved_at", models.DateTimeField(blank=True, null=True)),
                (
                    "sources",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=500), blank=True, default=list, size=None
                    ),
                ),
                ("phases", models.JSONField()),
                ("gates", models.JSONField(blank=True, default=list)),
                (
                    "observation",
                    models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict),
                ),
                (
                    "discharge",
                    models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict),
                ),
                ("reminders", models.JSONField(blank=True, default=list)),
                ("follow_ups", models.JSONField(blank=True, default=list)),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                (
                    "approved_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="protocols",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "code", "version"), name="protocol_version_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status", "draft"),
                            models.Q(("approved_at__isnull", False), ("approved_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="protocol_approved_by_somebody",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Provider",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=200)),
                ("role", models.CharField(choices=[("nurse", "Nurse"), ("prescriber", "Prescriber")], max_length=20)),
                (
                    "capacity",
                    models.PositiveSmallIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(50),
                        ]
                    ),
                ),
                (
                    "max_acuity",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000),
                        ],
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="providers", to="accounts.site"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="providers",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("capacity__gte", 1)), name="provider_capacity_positive"),
                    models.CheckConstraint(
                        condition=models.Q(("max_acuity__isnull", True), ("max_acuity__gte", 1), _connector="OR"),
                        name="provider_acuity_positive",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AvailabilityRule",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "weekday",
                    models.PositiveSmallIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(6),
                        ]
                    ),
                ),
                ("start_time", models.TimeField()),
                ("end_time", models.TimeField()),
                ("effective_from", models.DateField()),
                ("effective_until", models.DateField(blank=True, null=True)),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="availability_rules",
                        to="scheduler.provider",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("weekday__lte", 6)), name="availability_weekday"),
                    models.CheckConstraint(
                        condition=models.Q(("start_time", models.F("end_time")), _negated=True),
                        name="availability_not_empty",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("effective_until__isnull", True),
                            ("effective_until__gte", models.F("effective_from")),
                            _connector="OR",
                        ),
                        name="availability_dates_in_order",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SiteClosure",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("during", django.contrib.postgres.fields.ranges.DateTimeRangeField()),
                ("reason", models.CharField(blank=True, default="", max_length=200)),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="closures", to="accounts.site"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("during__isempty", False),
                            ("during__lower_inf", False),
                            ("during__upper_inf", False),
                            django.db.models.lookups.Exact(
                                models.Func(
                                    models.Func(models.F("during"), function="lower"),
                                    function="isfinite",
                                    output_field=models.BooleanField(),
                                ),
                                True,
                            ),
                            django.db.models.lookups.Exact(
                                models.Func(
                                    models.Func(models.F("during"), function="upper"),
                                    function="isfinite",
                                    output_field=models.BooleanField(),
                                ),
                                True,
                            ),
                        ),
                        name="site_closure_bounded",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="TimeOff",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("during", django.contrib.postgres.fields.ranges.DateTimeRangeField()),
                ("reason", models.CharField(blank=True, default="", max_length=200)),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="time_off", to="scheduler.provider"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("during__isempty", False),
                            ("during__lower_inf", False),
                            ("during__upper_inf", False),
                            django.db.models.lookups.Exact(
                                models.Func(
                                    models.Func(models.F("during"), function="lower"),
                                    function="isfinite",
                                    output_field=models.BooleanField(),
                                ),
                                True,
                            ),
                            django.db.models.lookups.Exact(
                                models.Func(
                                    models.Func(models.F("during"), function="upper"),
                                    function="isfinite",
                                    output_field=models.BooleanField(),
                                ),
                                True,
                            ),
                        ),
                        name="time_off_bounded",
                    )
                ],
            },
        ),
    ]
