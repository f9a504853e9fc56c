"""The library of gates: what each means in an organization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema, extend_schema_view

from accounts.http.problems import name_constraint
from accounts.http.views import ChangeRecord, CreateRecord, ListRecords, ReadRecord, RecordViewSet
from accounts.refusals import Forbidden
from scheduler.api import examples
from scheduler.api.day_serializers import GateDefinitionSerializer
from scheduler.api.filters import GateDefinitionFilters
from scheduler.models import GateDefinition
from scheduler.queries import visible_gate_definitions

if TYPE_CHECKING:
    from django.db.models import QuerySet

name_constraint("gate_once", "gate_taken", "The organization has a gate of this name; change that one.")


@extend_schema_view(
    create=extend_schema(examples=[examples.GATE_DEFINITION]),
    partial_update=extend_schema(examples=[examples.GATE_DEFINITION_CHANGE]),
)
@extend_schema(tags=["protocols"])
class GateDefinitionViewSet(ListRecords, ReadRecord, CreateRecord, ChangeRecord, RecordViewSet):
    """What gates mean here. A protocol's gates come here with the catalogue's meaning, for the clinic to edit."""

    model = GateDefinition
    serializer_class = GateDefinitionSerializer
    filterset_class = GateDefinitionFilters

    def visible(self) -> QuerySet[GateDefinition]:
        """Those of the caller's organization."""
        return visible_gate_definitions(self.user)

    def perform_create(self, serializer: Any) -> GateDefinition:
        """Add a gate to the organization's library."""
        if self.user.organization_id is None:
            raise Forbidden("no_organization", "You belong to no organization.")
        saved: GateDefinition = serializer.save(organization_id=self.user.organization_id)
        return saved
