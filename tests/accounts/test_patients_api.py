"""Patients over HTTP: who sees and changes what, that reading is recorded, and bad input."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from accounts import clock
from accounts.models import AuditEntry, Patient, Role
from tests.factories import make_patient, make_site, make_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from accounts.models import User
    from tests.factories import Clinic

    Api = Callable[[Any], APIClient]

URL = "/api/v1/patients/"
STAFF = (Role.FRONT_DESK, Role.NURSE, Role.PRESCRIBER, Role.MANAGER, Role.ADMIN)


def body(clinic: Clinic, **changes: Any) -> dict[str, Any]:
    good = {
        "site": str(clinic.site.id),
        "given_name": "Zoë",
        "family_name": "O'Brien <script>",
        "birth_date": "1971-02-28",
        "email": "Zoe@Example.org",
        "phone": "+13125550142",
        "preferred_channels": ["sms", "email"],
        "language": "es",
        "user": None,
    }
    return {**good, **changes}


def one(patient: Patient | str) -> str:
    return f"{URL}{getattr(patient, 'pk', patient)}/"


def reads(user: User) -> list[str]:
    """Ids of the patients whom the person read, in order."""
    entries = AuditEntry.objects.filter(actor=user.id, action="read", record_type="accounts_patient").order_by("id")
    return [str(entry.patient_id) for entry in entries]


@pytest.fixture
def own(clinic: Clinic) -> Patient:
    """A patient who signs in."""
    user = make_user(clinic.organization, Role.PATIENT)
    return make_patient(clinic.site, user=user, phone="+13125550143")


def test_staff_make_and_change_patients(clinic: Clinic, api: Api) -> None:
    for role in STAFF:
        client = api(clinic.users[role])
        answer = client.post(URL, body(clinic), format="json")
        assert answer.status_code == 201, (role, answer.content)
        made = answer.json()
        plain = set(body(clinic)) - {"email", "phone"}
        assert {name: made[name] for name in plain} == {name: body(clinic)[name] for name in plain}
        assert Patient.objects.get(pk=made["id"]).email == "zoe@example.org"
        assert (made["version"], answer["ETag"]) == (1, '"1"')
        changed = client.patch(one(made["id"]), {"given_name": "Ana"}, format="json", HTTP_IF_MATCH='"1"')
        assert (changed.status_code, changed.json()["version"], changed["ETag"]) == (200, 2, '"2"')
        assert client.get(one(made["id"])).json() == {**made, "given_name": "Ana", "version": 2}
    assert Patient.objects.filter(family_name="O'Brien <script>").count() == len(STAFF)


def test_a_change_of_nothing_moves_nothing(clinic: Clinic, api: Api) -> None:
    client = api(clinic.users[Role.FRONT_DESK])
    same = client.patch(one(clinic.patient), {"given_name": clinic.patient.given_name}, format="json")
    assert (same.status_code, same["ETag"]) == (200, '"1"')
    assert client.patch(one(clinic.patient), {}, format="json")["ETag"] == '"1"'
    stale = client.patch(one(clinic.patient), {"given_name": "Ana"}, format="json", HTTP_IF_MATCH='"0"')
    assert stale.status_code == 412


def test_who_may_not(clinic: Clinic, api: Api) -> None:
    assert clinic.other
    stranger = api(clinic.other.users[Role.ADMIN])
    assert api(None).get(URL).status_code == api(None).post(URL, {}, format="json").status_code == 401
    for role in (Role.AUDITOR, Role.PATIENT):
        assert api(clinic.users[role]).post(URL, body(clinic), format="json").status_code == 403
    assert api(clinic.users[Role.AUDITOR]).patch(one(clinic.patient), {}, format="json").status_code == 403
    assert stranger.get(one(clinic.patient)).status_code == 404
    assert stranger.patch(one(clinic.patient), {}, format="json").status_code == 404
    foreign = stranger.post(URL, body(clinic), format="json")
    assert (foreign.status_code, foreign.json()["code"]) == (400, "unknown_reference")
    assert stranger.get(f"{URL}?search={clinic.patient.family_name}").json()["results"] == []
    assert api(clinic.users[Role.ADMIN]).delete(one(clinic.patient)).status_code == 405


def test_staff_of_one_site_do_not_see_patients_of_another(clinic: Clinic, api: Api) -> None:
    elsewhere = make_patient(make_site(clinic.organization, make_user(clinic.organization, Role.PRESCRIBER)))
    assert api(clinic.users[Role.FRONT_DESK]).get(one(elsewhere)).status_code == 404
    assert api(clinic.users[Role.ADMIN]).get(one(elsewhere)).status_code == 200


def test_patients_see_their_own_record_and_change_how_they_are_reached(clinic: Clinic, api: Api, own: Patient) -> None:
    client = api(own.user)
    assert [row["id"] for row in client.get(URL).json()["results"]] == [str(own.pk)]
    assert client.get(one(clinic.patient)).status_code == 404
    mine = {"email": "new@example.org", "phone": "", "preferred_channels": [], "language": "es"}
    changed = client.patch(one(own), mine, format="json")
    assert (changed.status_code, {name: changed.json()[name] for name in mine}) == (200, mine)
    for change in ({"given_name": "X"}, {"birth_date": "1980-01-01"}, {"site": str(clinic.site.id)}, {"user": None}):
        assert client.patch(one(own), {**change, "language": "en"}, format="json").status_code == 403
    assert client.patch(one(own), {"version": 9}, format="json").json()["code"] == "read_only"
    assert Patient.objects.get(pk=own.pk).language == "es"


def test_staff_who_are_patients_elsewhere_change_only_what_patients_may(clinic: Clinic, api: Api) -> None:
    site = make_site(clinic.organization, make_user(clinic.organization, Role.PRESCRIBER))
    record = make_patient(site, user=clinic.users[Role.NURSE])
    client = api(clinic.users[Role.NURSE])
    assert client.patch(one(record), {"given_name": "X"}, format="json").status_code == 403
    assert client.patch(one(record), {"language": "es"}, format="json").status_code == 200


def test_auditors_read_no_contact(clinic: Clinic, api: Api) -> None:
    shown = api(clinic.users[Role.AUDITOR]).get(one(clinic.patient)).json()
    assert not {"email", "phone"} & shown.keys()
    assert clinic.patient.email not in str(api(clinic.users[Role.AUDITOR]).get(URL).json())


def test_every_reading_is_recorded(clinic: Clinic, api: Api) -> None:
    desk, second = clinic.users[Role.FRONT_DESK], make_patient(clinic.site)
    client = api(desk)
    first = str(clinic.patient.pk)
    client.get(one(first))
    assert reads(desk) == [first]
    page = [row["id"] for row in client.get(URL).json()["results"]]
    assert {first, str(second.pk)} <= set(page)
    assert reads(desk) == [first, *page]
    client.get(f"{URL}?search=nobody")
    assert len(reads(desk)) == 1 + len(page)
    client.patch(one(second), {"given_name": "Ana"}, format="json")
    change = AuditEntry.objects.get(actor=desk.id, action="update", record_type="accounts_patient")
    assert (change.patient_id, (change.after or {})["given_name"]) == (second.pk, "Ana")


def test_a_sign_in_is_tied_by_those_who_sign_people_up(clinic: Clinic, api: Api, own: Patient) -> None:
    assert clinic.other
    free = make_user(clinic.organization, Role.PATIENT)
    for role, status in ((Role.NURSE, 403), (Role.PRESCRIBER, 403), (Role.FRONT_DESK, 200)):
        answer = api(clinic.users[role]).patch(one(clinic.patient), {"user": str(free.pk)}, format="json")
        assert answer.status_code == status
    client = api(clinic.users[Role.MANAGER])
    assert client.post(URL, body(clinic, user=str(own.user_id)), format="json").json()["code"] == "user_taken"
    for stranger in (make_user(clinic.other.organization, Role.PATIENT), clinic.users[Role.NURSE]):
        answer = client.post(URL, body(clinic, user=str(stranger.pk)), format="json")
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_reference")
    assert api(clinic.users[Role.NURSE]).post(URL, body(clinic, user=str(free.pk)), format="json").status_code == 403


def test_search(clinic: Clinic, api: Api) -> None:
    made = make_patient(clinic.site, given_name="Zélie", family_name="van Dyk")
    client = api(clinic.users[Role.FRONT_DESK])

    def found(**query: str) -> list[str]:
        return [row["id"] for row in client.get(URL, query).json()["results"]]

    assert found(search="ZÉL") == found(search="van zé") == found(search="van d") == [str(made.pk)]
    assert found(search="dyk") == found(search="DYK  van ") == [str(made.pk)]
    assert found(search="yk") == found(search="%") == found(search="_") == found(search="zél nobody") == []
    assert found(search="zél", birth_date="1980-02-29", site=str(clinic.site.pk)) == [str(made.pk)]
    assert found(search="zél", birth_date="1980-02-28") == []
    for bad in ({"search": "a b c d e f"}, {"search": "x" * 201}, {"birth_date": "29.2.1980"}, {"phone": "1"}):
        assert client.get(URL, bad).status_code == 400, bad


BAD: list[tuple[str, Any, str]] = [
    ("id", "x", "read_only"),
    ("version", 2, "read_only"),
    ("created_at", "2027-01-01T00:00:00Z", "read_only"),
    ("role", "admin", "unknown_field"),
    ("given_name", "\u200b\u200b", "blank"),
    ("given_name", "  ", "blank"),
    ("given_name", "a\u202eb", "bidi_override"),
    ("given_name", "a\r\nBcc: x", "line_break"),
    ("given_name", "a\tb", "control_character"),
    ("given_name", 5, "type"),
    ("given_name", None, "null"),
    ("given_name", "x" * 101, "max_length"),
    ("birth_date", "1980-02-30", "invalid"),
    ("birth_date", "1899-12-31", "out_of_range"),
    ("birth_date", 315532800, "type"),
    ("birth_date", "1980-01-01T00:00:00Z", "invalid"),
    ("email", "a@b", "invalid"),
    ("email", "a@example.org,b@example.org", "invalid"),
    ("email", "a@[127.0.0.1]", "invalid"),
    ("email", "a" * 250 + "@example.org", "max_length"),
    ("phone", "call me", "invalid"),
    ("phone", "3125550142", "invalid"),
    ("phone", "+1312555014212345", "invalid"),
    ("phone", "+13125550142;ext=5", "invalid"),
    ("phone", "+19005550142", "premium_rate"),
    ("preferred_channels", "sms", "type"),
    ("preferred_channels", ["sms", "sms"], "duplicate"),
    ("language", "de", "invalid_choice"),
    ("site", "1", "invalid"),
    ("site", True, "type"),
]


def test_bad_input_changes_nothing(clinic: Clinic, api: Api) -> None:
    client, before = api(clinic.users[Role.FRONT_DESK]), Patient.objects.count()
    tomorrow = clock.now().date() + timedelta(days=2)
    rows = [*BAD, ("birth_date", str(tomorrow), "out_of_range")]
    for name, value, code in rows:
        for answer in (
            client.post(URL, body(clinic, **{name: value}), format="json"),
            client.patch(one(clinic.patient), {name: value}, format="json"),
        ):
            fault = answer.json().get("errors", [{}])[0]
            assert (answer.status_code, fault.get("code"), fault.get("pointer")) == (400, code, f"/{name}"), value
    assert client.post(URL, {}, format="json").json()["code"] == "required"
    unknown_channel = client.post(URL, body(clinic, preferred_channels=["fax"]), format="json").json()
    assert unknown_channel["errors"][0]["pointer"] == "/preferred_channels/0"
    assert Patient.objects.count() == before
    assert Patient.objects.get(pk=clinic.patient.pk).version == 1


def test_ways_to_reach_a_patient_are_shown_as_far_as_a_role_needs(clinic: Clinic, api: Any) -> None:
    patient = clinic.patient
    Patient.objects.filter(pk=patient.pk).update(email="ada@example.org", phone="+13125550142")
    whole, masked = (
        {"email": "ada@example.org", "phone": "+13125550142"},
        {"email": "a***@example.org", "phone": "***0142"},
    )
    seen = dict.fromkeys(("front_desk", "admin", "patient"), whole) | dict.fromkeys(
        ("nurse", "prescriber", "manager"), masked
    )
    for role, user in clinic.users.items():
        shown = api(user).get(f"/api/v1/patients/{patient.pk}/").json()
        assert {name: shown[name] for name in ("email", "phone") if name in shown} == seen.get(role, {}), role


def test_only_those_who_use_or_manage_addresses_change_them(clinic: Clinic, api: Any) -> None:
    url = f"/api/v1/patients/{clinic.patient.pk}/"
    statuses = {
        role: api(user).patch(url, {"phone": "+13125550199"}).status_code for role, user in clinic.users.items()
    }
    allowed = ("front_desk", "manager", "admin", "patient")
    assert statuses == {role: 200 if role in allowed else 403 for role in clinic.users}
    assert api(clinic.users["nurse"]).patch(url, {"given_name": "Ada"}).status_code == 200
