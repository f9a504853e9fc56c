"""Base classes of resources: a room says what may be seen and what is done, the rest is the same for all."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.urls import include, path, register_converter
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import GenericViewSet

from accounts import rights
from accounts.audit import Reading, record_reads
from accounts.http import conditions, paging
from accounts.http.base import SAFE, ApiView
from accounts.http.fields import as_uuid
from accounts.http.filters import StrictFilterBackend, StrictFilterSet
from accounts.http.rows import are_rows, to_be_noted
from accounts.refusals import Invalid, NotFound, Stale, require_version

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from django.db.models import Model, QuerySet
    from rest_framework import serializers
    from rest_framework.request import Request


class RecordViewSet(ApiView, GenericViewSet):
    """A resource. A room gives `model`, `serializer_class`, `visible()` and the mixins it wants.

    Its rights are `{basename}.{action}`, for a verb `{basename}.{url_path}`. In detail actions `record` is the row as
    it was seen, without a lock; `expected` is what If-Match named, for `require_version` under the lock.
    """

    model: ClassVar[type[Model]]
    paged: ClassVar[frozenset[str]] = frozenset({"list"})
    pagination_class = paging.CursorPage
    filterset_class: ClassVar[type[StrictFilterSet] | None] = None
    filter_backends: Any = (StrictFilterBackend,)
    lookup_value_converter = "record_id"

    def visible(self) -> QuerySet[Any]:
        """The records that the caller may see, with what rendering them needs."""
        raise ImproperlyConfigured(f"{type(self).__name__} does not say which records may be seen")

    def get_queryset(self) -> QuerySet[Any]:
        """`visible()`; nothing while the OpenAPI document is written."""
        if getattr(self, "swagger_fake_view", False):
            return self.model._default_manager.none()
        return self.visible()

    @property
    def right(self) -> str:
        """`{basename}.{action}`; verbs by the name in their path."""
        handler = getattr(self, self.action)
        return f"{self.basename}.{getattr(handler, 'url_path', None) or self.action}"

    def find_record(self) -> None:
        """Look up the record that the path names among the visible ones; 404 else."""
        if self.lookup_field not in self.kwargs:
            return
        wanted = as_uuid(str(self.kwargs[self.lookup_field]))
        self.record = None if wanted is None else self.seen(wanted)
        if self.record is None:
            raise NotFound

    def seen(self, wanted: UUID) -> Any:
        """The visible record of this id, None where there is none."""
        return next(iter(self.get_queryset().filter(pk=wanted)), None)

    def get_object(self) -> Any:
        """The record that the path names."""
        return self.record

    def known_parameters(self) -> frozenset[str]:
        """Those of paging and of the filters, where the action is a list."""
        known = super().known_parameters()
        if self.request.method in SAFE and self.action in self.paged:
            known |= paging.PARAMETERS
        if self.action == "list" and self.filterset_class:
            known |= frozenset(self.filterset_class.base_filters)
        return known

    def shown(self, records: Sequence[Any]) -> None:
        """Hook: these records were just shown to the caller (the audit trail of reads)."""

    def to_be_shown(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Hook: of these records a page will be shown."""
        return queryset

    def show(self, record: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        """The answer that shows one record, read again so that it is as the database has it, with its ETag."""
        record = self.seen(record.pk) or record
        return self.show_as_is(record, status, headers)

    def show_as_is(self, record: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        """The answer that shows one record as it is in hand: just read, or just made and known whole."""
        self.shown([record])
        response = Response(self.get_serializer(record).data, status=status, headers=headers)
        conditions.set_etag(response, record)
        return response

    def page(self, queryset: QuerySet[Any], serializer_class: type[serializers.BaseSerializer]) -> Response:
        """One page of `queryset`."""
        of_this_kind = serializer_class is self.get_serializer_class()
        rows = self.paginate_queryset(self.to_be_shown(queryset) if of_this_kind else queryset) or []
        if of_this_kind:
            self.shown(rows)
        data = serializer_class(rows, many=True, context=self.get_serializer_context()).data
        return self.get_paginated_response(data)

    def locked(self) -> Any:
        """The path's record, its row locked and its version as If-Match wants it (412). Needs a transaction."""
        manager = self.model._default_manager
        record = manager.select_for_update(of=("self",)).filter(pk=self.record.pk).first()
        if record is None:
            raise NotFound
        if hasattr(record, "version"):
            require_version(self.expected, record.version)
        elif self.expected is not None:
            raise Stale
        return record


class PatientRecords(RecordViewSet):
    """Records that belong to a patient (`patient_id`): who was shown one is in the audit trail."""

    def shown(self, records: Sequence[Any]) -> None:
        """Write down the reads that are not yet; a record without a patient is nobody's."""
        new = (record for record in records if record.patient_id is not None and not getattr(record, "noted", False))
        record_reads(self.user.pk, self.model._meta.db_table, [(record.pk, record.patient_id) for record in new])

    def to_be_shown(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Plain rows are written down by the statement that reads them."""
        if not are_rows(queryset):
            return queryset
        pages: Any = self.paginator
        shown_at_most = pages.get_page_size(self.request)
        return to_be_noted(queryset, Reading(self.user.pk, self.model._meta.db_table, shown_at_most))

    def sure_to_show(self) -> Reading | None:
        """What to write down with the record's reading, where nothing can keep the answer from showing it."""
        asked = self.request.META
        if asked.get("QUERY_STRING") or "HTTP_IF_NONE_MATCH" in asked or not rights.may(self.user, self.right):
            return None
        return Reading(self.user.pk, self.model._meta.db_table)


class ListRecords:
    """GET on the list: a page of the visible records that the filters let through."""

    def list(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.page(self.filter_queryset(self.get_queryset()), self.get_serializer_class())


class ReadRecord:
    """GET on a record, with ETag; 304 where the caller has that version."""

    def retrieve(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        tag = conditions.etag(self.record)
        if conditions.unchanged(request.META.get("HTTP_IF_NONE_MATCH"), tag):
            return Response(status=304, headers={"ETag": str(tag)})
        return self.show_as_is(self.record)


class CreateRecord:
    """POST on the list: 201 with the record and its address. `perform_create` is the room's use case."""

    def create(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=self.body_data)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            record = self.perform_create(serializer)
        return self.show(record, 201, {"Location": f"{request.path}{record.pk}/"})

    def perform_create(self, serializer: Any) -> Any:
        """Hook: write the record, return it."""
        return serializer.save()


class ChangeRecord:
    """PATCH on a record: only the fields sent change. `perform_update` is the room's use case, under the row's lock."""

    def partial_update(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        with transaction.atomic():
            record = self.locked()
            serializer = self.get_serializer(record, data=self.body_data, partial=True)
            serializer.is_valid(raise_exception=True)
            record = self.perform_update(serializer)
        return self.show(record)

    def perform_update(self, serializer: Any) -> Any:
        """Hook: write the change, return the record. Moves `version` on where there is one."""
        version = getattr(serializer.instance, "version", None)
        return serializer.save(**({} if version is None else {"version": version + 1}))


class RemoveRecord:
    """DELETE on a record: 204. What others depend on stays (409 `in_use`)."""

    def destroy(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        for name in self.body_data:
            raise Invalid(f"/{name}", "unknown_field", "A DELETE has no body.")
        with transaction.atomic():
            self.perform_destroy(self.locked())
        return Response(status=204)

    def perform_destroy(self, record: Any) -> None:
        """Hook: delete the record."""
        record.delete()


class RecordId:
    """The path converter of record ids: exactly a UUID in ASCII; any other text leads nowhere (404)."""

    regex = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

    def to_python(self, value: str) -> str:
        return value.lower()

    def to_url(self, value: Any) -> str:
        return str(value)


with contextlib.suppress(ValueError):
    register_converter(RecordId, "record_id")


class RecordRouter(SimpleRouter):
    """Addresses of resources: `router.register("chairs", ChairViewSet, basename="chairs")`."""

    def __init__(self) -> None:
        super().__init__(trailing_slash=True, use_regex_path=False)

    def get_urls(self) -> list[Any]:
        """Addresses by the resource's name: whoever looks for one passes the others by, not each of their addresses."""
        if [prefix for prefix, _, _ in self.registry] == [""]:
            return super().get_urls()
        groups = []
        for prefix, viewset, basename in self.registry:
            alone = RecordRouter()
            alone.register("", viewset, basename=basename)
            groups.append(path(f"{prefix}/", include(alone.urls)))
        return groups
