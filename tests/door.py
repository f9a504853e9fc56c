"""Whether what was asked of the database wrote visits only behind the door's locks (`sessions/door.py`)."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITES = re.compile(r'(INSERT INTO|UPDATE|DELETE FROM)\s+(ONLY\s+)?"?infusion_sessions_session"?(?!\w)')
# The door for bookings; the site's row alone, for supply and for whole days.
LOCKS = (re.compile(r"\bsessions_lock\("), re.compile(r'FROM "accounts_site".*FOR NO KEY UPDATE', re.DOTALL))


class Asked:
    """Statements in order; `past_the_door` are those that wrote a visit before any lock was taken."""

    def __init__(self) -> None:
        self.locked = self.wrote = False
        self.past_the_door: list[str] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Look at one before it is asked."""
        self.locked = self.locked or any(lock.search(sql) for lock in LOCKS)
        if WRITES.search(sql):
            self.wrote = True
            self.past_the_door += [] if self.locked else [sql]
        return execute(sql, params, many, context)


@contextmanager
def listening() -> Iterator[Asked]:
    """Look at every statement of the block."""
    asked = Asked()
    with connection.execute_wrapper(asked):
        yield asked
