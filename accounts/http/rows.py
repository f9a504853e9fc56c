"""Records read only to be shown: plain rows, without the model's objects, whose making costs more than the query."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db.models.query import ValuesIterable

from accounts.prepared import all_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound="Model")


def rows(queryset: QuerySet[Row], *columns: str) -> QuerySet[Any]:
    """The same records with these columns alone (`id` among them), as attributes; `pk` is the id.

    Instants and ids are text, as the API has them.
    """
    found = queryset.values(*columns)
    found._iterable_class = _Rows
    return found


class _Rows(ValuesIterable):
    """Rows as plain objects. What a list asks comes again and again, so its statement is prepared."""

    def __iter__(self) -> Iterator[Any]:
        query: Any = self.queryset.query
        names = [*query.extra_select, *query.values_select, *query.annotation_select]
        try:
            statement, values = query.get_compiler(self.queryset.db).as_sql()
        except EmptyResultSet:
            return
        for row in all_rows(statement, values, shown=True):
            record = SimpleNamespace(**dict(zip(names, row, strict=True)))
            record.pk = record.id
            yield record
