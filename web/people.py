"""Who a page is about: the reader's own record, or that of a patient whom they may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.audit import record_reads
from accounts.models import Patient
from accounts.queries import visible_patients
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
