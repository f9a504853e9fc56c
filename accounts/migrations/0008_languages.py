"""The language of mails to staff; that a passkey was added is told by mail."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

LANGUAGES = [("en", "English"), ("es", "Español")]
KINDS = [
    ("invitation", "Invitation"),
    ("password", "Password"),
    ("factor_reset", "Factor Reset"),
    ("passkey_added", "Passkey Added"),
]


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0007_passkey_guards"),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="invitation",
            name="language",
            field=models.CharField(choices=LANGUAGES, db_default="en", default="en", max_length=2),
        ),
        migrations.AddField(
            model_name="user",
            name="language",
            field=models.CharField(choices=LANGUAGES, db_default="en", default="en", max_length=2),
        ),
        migrations.AlterField(
            model_name="letter",
            name="kind",
            field=models.CharField(choices=KINDS, max_length=20),
        ),
    ]
