"""Everything that is held about a patient can be taken away, by the patient, whole; and the trail tells of it."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta

import time_machine
from django.apps import apps
from django.test import Client

from accounts import clock
from accounts.models import AuditEntry, Patient
from notifications import own_data
from tests.factories import Clinic, make_patient, make_token, noon

# No statements about the patient: proposals that nobody booked; which follow a record that is in.
LEFT_OUT = {"Plan", "FollowUpLink", "Reconciled"}


def test_every_table_with_a_patient_is_in_it() -> None:
    holders = {
        model.__name__
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.related_model in {Patient, *(table for _, table, _ in own_data.TABLES)} and model is not Patient
    }
    assert holders - LEFT_OUT == {model.__name__ for _, model, _ in own_data.TABLES}


def test_a_patient_takes_it_away(clinic: Clinic, client: Client) -> None:
    visit = clinic.session(noon(5), series=clinic.series(clinic.patient))
    stranger = clinic.session(noon(6), series=clinic.series(make_patient(clinic.site)))
    client.force_login(clinic.users["patient"])
    assert "Everything we hold about you" in client.get("/my-data/").content.decode()
    answer = client.post("/my-data/")
    assert answer["Content-Disposition"] == 'attachment; filename="my-data.zip"'
    assert "no-store" in answer["Cache-Control"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        found = json.loads(packed.read("everything.json"))
        table = packed.read("visits.csv").decode("utf-8-sig")
        assert packed.read("read-me.txt")
    assert found["patient"]["email"] == clinic.patient.email
    assert [each["id"] for each in found["visits"]] == [str(visit.pk)]
    assert found["visits"][0]["nurse__name"] == visit.nurse.name
    assert str(visit.pk) in table
    assert str(stranger.pk) not in answer.content.decode(errors="replace") + table + json.dumps(found)
    assert "token_hash" not in json.dumps(found)
    taken = AuditEntry.objects.get(record_type=own_data.EXPORT)
    assert (taken.actor, taken.patient_id) == (clinic.users["patient"].pk, clinic.patient.pk)


def test_a_prescriber_takes_it_with_the_contact_masked_and_nobody_else(clinic: Clinic, client: Client) -> None:
    address = f"/api/v1/patients/{clinic.patient.pk}/export/"
    for who, status in (("prescriber", 200), ("admin", 200), ("nurse", 403), ("front_desk", 403), ("auditor", 403)):
        client.force_login(clinic.users[who])
        answer = client.get(address)
        assert answer.status_code == status, who
        if who == "prescriber":
            assert clinic.patient.email not in json.dumps(answer.json()["patient"])
    assert clinic.other
    client.force_login(clinic.other.users["prescriber"])
    assert client.get(address).status_code == 404
    assert client.post("/my-data/").status_code == 404, "a prescriber is no patient"


def test_it_is_for_who_has_just_signed_in(clinic: Clinic, client: Client) -> None:
    start, address = clock.now(), f"/api/v1/patients/{clinic.patient.pk}/export/"
    bearer = {"Authorization": f"Bearer {make_token(clinic.users['prescriber'])}"}
    client.force_login(clinic.users["patient"])
    assert client.get("/my-data/").status_code == 200
    with time_machine.travel(start + timedelta(minutes=14), tick=False):
        assert client.post("/my-data/").status_code == 200
        assert client.get(address).status_code == Client().get(address, headers=bearer).status_code == 200
    with time_machine.travel(start + timedelta(minutes=16), tick=False):
        for asked in (client.get(address), Client().get(address, headers=bearer)):
            assert (asked.status_code, asked.json()["code"]) == (403, "sign_in_again")
        assert client.post("/my-data/")["Location"] == "/sign-in/?next=%2Fmy-data%2F"
        assert client.get("/visits/").status_code == 302, "out until then"
    assert AuditEntry.objects.filter(record_type=own_data.EXPORT).count() == 3
