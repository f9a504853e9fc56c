"""Records read only to be shown: plain rows, without the model's objects, whose making costs more than the query."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db.models.query import ValuesIterable

from accounts.audit import noting
from accounts.prepared import all_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Model, QuerySet

    from accounts.audit import Reading

Row = TypeVar("Row", bound="Model")


def rows(queryset: QuerySet[Row], *columns: str) -> QuerySet[Any]:
    """The same records with these columns alone (`id` among them), as attributes; `pk` is the id.

    Instants and ids are text, as the API has them.
    """
    found = queryset.values(*columns)
    found._iterable_class = _Rows
    return found


def are_rows(queryset: QuerySet[Any]) -> bool:
    """Whether the records come as `rows` has them."""
    return queryset._iterable_class is _Rows


def to_be_noted(queryset: QuerySet[Any], reading: Reading) -> QuerySet[Any]:
    """The same `rows`, which write down as they are read that they are shown, and then say so: `noted`."""
    found: Any = queryset.all()
    found._add_hints(reading=reading)
    return found


class _Rows(ValuesIterable):
    """Rows as plain objects. What a list asks comes again and again, so its statement is prepared."""

    def __iter__(self) -> Iterator[Any]:
        queryset: Any = self.queryset
        query = queryset.query
        names = [*query.extra_select, *query.values_select, *query.annotation_select]
        try:
            statement, values = query.get_compiler(queryset.db).as_sql()
        except EmptyResultSet:
            return
        reading: Reading | None = queryset._hints.get("reading")
        if reading is not None:
            statement, values = noting(statement, values, reading)
        for row in all_rows(statement, values, shown=True):
            record = SimpleNamespace(**dict(zip(names, row, strict=True)))
            record.pk, record.noted = record.id, reading is not None
            yield record
