"""Statements that nearly every request makes: written out, and planned by the server once a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Sequence


def first_row(statement: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first row that the statement gives; None where there is none."""
    return next(iter(all_rows(statement, values)), None)


def all_rows(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows that the statement gives."""
    database = cast("Any", connection)  # config/postgres, which no room may import
    with database.prepared() as cursor:
        cursor.execute(statement, values)
        return cast("list[tuple[Any, ...]]", cursor.fetchall())
