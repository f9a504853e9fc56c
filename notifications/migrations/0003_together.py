"""Messages that are said along in another one share its fate, and that one knows how many they are."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

TOGETHER = """
CREATE FUNCTION notifications_count_along() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER counted_along AFTER UPDATE OF told_with_id ON notifications_message
    FOR EACH ROW WHEN (OLD.told_with_id IS DISTINCT FROM NEW.told_with_id)
    EXECUTE FUNCTION notifications_count_along();
CREATE TRIGGER counted_along_from_the_first AFTER INSERT ON notifications_message
    FOR EACH ROW WHEN (NEW.told_with_id IS NOT NULL) EXECUTE FUNCTION notifications_count_along();

-- A claim alone tells nothing yet: the mark of the hand-over does.
CREATE FUNCTION notifications_share_fate() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER shared_fate AFTER UPDATE OF status, handed_over_at ON notifications_message
    FOR EACH ROW WHEN (NEW.tells > 0 AND (OLD.status, OLD.handed_over_at) IS DISTINCT FROM (NEW.status, NEW.handed_over_at))
    EXECUTE FUNCTION notifications_share_fate();
"""
UNDO = """
DROP TRIGGER counted_along ON notifications_message;
DROP TRIGGER counted_along_from_the_first ON notifications_message;
DROP TRIGGER shared_fate ON notifications_message;
DROP FUNCTION notifications_count_along, notifications_share_fate;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("notifications", "0002_guards")]
    operations: ClassVar = [migrations.RunSQL(TOGETHER, UNDO)]
