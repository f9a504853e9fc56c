"""Lists come in pages that a cursor turns, so that a row added meanwhile neither repeats nor hides another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination

from accounts.http.query import bad_parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.views import APIView

_PAGE_SIZE: Final = re.compile(r"[1-9]\d{0,2}", re.ASCII)
PARAMETERS: Final = frozenset({"cursor", "page_size"})


class CursorPage(CursorPagination):
    """A page `{"next", "previous", "results"}`; `page_size` 1 to 200, 50 where nothing is asked.

    Ordered by id (UUIDv7: by age), or by what the view names in `page_order`, for example `("start", "id")`; the first
    name is a field of the record that is never null. A bad `page_size` or `cursor` is a 400.
    """

    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    page_size_query_description = "Records on a page, 1 to 200."
    cursor_query_description = "Where the page begins: part of the `next` or `previous` address of another page."
    ordering = ("id",)
    template = None

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, DjangoValidationError, DataError, ValueError, OverflowError):
            if "cursor" not in request.query_params:
                raise
            raise bad_parameter("cursor", "bad_cursor", "This is not a cursor of this list.") from None

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get("page_size")
        if asked is None:
            return self.page_size or 50
        if not _PAGE_SIZE.fullmatch(asked) or int(asked) > self.max_page_size:
            raise bad_parameter("page_size", "out_of_range", f"Pages have 1 to {self.max_page_size} records.")
        return int(asked)

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView | None = None) -> tuple[str, ...]:
        return tuple(getattr(view, "page_order", None) or self.ordering)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {**link, "description": "Address of the next page, null on the last one."},
                "previous": {**link, "description": "Address of the page before, null on the first one."},
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["name"] == "page_size":
                parameter["schema"] = {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": 50}
        return parameters
