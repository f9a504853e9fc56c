"""The statements of delivery. Each is whole by itself, so that a worker that dies between two leaves nothing half."""

from __future__ import annotations

from typing import Final

# Texts to one number go one after another, by one order, whatever the batches and the workers are: so nobody but the
# first has a cap's last place. Who waits behind another here is taken as soon as that one is settled.
_PICKED = """
WITH picked AS MATERIALIZED (
    SELECT m.id FROM notifications_message m
     WHERE m.status = 'due' AND m.try_at <= now() AND m.not_after > now() AND m.told_with_id IS NULL{lane}
       AND (m.channel <> 'sms' OR m.alert_id IS NOT NULL OR NOT EXISTS (
           SELECT 1 FROM accounts_patient p JOIN accounts_patient q ON q.phone = p.phone AND q.phone <> ''
             JOIN notifications_message o ON o.patient_id = q.id
            WHERE p.id = m.patient_id AND o.channel = 'sms' AND o.alert_id IS NULL AND o.told_with_id IS NULL
              AND (o.status = 'sending' OR (o.status = 'due' AND o.try_at <= now() AND o.not_after > now()
                   AND (o.not_after, o.due_at, o.kind, o.speaks_of, o.id)
                       < (m.not_after, m.due_at, m.kind, m.speaks_of, m.id)))))
     ORDER BY {order} LIMIT %s FOR NO KEY UPDATE OF m SKIP LOCKED
)
UPDATE notifications_message m
   SET status = 'sending', attempts = attempts + 1, lease_until = now() + %s * interval '1 second',
       handed_over_at = NULL
  FROM picked WHERE m.id = picked.id RETURNING m.id, m.attempts, m.channel, m.not_after, m.urgent
"""

CLAIM: Final = _PICKED.format(lane=" AND NOT m.alone", order="m.not_after, m.id")
CLAIM_URGENT: Final = _PICKED.format(lane=" AND m.urgent AND NOT m.alone", order="m.try_at, m.id")
CLAIM_ALONE: Final = _PICKED.format(lane=" AND m.alone", order="m.urgent DESC, m.not_after, m.id")

# The lease begins anew here, so that the last of a slow batch has as long for its call as the first. Time is asked for
# once the session's lock is held: to wait for it may take seconds. A questionnaire that is answered is not asked.
MARK: Final = """
WITH visit AS MATERIALIZED (
    SELECT version, patient_id FROM infusion_sessions_session WHERE id = %(session)s FOR NO KEY UPDATE
), offer AS MATERIALIZED (
    SELECT version, patient_id FROM infusion_sessions_offer WHERE id = %(offer)s FOR NO KEY UPDATE
), locked AS (
    SELECT * FROM visit UNION ALL SELECT * FROM offer
), here AS MATERIALIZED (
    SELECT l.version, p.version AS patient_version, clock_timestamp() AS at
      FROM locked l JOIN accounts_patient p ON p.id = l.patient_id
)
UPDATE notifications_message m
   SET handed_over_at = here.at, lease_until = here.at + %(lease)s * interval '1 second', keyed = %(keyed)s
  FROM here
 WHERE here.version = %(version)s AND here.patient_version = %(patient_version)s AND m.id = %(id)s
   AND m.attempts = %(attempt)s AND m.status = 'sending'
   AND m.not_after > here.at
   AND NOT EXISTS (SELECT 1 FROM notifications_followup f WHERE f.id = m.follow_up_id AND f.answered_at IS NOT NULL)
   AND NOT EXISTS (SELECT 1 FROM notifications_alert a WHERE a.id = m.alert_id AND a.status <> 'open')
"""

# The same for a row that says others along: all their sessions are locked, and nothing of any has changed.
MARK_TOGETHER: Final = """
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest(%(sessions)s::uuid[], %(versions)s::int[]) AS w (id, version)
), locked AS MATERIALIZED (
    SELECT id, version, patient_id FROM infusion_sessions_session WHERE id = ANY(%(sessions)s::uuid[])
     ORDER BY id FOR NO KEY UPDATE
), here AS MATERIALIZED (
    SELECT clock_timestamp() AS at
      FROM locked JOIN wanted USING (id, version) JOIN accounts_patient p ON p.id = locked.patient_id
     WHERE p.version = %(patient_version)s HAVING count(*) = cardinality(%(sessions)s::uuid[])
)
UPDATE notifications_message m
   SET handed_over_at = here.at, lease_until = here.at + %(lease)s * interval '1 second', keyed = %(keyed)s
  FROM here
 WHERE m.id = %(id)s AND m.attempts = %(attempt)s AND m.status = 'sending' AND m.tells = %(tells)s
   AND m.not_after > here.at
   AND NOT EXISTS (SELECT 1 FROM notifications_message t JOIN notifications_followup f ON f.id = t.follow_up_id
                    WHERE (t.id = m.id OR t.told_with_id = m.id) AND f.answered_at IS NOT NULL)
"""

# Lists of rows come as JSON: psycopg looks at each element of an array, which costs more than all that is done here. By
# ARRAY(...) the planner expects a few of them, and takes the index.

