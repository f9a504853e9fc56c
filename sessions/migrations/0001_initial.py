"""Orders, plans, series, sessions; what happens to them; disruptions and the waitlist."""

from __future__ import annotations

import datetime
from typing import ClassVar

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.db.models.constraints
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models

import accounts.clock
import accounts.ids


class Migration(migrations.Migration):
    initial: ClassVar = True

    dependencies: ClassVar = [
        ("accounts", "0002_guards"),
        ("scheduler", "0001_initial"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Disruption",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("provider_absence", "Provider Absence"),
                            ("chair_closure", "Chair Closure"),
                            ("site_closure", "Site Closure"),
                        ],
                        max_length=20,
                    ),
                ),
                ("during", django.contrib.postgres.fields.ranges.DateTimeRangeField()),
                ("reason", models.CharField(blank=True, default="", max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("applied", "Applied"),
                            ("undone", "Undone"),
                            ("replaced", "Replaced"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                ("applied_at", models.DateTimeField(blank=True, null=True)),
                ("undone_at", models.DateTimeField(blank=True, null=True)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                (
                    "applied_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "chair",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disruptions",
                        to="scheduler.chair",
                    ),
                ),
                (
                    "chair_closure",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="scheduler.chairclosure",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disruptions",
                        to="scheduler.provider",
                    ),
                ),
                (
                    "replaced_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="infusion_sessions.disruption",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="disruptions", to="accounts.site"
                    ),
                ),
                (
                    "site_closure",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="scheduler.siteclosure",
                    ),
                ),
                (
                    "time_off",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="scheduler.timeoff",
                    ),
                ),
                (
                    "undone_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["site", "status"], name="disruption_by_site")],
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
                        name="disruption_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("chair__isnull", True), ("kind", "provider_absence"), ("provider__isnull", False)
                            ),
                            models.Q(("chair__isnull", False), ("kind", "chair_closure"), ("provider__isnull", True)),
                            models.Q(("chair__isnull", True), ("kind", "site_closure"), ("provider__isnull", True)),
                            _connector="OR",
                        ),
                        name="disruption_of_one_thing",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("applied_at__isnull", True),
                                ("status__in", ["draft", "replaced"]),
                                ("undone_at__isnull", True),
                            ),
                            models.Q(("applied_at__isnull", False), ("status", "applied"), ("undone_at__isnull", True)),
                            models.Q(("applied_at__isnull", False), ("status", "undone"), ("undone_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="disruption_states",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("sessions", models.PositiveSmallIntegerField()),
                ("valid_until", models.DateField()),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="orders", to="accounts.patient"
                    ),
                ),
                (
                    "prescribed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="orders", to="scheduler.protocol"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("sessions__gte", 1)), name="order_of_something")
                ],
            },
        ),
        migrations.CreateModel(
            name="Series",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("on_hold", "On Hold"),
                            ("needs_review", "Needs Review"),
                            ("completed", "Completed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="active",
                        max_length=20,
                    ),
                ),
                ("adjustments", models.JSONField(blank=True, default=list)),
                ("replace_by", models.DateField(blank=True, null=True)),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                ("row_version", models.PositiveIntegerField(default=1, editable=False)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="series",
                        to="infusion_sessions.order",
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="series", to="accounts.patient"
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="series", to="scheduler.protocol"
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="series", to="accounts.site"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["site", "status"], name="series_by_site"),
                    models.Index(
                        condition=models.Q(("replace_by__isnull", False)),
                        fields=["replace_by"],
                        name="series_to_replace",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("phase", models.CharField(max_length=100)),
                ("ordinal", models.PositiveSmallIntegerField()),
                ("sequence", models.PositiveSmallIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("booked", "Booked"),
                            ("confirmed", "Confirmed"),
                            ("arrived", "Arrived"),
                            ("infusing", "Infusing"),
                            ("recovering", "Recovering"),
                            ("completed", "Completed"),
                            ("stopped_early", "Stopped Early"),
                            ("cancelled", "Cancelled"),
                            ("no_show", "No Show"),
                        ],
                        default="booked",
                        max_length=20,
                    ),
                ),
                ("start", models.DateTimeField()),
                ("hands_on_until", models.DateTimeField()),
                ("infuse_start", models.DateTimeField()),
                ("recover_start", models.DateTimeField()),
                ("end", models.DateTimeField()),
                ("turnover_end", models.DateTimeField()),
                ("acuity", models.PositiveSmallIntegerField(default=1)),
                (
                    "chair_kinds",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20), blank=True, db_default=[], default=list, size=None
                    ),
                ),
                (
                    "chair_features",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50), blank=True, db_default=[], default=list, size=None
                    ),
                ),
                ("wished_chair_kind", models.CharField(blank=True, db_default="", default="", max_length=20)),
                ("placed_by_hand", models.BooleanField(db_default=False, default=False)),
                ("arrived_at", models.DateTimeField(blank=True, null=True)),
                ("infusion_started_at", models.DateTimeField(blank=True, null=True)),
                ("infusion_ended_at", models.DateTimeField(blank=True, null=True)),
                ("paused_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("stop_reason", models.CharField(blank=True, default="", max_length=500)),
                ("escort_name", models.CharField(blank=True, default="", max_length=200)),
                ("discharge_score", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "discharge_record",
                    models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict),
                ),
                ("infused_seconds", models.PositiveIntegerField(db_default=0, default=0)),
                ("rate_percent", models.PositiveSmallIntegerField(db_default=100, default=100)),
                ("rate_since", models.DateTimeField(blank=True, null=True)),
                ("gates", models.JSONField(blank=True, default=dict)),
                ("cancelled_late", models.BooleanField(db_default=False, default=False)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                (
                    "chair",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sessions", to="scheduler.chair"
                    ),
                ),
                (
                    "nurse",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="nursed_sessions",
                        to="scheduler.provider",
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sessions",
                        to="accounts.patient",
                    ),
                ),
                (
                    "prescriber",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="prescribed_sessions",
                        to="scheduler.provider",
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sessions",
                        to="infusion_sessions.series",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sessions",
                        to="accounts.site",
                    ),
                ),
                (
                    "wished_provider",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="scheduler.provider",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["nurse", "start"], name="session_by_nurse"),
                    models.Index(fields=["prescriber", "start"], name="session_by_prescriber"),
                    models.Index(fields=["site", "start"], name="session_by_site"),
                    models.Index(fields=["patient", "start"], name="session_by_patient"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ("cancelled", "no_show")), _negated=True),
                        fields=("series", "sequence"),
                        name="session_sequence_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("end__gte", models.F("recover_start")),
                            ("hands_on_until__lte", models.F("recover_start")),
                            ("infuse_start__gte", models.F("start")),
                            ("recover_start__gt", models.F("infuse_start")),
                            ("start__lt", models.F("hands_on_until")),
                            ("turnover_end__gte", models.F("end")),
                        ),
                        name="session_blocks_in_order",
                    ),
                    models.CheckConstraint(
                        condition=django.db.models.lookups.LessThanOrEqual(
                            django.db.models.expressions.CombinedExpression(
                                models.F("turnover_end"), "-", models.F("start")
                            ),
                            models.Value(datetime.timedelta(days=1)),
                        ),
                        name="session_within_a_day",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("start__gt", "2000-01-01T00:00:00Z"), ("turnover_end__lt", "2100-01-01T00:00:00Z")
                        ),
                        name="session_finite",
                    ),
                    models.CheckConstraint(condition=models.Q(("acuity__gte", 1)), name="session_acuity_positive"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                [
                                    "booked",
                                    "confirmed",
                                    "arrived",
                                    "infusing",
                                    "recovering",
                                    "completed",
                                    "stopped_early",
                                    "cancelled",
                                    "no_show",
                                ],
                            )
                        ),
                        name="session_status_known",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(("status__in", ("cancelled", "no_show")), _negated=True),
                        deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                        expressions=[
                            ("chair", "="),
                            (
                                models.Func(
                                    models.F("start"),
                                    models.F("turnover_end"),
                                    models.Value("[)"),
                                    function="tstzrange",
                                    output_field=django.contrib.postgres.fields.ranges.DateTimeRangeField(),
                                ),
                                "&&",
                            ),
                        ],
                        name="chair_taken",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(("status__in", ("cancelled", "no_show")), _negated=True),
                        deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                        expressions=[
                            ("patient", "="),
                            (
                                models.Func(
                                    models.F("start"),
                                    models.F("end"),
                                    models.Value("[)"),
                                    function="tstzrange",
                                    output_field=django.contrib.postgres.fields.ranges.DateTimeRangeField(),
                                ),
                                "&&",
                            ),
                        ],
                        name="patient_busy",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(("status__in", ("cancelled", "no_show")), _negated=True),
                        deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                        expressions=[
                            ("nurse", "="),
                            (
                                models.Func(
                                    models.F("start"),
                                    models.F("hands_on_until"),
                                    models.Value("[)"),
                                    function="tstzrange",
                                    output_field=django.contrib.postgres.fields.ranges.DateTimeRangeField(),
                                ),
                                "&&",
                            ),
                        ],
                        name="nurse_hands_on",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Plan",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                ("expires_at", models.DateTimeField()),
                ("request", models.JSONField(default=dict)),
                ("score", models.BigIntegerField(default=0)),
                ("sessions", models.JSONField()),
                (
                    "numbers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), blank=True, null=True, size=None
                    ),
                ),
                ("held_until", models.DateTimeField(blank=True, null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="plans", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "held_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="plans",
                        to="accounts.patient",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="plans", to="scheduler.protocol"
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="plans", to="accounts.site"
                    ),
                ),
                (
                    "booked_as",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="plans",
                        to="infusion_sessions.series",
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rest_plans",
                        to="infusion_sessions.series",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="place_plans",
                        to="infusion_sessions.session",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("held_until__isnull", False)),
                        fields=["site", "held_until"],
                        name="plan_held",
                    ),
                    models.Index(fields=["expires_at"], name="plan_by_age"),
                ],
            },
        ),
        migrations.CreateModel(
            name="DisruptionItem",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "outcome",
                    models.CharField(
                        choices=[("kept", "Kept"), ("moved", "Moved"), ("unresolved", "Unresolved")], max_length=10
                    ),
                ),
                ("before", models.JSONField()),
                ("after", models.JSONField(null=True)),
                ("session_version", models.PositiveIntegerField()),
                ("status_before", models.CharField(max_length=20)),
                ("code", models.CharField(blank=True, default="", max_length=40)),
                ("why", models.CharField(blank=True, default="", max_length=500)),
                (
                    "disruption",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="infusion_sessions.disruption",
                    ),
                ),
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
                        related_name="disruption_items",
                        to="infusion_sessions.session",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("disruption", "session"), name="disruption_item_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("after__isnull", True), ("outcome", "unresolved")),
                            models.Q(models.Q(("outcome", "unresolved"), _negated=True), ("after__isnull", False)),
                            _connector="OR",
                        ),
                        name="disruption_item_whole",
                    ),
                ],
            },
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
            name="SessionEvent",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=30)),
                ("system", models.CharField(blank=True, default="", max_length=30)),
                ("at", models.DateTimeField(default=accounts.clock.now)),
                ("reason", models.CharField(blank=True, default="", max_length=500)),
                ("before", models.JSONField(default=dict)),
                ("after", models.JSONField(default=dict)),
                (
                    "actor",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="infusion_sessions.session",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["session", "id"], name="event_by_session")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("actor__isnull", False), models.Q(("system", ""), _negated=True), _connector="OR"
                        ),
                        name="event_has_somebody_behind_it",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SiteDay",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("date", models.DateField()),
                ("version", models.PositiveBigIntegerField(default=1)),
                ("booked", models.BigIntegerField(db_default=0, editable=False)),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="days", to="accounts.site"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("site", "date"), name="site_day_once")],
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
        migrations.CreateModel(
            name="WaitlistEntry",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("sessions", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("earliest", models.DateField()),
                ("latest", models.DateField()),
                ("time_windows", models.JSONField(blank=True, default=list)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("filled", "Filled"),
                            ("withdrawn", "Withdrawn"),
                            ("expired", "Expired"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="waitlist_entries",
                        to="accounts.patient",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="waitlist_entries",
                        to="scheduler.protocol",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="waitlist_entries",
                        to="infusion_sessions.session",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="waitlist_entries", to="accounts.site"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "waiting")), fields=["site", "created_at"], name="entry_waiting"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("protocol__isnull", True), ("session__isnull", False)),
                            models.Q(("protocol__isnull", False), ("session__isnull", True)),
                            _connector="OR",
                        ),
                        name="entry_for_one_thing",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("latest__gte", models.F("earliest"))), name="entry_dates_in_order"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "waiting")), fields=("session",), name="entry_once_a_session"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "waiting")),
                        fields=("patient", "protocol"),
                        name="entry_once_a_protocol",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Offer",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("start", models.DateTimeField()),
                ("end", models.DateTimeField()),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                ("expires_at", models.DateTimeField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("accepted", "Accepted"),
                            ("declined", "Declined"),
                            ("expired", "Expired"),
                            ("gone", "Gone"),
                        ],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="offers", to="accounts.patient"
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="offers", to="accounts.site"
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="infusion_sessions.plan",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="infusion_sessions.session",
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="infusion_sessions.waitlistentry",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("status", "open")), fields=["site", "start"], name="offer_open"),
                    models.Index(fields=["patient", "created_at"], name="offer_by_patient"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("plan__isnull", False), ("session__isnull", True)),
                            models.Q(("plan__isnull", True), ("session__isnull", False)),
                            _connector="OR",
                        ),
                        name="offer_of_one_thing",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "open")), fields=("entry",), name="offer_one_open"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "accepted")), fields=("entry",), name="offer_one_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("created_at"))), name="offer_has_time"
                    ),
                ],
            },
        ),
    ]
