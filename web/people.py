"""Who and where a page is about: the reader's own record, a patient whom they may see, a site where they work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.audit import record_reads
from accounts.http.fields import as_uuid
from accounts.models import Patient, Site
from accounts.queries import staffed_sites, visible_patients
from accounts.refusals import NotFound

if TYPE_CHECKING:
    from accounts.models import User


def own_record(user: User) -> Patient:
    """The patient that the person is. Raises NotFound for whoever is none."""
    patient = Patient.objects.select_related("site").filter(user_id=user.pk).first()
    if patient is None:
        raise NotFound
    return patient


def patient_seen_by(user: User, patient_id: str) -> Patient:
    """The patient, looked up among those the person may see; the look is in the audit trail. Raises NotFound."""
    patient = visible_patients(user).select_related("site").filter(pk=patient_id).first()
    if patient is None:
        raise NotFound
    record_reads(user.pk, Patient._meta.db_table, [(patient.pk, patient.pk)])
    return patient


def site_of(user: User, wanted: str = "") -> Site:
    """The site that staff look at: the one asked for, else their first. Raises NotFound where they work at none."""
    sites = staffed_sites(user).order_by("name", "id")
    site = sites.first() if not wanted else None if as_uuid(wanted) is None else sites.filter(pk=wanted).first()
    if site is None:
        raise NotFound
    return site
