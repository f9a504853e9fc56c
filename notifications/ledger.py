"""The log of messages as a table for a spreadsheet: to whom, when, by which rule, and what became of it."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from accounts.refusals import RuleBroken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet

    from notifications.models import Message

COLUMNS: Final = (
    *(
        "id",
        "patient_id",
        "session_id",
        "offer_id",
        "recipient_id",
        "kind",
        "rule",
        "channel",
        "speaks_of",
        "due_at",
        "not_after",
    ),
    *("status", "attempts", "handed_over_at", "sent_at", "delivered_at", "reason", "told_with_id", "resend_of_id"),
)
MOST_ROWS: Final = 50_000
# A spreadsheet takes a cell that begins so for a formula.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def rows(messages: QuerySet[Message]) -> list[Message]:
    """The messages, newest first. RuleBroken `too_many` beyond MOST_ROWS."""
    found = list(messages.order_by("-due_at", "-id")[: MOST_ROWS + 1])
    if len(found) > MOST_ROWS:
        raise RuleBroken("too_many", f"More than {MOST_ROWS} rows: narrow it down by a filter.")
    return found


def as_csv(messages: Iterable[Message]) -> str:
    """CSV with a line of names first; instants as ISO 8601 in UTC."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([name.removesuffix("_id") for name in COLUMNS])
    writer.writerows([cell(getattr(message, name)) for name in COLUMNS] for message in messages)
    return out.getvalue()


def cell(value: object) -> str:
    """One value as text that no spreadsheet runs."""
    text = "" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
