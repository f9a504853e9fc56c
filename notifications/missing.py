"""Check-ins that nobody answered: asked once more by the plan (`reminders`), and then a task for a person."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import connection, transaction

from notifications import alerts
from notifications.models import Message

if TYPE_CHECKING:
    from datetime import datetime

KIND = "no_answer"
BATCH = 200
# What expired longer ago than this is nobody's task any more; it bounds the look, too.
LOOKS_BACK = timedelta(days=2)

# After a first session twice the pause is enough, elsewhere the questionnaire's own end; both only if it was asked.
# Step by step, from the unanswered ones on, so that it takes as long whatever the planner knows.
UNANSWERED = """
WITH unanswered AS MATERIALIZED (
    SELECT id, session_id, due_at, expires_at FROM notifications_followup
     WHERE answered_at IS NULL AND expires_at > %(since)s AND due_at < %(now)s AND anchor <> 'before_session'
), over AS MATERIALIZED (
    SELECT u.id FROM unanswered u
      JOIN infusion_sessions_session s ON s.id = u.session_id AND s.status IN ('completed', 'stopped_early')
      LEFT JOIN notifications_messageplan p ON p.site_id = s.site_id
     WHERE CASE WHEN s.sequence = 1 AND coalesce(p.ask_again_hours, 4) > 0
                THEN least(u.due_at + 2 * coalesce(p.ask_again_hours, 4) * interval '1 hour', u.expires_at)
                ELSE u.expires_at END <= %(now)s
)
SELECT DISTINCT ON (f.id) m.id FROM over f
  JOIN notifications_message m ON m.follow_up_id = f.id AND m.status IN ('sent', 'delivered', 'unknown', 'failed')
 WHERE NOT EXISTS (SELECT 1 FROM notifications_alert a JOIN notifications_message t ON t.id = a.message_id
                    WHERE t.follow_up_id = f.id AND a.kind = %(kind)s)
 ORDER BY f.id, m.created_at LIMIT %(limit)s
"""


def raise_tasks(now: datetime) -> int:
    """Raise a task for each check-in whose time to be answered is over, once; how many."""
    with connection.cursor() as cursor:
        cursor.execute(UNANSWERED, {"since": now - LOOKS_BACK, "now": now, "kind": KIND, "limit": BATCH})
        ids = [row[0] for row in cursor.fetchall()]
    for message in Message.objects.filter(id__in=ids).select_related("session__site"):
        with transaction.atomic():
            alerts.raise_about(message, KIND, now)
    return len(ids)
