"""Random links to questionnaires, of which hashes are kept; drafts; which version of a form was answered."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

import accounts.clock
import accounts.ids
from accounts.audit import fixed

# That somebody closed a link is theirs to answer for; that one was sent stands in the log of messages.
REVOKED = """
CREATE TRIGGER revoked AFTER UPDATE OF revoked_at ON notifications_followuplink
    FOR EACH ROW EXECUTE FUNCTION accounts_audit()
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("notifications", "0002_guards"),
    ]

    operations: ClassVar = [
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
        migrations.AddField(
            model_name="followup",
            name="form_version",
            field=models.CharField(blank=True, default="", max_length=12),
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
        migrations.RunSQL(REVOKED, "DROP TRIGGER revoked ON notifications_followuplink"),
        fixed("notifications_followuplink", "link_opens_one_form", "follow_up_id", "token_hash"),
    ]
