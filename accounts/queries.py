"""What a person may see. Every queryset that a request can reach starts from one of these.

A request reads once what decides over it, with the token (`User.sight`); without that, each query asks for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Q

from accounts.models import Invitation, Patient, Sight, Site, User
from accounts.rights import ADMIN, PATIENT, is_staff

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from django.db.models import QuerySet


def sight_of(user: User) -> Sight:
    """What decides over whom the person may see: as the request found it with the token, else asked for now."""
    if user.sight is not None:
        return user.sight
    own = dict(Patient.objects.filter(user_id=user.id).values_list("id", "site_id"))
    staffed = staffed_sites(user).values_list("id", flat=True)
    return Sight(frozenset(staffed), frozenset(own), frozenset(own.values()))


def staffed_sites(user: User) -> QuerySet[Site]:
    """Sites at which the person works: an admin's whole organization, else those they belong to."""
    if user.organization_id is None or not is_staff(user):
        return Site.objects.none()
    own = Site.objects.filter(organization_id=user.organization_id)
    return own if ADMIN in user.roles else own.filter(staff=user)


def sites_staffed_by(user: User) -> Collection[UUID] | QuerySet[Any]:
    """Ids of the sites at which the person works, for a lookup `site__in`."""
    return staffed_sites(user).values("id") if user.sight is None else user.sight.sites


def visible_sites(user: User) -> QuerySet[Site]:
    """Sites that the person works at or is treated at."""
    return Site.objects.filter(id__in=sites_seen_by(user))


def sites_seen_by(user: User) -> Collection[UUID] | QuerySet[Any]:
    """Ids of the sites that the person works at or is treated at, for a lookup `site__in`."""
    if user.sight is not None:
        return user.sight.sites | user.sight.treated_at
    seen = Q(id__in=staffed_sites(user).values("id")) | Q(id__in=sites_treating(user))
    return Site.objects.filter(seen).values("id")


def sites_treating(user: User) -> Collection[UUID] | QuerySet[Any]:
    """Ids of the sites at which the person is a patient, for a lookup `site__in`."""
    return Patient.objects.filter(user_id=user.id).values("site_id") if user.sight is None else user.sight.treated_at


def visible_staff(user: User) -> QuerySet[User]:
    """People who work, or did, where the person works; everybody of the organization for an admin."""
    if user.organization_id is None or not is_staff(user):
        return User.objects.none()
    staff = User.objects.filter(organization_id=user.organization_id).exclude(roles__contained_by=[PATIENT])
    if ADMIN in user.roles:
        return staff
    beside = User.sites.through.objects.filter(site_id__in=sites_staffed_by(user)).values("user_id")
    return staff.filter(pk__in=beside)


def visible_invitations(user: User) -> QuerySet[Invitation]:
    """Invitations to sites where the person works; all of the organization for an admin."""
    if user.organization_id is None or not is_staff(user):
        return Invitation.objects.none()
    ours = Invitation.objects.filter(organization_id=user.organization_id)
    if ADMIN in user.roles:
        return ours
    there = Invitation.sites.through.objects.filter(site_id__in=sites_staffed_by(user)).values("invitation_id")
    return ours.filter(pk__in=there)


def visible_patients(user: User) -> QuerySet[Patient]:
    """Patients of the person's sites, and the person's own record."""
    return Patient.objects.filter(seen_patients(user, ""))


def own_patient(user: User, path: str) -> Q:
    """Condition "the patient at `path` is the person"; `path` as in `seen_patients`."""
    if user.sight is None:
        return Q(**{f"{path}user_id": user.id})
    return Q(**{f"{path}pk__in": user.sight.patient})


def seen_patients(user: User, path: str) -> Q:
    """Condition "the patient at `path` is one the person may see", for records that belong to a patient.

    `path` is a lookup prefix that ends at the patient, for example "series__patient__", or "" for patients themselves.
    """
    own = own_patient(user, path)
    if not is_staff(user):
        return own
    return own | Q(**{f"{path}site__in": sites_staffed_by(user)})
