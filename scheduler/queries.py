"""What of supply and protocols a person may see."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from accounts.models import Role, Site, User
from accounts.queries import sites_seen_by, sites_staffed_by, sites_treating
from accounts.rights import is_staff
from scheduler.models import Chair, GateDefinition, Protocol, Provider

Row = TypeVar("Row", bound=Model)


def of_visible_sites(model: type[Row], user: User, site: str = "site") -> QuerySet[Row]:
    """Rows at sites that the person works at or is treated at; `site` is the lookup path from a row to its site."""
    return model._default_manager.filter(**{f"{site}__in": sites_seen_by(user)})


def visible_chairs(user: User) -> QuerySet[Chair]:
    """Chairs of sites that the person may see."""
    return of_visible_sites(Chair, user)


def visible_providers(user: User) -> QuerySet[Provider]:
    """Providers of sites that the person may see."""
    return of_visible_sites(Provider, user)


def visible_protocols(user: User) -> QuerySet[Protocol]:
    """All of their organization for staff; for patients those that can be booked where they are treated."""
    organizations = Site.objects.filter(id__in=sites_treating(user)).values("organization_id")
    treated = Q(status=Protocol.Status.APPROVED, organization_id__in=organizations)
    if is_staff(user) and user.organization_id is not None:
        treated |= Q(organization_id=user.organization_id)
    return Protocol.objects.filter(treated)


def staffed_chairs(user: User) -> QuerySet[Chair]:
    """Chairs of sites that the person works at."""
    return Chair.objects.filter(site__in=sites_staffed_by(user))


def staffed_providers(user: User) -> QuerySet[Provider]:
    """Providers of sites that the person works at."""
    return Provider.objects.filter(site__in=sites_staffed_by(user))


def colleagues(user: User) -> QuerySet[User]:
    """People of the same organization who sign in as staff."""
    return User.objects.filter(organization__users=user, is_active=True).exclude(roles__contained_by=[Role.PATIENT])


def visible_gate_definitions(user: User) -> QuerySet[GateDefinition]:
    """The organization's gates, for its staff."""
    if user.organization_id is None or not is_staff(user):
        return GateDefinition.objects.none()
    return GateDefinition.objects.filter(organization_id=user.organization_id)
