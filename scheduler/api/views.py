"""HTTP for supply and protocols: parse, permit, call the use case, show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import transaction
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response

from accounts.http.problems import name_constraint
from accounts.http.views import ChangeRecord, CreateRecord, ListRecords, ReadRecord, RecordViewSet, RemoveRecord
from accounts.models import Site
from accounts.queries import staffed_sites, visible_sites
from accounts.refusals import Forbidden, Stale
from scheduler import protocols, sites
from scheduler.api import examples, filters
from scheduler.api import serializers as shapes
from scheduler.availability_rules import check_may_change_hours, refuse_overlap
from scheduler.changes import keeping_bookings, lock_site, open_drafts
from scheduler.models import AvailabilityRule, Chair, ChairClosure, Protocol, Provider, SiteClosure, TimeOff
from scheduler.queries import of_visible_sites, visible_protocols

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from rest_framework.request import Request

name_constraint("site_name_once", "name_taken", "The organization has a site of this name.")
name_constraint("site_plan_weights", "invalid_weights", "A whole number within bounds for each of five terms.", 400)
name_constraint("chair_name_once", "name_taken", "The site has a chair of this name.")
name_constraint("protocol_version_once", "code_taken", "There is a protocol with this code.")
name_constraint("nurse_capacity", "nurse_capacity", "The nurse would have more patients than allowed.")
name_constraint("prescriber_capacity", "prescriber_capacity", "The prescriber would have more patients than allowed.")


class SupplyViewSet(ListRecords, ReadRecord, CreateRecord, ChangeRecord, RemoveRecord, RecordViewSet):
    """Records that belong to a site, `site_path` away (attributes with dots). Only who works there changes them.

    The site is locked before anything else. A change that would strand booked sessions is refused; a new absence or
    closure counts at once and answers with the draft that mends them.
    """

    site_path: ClassVar[tuple[str, ...]] = ("site",)
    # More supply strands nobody; a closure is less, and opens the draft that mends what it does.
    creating_takes_away: ClassVar[bool] = False
    draft: UUID | None = None

    def visible(self) -> QuerySet[Any]:
        """Records of sites that the caller works at or is treated at."""
        path = "__".join(self.site_path)
        return of_visible_sites(self.model, self.user, path).select_related(path)

    def site_of(self, record: Any) -> UUID:
        """Id of the site that the record belongs to."""
        for name in self.site_path:
            record = getattr(record, name)
        return record.pk

    def _check_right(self, request: Request) -> None:
        """A record of a site at which the caller is only treated is seen and not changed."""
        super()._check_right(request)
        if self.record is not None and request.method not in SAFE_METHODS:
            if not staffed_sites(self.user).filter(pk=self.site_of(self.record)).exists():
                raise Forbidden
            self.check_owner(self.record)

    def check_owner(self, record: Any) -> None:
        """Hook: raise Forbidden where the record is another person's to change."""

    def perform_create(self, serializer: Any) -> Any:
        """Write the record, unless it takes away what is booked."""
        values = dict(serializer.validated_data)
        record = self.model(**values)
        self.check_owner(record)
        lock_site(self.site_of(record))
        saved = self.save(record)
        if self.creating_takes_away:
            self.draft = open_drafts(saved, self.user)
        return saved

    def get_serializer_context(self) -> dict[str, Any]:
        """With the draft that mends what the new record does to bookings."""
        return {**super().get_serializer_context(), "disruption": self.draft}

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change the fields sent."""
        with transaction.atomic(), keeping_bookings(self.site_of(self.record)):
            return super().partial_update(request, *args, **kwargs)

    def perform_update(self, serializer: Any) -> Any:
        """Write the fields sent."""
        record = serializer.instance
        for name, value in serializer.validated_data.items():
            setattr(record, name, value)
        return self.save(record)

    def save(self, record: Any) -> Any:
        """Hook: write the record, its site being locked."""
        record.save()
        return record

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Remove the record; where others depend on it, 409 `in_use`."""
        with transaction.atomic(), keeping_bookings(self.site_of(self.record)):
            return super().destroy(request, *args, **kwargs)


@extend_schema_view(
    create=extend_schema(examples=[examples.SITE]),
    partial_update=extend_schema(examples=[examples.SITE_CHANGE]),
)
@extend_schema(tags=["sites"])
class SiteViewSet(ListRecords, ReadRecord, CreateRecord, ChangeRecord, RemoveRecord, RecordViewSet):
    """Clinic locations with their time zone and opening hours."""

    model = Site
    serializer_class = shapes.SiteSerializer
    filterset_class = filters.SiteFilters

    def visible(self) -> QuerySet[Site]:
        """Sites that the caller works at or is treated at."""
        return visible_sites(self.user).prefetch_related("opening_hours")

    def _check_right(self, request: Request) -> None:
        super()._check_right(request)
        changing = self.record is not None and request.method not in SAFE_METHODS
        if changing and not staffed_sites(self.user).filter(pk=self.record.pk).exists():
            raise Forbidden

    def perform_create(self, serializer: Any) -> Site:
        """Create by the use case."""
        return sites.create_site(self.user, serializer.validated_data)

    def perform_update(self, serializer: Any) -> Site:
        """Change by the use case."""
        return sites.change_site(serializer.instance.pk, serializer.validated_data)


