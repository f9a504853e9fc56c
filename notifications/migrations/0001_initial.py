"""Messages, questionnaires, alerts, who is on call, a clinic's own words."""

from __future__ import annotations

from typing import ClassVar

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.clock
import accounts.ids
import accounts.models


class Migration(migrations.Migration):
    initial: ClassVar = True

    dependencies: ClassVar = [
        ("accounts", "0001_initial"),
        ("accounts", "__first__"),
        ("infusion_sessions", "0001_initial"),
        ("scheduler", "0001_initial"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="FollowUp",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("instrument", models.CharField(max_length=30)),
                ("anchor", models.CharField(default="discharge", max_length=15)),
                ("hours_after", models.PositiveIntegerField()),
                ("due_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                ("answers", models.JSONField(blank=True, null=True)),
                ("score", models.DecimalField(blank=True, decimal_places=2, max_digits=6, null=True)),
                ("band", models.CharField(blank=True, default="", max_length=40)),
                ("form_version", models.CharField(blank=True, db_default="", default="", max_length=12)),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="follow_ups", to="accounts.patient"
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="follow_ups",
                        to="infusion_sessions.session",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("session", "instrument", "anchor", "hours_after"), name="follow_up_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("answered_at__isnull", True), ("answers__isnull", True)),
                            models.Q(("answered_at__isnull", False), ("answers__isnull", False)),
                            _connector="OR",
                        ),
                        name="follow_up_answered_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("name", models.CharField(max_length=30, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Reconciled",
            fields=[
                (
                    "session",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="reconciled",
                        serialize=False,
                        to="infusion_sessions.session",
                    ),
                ),
                ("session_version", models.PositiveIntegerField()),
                ("patient_version", models.PositiveIntegerField()),
                ("series_version", models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="FollowUpDraft",
            fields=[
                (
                    "follow_up",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="draft",
                        serialize=False,
                        to="notifications.followup",
                    ),
                ),
                ("answers", models.JSONField()),
                ("saved_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=40)),
                (
                    "level",
                    models.CharField(
                        choices=[
                            ("medium", "Medium"),
                            ("high", "High"),
                            ("urgent", "Urgent"),
                            ("emergency", "Emergency"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("acknowledged", "Acknowledged"), ("closed", "Closed")],
                        default="open",
                        max_length=15,
                    ),
                ),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                ("act_by", models.DateTimeField(blank=True, null=True)),
                ("step", models.PositiveSmallIntegerField(default=0)),
                ("escalate_at", models.DateTimeField(blank=True, null=True)),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("outcome", models.CharField(blank=True, default="", max_length=1000)),
                (
                    "adverse_event",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="infusion_sessions.adverseevent",
                    ),
                ),
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
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="alerts", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="alerts", to="accounts.patient"
                    ),
                ),
                (
                    "reading",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="infusion_sessions.vitalsigns",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alerts",
                        to="infusion_sessions.session",
                    ),
                ),
                (
                    "follow_up",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alerts",
                        to="notifications.followup",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="FollowUpLink",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "follow_up",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="links", to="notifications.followup"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=60)),
                ("rule", models.CharField(blank=True, default="", max_length=60)),
                ("urgent", models.BooleanField(default=False)),
                ("channel", models.CharField(choices=[("email", "Email"), ("sms", "Sms")], max_length=10)),
                ("speaks_of", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("not_after", models.DateTimeField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("due", "Due"),
                            ("sending", "Sending"),
                            ("sent", "Sent"),
                            ("delivered", "Delivered"),
                            ("failed", "Failed"),
                            ("unknown", "Unknown"),
                            ("skipped", "Skipped"),
                        ],
                        default="due",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("try_at", models.DateTimeField()),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("handed_over_at", models.DateTimeField(blank=True, null=True)),
                ("keyed", models.BooleanField(default=False)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("delivered_at", models.DateTimeField(blank=True, null=True)),
                ("tells", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("reference", models.CharField(blank=True, default="", max_length=200)),
                ("reason", models.CharField(blank=True, default="", max_length=200)),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                (
                    "alert",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="notifications.alert",
                    ),
                ),
                (
                    "follow_up",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="notifications.followup",
                    ),
                ),
                (
                    "offer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="infusion_sessions.offer",
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="messages", to="accounts.patient"
                    ),
                ),
                (
                    "recipient",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "resend_of",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="resends",
                        to="notifications.message",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="infusion_sessions.session",
                    ),
                ),
                (
                    "told_with",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="along",
                        to="notifications.message",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("status", "due")), fields=["try_at"], name="message_to_send"),
                    models.Index(
                        condition=models.Q(("status", "due"), ("urgent", True)),
                        fields=["try_at"],
                        name="message_urgent",
                    ),
                    models.Index(
                        condition=models.Q(("status", "due")),
                        fields=["not_after", "id", "try_at"],
                        name="message_in_order",
                    ),
                    models.Index(
                        condition=models.Q(("reference", ""), _negated=True),
                        fields=["reference"],
                        name="message_by_reference",
                    ),
                    models.Index(
                        condition=models.Q(("status", "sending")), fields=["lease_until"], name="message_in_hand"
                    ),
                    models.Index(fields=["session"], name="message_of_session"),
                    models.Index(
                        condition=models.Q(("offer__isnull", False), ("status", "due")),
                        fields=["offer"],
                        name="message_of_offer",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("alert__isnull", True), ("resend_of__isnull", True)),
                        fields=("session", "kind", "channel", "speaks_of"),
                        name="message_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("alert__isnull", False), ("resend_of__isnull", True)),
                        fields=("alert", "kind", "channel", "recipient"),
                        name="message_of_alert_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("resend_of__isnull", True)),
                        fields=("offer", "kind", "channel"),
                        name="message_of_offer_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("offer__isnull", True), ("session__isnull", False)),
                            models.Q(
                                ("alert__isnull", True),
                                ("follow_up__isnull", True),
                                ("offer__isnull", False),
                                ("session__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="message_of_one_thing",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("told_with__isnull", True),
                            models.Q(
                                ("alert__isnull", True),
                                ("offer__isnull", True),
                                ("resend_of__isnull", True),
                                ("tells", 0),
                            ),
                            _connector="OR",
                        ),
                        name="message_told_along_is_plain",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("not_after__gt", models.F("due_at"))), name="message_window"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("alert__isnull", True), ("recipient__isnull", True)),
                            models.Q(("alert__isnull", False), ("recipient__isnull", False)),
                            _connector="OR",
                        ),
                        name="message_alert_has_recipient",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["due", "sending", "sent", "delivered", "failed", "unknown", "skipped"])
                        ),
                        name="message_status_known",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="alert",
            name="message",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="alerts",
                to="notifications.message",
            ),
        ),
        migrations.CreateModel(
            name="MessagePlan",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("receipts", models.BooleanField(default=True)),
                ("changes", models.BooleanField(default=True)),
                ("cancellations", models.BooleanField(default=True)),
                ("no_shows", models.BooleanField(default=True)),
                ("offers", models.BooleanField(default=True)),
                ("preparation_hours", models.PositiveSmallIntegerField(blank=True, default=168, null=True)),
                ("ask_again_hours", models.PositiveSmallIntegerField(default=4)),
                (
                    "site",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="message_plan", to="accounts.site"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("preparation_hours__isnull", True),
                            models.Q(("preparation_hours__gte", 1), ("preparation_hours__lte", 2160)),
                            _connector="OR",
                        ),
                        name="message_plan_preparation",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ask_again_hours__lte", 72)), name="message_plan_ask_again"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Pager",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
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
                        on_delete=django.db.models.deletion.CASCADE, related_name="pager", to=settings.AUTH_USER_MODEL
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
        migrations.CreateModel(
            name="Roster",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                (
                    "site",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="roster", to="accounts.site"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="OnCallShift",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("weekday", models.PositiveSmallIntegerField()),
                ("start_time", models.TimeField()),
                ("end_time", models.TimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="on_call_shifts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "roster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="shifts", to="notifications.roster"
                    ),
                ),
            ],
            options={
                "ordering": ["weekday", "start_time", "id"],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("weekday__lte", 6)), name="on_call_weekday")
                ],
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
            name="FlagRule",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=40)),
                (
                    "level",
                    models.CharField(
                        choices=[
                            ("medium", "Medium"),
                            ("high", "High"),
                            ("urgent", "Urgent"),
                            ("emergency", "Emergency"),
                        ],
                        max_length=10,
                    ),
                ),
                ("at_least", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("act_minutes", models.PositiveIntegerField()),
                ("escalate_minutes", models.PositiveIntegerField()),
                ("source", models.CharField(max_length=500)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="flag_rules",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "kind"), name="flag_rule_once"),
                    models.CheckConstraint(
                        condition=models.Q(("act_minutes__gte", 1), ("escalate_minutes__gte", 1)),
                        name="flag_rule_clock",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(condition=models.Q(("status", "open")), fields=["escalate_at"], name="alert_to_pass_on"),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(fields=("follow_up", "kind"), name="alert_once"),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(fields=("message", "kind"), name="alert_of_message_once"),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(fields=("reading", "kind"), name="alert_of_reading_once"),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(fields=("adverse_event", "kind"), name="alert_of_adverse_event_once"),
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
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("acknowledged_at__isnull", True), ("closed_at__isnull", True), ("status", "open")),
                    models.Q(
                        ("acknowledged_at__isnull", False), ("closed_at__isnull", True), ("status", "acknowledged")
                    ),
                    models.Q(("acknowledged_at__isnull", False), ("closed_at__isnull", False), ("status", "closed")),
                    _connector="OR",
                ),
                name="alert_states",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "closed"), _negated=True),
                    models.Q(("closed_by__isnull", False), models.Q(("outcome", ""), _negated=True)),
                    _connector="OR",
                ),
                name="alert_closed_by_a_person",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(("level__in", ["medium", "high", "urgent", "emergency"])), name="alert_level_known"
            ),
        ),
    ]
