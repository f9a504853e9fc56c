"""Everything that the clinic holds about one patient, to be taken away: as values, and as a ZIP that people can open.

Right of access: 45 CFR 164.524, GDPR articles 15 and 20. Left out is what is no statement about the patient:
plans that were proposed and not booked, hashes of links, and the planner's own notes.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils.translation import gettext

from accounts.audit import record_reads
from accounts.http.sheets import as_csv
from accounts.models import AuditEntry, Patient
from accounts.patients import contact_as_seen
from notifications.models import Alert, CalendarFeed, FollowUp, FollowUpDraft, Message, Reply
from sessions.models import (
    AdverseEvent,
    DisruptionItem,
    Offer,
    Order,
    Series,
    Session,
    SessionEvent,
    VitalSigns,
    WaitlistEntry,
)

if TYPE_CHECKING:
    from django.db.models import Model

    from accounts.models import User

# Name of the table, its records, the way from a record to the patient.
TABLES: Final[tuple[tuple[str, type[Model], str], ...]] = (
    ("orders", Order, "patient"),
    ("courses", Series, "patient"),
    ("visits", Session, "patient"),
    ("what_happened", SessionEvent, "session__patient"),
    ("vital_signs", VitalSigns, "patient"),
    ("adverse_events", AdverseEvent, "patient"),
    ("replanned", DisruptionItem, "patient"),
    ("waitlist", WaitlistEntry, "patient"),
    ("offers", Offer, "patient"),
    ("messages", Message, "patient"),
    ("texts", Reply, "patient"),
    ("check_ins", FollowUp, "patient"),
    ("unsent_answers", FollowUpDraft, "follow_up__patient"),
    ("alerts", Alert, "patient"),
    ("calendars", CalendarFeed, "patient"),
)
# What opens something, and how a worker keeps its place.
KEPT_BACK: Final = frozenset({"token_hash", "lease_until", "try_at", "keyed", "row_version", "session_version"})
NAMES: Final = {"nurse": "nurse__name", "prescriber": "prescriber__name", "chair": "chair__name", "site": "site__name"}
TRAIL: Final = "trail"
# How the trail calls it that somebody took all of this.
EXPORT: Final = "patient_export"


@transaction.atomic
def collect(user: User, patient: Patient) -> dict[str, Any]:
    """All tables by name, `patient` (one record) first; the look is in the audit trail.

    Each record is a dict of its columns, people and places by name. How the patient is reached is masked as it
    is for the person everywhere.
    """
    record_reads(user.pk, EXPORT, [(patient.pk, patient.pk)])
    about = Patient.objects.filter(pk=patient.pk).values(*_columns(Patient)).get()
    about |= {"email": "", "phone": ""} | contact_as_seen(user, patient)
    found: dict[str, Any] = {"patient": about}
    for name, model, way in TABLES:
        rows = model._default_manager.filter(**{way: patient}).order_by("pk").values(*_columns(model))
        found[name] = list(rows)
    trail = AuditEntry.objects.filter(patient_id=patient.pk).order_by("id")
    found[TRAIL] = list(trail.values("at", "action", "record_type", "record_id", "actor"))
    return found


def _columns(model: type[Model]) -> list[str]:
    fields = [field.name for field in model._meta.concrete_fields if field.name not in KEPT_BACK]
    return [NAMES.get(name, name) for name in fields]


def as_zip(found: dict[str, Any]) -> bytes:
    """The tables as one JSON file for other programs and one CSV file each for people, in a ZIP."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("read-me.txt", _read_me())
        packed.writestr("everything.json", json.dumps(found, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1))
        for name, rows in found.items():
            listed = [rows] if isinstance(rows, dict) else rows
            if listed:
                packed.writestr(f"{name}.csv", as_csv(list(listed[0]), [_cells(row) for row in listed]))
    return out.getvalue()


def _cells(row: dict[str, Any]) -> list[Any]:
    """Values as a spreadsheet shows them; what is a structure stays JSON."""
    return [
        json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False) if isinstance(value, dict | list) else value
        for value in row.values()
    ]


def _read_me() -> str:
    return gettext(
        "This is everything that your clinic holds about you. Open the .csv files with a spreadsheet; everything.json"
        " is the same for other programs. Times are in UTC. Keep it to yourself: it tells of your health."
    )
