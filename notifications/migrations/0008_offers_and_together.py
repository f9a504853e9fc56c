"""Messages about offers; messages that are said along in others."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0006_plan_weights"),
        ("infusion_sessions", "0010_numbers_of_plans"),
        ("notifications", "0007_channels"),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="message",
            name="offer",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="messages",
                to="infusion_sessions.offer",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="tells",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name="message",
            name="session",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="messages",
                to="infusion_sessions.session",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("offer__isnull", False), ("status", "due")),
                fields=["offer"],
                name="message_of_offer",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(
                condition=models.Q(("resend_of__isnull", True)),
                fields=("offer", "kind", "channel"),
                name="message_of_offer_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
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
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("told_with__isnull", True),
                    models.Q(
                        ("alert__isnull", True), ("offer__isnull", True), ("resend_of__isnull", True), ("tells", 0)
                    ),
                    _connector="OR",
                ),
                name="message_told_along_is_plain",
            ),
        ),
    ]
