"""Reads of series, sessions and plans; each starts from what the person may see."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from accounts.http.rows import rows
from accounts.prepared import first_row
from accounts.queries import own_patient, sites_staffed_by
from sessions.models import Disruption, EntryStatus, Offer, Order, Plan, Series, Session, WaitlistEntry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import User


def _own_or_staffed(user: User) -> Q:
    """The person's own records as a patient, and those of the sites where they work."""
    return own_patient(user, "patient__") | Q(site__in=sites_staffed_by(user))


def visible_sessions(user: User) -> QuerySet[Session]:
    """Sessions of the person's sites, and their own."""
    return Session.objects.filter(_own_or_staffed(user))


def visible_session_row(user: User, wanted: UUID, columns: Sequence[str]) -> Any:
    """What `visible_sessions` finds for one id, as a plain row of these columns; None where that is nothing."""
    if user.sight is None:
        return next(iter(rows(visible_sessions(user).filter(pk=wanted), *columns)), None)
    names = ", ".join(map(connection.ops.quote_name, columns))
    statement = (
        f"SELECT {names} FROM infusion_sessions_session"  # noqa: S608  (names of ours)
        " WHERE id = %s AND (site_id = ANY(%s) OR patient_id = ANY(%s))"
    )
    found = first_row(statement, [wanted, list(user.sight.sites), list(user.sight.patient)])
    return None if found is None else SimpleNamespace(pk=wanted, **dict(zip(columns, found, strict=True)))


def visible_series(user: User) -> QuerySet[Series]:
    """Series of the person's sites and their own; `version` moves with the series and with each of its sessions."""
    moved = Session.objects.filter(series=OuterRef("pk")).values("series").annotate(total=Sum("version"))
    return Series.objects.filter(_own_or_staffed(user)).annotate(
        version=Coalesce(Subquery(moved.values("total")), 0) + F("row_version")
    )


def visible_orders(user: User) -> QuerySet[Order]:
    """Orders for patients of the person's sites, and their own."""
    return Order.objects.filter(own_patient(user, "patient__") | Q(patient__site__in=sites_staffed_by(user)))


def visible_disruptions(user: User) -> QuerySet[Disruption]:
    """Disruptions at the sites where the person works."""
    return Disruption.objects.filter(site__in=sites_staffed_by(user))


def visible_entries(user: User) -> QuerySet[WaitlistEntry]:
    """Wishes on the waitlists of the person's sites, and their own; what was withdrawn is as if it never was."""
    return WaitlistEntry.objects.filter(_own_or_staffed(user)).exclude(status=EntryStatus.WITHDRAWN)


def visible_offers(user: User) -> QuerySet[Offer]:
    """Offers made at the person's sites, and to themselves."""
    return Offer.objects.filter(_own_or_staffed(user))


def visible_plans(user: User) -> QuerySet[Plan]:
    """Plans that the person made, and those made at the sites where they work."""
    return Plan.objects.filter(Q(created_by=user) | Q(site__in=sites_staffed_by(user)))
