"""Django's PostgreSQL, except how it sees that a connection has died, reads instants, and can prepare."""

from __future__ import annotations

import select
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from django.db.backends.postgresql import base
from psycopg import DataError
from psycopg.adapt import Loader
from psycopg.pq import TransactionStatus
from psycopg.types.string import TextLoader

if TYPE_CHECKING:
    from psycopg.abc import Buffer

WHOLE_SECONDS = len("2027-01-04 15:00:00+00")
SOUND = (TransactionStatus.IDLE, TransactionStatus.INTRANS)


class Instant(Loader):
    """A timestamp with time zone as PostgreSQL writes it where its TimeZone is UTC (settings.TIME_ZONE).

    Django's own takes the text apart in Python, which costs a list of sessions more than everything else. By `timezone`
    it sees that this one already gives what the settings ask for.
    """

    timezone = UTC

    def load(self, data: Buffer) -> datetime:
        """The aware instant, in UTC."""
        text = str(data, "ascii")
        try:
            return datetime.fromisoformat(text)
        except ValueError as error:
            raise DataError(f"no instant of Python: {text}") from error


class ShownInstant(Instant):
    """The same as the API shows it: ISO 8601 in UTC with `Z`."""

    def load(self, data: Buffer) -> str:  # type: ignore[override]
        """The text. Whole seconds, as nearly all are, need not become an instant in between."""
        if len(data) == WHOLE_SECONDS:
            text = str(data, "ascii")
            return f"{text[:10]}T{text[11:19]}Z"
        return super().load(data).isoformat().replace("+00:00", "Z")


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, with the differences above."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A connection that reads instants quickly."""
        connection = super().get_new_connection(conn_params)
        connection.adapters.register_loader("timestamptz", Instant)
        # Statements of `prepared` only: Django's own cursor puts the values into the text.
        connection.prepare_threshold = 1
        return connection

    def prepared(self, shown: bool = False) -> Any:
        """A cursor for statements that come with nearly every request: the server plans each once a connection.

        `shown`: instants and ids come as the text that the API shows, which costs a page of records less than values.
        """
        self.close_if_health_check_failed()
        self.ensure_connection()
        wrapper, cursor_class = cast("Any", self), cast("Any", base.ServerBindingCursor)
        with self.wrap_database_errors:
            cursor = cursor_class(self.connection)
            if shown:
                cursor.adapters.register_loader("timestamptz", ShownInstant)
                cursor.adapters.register_loader("uuid", TextLoader)
            return wrapper._prepare_cursor(cursor)

    def is_usable(self) -> bool:
        """Whether the connection still stands, without a question to the server.

        Between requests nothing is under way on it, so nothing is there to be read. A server that ended, was restarted
        or closed the connection has left its last words, or the end of the stream.
        """
        if self.connection is None or self.connection.info.transaction_status not in SOUND:
            return False
        waiting = select.poll()
        waiting.register(self.connection, select.POLLIN)
        return not waiting.poll(0)
