"""Statements that nearly every request or message makes: written out, and planned by the server once a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Values = Sequence[Any] | Mapping[str, Any]


def first_row(statement: str, values: Values) -> tuple[Any, ...] | None:
    """The first row that the statement gives; None where there is none."""
    return next(iter(all_rows(statement, values)), None)


def all_rows(statement: str, values: Values) -> list[tuple[Any, ...]]:
    """The rows that the statement gives."""
    with _cursor() as cursor:
        cursor.execute(statement, values)
        return cast("list[tuple[Any, ...]]", cursor.fetchall())


def change(statement: str, values: Values) -> int:
    """How many rows the statement changed."""
    with _cursor() as cursor:
        cursor.execute(statement, values)
        return cast("int", cursor.rowcount)


def _cursor() -> Any:
    return cast("Any", connection).prepared()  # config/postgres, which no room may import