@extend_schema_view(
    create=extend_schema(examples=[examples.SITE_CLOSURE]),
    partial_update=extend_schema(examples=[examples.SITE_CLOSURE_CHANGE]),
)
@extend_schema(tags=["sites"])
class SiteClosureViewSet(SupplyViewSet):
    """Times in which a whole site is closed."""

    model = SiteClosure
    serializer_class = shapes.SiteClosureSerializer
    filterset_class = filters.SiteClosureFilters
    creating_takes_away = True


@extend_schema_view(
    create=extend_schema(examples=[examples.CHAIR]),
    partial_update=extend_schema(examples=[examples.CHAIR_CHANGE]),
)
@extend_schema(tags=["chairs"])
class ChairViewSet(SupplyViewSet):
    """Places where infusions are given."""

    model = Chair
    serializer_class = shapes.ChairSerializer
    filterset_class = filters.ChairFilters


@extend_schema_view(
    create=extend_schema(examples=[examples.CHAIR_CLOSURE]),
    partial_update=extend_schema(examples=[examples.CHAIR_CLOSURE_CHANGE]),
)
@extend_schema(tags=["chairs"])
class ChairClosureViewSet(SupplyViewSet):
    """Times in which one chair cannot be used."""

    model = ChairClosure
    serializer_class = shapes.ChairClosureSerializer
    filterset_class = filters.ChairClosureFilters
    site_path = ("chair", "site")
    creating_takes_away = True


@extend_schema_view(
    create=extend_schema(examples=[examples.PROVIDER]),
    partial_update=extend_schema(examples=[examples.PROVIDER_CHANGE]),
)
@extend_schema(tags=["providers"])
class ProviderViewSet(SupplyViewSet):
    """Nurses and prescribers at a site."""

    model = Provider
    serializer_class = shapes.ProviderSerializer
    filterset_class = filters.ProviderFilters


class OwnHours(SupplyViewSet):
    """When a provider works. Managers write anybody's, nurses and prescribers their own."""

    site_path = ("provider", "site")

    def check_owner(self, record: Any) -> None:
        """Refuse the hours of another person."""
        check_may_change_hours(self.user, record.provider)


@extend_schema_view(
    create=extend_schema(examples=[examples.AVAILABILITY_RULE]),
    partial_update=extend_schema(examples=[examples.AVAILABILITY_RULE_CHANGE]),
)
@extend_schema(tags=["providers"])
class AvailabilityRuleViewSet(OwnHours):
    """Weekly shifts in the site's wall time."""

    model = AvailabilityRule
    serializer_class = shapes.AvailabilityRuleSerializer
    filterset_class = filters.AvailabilityRuleFilters

    def save(self, record: AvailabilityRule) -> AvailabilityRule:
        """Write the rule, unless another of the provider has part of its time."""
        refuse_overlap(record, AvailabilityRule.objects.filter(provider=record.provider_id))
        record.save()
        return record


@extend_schema_view(
    create=extend_schema(examples=[examples.TIME_OFF]),
    partial_update=extend_schema(examples=[examples.TIME_OFF_CHANGE]),
)
@extend_schema(tags=["providers"])
class TimeOffViewSet(OwnHours):
    """Times in which a provider does not work."""

    model = TimeOff
    serializer_class = shapes.TimeOffSerializer
    filterset_class = filters.TimeOffFilters
    creating_takes_away = True


@extend_schema_view(
    create=extend_schema(examples=[examples.PROTOCOL]),
    partial_update=extend_schema(
        responses={
            200: shapes.ProtocolSerializer,
            201: OpenApiResponse(shapes.ProtocolSerializer, description="A new version, with an id of its own."),
        },
        examples=[examples.PROTOCOL_CHANGE],
    ),
)
@extend_schema(tags=["protocols"])
class ProtocolViewSet(ListRecords, ReadRecord, CreateRecord, RecordViewSet):
    """Treatment plans in versions. What has been approved or is in use is never edited: a change is a new version."""

    model = Protocol
    serializer_class = shapes.ProtocolSerializer
    filterset_class = filters.ProtocolFilters

    def visible(self) -> QuerySet[Protocol]:
        """All of the organization for staff, the approved ones for patients."""
        return visible_protocols(self.user)

    def perform_create(self, serializer: Any) -> Protocol:
        """Create by the use case."""
        return protocols.create_protocol(self.user, serializer.validated_data)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One version. Its number does not move with a draft's changes, so it is no ETag."""
        return self._render(self.record)

    def _render(self, record: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        return Response(self.get_serializer(record).data, status=status, headers=headers)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change a draft (200), or make the next version (201)."""
        if self.expected is not None:
            raise Stale
        serializer = self.get_serializer(self.record, data=self.body_data, partial=True)
        serializer.is_valid(raise_exception=True)
        found = protocols.change_protocol(self.user, self.record.pk, serializer.validated_data)
        return self.show(found, 200 if found.pk == self.record.pk else 201)
