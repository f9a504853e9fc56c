"""People, organizations, sites, patients, keys, the audit trail."""

from __future__ import annotations

import datetime
from typing import ClassVar

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import accounts.clock
import accounts.ids
import accounts.models


class Migration(migrations.Migration):
    initial: ClassVar = True

    dependencies: ClassVar = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_index=True)),
                ("actor", models.UUIDField(db_index=True, null=True)),
                ("action", models.CharField(max_length=10)),
                ("record_type", models.CharField(max_length=63)),
                ("record_id", models.CharField(max_length=64)),
                ("patient_id", models.UUIDField(db_index=True, null=True)),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Organization",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=200)),
                (
                    "approver_roles",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("patient", "Patient"),
                                ("front_desk", "Front Desk"),
                                ("nurse", "Nurse"),
                                ("prescriber", "Prescriber"),
                                ("manager", "Manager"),
                                ("auditor", "Auditor"),
                                ("admin", "Admin"),
                            ],
                            max_length=20,
                        ),
                        default=accounts.models.default_approvers,
                        size=None,
                    ),
                ),
                (
                    "demands_second_factor",
                    models.BooleanField(db_default=False, default=accounts.models.demanded_by_default),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Contact",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("channel", models.CharField(choices=[("email", "Email"), ("sms", "Sms")], max_length=10)),
                ("address", models.CharField(max_length=254)),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
                ("dead_at", models.DateTimeField(blank=True, null=True)),
                ("reason", models.CharField(blank=True, default="", max_length=200)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("channel", "address"), name="contact_once")],
            },
        ),
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("caller", models.CharField(max_length=64)),
                ("key", models.CharField(max_length=255)),
                ("fingerprint", models.CharField(max_length=64)),
                ("status", models.PositiveSmallIntegerField()),
                ("headers", models.JSONField(default=dict)),
                ("body", models.TextField()),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
            ],
            options={
                "indexes": [models.Index(fields=["created_at"], name="idempotency_by_age")],
                "constraints": [models.UniqueConstraint(fields=("caller", "key"), name="idempotency_key_once")],
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("email", models.EmailField(max_length=254, unique=True)),
                ("name", models.CharField(blank=True, default="", max_length=200)),
                (
                    "roles",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("patient", "Patient"),
                                ("front_desk", "Front Desk"),
                                ("nurse", "Nurse"),
                                ("prescriber", "Prescriber"),
                                ("manager", "Manager"),
                                ("auditor", "Auditor"),
                                ("admin", "Admin"),
                            ],
                            max_length=20,
                        ),
                        blank=True,
                        default=list,
                        size=None,
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="users",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("email", django.db.models.functions.text.Lower("email"))),
                        name="user_email_lower_case",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "roles__contained_by",
                                ["patient", "front_desk", "nurse", "prescriber", "manager", "auditor", "admin"],
                            )
                        ),
                        name="user_roles_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SecondFactor",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("secret", models.TextField()),
                ("last_step", models.BigIntegerField(default=0)),
                (
                    "recovery_hashes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), default=list, size=None
                    ),
                ),
                ("failures", models.PositiveSmallIntegerField(default=0)),
                ("failed_at", models.DateTimeField(null=True)),
                ("set_up_at", models.DateTimeField(default=accounts.clock.now)),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="second_factor",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Site",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=200)),
                ("time_zone", models.CharField(max_length=64)),
                ("phone", models.CharField(blank=True, default="", max_length=20)),
                ("crisis_line", models.CharField(default="988", max_length=20)),
                ("emergency_number", models.CharField(default="911", max_length=20)),
                ("last_reminder_minutes", models.PositiveSmallIntegerField(default=30)),
                ("plan_life_minutes", models.PositiveSmallIntegerField(default=60)),
                ("hold_life_minutes", models.PositiveSmallIntegerField(default=10)),
                (
                    "plan_weights",
                    models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict),
                ),
                ("late_cancel_hours", models.PositiveSmallIntegerField(db_default=24, default=24)),
                ("hold_series_from_grade", models.PositiveSmallIntegerField(db_default=3, default=3)),
                ("overdue_after_minutes", models.PositiveSmallIntegerField(db_default=15, default=15)),
                ("late_from_minutes", models.PositiveSmallIntegerField(db_default=10, default=10)),
                ("forgotten_after_minutes", models.PositiveSmallIntegerField(db_default=60, default=60)),
                ("offer_minutes", models.PositiveSmallIntegerField(db_default=60, default=60)),
                ("offers_at_once", models.PositiveSmallIntegerField(db_default=3, default=3)),
                ("offers_a_day", models.PositiveSmallIntegerField(db_default=2, default=2)),
                ("offer_lead_hours", models.PositiveSmallIntegerField(db_default=4, default=4)),
                ("offers_rest_from", models.TimeField(db_default=datetime.time(20, 0), default=datetime.time(20, 0))),
                ("offers_rest_until", models.TimeField(db_default=datetime.time(8, 0), default=datetime.time(8, 0))),
                (
                    "on_call",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="on_call_sites",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sites", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("organization", "name"), name="site_name_once")],
            },
        ),
        migrations.CreateModel(
            name="Patient",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("given_name", models.CharField(max_length=100)),
                ("family_name", models.CharField(max_length=100)),
                ("birth_date", models.DateField()),
                ("email", models.EmailField(blank=True, default="", max_length=254)),
                ("phone", models.CharField(blank=True, default="", max_length=20)),
                (
                    "preferred_channels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(choices=[("email", "Email"), ("sms", "Sms")], max_length=10),
                        blank=True,
                        default=accounts.models.default_channels,
                        size=None,
                    ),
                ),
                (
                    "language",
                    models.CharField(choices=[("en", "English"), ("es", "Español")], default="en", max_length=2),
                ),
                ("time_zone", models.CharField(blank=True, db_default="", default="", max_length=64)),
                ("quiet_from", models.TimeField(blank=True, null=True)),
                ("quiet_until", models.TimeField(blank=True, null=True)),
                ("texting_consent", models.BooleanField(blank=True, null=True)),
                ("texting_consent_at", models.DateTimeField(blank=True, null=True)),
                (
                    "stopped_channels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(choices=[("email", "Email"), ("sms", "Sms")], max_length=10),
                        blank=True,
                        db_default=[],
                        default=list,
                        size=None,
                    ),
                ),
                (
                    "dead_channels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(choices=[("email", "Email"), ("sms", "Sms")], max_length=10),
                        blank=True,
                        db_default=[],
                        default=list,
                        size=None,
                    ),
                ),
                ("created_at", models.DateTimeField(default=accounts.clock.now, editable=False)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                (
                    "texting_consent_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="patient",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="patients", to="accounts.site"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["site", "family_name"], name="patient_by_name"),
                    models.Index(
                        condition=models.Q(("phone", ""), _negated=True), fields=["phone"], name="patient_by_phone"
                    ),
                    models.Index(
                        condition=models.Q(("email", ""), _negated=True), fields=["email"], name="patient_by_email"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("preferred_channels__contained_by", ["email", "sms"])),
                        name="patient_channels_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("quiet_from__isnull", True), ("quiet_until__isnull", True)),
                            models.Q(
                                ("quiet_from__isnull", False),
                                ("quiet_until__isnull", False),
                                models.Q(("quiet_from", models.F("quiet_until")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="patient_quiet_hours_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("texting_consent__isnull", True), ("texting_consent_at__isnull", False), _connector="OR"
                        ),
                        name="patient_consent_has_a_time",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="user",
            name="sites",
            field=models.ManyToManyField(blank=True, related_name="staff", to="accounts.site"),
        ),
        migrations.CreateModel(
            name="SignInLink",
            fields=[
                ("id", models.UUIDField(default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("requested_at", models.DateTimeField()),
                ("try_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("token_hash", models.CharField(max_length=64, null=True, unique=True)),
                ("sent_at", models.DateTimeField(null=True)),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("sent_at__isnull", True)), fields=["try_at"], name="link_to_send")
                ],
            },
        ),
    ]
