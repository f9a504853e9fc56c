"""Statements that nearly every request makes: written out, and planned by the server once a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Sequence


def first_row(statement: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first row that the statement gives; None where there is none."""
    database = cast("Any", connection)  # config/postgres, which no room may import
    with database.prepared() as cursor:
        cursor.execute(statement, values)
        return cast("tuple[Any, ...] | None", cursor.fetchone())