# The same as MARK for a window of rows at once. A session that somebody holds just now is passed by, so nothing waits
# here and no two windows wait for each other; its row is marked alone, as above.
MARK_WINDOW: Final = """
WITH wanted AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s::json)
        AS w (id uuid, attempt int, session_id uuid, version int, patient_version int)
), locked AS MATERIALIZED (
    SELECT id, version, patient_id FROM infusion_sessions_session WHERE id = ANY(ARRAY(SELECT session_id FROM wanted))
     ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE notifications_message m
   SET handed_over_at = clock_timestamp(), lease_until = clock_timestamp() + %(lease)s * interval '1 second',
       keyed = %(keyed)s
  FROM wanted w JOIN locked l ON l.id = w.session_id JOIN accounts_patient p ON p.id = l.patient_id
 WHERE l.version = w.version AND p.version = w.patient_version AND m.id = w.id
   AND m.attempts = w.attempt AND m.status = 'sending' AND m.not_after > clock_timestamp()
   AND NOT EXISTS (SELECT 1 FROM notifications_followup f WHERE f.id = m.follow_up_id AND f.answered_at IS NOT NULL)
   AND NOT EXISTS (SELECT 1 FROM notifications_alert a WHERE a.id = m.alert_id AND a.status <> 'open')
RETURNING m.id
"""

# `unknown` may still become `sent`: only the worker that handed the row over can say so, however late it is. Not waited
# for until it is on disk: what a power cut takes of it leaves the row as a worker that died before its outcome does.
SENT: Final = """
WITH eased AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), wanted AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%s::json) AS w (id uuid, attempt int, reference text)
)
UPDATE notifications_message m
   SET status = 'sent', sent_at = now(), reference = w.reference, reason = '', lease_until = NULL
  FROM eased, wanted w
 WHERE m.id = ANY(ARRAY(SELECT id FROM wanted)) AND m.id = w.id AND m.attempts = w.attempt
   AND m.status IN ('sending', 'unknown')
"""

SETTLE: Final = """
UPDATE notifications_message SET status = %s, reason = %s, lease_until = NULL
 WHERE id = %s AND attempts = %s AND status = 'sending'
"""

# Given back by the worker that holds it, has not called for it and does not touch it any more: the attempt was none.
RELEASE: Final = """
UPDATE notifications_message m SET status = 'due', attempts = attempts - 1, lease_until = NULL, handed_over_at = NULL
  FROM json_to_recordset(%s::json) AS w (id uuid, attempt int)
 WHERE m.id = w.id AND m.attempts = w.attempt AND m.status = 'sending'
"""

# Not now but then, or not at all where its time is over by then. No attempt either.
POSTPONE: Final = """
UPDATE notifications_message
   SET status = CASE WHEN %(at)s < not_after THEN 'due' ELSE 'skipped' END, attempts = attempts - 1, lease_until = NULL,
       try_at = %(at)s, reason = %(reason)s
 WHERE id = %(id)s AND attempts = %(attempt)s AND status = 'sending' AND handed_over_at IS NULL
"""

TOO_LATE: Final = """
UPDATE notifications_message SET status = 'skipped', reason = 'expired', lease_until = NULL
 WHERE id = %s AND attempts = %s AND status = 'sending' AND not_after <= clock_timestamp()
"""

# However long the pause, half of what is left of the window at most: the last try is not one that comes too late.
AGAIN: Final = """
UPDATE notifications_message
   SET status = 'due', reason = %s, lease_until = NULL, handed_over_at = NULL,
       try_at = now() + least(%s * interval '1 second', greatest(not_after - now(), interval '0') / 2)
 WHERE id = %s AND attempts = %s AND status = 'sending'
"""

EXPIRE: Final = """
WITH picked AS MATERIALIZED (
    SELECT id FROM notifications_message WHERE status = 'due' AND not_after <= now()
     FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE notifications_message m SET status = 'skipped', reason = 'expired' FROM picked WHERE m.id = picked.id
"""

REAP: Final = """
WITH picked AS MATERIALIZED (
    SELECT id FROM notifications_message WHERE status = 'sending' AND lease_until < now()
     FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE notifications_message m
   SET lease_until = NULL, try_at = now(), alone = attempts >= %(alone)s,
       status = CASE WHEN handed_over_at IS NOT NULL AND NOT keyed AND NOT urgent THEN 'unknown'
                     WHEN attempts >= %(at_most)s THEN 'failed' ELSE 'due' END,
       reason = CASE WHEN handed_over_at IS NOT NULL THEN 'handed over when the worker died'
                     ELSE 'the worker died before it was handed over' END
  FROM picked WHERE m.id = picked.id RETURNING m.id, m.status
"""

# A provider knows a message by its own id or, where it keeps keys, by ours. A word only moves a row forward.
OUTCOME: Final = """
UPDATE notifications_message
   SET status = %(status)s, lease_until = NULL, reason = CASE WHEN %(status)s = 'failed' THEN %(reason)s ELSE '' END,
       sent_at = CASE WHEN %(status)s = 'failed' THEN sent_at ELSE coalesce(sent_at, now()) END,
       delivered_at = CASE WHEN %(status)s = 'delivered' THEN now() ELSE delivered_at END
 WHERE (reference = %(reference)s OR id = %(id)s) AND status = ANY(%(before)s) RETURNING id
"""
# What a word may follow.
BEFORE: Final = {
    "sent": ["unknown"],
    "delivered": ["sending", "unknown", "sent"],
    "failed": ["unknown", "sent"],
}

WAITING: Final = """
SELECT count(*) FROM (
    SELECT 1 FROM notifications_message WHERE status = 'due' AND try_at <= now() AND not_after > now() LIMIT %s
) AS listed
"""

OLDEST: Final = """
SELECT extract(epoch FROM now() - min(try_at)) FROM notifications_message WHERE status = 'due' AND not_after > now()
"""

OLDEST_URGENT: Final = OLDEST.rstrip() + " AND urgent"
