"""Reads of series, sessions and plans; each starts from what the person may see."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import connection
from django.db.models import Count, F, OuterRef, Q, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from accounts import clock
from accounts.audit import noting
from accounts.http.rows import rows
from accounts.models import Patient, Site
from accounts.prepared import columns, first_row, take
from accounts.queries import own_patient, sight_of, sites_staffed_by
from accounts.rights import is_staff
from scheduler.models import Protocol
from sessions.models import TO_COME, Disruption, EntryStatus, Offer, Order, Plan, Series, Session, WaitlistEntry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.audit import Reading
    from accounts.models import User


OfSite = TypeVar("OfSite", Plan, Patient)


def _own_or_staffed(user: User) -> Q:
    """The person's own records as a patient, and those of the sites where they work."""
    return own_patient(user, "patient__") | Q(site__in=sites_staffed_by(user))


def visible_sessions(user: User) -> QuerySet[Session]:
    """Sessions of the person's sites, and their own."""
    return Session.objects.filter(_own_or_staffed(user))


def visible_session_row(user: User, wanted: UUID, columns: Sequence[str], reading: Reading | None = None) -> Any:
    """What `visible_sessions` finds for one id, as a plain row of these columns; None where that is nothing.

    `noted` says whether `reading` was written down with it.
    """
    if user.sight is None:
        return next(iter(rows(visible_sessions(user).filter(pk=wanted), *columns)), None)
    names = ", ".join(map(connection.ops.quote_name, columns))
    statement = (
        f"SELECT {names} FROM infusion_sessions_session"  # noqa: S608  (names of ours)
        " WHERE id = %s AND (site_id = ANY(%s) OR patient_id = ANY(%s))"
    )
    values: list[Any] = [wanted, list(user.sight.sites), list(user.sight.patient)]
    if reading is not None:
        statement, values = noting(statement, values, reading)
    found, noted = first_row(statement, values, shown=True), reading is not None
    return None if found is None else SimpleNamespace(pk=wanted, noted=noted, **dict(zip(columns, found, strict=True)))


# What `visible_patients` and `scheduler.queries.visible_protocols` find for one id each.
PATIENT = "w.id = %(patient)s AND (w.id = ANY(%(own)s) OR w.site_id = ANY(%(sites)s))"
PROTOCOL = """r.id = %(protocol)s AND (r.organization_id = %(organization)s
    OR r.status = 'approved' AND r.organization_id IN (
        SELECT organization_id FROM accounts_site WHERE id = ANY(%(treated_at)s)))"""
TO_BE_BOOKED = f"""
SELECT {columns(Plan, "p")}, {columns(Site, "s")}, {columns(Patient, "w")}, {columns(Site, "h")},
    {columns(Protocol, "r")}
FROM (SELECT) one
LEFT JOIN infusion_sessions_plan p ON p.id = %(plan)s AND (p.created_by_id = %(user)s OR p.site_id = ANY(%(sites)s))
LEFT JOIN accounts_site s ON s.id = p.site_id
LEFT JOIN accounts_patient w ON {PATIENT}
LEFT JOIN accounts_site h ON h.id = w.site_id
LEFT JOIN scheduler_protocol r ON {PROTOCOL}
"""  # noqa: S608  (names of ours)
TO_BE_PLANNED = f"""
SELECT {columns(Site, "t")}, {columns(Patient, "w")}, {columns(Site, "h")}, {columns(Protocol, "r")}
FROM (SELECT) one
LEFT JOIN accounts_site t ON t.id = %(site)s AND (t.id = ANY(%(sites)s) OR t.id = ANY(%(treated_at)s))
LEFT JOIN accounts_patient w ON {PATIENT}
LEFT JOIN accounts_site h ON h.id = w.site_id
LEFT JOIN scheduler_protocol r ON {PROTOCOL}
"""  # noqa: S608  (names of ours)


def to_be_booked(
    user: User, plan: UUID, patient: UUID, protocol: UUID
) -> tuple[Plan | None, Patient | None, Protocol | None]:
    """The three records of these ids, where the person may see them; plan and patient with their sites."""
    row = _row(TO_BE_BOOKED, user, {"plan": plan, "patient": patient, "protocol": protocol})
    planned, who = _take_with_site(Plan, row), _take_with_site(Patient, row)
    under = take(Protocol, row)
    if planned is not None and under is not None and planned.protocol_id == under.pk:
        planned.protocol = under
    return planned, who, under


def to_be_planned(
    user: User, site: UUID, patient: UUID | None, protocol: UUID
) -> tuple[Site | None, Patient | None, Protocol | None]:
    """The three records of these ids, where the person may see them; the patient with their site."""
    row = _row(TO_BE_PLANNED, user, {"site": site, "patient": patient, "protocol": protocol})
    return take(Site, row), _take_with_site(Patient, row), take(Protocol, row)


def _row(statement: str, user: User, wanted: dict[str, UUID | None]) -> list[Any]:
    """The one row of a question for records of these ids, asked with what the person sees."""
    sight = sight_of(user)
    seen = {"sites": list(sight.sites), "own": list(sight.patient), "treated_at": list(sight.treated_at)}
    whose = {"user": user.pk, "organization": user.organization_id if is_staff(user) else None}
    return list(first_row(statement, wanted | seen | whose) or ())


def _take_with_site(model: type[OfSite], row: list[Any]) -> OfSite | None:
    """The record and its site that a row begins with."""
    record, site = take(model, row), take(Site, row)
    if record is not None and site is not None:
        record.site = site
    return record


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


def with_visits_to_come(people: QuerySet[User]) -> QuerySet[User]:
    """The people with `visits_to_come`: booked visits that they nurse or prescribe for and that are not over."""
    gives = Q(nurse__user=OuterRef("pk")) | Q(prescriber__user=OuterRef("pk"))
    to_come = Session.objects.filter(gives, status__in=TO_COME, end__gt=clock.now()).order_by()
    counted = to_come.annotate(one=Value(1)).values("one").annotate(n=Count("pk")).values("n")
    return people.annotate(visits_to_come=Coalesce(Subquery(counted), 0))
