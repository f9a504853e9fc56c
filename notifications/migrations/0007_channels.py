"""A clinic's own words, what patients text back, calendars given away."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.clock
import accounts.ids
from accounts.audit import audited


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0005_contacts"),
        ("infusion_sessions", "0006_day_guards"),
        ("notifications", "0006_pager_in_the_trail"),
        ("scheduler", "0004_day_guards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.AlterField(
            model_name="followup",
            name="form_version",
            field=models.CharField(blank=True, db_default="", default="", max_length=12),
        ),
        migrations.CreateModel(
            name="CalendarFeed",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                (
                    "chair",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="feeds",
                        to="scheduler.chair",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="feeds",
                        to="accounts.patient",
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="feeds",
                        to="scheduler.provider",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("chair__isnull", True), ("patient__isnull", False), ("provider__isnull", True)),
                            models.Q(("chair__isnull", True), ("patient__isnull", True), ("provider__isnull", False)),
                            models.Q(("chair__isnull", False), ("patient__isnull", True), ("provider__isnull", True)),
                            _connector="OR",
                        ),
                        name="feed_of_one_thing",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Reply",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("sid", models.CharField(max_length=64, unique=True)),
                ("number", models.CharField(max_length=20)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("confirm", "Confirm"),
                            ("other_time", "Other Time"),
                            ("stop", "Stop"),
                            ("start", "Start"),
                            ("help", "Help"),
                            ("other", "Other"),
                        ],
                        max_length=10,
                    ),
                ),
                ("text", models.TextField(max_length=1600)),
                ("answer", models.CharField(blank=True, default="", max_length=400)),
                (
                    "status",
                    models.CharField(choices=[("open", "Open"), ("closed", "Closed")], default="closed", max_length=10),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("received_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                (
                    "closed_by",
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
                        related_name="replies",
                        to="accounts.patient",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replies",
                        to="infusion_sessions.session",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "replies",
                "indexes": [models.Index(fields=["number", "received_at"], name="reply_of_number")],
            },
        ),
        migrations.CreateModel(
            name="Wording",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=30)),
                ("channel", models.CharField(choices=[("email", "Email"), ("sms", "Sms")], max_length=10)),
                ("language", models.CharField(choices=[("en", "English"), ("es", "Español")], max_length=2)),
                ("subject", models.CharField(blank=True, default="", max_length=120)),
                ("body", models.TextField(max_length=4000)),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="wordings", to="accounts.site"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("site", "kind", "channel", "language"), name="wording_once")
                ],
            },
        ),
        audited("notifications_wording", "notifications_calendarfeed", "notifications_reply"),
    ]
