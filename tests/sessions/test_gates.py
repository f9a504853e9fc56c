"""Gates: what they ask, whose word counts and how long, and who may pass one that is open."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from accounts import clock
from accounts.models import AuditEntry
from scheduler.gates import describe
from scheduler.models import GateDefinition
from sessions.models import Session
from tests.factories import make_protocol, noon

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

REASON = {"reason": "the signed copy is on its way"}


@pytest.fixture
def nurse(api: Callable[..., APIClient], clinic: Clinic) -> APIClient:
    return api(clinic.users["nurse"])


@pytest.fixture
def prescriber(api: Callable[..., APIClient], clinic: Clinic) -> APIClient:
    return api(clinic.users["prescriber"])


def visit(clinic: Clinic, gates: list[Any], status: str = "arrived", days: int = 3, **fields: Any) -> Session:
    """A session under a protocol with these gates."""
    protocol = make_protocol(clinic.organization, clinic.users["prescriber"], gates=gates)
    series = fields.pop("series", None) or clinic.series(clinic.patient, protocol)
    return clinic.session(noon(days), series=series, status=status, **fields)


def post(client: APIClient, session: Session, verb: str, **body: Any) -> Any:
    return client.post(f"/api/v1/sessions/{session.pk}/{verb}/", body)


def meet(client: APIClient, session: Session, gate: str, outcome: str = "met", **more: Any) -> Any:
    return post(client, session, "gates", gate=gate, outcome=outcome, **more)


def standing(client: APIClient, session: Session, gate: str) -> dict[str, Any]:
    """How a gate stands, as staff see it."""
    gates = client.get(f"/api/v1/sessions/{session.pk}/day/").json()["gates"]
    found: dict[str, Any] = next(each for each in gates if each["gate"] == gate)
    return found


def test_an_override_needs_a_role_that_the_gate_names(nurse: APIClient, prescriber: APIClient, clinic: Clinic) -> None:
    session = visit(clinic, ["weight"])
    refused = post(nurse, session, "start", override=REASON)
    assert (refused.status_code, refused.json()["code"]) == (403, "may_not_override")
    assert post(prescriber, session, "start").json()["missing"] == ["weight"]
    assert post(prescriber, session, "start", override=REASON).json()["status"] == "infusing"
    event = session.events.get(kind="started")
    assert (event.reason, event.after["overridden"]) == (REASON["reason"], ["weight"])
    trail = AuditEntry.objects.filter(record_id=str(session.pk), action="update").latest("id")
    assert trail.actor == clinic.users["prescriber"].pk
    kept = (trail.after or {})["gates"]["weight"]
    assert (kept["outcome"], kept["note"]) == ("overridden", REASON["reason"])


@pytest.mark.parametrize("gate", ["consent", "order", "hbv", "a_name_of_ours"])
def test_what_nobody_may_pass_nobody_passes(
    prescriber: APIClient, api: Callable[..., APIClient], clinic: Clinic, gate: str
) -> None:
    session = visit(clinic, [gate])
    for client in (prescriber, api(clinic.users["admin"])):
        refused = post(client, session, "start", override=REASON)
        assert (refused.status_code, refused.json()["code"]) == (403, "may_not_override")
    session.refresh_from_db()
    assert session.status == "arrived"


def test_one_gate_that_may_not_be_passed_keeps_the_others_shut(prescriber: APIClient, clinic: Clinic) -> None:
    session = visit(clinic, ["weight", "consent"])
    assert post(prescriber, session, "start", override=REASON).status_code == 403
    session.refresh_from_db()
    assert (session.status, session.gates) == ("arrived", {})


def test_a_warning_waits_until_somebody_has_seen_it(nurse: APIClient, clinic: Clinic) -> None:
    session = visit(clinic, ["medication_holds"])
    refused = post(nurse, session, "start")
    assert (refused.status_code, refused.json()["code"]) == (409, "gates_unseen")
    assert (refused.json()["missing"], refused.json()["warnings"]) == ([], ["medication_holds"])
    assert meet(nurse, session, "medication_holds", "not_met", note="took lorazepam last night").status_code == 200
    assert post(nurse, session, "start").status_code == 200


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"systolic": 128, "diastolic": 80}, 200),
        ({"systolic": 159, "diastolic": 99}, 200),
        ({"systolic": 160, "diastolic": 80}, 422),
        ({"systolic": 130, "diastolic": 100}, 422),
        ({"systolic": 180, "diastolic": 110}, 422),
        ({"systolic": 301, "diastolic": 80}, 400),
        ({"systolic": 120, "diastolic": 130}, 400),
        ({}, 400),
    ],
)
def test_a_gate_is_not_met_by_a_value_beyond_its_limit(
    nurse: APIClient, clinic: Clinic, values: dict[str, int], status: int
) -> None:
    session = visit(clinic, ["blood_pressure"])
    answer = meet(nurse, session, "blood_pressure", values=values)
    assert answer.status_code == status, answer.content
    if status == 422:
        assert answer.json()["code"] == "beyond_limits"
        assert meet(nurse, session, "blood_pressure", "not_met", values=values).status_code == 200
    assert post(nurse, session, "start").status_code == (200 if status == 200 else 409)


def test_the_clinic_edits_its_gates(
    nurse: APIClient, prescriber: APIClient, api: Callable[..., APIClient], clinic: Clinic
) -> None:
    describe(clinic.organization, ["blood_pressure"])
    mine = GateDefinition.objects.get(organization=clinic.organization, gate="blood_pressure")
    url = f"/api/v1/gate-definitions/{mine.pk}/"
    limits = [{"measure": "systolic", "at_least": 150, "action": "repeat"}]
    assert nurse.patch(url, {"limits": limits}).status_code == 403
    assert api(clinic.users["manager"]).patch(url, {"limits": limits}).status_code == 200
    session = visit(clinic, ["blood_pressure"])
    assert meet(nurse, session, "blood_pressure", values={"systolic": 152}).json()["code"] == "beyond_limits"
    assert prescriber.patch(url, {"severity": "warn", "limits": []}).status_code == 200
    assert post(nurse, session, "start").json()["code"] == "gates_unseen"
    assert prescriber.patch(url, {"gate": "other"}).status_code == 400
    taken = prescriber.post("/api/v1/gate-definitions/", {"gate": "blood_pressure", "rule": "Twice", "at": ["start"]})
    assert (taken.status_code, taken.json()["code"]) == (409, "gate_taken")


def test_a_protocol_asks_otherwise(nurse: APIClient, clinic: Clinic) -> None:
    session = visit(clinic, [{"gate": "consent", "severity": "warn"}, "order"])
    assert post(nurse, session, "start").json()["missing"] == ["order"]
    assert meet(nurse, session, "order").status_code == 200
    assert post(nurse, session, "start").json()["warnings"] == ["consent"]


def test_a_protocol_brings_its_gates_to_the_library(api: Callable[..., APIClient], clinic: Clinic) -> None:
    manager = api(clinic.users["admin"])
    body = {"code": "G", "name": "G", "phases": clinic.protocol.phases, "gates": ["cbc", {"gate": "port_checked"}]}
    made = manager.post("/api/v1/protocols/", body)
    assert made.status_code == 201, made.content
    rows = {row["gate"]: row for row in manager.get("/api/v1/gate-definitions/").json()["results"]}
    assert rows.keys() == {"cbc", "port_checked"}
    assert (rows["cbc"]["scope"], rows["cbc"]["valid_hours"]) == ("patient", 72)
    assert any("LUMM" in line for line in rows["cbc"]["sources"])


@pytest.mark.parametrize(
    ("gate", "same_series", "hours_before", "open_"),
    [
        ("consent", True, 24, False),
        ("consent", True, 400 * 24, True),
        ("consent", False, 24, True),
        ("pregnancy_test", False, 6 * 24, False),
        ("pregnancy_test", True, 8 * 24, True),
        ("hbv", False, 3000 * 24, False),
        ("weight", True, 24, True),
    ],
)
def test_an_answer_holds_as_far_and_as_long_as_its_gate_says(
    nurse: APIClient, clinic: Clinic, gate: str, same_series: bool, hours_before: int, open_: bool
) -> None:
    protocol = make_protocol(clinic.organization, clinic.users["prescriber"], gates=[gate])
    series = clinic.series(clinic.patient, protocol)
    session = clinic.session(noon(3), series=series, status="arrived")
    before = series if same_series else clinic.series(clinic.patient, protocol)
    at = session.start - timedelta(hours=hours_before)
    said = {gate: {"outcome": "met", "at": at.isoformat(), "by": str(clinic.users["nurse"].pk), "said_by": "staff"}}
    earlier = clinic.session(noon(-5), series=before, status="completed")
    Session.objects.filter(pk=earlier.pk).update(gates=said)
    assert standing(nurse, session, gate)["open"] is open_
    assert post(nurse, session, "start").status_code == (409 if open_ else 200)


def test_what_the_patient_says_is_known_as_theirs(
    nurse: APIClient, api: Callable[..., APIClient], clinic: Clinic
) -> None:
    patient = api(clinic.users["patient"])
    session = visit(clinic, ["consent", "escort", "fasting"], status="confirmed")
    asked = patient.get(f"/api/v1/sessions/{session.pk}/preparation/").json()["gates"]
    assert [each["gate"] for each in asked] == ["escort", "fasting"]
    said = [{"gate": "escort", "outcome": "met", "note": "Bo Example"}, {"gate": "fasting", "outcome": "met"}]
    assert post(patient, session, "preparation", answers=said).status_code == 200
    seen = standing(nurse, session, "escort")
    assert (seen["said_by"], seen["note"], seen["open"]) == ("patient", "Bo Example", False)
    assert seen["answered_by"] == str(clinic.users["patient"].pk)
    other = post(patient, session, "preparation", answers=[{"gate": "consent", "outcome": "met"}])
    assert (other.status_code, other.json()["code"]) == (422, "not_for_patients")
    unknown = post(patient, session, "preparation", answers=[{"gate": "weather", "outcome": "met"}])
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_gate")
    assert meet(nurse, session, "fasting", "not_met", note="had breakfast").status_code == 200
    assert post(patient, session, "preparation", answers=said).status_code == 200
    assert standing(nurse, session, "fasting")["outcome"] == "not_met", "the patient does not overrule the nurse"


def test_a_gate_may_stand_before_the_way_home(nurse: APIClient, clinic: Clinic) -> None:
    session = visit(clinic, ["escort", {"gate": "port_closed", "at": ["discharge"]}])
    assert post(nurse, session, "start").json()["missing"] == ["escort"]
    meet(nurse, session, "escort")
    assert post(nurse, session, "start").status_code == 200
    assert post(nurse, session, "finish-infusion").status_code == 200
    refused = post(nurse, session, "discharge", escort_name="Bo Example", score=10)
    assert (refused.status_code, refused.json()["missing"]) == (409, ["port_closed"])
    meet(nurse, session, "port_closed")
    assert post(nurse, session, "discharge", escort_name="Bo Example", score=10).json()["status"] == "completed"


def test_a_note_of_a_megabyte_is_refused(nurse: APIClient, clinic: Clinic) -> None:
    session = visit(clinic, ["consent"])
    assert meet(nurse, session, "consent", note="x" * 1_000_000).status_code == 413
    assert meet(nurse, session, "consent", note="x" * 2_001).json()["errors"][0]["code"] == "max_length"
    session.refresh_from_db()
    assert session.gates == {}
    assert clock.now() > session.start - timedelta(days=30)
