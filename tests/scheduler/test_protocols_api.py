"""Protocols over HTTP: drafts, approval, versions, and everything that may be wrong with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import Role
from scheduler.models import Protocol
from tests.factories import make_order, make_protocol, phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

    Api = Callable[[Any], APIClient]

URL = "/api/v1/protocols/"
BODY: dict[str, Any] = {
    "code": "KET-PAIN-6",
    "name": "Six infusions over three weeks",
    "indications": ["causalgia"],
    "sources": ["https://example.org/guideline"],
    "phases": [phase()],
    "gates": ["consent", "escort"],
    "reminders": [{"hours_before": 48, "channels": ["email", "sms"]}, {"hours_before": 0, "channels": ["sms"]}],
    "follow_ups": [{"instrument": "PEG", "hours_after": 0}, {"instrument": "PHQ-9", "hours_after": 24}],
}


def prescriber(clinic: Clinic, api: Api) -> APIClient:
    return api(clinic.users[Role.PRESCRIBER])


def post(client: APIClient, **changes: Any) -> Any:
    return client.post(URL, {**BODY, **changes}, format="json")


def patch(client: APIClient, protocol: str, /, **changes: Any) -> Any:
    return client.patch(f"{URL}{protocol}/", changes, format="json")


def test_a_draft_as_it_comes_back(clinic: Clinic, api: Api) -> None:
    answer = post(prescriber(clinic, api))
    assert answer.status_code == 201
    made = answer.json()
    assert {name: made[name] for name in BODY} == BODY
    expected = {"version": 1, "status": "draft", "approved_by": None, "approved_at": None}
    assert {name: made[name] for name in expected} == expected
    assert prescriber(clinic, api).get(f"{URL}{made['id']}/").json() == made


def test_approved_at_creation_by_who_may(clinic: Clinic, api: Api) -> None:
    made = post(prescriber(clinic, api), status="approved").json()
    assert (made["status"], made["approved_by"]) == ("approved", str(clinic.users[Role.PRESCRIBER].id))
    assert made["approved_at"].endswith("Z")
    assert post(api(clinic.users[Role.ADMIN]), code="B", status="approved").status_code == 201


def test_approval_is_the_organizations_to_give(clinic: Clinic, api: Api) -> None:
    client = api(clinic.users[Role.MANAGER])
    refused = post(client, status="approved")
    assert (refused.status_code, refused.json()["code"]) == (403, "may_not_approve")
    draft = post(client).json()
    assert patch(client, draft["id"], status="approved").json()["code"] == "may_not_approve"
    assert Protocol.objects.get(pk=draft["id"]).status == "draft"
    clinic.organization.approver_roles = [Role.MANAGER]
    clinic.organization.save()
    assert patch(client, draft["id"], status="approved").json()["status"] == "approved"
    assert patch(prescriber(clinic, api), draft["id"], status="retired").json()["code"] == "may_not_approve"
    assert patch(api(clinic.users[Role.ADMIN]), draft["id"], status="retired").json()["status"] == "retired"


def test_a_draft_is_changed_in_place(clinic: Clinic, api: Api) -> None:
    client = prescriber(clinic, api)
    draft = post(client).json()
    answer = patch(client, draft["id"], name="Other", gates=[])
    assert (answer.status_code, answer.json()) == (200, {**draft, "name": "Other", "gates": []})
    approved = patch(client, draft["id"], name="Third", status="approved").json()
    assert (approved["id"], approved["name"], approved["status"]) == (draft["id"], "Third", "approved")


def test_a_change_of_what_was_approved_is_a_new_version(clinic: Clinic, api: Api) -> None:
    client = prescriber(clinic, api)
    first = post(client, status="approved").json()
    answer = patch(client, first["id"], name="Other")
    second = answer.json()
    assert answer.status_code == 201
    assert second["id"] != first["id"]
    new = {"version": 2, "name": "Other", "status": "draft", "approved_by": None}
    assert {name: second[name] for name in new} == new
    assert {name: second[name] for name in BODY if name != "name"} == {
        name: BODY[name] for name in BODY if name != "name"
    }
    assert client.get(f"{URL}{first['id']}/").json() == first
    third = patch(client, first["id"], phases=[phase(sessions=4)], status="approved").json()
    assert (third["version"], third["status"], third["name"]) == (3, "approved", BODY["name"])


def test_a_status_alone_or_the_same_again_makes_no_version(clinic: Clinic, api: Api) -> None:
    client = prescriber(clinic, api)
    first = post(client, status="approved").json()
    same = patch(client, first["id"], name=first["name"], phases=first["phases"], status="approved", code=first["code"])
    assert (same.status_code, same.json()) == (200, first)
    retired = patch(client, first["id"], status="retired")
    assert (retired.status_code, retired.json()["id"], retired.json()["status"]) == (200, first["id"], "retired")
    assert Protocol.objects.filter(code=BODY["code"]).count() == 1


def test_a_draft_that_is_in_use_is_not_edited(clinic: Clinic, api: Api) -> None:
    draft = make_protocol(clinic.organization, None)
    make_order(clinic.patient, draft, clinic.users[Role.PRESCRIBER])
    answer = patch(prescriber(clinic, api), str(draft.id), name="Other")
    assert (answer.status_code, answer.json()["version"]) == (201, 2)
    draft.refresh_from_db()
    assert draft.name != "Other"


@pytest.mark.parametrize(
    ("status", "wanted", "allowed"), [("draft", "retired", ["approved"]), ("approved", "draft", ["retired"])]
)
def test_moves_that_are_not_allowed(clinic: Clinic, api: Api, status: str, wanted: str, allowed: list[str]) -> None:
    client = prescriber(clinic, api)
    made = post(client, status=status).json()
    answer = patch(client, made["id"], status=wanted)
    assert (answer.status_code, answer.json()["code"], answer.json()["allowed"]) == (409, "not_allowed", allowed)


def test_what_is_retired_stays_so_and_can_be_the_start_of_a_new_version(clinic: Clinic, api: Api) -> None:
    client = prescriber(clinic, api)
    made = post(client, status="approved").json()
    patch(client, made["id"], status="retired")
    assert patch(client, made["id"], status="approved").status_code == 409
    assert patch(client, made["id"], name="Other").json()["version"] == 2


def test_a_code_is_taken_once_in_an_organization(clinic: Clinic, api: Api) -> None:
    assert clinic.other
    assert post(prescriber(clinic, api)).status_code == 201
    again = post(prescriber(clinic, api))
    assert (again.status_code, again.json()["code"]) == (409, "code_taken")
    assert post(prescriber(clinic.other, api)).status_code == 201


def test_who_sees_what(clinic: Clinic, api: Api) -> None:
    assert clinic.other
    approved = post(prescriber(clinic, api), status="approved").json()["id"]
    draft = post(prescriber(clinic, api), code="DRAFT").json()["id"]

    def seen(client: APIClient) -> set[str]:
        return {row["id"] for row in client.get(URL).json()["results"]} & {approved, draft}

    clinic.patient.user = clinic.users[Role.PATIENT]
    clinic.patient.save()
    patient, stranger = api(clinic.users[Role.PATIENT]), api(clinic.other.users[Role.ADMIN])
    assert seen(api(clinic.users[Role.AUDITOR])) == {approved, draft}
    assert seen(patient) == {approved}
    assert seen(stranger) == set()
    assert patient.get(f"{URL}{draft}/").status_code == 404
    assert patch(stranger, approved, name="Mine").status_code == 404
    for role in (Role.FRONT_DESK, Role.NURSE, Role.AUDITOR, Role.PATIENT):
        assert post(api(clinic.users[role]), code="X").status_code == 403
        assert patch(api(clinic.users[role]), approved, name="X").status_code == 403


def test_filters(clinic: Clinic, api: Api) -> None:
    client = prescriber(clinic, api)
    first = post(client, status="approved").json()
    second = patch(client, first["id"], name="Other").json()

    def ids(query: str) -> list[str]:
        return [row["id"] for row in client.get(f"{URL}?{query}").json()["results"]]

    assert ids(f"code={BODY['code']}") == [first["id"], second["id"]]
    assert ids(f"code={BODY['code']}&status=draft") == [second["id"]]
    assert client.get(f"{URL}?status=burnt").status_code == 400


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"id": "x"}, "read_only", "/id"),
    ({"version": 7}, "read_only", "/version"),
    ({"approved_by": None}, "read_only", "/approved_by"),
    ({"approved_at": "2027-01-01T00:00:00Z"}, "read_only", "/approved_at"),
    ({"organization": "x"}, "unknown_field", "/organization"),
    ({"status": "retired"}, "invalid_choice", "/status"),
    ({"status": "burnt"}, "invalid_choice", "/status"),
    ({"code": ""}, "blank", "/code"),
    ({"code": "x" * 51}, "max_length", "/code"),
    ({"indications": "pain"}, "type", "/indications"),
    ({"indications": ["pain", "pain"]}, "duplicate", "/indications"),
    ({"sources": [5]}, "type", "/sources/0"),
    ({"gates": ["consent", "consent"]}, "duplicate", "/gates"),
    ({"gates": ["Blood pressure"]}, "invalid", "/gates/0"),
    ({"gates": ["x" * 41]}, "invalid", "/gates/0"),
    ({"reminders": [{"hours_before": 2161, "channels": ["sms"]}]}, "max_value", "/reminders/0/hours_before"),
    ({"reminders": [{"hours_before": -1, "channels": ["sms"]}]}, "min_value", "/reminders/0/hours_before"),
    ({"reminders": [{"hours_before": 1.5, "channels": ["sms"]}]}, "type", "/reminders/0/hours_before"),
    ({"reminders": [{"hours_before": 1, "channels": []}]}, "empty", "/reminders/0/channels"),
    ({"reminders": [{"hours_before": 1, "channels": ["fax"]}]}, "invalid_choice", "/reminders/0/channels/0"),
    ({"reminders": [{"hours_before": 1}]}, "required", "/reminders/0/channels"),
    ({"reminders": [{"hours_before": 1, "channels": ["sms"], "text": "x"}]}, "unknown_field", "/reminders/0/text"),
    ({"reminders": [{"hours_before": 1, "channels": [c]} for c in ("sms", "email")]}, "duplicate", "/reminders"),
    ({"reminders": {"hours_before": 1}}, "type", "/reminders"),
    ({"follow_ups": [{"instrument": "HAM-D", "hours_after": 1}]}, "invalid_choice", "/follow_ups/0/instrument"),
    ({"follow_ups": [{"instrument": "PEG", "hours_after": 8761}]}, "max_value", "/follow_ups/0/hours_after"),
    ({"follow_ups": [{"instrument": "PEG", "hours_after": 1}] * 2}, "duplicate", "/follow_ups"),
    ({"phases": []}, "empty", "/phases"),
    ({"phases": [phase(sessions=0)]}, "out_of_range", "/phases/0/sessions"),
    ({"phases": [phase(sessions=True)]}, "invalid", "/phases/0/sessions"),
    ({"phases": [phase(colour="red")]}, "unknown_field", "/phases/0/colour"),
    ({"phases": [phase(hands_on_minutes=95)]}, "hands_on_too_long", "/phases/0/hands_on_minutes"),
    (
        {"phases": [phase(minutes={"prepare": 7, "infuse": 60, "recover": 60, "turnover": 15})]},
        "off_grid",
        "/phases/0/minutes/prepare",
    ),
]


def test_bad_input_changes_nothing(clinic: Clinic, api: Api) -> None:
    client, before = prescriber(clinic, api), Protocol.objects.count()
    answers = [post(client, **change) for change, _, _ in BAD]
    faults = [(answer.status_code, answer.json().get("errors", [{}])[0]) for answer in answers]
    found = [(status, fault.get("code"), fault.get("pointer")) for status, fault in faults]
    assert found == [(400, code, pointer) for _, code, pointer in BAD]
    assert Protocol.objects.count() == before


def test_bad_changes_change_nothing(clinic: Clinic, api: Api) -> None:
    client = prescriber(clinic, api)
    made = post(client).json()
    for change, code, pointer in BAD:
        if change.get("status") != "retired" and "code" not in change:
            fault = patch(client, made["id"], **change).json()["errors"][0]
            assert (fault["code"], fault["pointer"]) == (code, pointer)
    renamed = patch(client, made["id"], code="Other").json()["errors"][0]
    assert (renamed["code"], renamed["pointer"]) == ("read_only", "/code")
    assert client.get(f"{URL}{made['id']}/").json() == made


def test_every_fault_of_the_phases_is_told_at_once(clinic: Clinic, api: Api) -> None:
    wrong = phase(sessions=0, acuity=0, minutes={"prepare": 7, "infuse": 60, "recover": 60, "turnover": 15})
    errors = post(prescriber(clinic, api), phases=[wrong]).json()["errors"]
    assert {error["pointer"] for error in errors} == {
        "/phases/0/sessions",
        "/phases/0/acuity",
        "/phases/0/minutes/prepare",
    }
