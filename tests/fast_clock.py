"""A clock that stands until it is set, for this process and for its connection to the database."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from unittest.mock import patch

from django.db import connection

from accounts import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

FAST = """
CREATE SCHEMA IF NOT EXISTS fast;
CREATE OR REPLACE FUNCTION fast.now() RETURNS timestamptz STABLE LANGUAGE sql
    AS $$ SELECT current_setting('fast.now')::timestamptz $$;
CREATE OR REPLACE FUNCTION fast.clock_timestamp() RETURNS timestamptz STABLE LANGUAGE sql
    AS $$ SELECT current_setting('fast.now')::timestamptz $$;
SET search_path = fast, public, pg_catalog
"""


class FastClock:
    """What time it is, for this process and for its connection to the database."""

    now = datetime(2000, 1, 1, tzinfo=UTC)

    def set(self, now: datetime) -> None:
        """It is `now`."""
        self.now = now
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('fast.now', %s, false)", [now.isoformat()])


@contextmanager
def fast_clock() -> Iterator[FastClock]:
    """A clock that stands until it is set; until the end of the block, the database reads it too."""
    fast = FastClock()
    fast.set(fast.now)
    with connection.cursor() as cursor:
        cursor.execute(FAST)
    try:
        with patch.object(clock, "now", lambda: fast.now):
            yield fast
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET search_path TO DEFAULT; DROP SCHEMA fast CASCADE")
