"""Several messages that are due to one patient at once become one that says all of it.

One of them leads; the others name it in `told_with` and are not claimed. From there on they share its fate: the
database brings them to whatever becomes of the one that leads; where that one is skipped, the first of them leads the
rest (`migrations/0003_together.py`). So no path of delivery has to know of them, and none can lose or double them. Who
stands together is decided while nobody holds any of them; each that changes is parted from the rest first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final

from django.db import connection

from notifications import wordings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from uuid import UUID

# What falls due within so long is due at once. No longer: nobody waits for news of a visit.
AT_ONCE: Final = timedelta(minutes=10)
# As many as a person reads in one mail.
MOST: Final = 12
# A mail holds any news of visits, or any questions; a text has room for one kind of news only.
IN_A_MAIL: Final = {
    **dict.fromkeys(("receipt", "change", "cancellation", "preparation", "reminder"), "visits"),
    "follow_up": "questions",
}
IN_A_TEXT: Final = {kind: kind for kind in ("receipt", "change", "cancellation", "reminder")}

# Nobody holds a row that is locked here, and nobody has tried to say it.
FREE = """
SELECT m.id, m.patient_id, s.site_id, m.channel, m.kind, m.due_at, m.not_after, m.speaks_of, m.tells
  FROM notifications_message m JOIN infusion_sessions_session s ON s.id = m.session_id
 WHERE m.patient_id = ANY(%s) AND m.status = 'due' AND m.attempts = 0 AND m.told_with_id IS NULL
   AND m.alert_id IS NULL AND m.resend_of_id IS NULL
 ORDER BY m.id FOR NO KEY UPDATE OF m SKIP LOCKED
"""
JOIN = """
UPDATE notifications_message m SET told_with_id = w.lead
  FROM unnest(%s::uuid[], %s::uuid[]) AS w (id, lead) WHERE m.id = w.id
"""
WAIT = """
UPDATE notifications_message m SET try_at = greatest(m.try_at, w.at)
  FROM unnest(%s::uuid[], %s::timestamptz[]) AS w (id, at) WHERE m.id = w.id
"""
# Those that lead are locked before those that follow, as delivery does it.
LOCK = """
SELECT id FROM notifications_message
 WHERE id = ANY(%(ids)s) OR id IN (SELECT told_with_id FROM notifications_message WHERE id = ANY(%(ids)s))
 ORDER BY told_with_id NULLS FIRST, id FOR NO KEY UPDATE
"""
PART = """
UPDATE notifications_message SET told_with_id = NULL
 WHERE (id = ANY(%(ids)s) OR told_with_id = ANY(%(ids)s)) AND told_with_id IS NOT NULL AND status = 'due'
"""
LET_GO = """
UPDATE notifications_message m SET told_with_id = NULL, status = 'skipped', reason = w.reason
  FROM unnest(%s::uuid[], %s::text[]) AS w (id, reason) WHERE m.id = w.id AND m.status IN ('due', 'sending')
"""
DUE_OF = "SELECT id FROM notifications_message WHERE follow_up_id = %s AND status = 'due'"
ANSWERED = """
UPDATE notifications_message SET status = 'skipped', reason = 'answered' WHERE id = ANY(%s) AND status = 'due'
"""


@dataclass(frozen=True, slots=True)
class Free:
    """A message that may stand together with others. `tells`: how many it leads already."""

    id: UUID
    patient: UUID
    site: UUID
    channel: str
    kind: str
    due_at: datetime
    not_after: datetime
    speaks_of: datetime
    tells: int = 0

    @property
    def order(self) -> tuple[datetime, datetime, str, datetime, UUID]:
        """Which goes first, as `delivery_sql.CLAIM` has it."""
        return (self.not_after, self.due_at, self.kind, self.speaks_of, self.id)

    @property
    def family(self) -> str:
        """What it may be said along with; "" for what is said alone."""
        kind = wordings.kind_of(self.kind)
        return (IN_A_TEXT if self.channel == "sms" else IN_A_MAIL).get(kind, "")


@dataclass(frozen=True, slots=True)
class Group:
    """One message that says the others along, not before `at`, when the last of them is due."""

    lead: Free
    others: tuple[Free, ...]
    at: datetime


def groups(rows: Iterable[Free]) -> Iterator[Group]:
    """Those of the rows that are due at once to one patient by one channel and fit into one message. Pure.

    The one whose window closes first leads, so that none is said after its own window; what closes before the last is
    due stays alone.
    """

    def place(row: Free) -> tuple[str, str, str, str]:
        return (str(row.patient), str(row.site), row.channel, row.family)

    fitting = sorted((row for row in rows if row.family), key=lambda row: (place(row), row.due_at, row.id))
    for _, together in groupby(fitting, place):
        for found in _at_once(list(together)):
            at = found[-1].due_at
            open_then = [row for row in found if row.not_after > at]
            lead = min(open_then, key=lambda row: (-row.tells, *row.order), default=None)
            if lead is None:
                continue
            others = tuple(
                row for row in open_then if not row.tells and row.not_after >= lead.not_after and row != lead
            )
            if others:
                yield Group(lead, others[: MOST - 1 - lead.tells], at)


def _at_once(rows: Sequence[Free]) -> Iterator[list[Free]]:
    found: list[Free] = []
    for row in rows:
        if found and (row.due_at - found[0].due_at > AT_ONCE or len(found) == MOST):
            yield found
            found = []
        found.append(row)
    if found:
        yield found


def join(patients: Collection[UUID]) -> None:
    """Bring together what is due at once to these patients. In the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(FREE, [list(patients)])
        found = list(groups(Free(*row) for row in cursor.fetchall()))
        pairs = [(other.id, group.lead.id) for group in found for other in group.others]
        if pairs:
            cursor.execute(JOIN, [list(column) for column in zip(*pairs, strict=True)])
            cursor.execute(WAIT, [[group.lead.id for group in found], [group.at for group in found]])


def part(ids: Collection[UUID]) -> None:
    """Part these messages, about to change, from those that they were to be said with. In the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK, {"ids": list(ids)})
        cursor.execute(PART, {"ids": list(ids)})


def fall_away(follow_up: UUID, patient: UUID) -> None:
    """What was still to be said of a questionnaire that is answered now is not, and nothing waits for it any longer.

    In the caller's transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(DUE_OF, [follow_up])
        ids = [row[0] for row in cursor.fetchall()]
        if ids:
            part(ids)
            cursor.execute(ANSWERED, [ids])
            join([patient])


def let_go(reasons: dict[UUID, str]) -> None:
    """What was to be said along and is not wanted any more is not said, for these reasons."""
    with connection.cursor() as cursor:
        cursor.execute(LET_GO, [list(reasons), list(reasons.values())])
