"""Who was shown which visit is written down by the statement that finds it: just what is shown, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from accounts.models import AuditEntry
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from sessions.models import Session
    from tests.factories import Clinic


def noted(clinic: Clinic) -> list[str]:
    """Ids of the visits that the trail says the nurse was shown, oldest first."""
    reads = AuditEntry.objects.filter(action="read", actor=clinic.users["nurse"].pk).order_by("id")
    assert all(entry.record_type == "infusion_sessions_session" for entry in reads)
    assert all(entry.patient_id == clinic.patient.pk for entry in reads)
    return [entry.record_id for entry in reads]


def visits(clinic: Clinic, count: int) -> list[Session]:
    """So many visits of the clinic's patient, a day apart."""
    series = clinic.series(clinic.patient)
    return [clinic.session(factories.noon() + timedelta(days=day), series=series) for day in range(count)]


def test_of_a_page_just_what_is_on_it_is_noted(clinic: Clinic, api: Callable[[Any], APIClient]) -> None:
    ids = [str(session.pk) for session in visits(clinic, 5)]
    nurse = api(clinic.users["nurse"])
    first = nurse.get("/api/v1/sessions/?page_size=2").json()
    # The first of the next page was looked at, to see whether there is one, and not shown.
    assert noted(clinic) == [each["id"] for each in first["results"]] == ids[:2]
    second = nurse.get(first["next"]).json()
    assert noted(clinic) == ids[:4]
    # Backwards, the statement finds the later ones first.
    back = nurse.get(second["previous"]).json()
    assert [each["id"] for each in back["results"]] == ids[:2]
    assert sorted(noted(clinic)[4:]) == ids[:2]
    assert nurse.get("/api/v1/sessions/?status=completed").json()["results"] == []
    assert len(noted(clinic)) == 6


def test_of_one_visit_only_what_is_shown_is_noted(clinic: Clinic, api: Callable[[Any], APIClient]) -> None:
    (visit,) = visits(clinic, 1)
    nurse, address = api(clinic.users["nurse"]), f"/api/v1/sessions/{visit.pk}/"
    shown = nurse.get(address)
    assert (shown.status_code, noted(clinic)) == (200, [str(visit.pk)])
    assert nurse.get(address, headers={"If-None-Match": shown["ETag"]}).status_code == 304
    assert nurse.get(f"{address}?unknown=1").status_code == 400
    assert len(noted(clinic)) == 1
    assert nurse.get(address, headers={"If-None-Match": '"0"'}).status_code == 200
    assert nurse.get(f"{address}?format=json").status_code == 200
    assert len(noted(clinic)) == 3


def test_whom_a_right_is_missing_is_shown_nothing_and_noted_nowhere(
    clinic: Clinic, api: Callable[[Any], APIClient]
) -> None:
    (visit,) = visits(clinic, 1)
    person = factories.make_user(clinic.organization, "patient")
    clinic.patient.user = person
    clinic.patient.save()
    person.roles = []
    person.save()
    assert api(person).get(f"/api/v1/sessions/{visit.pk}/").status_code == 403
    assert not AuditEntry.objects.filter(action="read", actor=person.pk).exists()
