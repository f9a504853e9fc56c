"""Records read only to be shown: plain rows, without the model's objects, whose making costs more than the query."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from django.db.models.query import ValuesIterable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound="Model")


def rows(queryset: QuerySet[Row], *columns: str) -> QuerySet[Any]:
    """The same records with these columns alone (`id` among them), as attributes; `pk` is the id."""
    found = queryset.values(*columns)
    found._iterable_class = _Rows
    return found


class _Rows(ValuesIterable):
    """Rows as plain objects."""

    def __iter__(self) -> Iterator[Any]:
        for row in super().__iter__():
            yield SimpleNamespace(pk=row["id"], **row)
