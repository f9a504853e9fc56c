"""Statements that nearly every request or message makes: written out, and planned by the server once a connection.

Columns come from the models, so that none is named twice.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from django.db import connection
from django.db.models import AutoField, Model
from django.db.models.base import ModelState
from psycopg.pq import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Record = TypeVar("Record", bound=Model)
Values: TypeAlias = "Sequence[Any] | Mapping[str, Any]"


def first_row(statement: str, values: Values, *, shown: bool = False) -> tuple[Any, ...] | None:
    """The first row that the statement gives; None where there is none. `shown` as in `all_rows`."""
    return next(iter(all_rows(statement, values, shown=shown)), None)


def all_rows(statement: str, values: Values, *, shown: bool = False, binary: bool = False) -> list[tuple[Any, ...]]:
    """The rows that the statement gives; instants and ids as text, as the API has them, where they are only `shown`.

    `binary` is for rows that are mostly bytes, which as text would be twice as many.
    """
    with _cursor(shown) as cursor:
        if binary:
            cursor.cursor.format = Format.BINARY
        cursor.execute(statement, values)
        return cast("list[tuple[Any, ...]]", cursor.fetchall())


def change(statement: str, values: Values) -> int:
    """How many rows the statement changed."""
    with _cursor() as cursor:
        cursor.execute(statement, values)
        return cast("int", cursor.rowcount)


def _cursor(shown: bool = False) -> Any:
    return cast("Any", connection).prepared(shown)  # config/postgres, which no room may import


@cache
def columns(model: type[Model], alias: str) -> str:
    """All columns of a model's table, which the statement calls `alias`, as a SELECT lists them."""
    return ", ".join(f'{alias}."{field.column}"' for field in model._meta.concrete_fields)


def take(model: type[Record], values: list[Any]) -> Record | None:
    """The record that the first values of a row make, in the order of `columns`, which are taken away from it.

    None where a LEFT JOIN found none.
    """
    names, keys, converters = _reading(model)
    row, values[: len(names)] = values[: len(names)], []
    if row[keys] is None:
        return None
    for place, convert in converters:
        row[place] = convert(row[place], None, connection)
    # As `Model.from_db` leaves it: all fields are here, none has a signal of its own, and its way through `__init__`
    # takes longer than the database does.
    record = model.__new__(model)
    record.__dict__.update(zip(names, row, strict=True))
    record._state = ModelState()
    record._state.adding, record._state.db = False, connection.alias
    return record


@cache
def _reading(model: type[Model]) -> tuple[list[str], int, list[tuple[int, Callable[..., Any]]]]:
    """Names of the attributes, place of the primary key, and what turns columns into values where that is needed."""
    fields: list[Any] = list(model._meta.concrete_fields)
    converters = [(place, field.from_db_value) for place, field in enumerate(fields) if hasattr(field, "from_db_value")]
    return [field.attname for field in fields], [field.primary_key for field in fields].index(True), converters


def insert(groups: Iterable[Sequence[Model]], then: str, values: Sequence[Any]) -> None:
    """Insert new records, each group of one model, and run the statement `then`: all of it in one round trip.

    The database checks what refers to what after all of it is there. As with `bulk_create`, no signals are sent.
    """
    filled = [group for group in groups if group]
    models = tuple(type(group[0]) for group in filled)
    change(_inserting(models) + then, [*map(_as_json, filled), *values])


@cache
def _inserting(models: tuple[type[Model], ...]) -> str:
    """The beginning of a statement: one INSERT a model, from a list of JSON objects by column."""
    steps = []
    for place, model in enumerate(models):
        table = model._meta.db_table
        names = ", ".join(f'"{field.column}"' for field in _written(model))
        rows = f"SELECT {names} FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)"  # noqa: S608  (names of ours)
        steps.append(f"new_{place} AS (INSERT INTO {table} ({names}) {rows})")
    return f"WITH {', '.join(steps)} "


def _written(model: type[Model]) -> list[Any]:
    """The columns that do not number themselves."""
    return [field for field in model._meta.concrete_fields if not isinstance(field, AutoField)]


def _as_json(records: Sequence[Model]) -> str:
    fields = [(field.column, field.attname) for field in _written(type(records[0]))]
    rows = [{column: getattr(record, name) for column, name in fields} for record in records]
    return json.dumps(rows, default=str)
