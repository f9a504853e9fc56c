"""How patients wish to be reached, and what is known of their addresses."""

from __future__ import annotations

from typing import ClassVar

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from accounts.audit import audited

# Before every other trigger of the row, by its name, so that the version moves with what changes here.
KNOWN = """
CREATE FUNCTION accounts_known_addresses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT coalesce(array_agg(channel ORDER BY channel) FILTER (WHERE stopped_at IS NOT NULL), '{}'),
           coalesce(array_agg(channel ORDER BY channel) FILTER (WHERE dead_at IS NOT NULL), '{}')
      INTO NEW.stopped_channels, NEW.dead_channels
      FROM accounts_contact
     WHERE address <> '' AND (channel, address) IN (('email', NEW.email), ('sms', NEW.phone));
    RETURN NEW;
END $$;
CREATE TRIGGER a_known_addresses BEFORE INSERT OR UPDATE ON accounts_patient
    FOR EACH ROW EXECUTE FUNCTION accounts_known_addresses();
CREATE FUNCTION accounts_tell_patients() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE accounts_patient SET stopped_channels = stopped_channels
     WHERE (NEW.channel = 'email' AND email = NEW.address AND email <> '')
        OR (NEW.channel = 'sms' AND phone = NEW.address AND phone <> '');
    RETURN NULL;
END $$;
CREATE TRIGGER tell_patients AFTER INSERT OR UPDATE ON accounts_contact
    FOR EACH ROW EXECUTE FUNCTION accounts_tell_patients();
"""
NOT_KNOWN = """
DROP TRIGGER tell_patients ON accounts_contact;
DROP FUNCTION accounts_tell_patients;
DROP TRIGGER a_known_addresses ON accounts_patient;
DROP FUNCTION accounts_known_addresses;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0004_sign_in_links"),
    ]

    operations: ClassVar = [
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
        ),
        migrations.AddField(
            model_name="patient",
            name="dead_channels",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(choices=[("email", "Email"), ("sms", "Sms")], max_length=10),
                blank=True,
                db_default=[],
                default=list,
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="patient",
            name="quiet_from",
            field=models.TimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="quiet_until",
            field=models.TimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="stopped_channels",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(choices=[("email", "Email"), ("sms", "Sms")], max_length=10),
                blank=True,
                db_default=[],
                default=list,
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="patient",
            name="texting_consent",
            field=models.BooleanField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="texting_consent_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="texting_consent_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="patient",
            name="time_zone",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddIndex(
            model_name="patient",
            index=models.Index(
                condition=models.Q(("phone", ""), _negated=True), fields=["phone"], name="patient_by_phone"
            ),
        ),
        migrations.AddIndex(
            model_name="patient",
            index=models.Index(
                condition=models.Q(("email", ""), _negated=True), fields=["email"], name="patient_by_email"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
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
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("texting_consent__isnull", True), ("texting_consent_at__isnull", False), _connector="OR"
                ),
                name="patient_consent_has_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.UniqueConstraint(fields=("channel", "address"), name="contact_once"),
        ),
        audited("accounts_contact"),
        migrations.RunSQL(KNOWN, NOT_KNOWN),
    ]
