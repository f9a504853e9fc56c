"""HTTP for disruptions, the waitlist and its offers: parse, permit, call one use case, show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.permissions import SAFE_METHODS

from accounts import clock
from accounts.audit import record_reads
from accounts.http.views import (
    ChangeRecord,
    CreateRecord,
    ListRecords,
    PatientRecords,
    ReadRecord,
    RecordViewSet,
    RemoveRecord,
)
from sessions import applying, disruptions, waitlist
from sessions.api import change_serializers as shapes
from sessions.api import examples, filters
from sessions.api.serializers import NothingSerializer
from sessions.models import Disruption, DisruptionItem, Offer, WaitlistEntry
from sessions.queries import visible_disruptions, visible_entries, visible_offers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response


@extend_schema_view(create=extend_schema(examples=[examples.ABSENCE, examples.CLOSED_DAY]))
class DisruptionViewSet(CreateRecord, ListRecords, ReadRecord, RecordViewSet):
    """Absences and closures with what they do to bookings. A draft changes nothing until it is applied."""

    model = Disruption
    serializer_class = shapes.DisruptionSerializer
    filterset_class = filters.DisruptionFilters
    versioned = True

    def visible(self) -> QuerySet[Disruption]:
        """Those of the sites where the caller works."""
        seen = visible_disruptions(self.user).select_related("site", "provider")
        return seen.prefetch_related("items__patient")

    def shown(self, records: Sequence[Disruption]) -> None:
        """Write down which patients' visits were shown."""
        rows = [(item.pk, item.patient_id) for record in records for item in record.items.all()]
        record_reads(self.user.pk, DisruptionItem._meta.db_table, rows)

    def _check_right(self, request: Request) -> None:
        """Who may not record an absence may not apply its draft either; one that is recorded is only mended."""
        super()._check_right(request)
        if self.record is not None and request.method not in SAFE_METHODS:
            disruptions.check_may_record(self.record, self.user)

    def check_state(self) -> None:
        """Refuse a verb that the state forbids before its body is looked at."""
        if self.action == "apply":
            applying.check_can_be_applied(self.record)
        elif self.action == "undo":
            applying.check_can_be_undone(self.record)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Draft what it would do; nothing is changed."""
        asked = self.body(self.serializer_class)
        provider, chair = asked.get("provider"), asked.get("chair")
        site = next(each for each in (asked.get("site"), *(one.site for one in (provider, chair) if one)) if each)
        during = asked["during"]
        found = disruptions.draft(
            asked["kind"],
            site,
            (during["lower"], during["upper"]),
            asked.get("reason", ""),
            self.user,
            clock.now(),
            provider=provider,
            chair=chair,
        )
        return self.show(found, 201, {"Location": f"{request.path}{found.pk}/"})

    @extend_schema(request=NothingSerializer, responses=shapes.DisruptionSerializer)
    @action(detail=True, methods=["post"])
    def apply(self, request: Request, **kwargs: Any) -> Response:
        """Record the absence and make the moves, whole. Where the world has moved on: 409 with a fresh draft."""
        self.body(NothingSerializer)
        return self.show(applying.apply(self.record, self.user, clock.now(), self.expected))

    @extend_schema(request=NothingSerializer, responses=shapes.DisruptionSerializer)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, **kwargs: Any) -> Response:
        """Withdraw the absence and put every session back, whole; or say what stands in the way."""
        self.body(NothingSerializer)
        return self.show(applying.undo(self.record, self.user, clock.now(), self.expected))


@extend_schema_view(
    create=extend_schema(examples=[examples.SOONER, examples.A_COURSE]),
    partial_update=extend_schema(examples=[examples.ENTRY_CHANGE]),
)
class WaitlistEntryViewSet(ListRecords, ReadRecord, CreateRecord, ChangeRecord, RemoveRecord, PatientRecords):
    """Who would come sooner, or at another time."""

    model = WaitlistEntry
    serializer_class = shapes.WaitlistEntrySerializer
    filterset_class = filters.WaitlistEntryFilters
    versioned = True

    def visible(self) -> QuerySet[WaitlistEntry]:
        """Those of the caller's sites, and their own."""
        return visible_entries(self.user)

    def check_state(self) -> None:
        """Refuse to change what is over before the body is looked at."""
        if self.record is not None:
            waitlist.check_waits(self.record)

    def perform_create(self, serializer: Any) -> WaitlistEntry:
        """Enter by the use case."""
        asked = dict(serializer.validated_data)
        return waitlist.enter(asked.pop("patient"), self.user, clock.now(), **asked)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change the dates or times; what is on offer is withdrawn."""
        serializer = self.get_serializer(self.record, data=self.body_data, partial=True)
        serializer.is_valid(raise_exception=True)
        names = ("earliest", "latest", "time_windows")
        wish = {name: value for name, value in serializer.validated_data.items() if name in names}
        return self.show(waitlist.change(self.record, wish, clock.now(), self.expected))

    def perform_destroy(self, record: WaitlistEntry) -> None:
        """Withdraw."""
        waitlist.withdraw(record, clock.now())


class OfferViewSet(ListRecords, ReadRecord, PatientRecords):
    """Free places offered to people on the waitlist."""

    model = Offer
    serializer_class = shapes.WaitlistOfferSerializer
    filterset_class = filters.OfferFilters
    versioned = True

    def visible(self) -> QuerySet[Offer]:
        """Those made at the caller's sites, and to themselves."""
        return visible_offers(self.user).select_related("site", "session", "plan__site")

    def check_state(self) -> None:
        """Refuse an answer to what is no longer open before the body is looked at."""
        waitlist.check_is_open(self.record, clock.now())

    @extend_schema(request=NothingSerializer, responses=shapes.WaitlistOfferSerializer)
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, **kwargs: Any) -> Response:
        """Take the place; the old one is free in the same moment."""
        self.body(NothingSerializer)
        return self.show(waitlist.accept(self.record, self.user, clock.now(), self.expected))

    @extend_schema(request=NothingSerializer, responses=shapes.WaitlistOfferSerializer)
    @action(detail=True, methods=["post"])
    def decline(self, request: Request, **kwargs: Any) -> Response:
        """Leave the place to others; the wish goes on waiting."""
        self.body(NothingSerializer)
        return self.show(waitlist.decline(self.record, clock.now(), self.expected))
