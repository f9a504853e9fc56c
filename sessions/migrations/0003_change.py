"""Disruptions, the waitlist, a series' adjustments and what is planned for the rest of a series."""

from __future__ import annotations

from typing import ClassVar

import django.contrib.postgres.fields.ranges
import django.db.models.deletion
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models

import accounts.clock
import accounts.ids


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0003_change"),
        ("infusion_sessions", "0002_guards"),
        ("scheduler", "0002_guards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
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
            ],
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
            ],
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
            ],
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
            ],
        ),
        migrations.RemoveConstraint(
            model_name="session",
            name="session_sequence_once",
        ),
        migrations.AddField(
            model_name="plan",
            name="series",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rest_plans",
                to="infusion_sessions.series",
            ),
        ),
        migrations.AddField(
            model_name="plan",
            name="session",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="place_plans",
                to="infusion_sessions.session",
            ),
        ),
        migrations.AddField(
            model_name="series",
            name="adjustments",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="series",
            name="replace_by",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="session",
            name="cancelled_late",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddIndex(
            model_name="series",
            index=models.Index(
                condition=models.Q(("replace_by__isnull", False)), fields=["replace_by"], name="series_to_replace"
            ),
        ),
        migrations.AddConstraint(
            model_name="session",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status__in", ("cancelled", "no_show")), _negated=True),
                fields=("series", "sequence"),
                name="session_sequence_once",
            ),
        ),
        migrations.AddField(
            model_name="disruption",
            name="applied_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="disruption",
            name="chair",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="disruptions",
                to="scheduler.chair",
            ),
        ),
        migrations.AddField(
            model_name="disruption",
            name="chair_closure",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="scheduler.chairclosure",
            ),
        ),
        migrations.AddField(
            model_name="disruption",
            name="created_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="disruption",
            name="provider",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="disruptions",
                to="scheduler.provider",
            ),
        ),
        migrations.AddField(
            model_name="disruption",
            name="replaced_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="infusion_sessions.disruption",
            ),
        ),
        migrations.AddField(
            model_name="disruption",
            name="site",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="disruptions", to="accounts.site"
            ),
        ),
        migrations.AddField(
            model_name="disruption",
            name="site_closure",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="scheduler.siteclosure",
            ),
        ),
        migrations.AddField(
            model_name="disruption",
            name="time_off",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="scheduler.timeoff",
            ),
        ),
        migrations.AddField(
            model_name="disruption",
            name="undone_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="disruptionitem",
            name="disruption",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="items", to="infusion_sessions.disruption"
            ),
        ),
        migrations.AddField(
            model_name="disruptionitem",
            name="patient",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.patient"
            ),
        ),
        migrations.AddField(
            model_name="disruptionitem",
            name="session",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="disruption_items",
                to="infusion_sessions.session",
            ),
        ),
        migrations.AddField(
            model_name="offer",
            name="patient",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="offers", to="accounts.patient"
            ),
        ),
        migrations.AddField(
            model_name="offer",
            name="plan",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="offers",
                to="infusion_sessions.plan",
            ),
        ),
        migrations.AddField(
            model_name="offer",
            name="session",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="offers",
                to="infusion_sessions.session",
            ),
        ),
        migrations.AddField(
            model_name="offer",
            name="site",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="offers", to="accounts.site"
            ),
        ),
        migrations.AddField(
            model_name="waitlistentry",
            name="created_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="waitlistentry",
            name="patient",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="waitlist_entries", to="accounts.patient"
            ),
        ),
        migrations.AddField(
            model_name="waitlistentry",
            name="protocol",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="waitlist_entries",
                to="scheduler.protocol",
            ),
        ),
        migrations.AddField(
            model_name="waitlistentry",
            name="session",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="waitlist_entries",
                to="infusion_sessions.session",
            ),
        ),
        migrations.AddField(
            model_name="waitlistentry",
            name="site",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="waitlist_entries", to="accounts.site"
            ),
        ),
        migrations.AddField(
            model_name="offer",
            name="entry",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="offers", to="infusion_sessions.waitlistentry"
            ),
        ),
        migrations.AddIndex(
            model_name="disruption",
            index=models.Index(fields=["site", "status"], name="disruption_by_site"),
        ),
        migrations.AddConstraint(
            model_name="disruption",
            constraint=models.CheckConstraint(
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
        ),
        migrations.AddConstraint(
            model_name="disruption",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("chair__isnull", True), ("kind", "provider_absence"), ("provider__isnull", False)),
                    models.Q(("chair__isnull", False), ("kind", "chair_closure"), ("provider__isnull", True)),
                    models.Q(("chair__isnull", True), ("kind", "site_closure"), ("provider__isnull", True)),
                    _connector="OR",
                ),
                name="disruption_of_one_thing",
            ),
        ),
        migrations.AddConstraint(
            model_name="disruption",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("applied_at__isnull", True), ("status__in", ["draft", "replaced"]), ("undone_at__isnull", True)
                    ),
                    models.Q(("applied_at__isnull", False), ("status", "applied"), ("undone_at__isnull", True)),
                    models.Q(("applied_at__isnull", False), ("status", "undone"), ("undone_at__isnull", False)),
                    _connector="OR",
                ),
                name="disruption_states",
            ),
        ),
        migrations.AddConstraint(
            model_name="disruptionitem",
            constraint=models.UniqueConstraint(fields=("disruption", "session"), name="disruption_item_once"),
        ),
        migrations.AddConstraint(
            model_name="disruptionitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("after__isnull", True), ("outcome", "unresolved")),
                    models.Q(models.Q(("outcome", "unresolved"), _negated=True), ("after__isnull", False)),
                    _connector="OR",
                ),
                name="disruption_item_whole",
            ),
        ),
        migrations.AddIndex(
            model_name="waitlistentry",
            index=models.Index(
                condition=models.Q(("status", "waiting")), fields=["site", "created_at"], name="entry_waiting"
            ),
        ),
        migrations.AddConstraint(
            model_name="waitlistentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("protocol__isnull", True), ("session__isnull", False)),
                    models.Q(("protocol__isnull", False), ("session__isnull", True)),
                    _connector="OR",
                ),
                name="entry_for_one_thing",
            ),
        ),
        migrations.AddConstraint(
            model_name="waitlistentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("latest__gte", models.F("earliest"))), name="entry_dates_in_order"
            ),
        ),
        migrations.AddConstraint(
            model_name="waitlistentry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "waiting")), fields=("session",), name="entry_once_a_session"
            ),
        ),
        migrations.AddConstraint(
            model_name="waitlistentry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "waiting")), fields=("patient", "protocol"), name="entry_once_a_protocol"
            ),
        ),
        migrations.AddIndex(
            model_name="offer",
            index=models.Index(condition=models.Q(("status", "open")), fields=["site", "start"], name="offer_open"),
        ),
        migrations.AddIndex(
            model_name="offer",
            index=models.Index(fields=["patient", "created_at"], name="offer_by_patient"),
        ),
        migrations.AddConstraint(
            model_name="offer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("plan__isnull", False), ("session__isnull", True)),
                    models.Q(("plan__isnull", True), ("session__isnull", False)),
                    _connector="OR",
                ),
                name="offer_of_one_thing",
            ),
        ),
        migrations.AddConstraint(
            model_name="offer",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "open")), fields=("entry",), name="offer_one_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="offer",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "accepted")), fields=("entry",), name="offer_one_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="offer",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("created_at"))), name="offer_has_time"
            ),
        ),
    ]
