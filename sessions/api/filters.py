"""Filters of the lists on this floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import DateField, DateTimeField, F, Func, Q, QuerySet
from django.db.models.functions import Cast

from accounts.http.filters import (
    ChoicesFilter,
    DateFilter,
    InstantFilter,
    ReferenceFilter,
    SiteFilter,
    StrictFilterSet,
)
from accounts.queries import visible_patients
from scheduler import walltime
from scheduler.queries import visible_chairs, visible_protocols, visible_providers
from sessions.facts import zone_of
from sessions.models import (
    DisruptionKind,
    DisruptionStatus,
    EntryStatus,
    OfferStatus,
    SeriesStatus,
    Session,
    SessionStatus,
)
from sessions.queries import visible_series

if TYPE_CHECKING:
    import datetime

    from accounts.models import Site
    from scheduler.models import Provider


class SessionFilters(StrictFilterSet):
    """`date` is a day of each session's own site; sessions overlap the time `from` .. `until`."""

    site = SiteFilter()
    date = DateFilter(method="on_date")
    from_ = InstantFilter(method="ending_after")
    until = InstantFilter("start", "lt")
    status = ChoicesFilter(SessionStatus.choices)
    patient = ReferenceFilter(visible_patients)
    series = ReferenceFilter(visible_series)
    chair = ReferenceFilter(visible_chairs)
    provider = ReferenceFilter(visible_providers, method="with_provider")
    spans = (("from", "until", 400),)

    def ending_after(self, queryset: QuerySet[Session], name: str, value: datetime.datetime) -> QuerySet[Session]:
        """Sessions that end later. None is longer than a day (`scheduler.phases`), and an index has starts."""
        return queryset.filter(end__gt=value, start__gt=value - walltime.DAY)

    def on_date(self, queryset: QuerySet[Session], name: str, value: datetime.date) -> QuerySet[Session]:
        """Sessions that start on that day of their own site's calendar."""
        site: Site | None = self.cleaned_data.get("site")
        if site is not None:
            # One site's day is a span of instants, which an index finds.
            since, until = (walltime.first_instant(day, zone_of(site)) for day in (value, value + walltime.DAY))
            return queryset.filter(start__gte=since, start__lt=until)
        local = Func(F("site__time_zone"), F("start"), function="timezone", output_field=DateTimeField())
        return queryset.annotate(local_day=Cast(local, DateField())).filter(local_day=value)

    def with_provider(self, queryset: QuerySet[Session], name: str, value: Provider) -> QuerySet[Session]:
        """Sessions that this nurse or prescriber has."""
        return queryset.filter(Q(nurse=value) | Q(prescriber=value))


class SeriesFilters(StrictFilterSet):
    """Series by whom, what, where and how they stand."""

    site = SiteFilter()
    patient = ReferenceFilter(visible_patients)
    protocol = ReferenceFilter(visible_protocols)
    status = ChoicesFilter(SeriesStatus.choices)


class DisruptionFilters(StrictFilterSet):
    """Disruptions by where, of what kind and how they stand."""

    site = SiteFilter()
    kind = ChoicesFilter(DisruptionKind.choices)
    status = ChoicesFilter(DisruptionStatus.choices)


class WaitlistEntryFilters(StrictFilterSet):
    """Wishes by where, whose, for what and how they stand."""

    site = SiteFilter()
    patient = ReferenceFilter(visible_patients)
    protocol = ReferenceFilter(visible_protocols)
    status = ChoicesFilter(EntryStatus.choices)


class OfferFilters(StrictFilterSet):
    """Offers by where, to whom and how they stand."""

    site = SiteFilter()
    patient = ReferenceFilter(visible_patients)
    status = ChoicesFilter(OfferStatus.choices)


class OrderFilters(StrictFilterSet):
    """Orders by patient and protocol."""

    patient = ReferenceFilter(visible_patients)
    protocol = ReferenceFilter(visible_protocols)
