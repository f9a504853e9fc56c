"""Links to sign in with."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.ids


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0003_change"),
    ]

    operations: ClassVar = [
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
