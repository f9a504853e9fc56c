"""Filters of the lists of supply and protocols. `from` and `until` are instants that a span of time overlaps."""

from __future__ import annotations

from accounts.http.filters import (
    BooleanFilter,
    ChoicesFilter,
    InstantFilter,
    IntegerFilter,
    ReferenceFilter,
    StrictFilterSet,
    TextFilter,
)
from accounts.queries import visible_sites
from scheduler.models import ChairKind, Protocol, ProviderRole, Severity
from scheduler.queries import visible_chairs, visible_providers


class SpanFilters(StrictFilterSet):
    """Records about a span of time."""

    from_ = InstantFilter("during__endswith", "gt")
    until = InstantFilter("during__startswith", "lt")
    spans = (("from", "until", None),)


class SiteFilters(StrictFilterSet):
    """Sites by name."""

    name = TextFilter()


class SiteClosureFilters(SpanFilters):
    """Closures of a site."""

    site = ReferenceFilter(visible_sites)


class ChairFilters(StrictFilterSet):
    """Chairs by place and kind."""

    site = ReferenceFilter(visible_sites)
    kind = ChoicesFilter(ChairKind.choices)
    is_active = BooleanFilter()


class ChairClosureFilters(SpanFilters):
    """Closures of a chair, or of all chairs of a site."""

    chair = ReferenceFilter(visible_chairs)
    site = ReferenceFilter(visible_sites, "chair__site")


class ProviderFilters(StrictFilterSet):
    """Providers by place and role."""

    site = ReferenceFilter(visible_sites)
    role = ChoicesFilter(ProviderRole.choices)
    is_active = BooleanFilter()


class AvailabilityRuleFilters(StrictFilterSet):
    """Weekly shifts of a provider, or of all at a site."""

    provider = ReferenceFilter(visible_providers)
    site = ReferenceFilter(visible_sites, "provider__site")
    weekday = IntegerFilter()


class TimeOffFilters(SpanFilters):
    """Time off of a provider, or of all at a site."""

    provider = ReferenceFilter(visible_providers)
    site = ReferenceFilter(visible_sites, "provider__site")


class ProtocolFilters(StrictFilterSet):
    """Protocols by code and status."""

    code = TextFilter()
    status = ChoicesFilter(Protocol.Status.choices)


class GateDefinitionFilters(StrictFilterSet):
    """Gates by name and severity."""

    gate = TextFilter()
    severity = ChoicesFilter(Severity.choices)
