"""What a person may see. Every queryset that a request can reach starts from one of these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from accounts.models import Patient, Site
from accounts.rights import ADMIN, is_staff

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import User


def staffed_sites(user: User) -> QuerySet[Site]:
    """Sites at which the person works: an admin's whole organization, else those they belong to."""
    if user.organization_id is None or not is_staff(user):
        return Site.objects.none()
    own = Site.objects.filter(organization_id=user.organization_id)
    return own if ADMIN in user.roles else own.filter(staff=user)


def visible_sites(user: User) -> QuerySet[Site]:
    """Sites that the person works at or is treated at."""
    treated = Patient.objects.filter(user_id=user.id).values("site_id")
    return Site.objects.filter(Q(id__in=staffed_sites(user).values("id")) | Q(id__in=treated))


def visible_patients(user: User) -> QuerySet[Patient]:
    """Patients of the person's sites, and the person's own record."""
    return Patient.objects.filter(seen_patients(user, ""))


def seen_patients(user: User, path: str) -> Q:
    """Condition "the patient at `path` is one the person may see", for records that belong to a patient.

    `path` is a lookup prefix that ends at the patient, for example "series__patient__", or "" for patients themselves.
    """
    own = Q(**{f"{path}user_id": user.id})
    if not is_staff(user):
        return own
    return own | Q(**{f"{path}site__in": staffed_sites(user).values("id")})
