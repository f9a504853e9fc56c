"""What waits for company waits no longer than the company stays; texts to one number are found, and have one order."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

ORDER = """
CREATE OR REPLACE FUNCTION notifications_count_along() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        UPDATE notifications_message
           SET tells = tells - 1,
               try_at = CASE WHEN status <> 'due' OR attempts > 0 THEN try_at ELSE greatest(due_at, (
                   SELECT max(along.due_at) FROM notifications_message along WHERE along.told_with_id = OLD.told_with_id
               )) END
         WHERE id = OLD.told_with_id;
    END IF;
    UPDATE notifications_message SET tells = tells + 1 WHERE id = NEW.told_with_id;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION notifications_share_fate() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    heir uuid;
BEGIN
    IF NEW.status = 'skipped' THEN
        -- What need not be said itself no longer leads; the rest is still said together.
        SELECT id INTO heir FROM notifications_message
         WHERE told_with_id = NEW.id AND status IN ('due', 'sending')
         ORDER BY not_after, due_at, kind, speaks_of, id LIMIT 1;
        UPDATE notifications_message
           SET told_with_id = nullif(heir, id), status = 'due', handed_over_at = NULL, try_at = greatest(due_at, now())
         WHERE told_with_id = NEW.id AND status IN ('due', 'sending');
    ELSIF NEW.status = 'due' THEN
        UPDATE notifications_message SET status = 'due', handed_over_at = NULL
         WHERE told_with_id = NEW.id AND status = 'sending';
    ELSIF NEW.status = 'sending' THEN
        UPDATE notifications_message SET status = 'sending', handed_over_at = NEW.handed_over_at
         WHERE told_with_id = NEW.id AND status = 'due' AND NEW.handed_over_at IS NOT NULL;
    ELSE
        UPDATE notifications_message
           SET status = NEW.status, reason = NEW.reason, handed_over_at = NEW.handed_over_at, sent_at = NEW.sent_at,
               delivered_at = NEW.delivered_at
         WHERE told_with_id = NEW.id AND status IN ('due', 'sending', 'sent', 'unknown');
    END IF;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies: ClassVar = [("notifications", "0004_alone")]
    operations: ClassVar = [
        migrations.RunSQL(ORDER, migrations.RunSQL.noop),
        AddIndexConcurrently(
            "message",
            models.Index(
                fields=["patient"],
                name="message_text_to_come",
                condition=models.Q(("channel", "sms"), ("status__in", ("due", "sending"))),
            ),
        ),
    ]
