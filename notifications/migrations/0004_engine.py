"""Alerts that are passed on and closed, who is on call, what a site says, and messages to clinicians."""

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
    dependencies: ClassVar = [
        ("accounts", "0003_change"),
        ("infusion_sessions", "0004_change_guards"),
        ("notifications", "0003_follow_up_links"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
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
            ],
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
            ],
        ),
        migrations.CreateModel(
            name="OnCallShift",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("weekday", models.PositiveSmallIntegerField()),
                ("start_time", models.TimeField()),
                ("end_time", models.TimeField()),
            ],
            options={
                "ordering": ["weekday", "start_time", "id"],
            },
        ),
        migrations.CreateModel(
            name="Pager",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="pager",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
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
            ],
        ),
        migrations.CreateModel(
            name="Roster",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="followup",
            name="follow_up_once",
        ),
        migrations.RemoveConstraint(
            model_name="message",
            name="message_once",
        ),
        migrations.AddField(
            model_name="alert",
            name="act_by",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="alert",
            name="closed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="alert",
            name="closed_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="escalate_at",
            field=models.DateTimeField(blank=True, null=True),
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
        migrations.AddField(
            model_name="alert",
            name="outcome",
            field=models.CharField(blank=True, default="", max_length=1000),
        ),
        migrations.AddField(
            model_name="alert",
            name="step",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="followup",
            name="anchor",
            field=models.CharField(default="discharge", max_length=15),
        ),
        migrations.AddField(
            model_name="message",
            name="alert",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="messages",
                to="notifications.alert",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="delivered_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="message",
            name="keyed",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="message",
            name="recipient",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="rule",
            field=models.CharField(blank=True, default="", max_length=60),
        ),
        migrations.AddField(
            model_name="message",
            name="told_with",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="along",
                to="notifications.message",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="urgent",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="reconciled",
            name="series_version",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="alert",
            name="follow_up",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="alerts",
                to="notifications.followup",
            ),
        ),
        migrations.AlterField(
            model_name="alert",
            name="status",
            field=models.CharField(
                choices=[("open", "Open"), ("acknowledged", "Acknowledged"), ("closed", "Closed")],
                default="open",
                max_length=15,
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(condition=models.Q(("status", "open")), fields=["escalate_at"], name="alert_to_pass_on"),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("status", "due"), ("urgent", True)), fields=["try_at"], name="message_urgent"
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("status", "due")), fields=["not_after", "id", "try_at"], name="message_in_order"
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("reference", ""), _negated=True), fields=["reference"], name="message_by_reference"
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(fields=("message", "kind"), name="alert_of_message_once"),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(("follow_up__isnull", False), ("message__isnull", False), _connector="OR"),
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
        migrations.AddConstraint(
            model_name="followup",
            constraint=models.UniqueConstraint(
                fields=("session", "instrument", "anchor", "hours_after"), name="follow_up_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(
                condition=models.Q(("alert__isnull", True), ("resend_of__isnull", True)),
                fields=("session", "kind", "channel", "speaks_of"),
                name="message_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(
                condition=models.Q(("alert__isnull", False), ("resend_of__isnull", True)),
                fields=("alert", "kind", "channel", "recipient"),
                name="message_of_alert_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("alert__isnull", True), ("recipient__isnull", True)),
                    models.Q(("alert__isnull", False), ("recipient__isnull", False)),
                    _connector="OR",
                ),
                name="message_alert_has_recipient",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ["due", "sending", "sent", "delivered", "failed", "unknown", "skipped"])
                ),
                name="message_status_known",
            ),
        ),
        migrations.AddField(
            model_name="flagrule",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="flag_rules", to="accounts.organization"
            ),
        ),
        migrations.AddField(
            model_name="messageplan",
            name="site",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="message_plan", to="accounts.site"
            ),
        ),
        migrations.AddField(
            model_name="oncallshift",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="on_call_shifts", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="pager",
            constraint=models.CheckConstraint(
                condition=models.Q(("channels__contained_by", ["email", "sms"])), name="pager_channels_known"
            ),
        ),
        migrations.AddField(
            model_name="roster",
            name="site",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="roster", to="accounts.site"
            ),
        ),
        migrations.AddField(
            model_name="oncallshift",
            name="roster",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="shifts", to="notifications.roster"
            ),
        ),
        migrations.AddConstraint(
            model_name="flagrule",
            constraint=models.UniqueConstraint(fields=("organization", "kind"), name="flag_rule_once"),
        ),
        migrations.AddConstraint(
            model_name="flagrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("act_minutes__gte", 1), ("escalate_minutes__gte", 1)), name="flag_rule_clock"
            ),
        ),
        migrations.AddConstraint(
            model_name="messageplan",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("preparation_hours__isnull", True),
                    models.Q(("preparation_hours__gte", 1), ("preparation_hours__lte", 2160)),
                    _connector="OR",
                ),
                name="message_plan_preparation",
            ),
        ),
        migrations.AddConstraint(
            model_name="messageplan",
            constraint=models.CheckConstraint(
                condition=models.Q(("ask_again_hours__lte", 72)), name="message_plan_ask_again"
            ),
        ),
        migrations.AddConstraint(
            model_name="oncallshift",
            constraint=models.CheckConstraint(condition=models.Q(("weekday__lte", 6)), name="on_call_weekday"),
        ),
    ]
