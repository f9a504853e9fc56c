"""A message is in fewer indexes, and its mark of the hand-over is written in none: each write costs what it needs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import PROTECT, Q

if TYPE_CHECKING:
    from django.db.migrations.operations.base import Operation

# The new one stands before the old one goes, so that no offer is told twice meanwhile.
OFFER_ONCE = [
    """
    CREATE UNIQUE INDEX CONCURRENTLY message_of_offer_new ON notifications_message (offer_id, kind, channel)
     WHERE resend_of_id IS NULL AND offer_id IS NOT NULL
    """,
    "DROP INDEX CONCURRENTLY message_of_offer_once",
    "ALTER INDEX message_of_offer_new RENAME TO message_of_offer_once",
]
# Room on each page for the mark, beside the claim that it follows.
ROOM = "ALTER TABLE notifications_message SET (fillfactor = 60)"


def _partly_indexed(name: str, to: str, related_name: str) -> list[Operation]:
    field = models.ForeignKey(to, on_delete=PROTECT, related_name=related_name, null=True, blank=True, db_index=False)
    index = models.Index(fields=[name], name=f"message_by_{name}", condition=Q(**{f"{name}__isnull": False}))
    return [AddIndexConcurrently("message", index), migrations.AlterField("message", name, field)]


class Migration(migrations.Migration):
    atomic = False
    dependencies: ClassVar = [
        ("infusion_sessions", "0005_lock"),
        ("notifications", "0005_in_order"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations: ClassVar = [
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(statement, migrations.RunSQL.noop) for statement in OFFER_ONCE],
            [
                migrations.RemoveConstraint("message", "message_of_offer_once"),
                migrations.AddConstraint(
                    "message",
                    models.UniqueConstraint(
                        fields=["offer", "kind", "channel"],
                        condition=Q(resend_of__isnull=True, offer__isnull=False),
                        name="message_of_offer_once",
                    ),
                ),
            ],
        ),
        migrations.AlterField(
            "message",
            "offer",
            models.ForeignKey(
                "infusion_sessions.offer",
                on_delete=PROTECT,
                related_name="messages",
                null=True,
                blank=True,
                db_index=False,
            ),
        ),
        *_partly_indexed("follow_up", "notifications.followup", "messages"),
        *_partly_indexed("alert", "notifications.alert", "messages"),
        *_partly_indexed("recipient", settings.AUTH_USER_MODEL, "+"),
        *_partly_indexed("told_with", "notifications.message", "along"),
        *_partly_indexed("resend_of", "notifications.message", "resends"),
        RemoveIndexConcurrently("message", "message_of_session"),
        RemoveIndexConcurrently("message", "message_in_hand"),
        AddIndexConcurrently(
            "message", models.Index(fields=["id"], name="message_in_hand", condition=Q(status="sending"))
        ),
        migrations.RunSQL(ROOM, "ALTER TABLE notifications_message RESET (fillfactor)"),
    ]
