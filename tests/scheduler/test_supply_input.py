"""Supply over HTTP: bad input, overlaps and clashes are refused and change nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import AuditEntry
from scheduler.models import AvailabilityRule
from tests.factories import make_provider
from tests.scheduler.supply import HOURS, MONDAY, RESOURCES, UNKNOWN, bodies, created, fault, manager, post, url

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

    Api = Callable[[Any], APIClient]


WEIGHTS: dict[str, Any] = {"deviation": 5, "same_time": 4, "first_day": 3, "level": 2, "fragments": 1}

# Resource, change of the good body (None takes a field away), code and pointer of the answer.
BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("sites", {"organization": UNKNOWN}, "read_only", "/organization"),
    ("sites", {"id": UNKNOWN}, "read_only", "/id"),
    ("sites", {"foo": 1}, "unknown_field", "/foo"),
    ("sites", {"name": None}, "required", "/name"),
    ("sites", {"name": 5}, "type", "/name"),
    ("sites", {"name": "\u200b"}, "blank", "/name"),
    ("sites", {"name": "a\r\nBcc: b"}, "line_break", "/name"),
    ("sites", {"name": "a\u202eb"}, "bidi_override", "/name"),
    ("sites", {"name": "x" * 201}, "max_length", "/name"),
    ("sites", {"time_zone": "EST5EDT;x"}, "invalid", "/time_zone"),
    ("sites", {"time_zone": "../../etc/passwd"}, "invalid", "/time_zone"),
    ("sites", {"time_zone": "utc+5"}, "invalid", "/time_zone"),
    ("sites", {"time_zone": "Mars/Olympus"}, "invalid", "/time_zone"),
    ("sites", {"opening_hours": 5}, "type", "/opening_hours"),
    *[
        ("sites", {"opening_hours": [span]}, code, f"/opening_hours/0/{field}")
        for span, code, field in [
            ({"weekday": 7, "opens": "08:00", "closes": "09:00"}, "max_value", "weekday"),
            ({"weekday": True, "opens": "08:00", "closes": "09:00"}, "type", "weekday"),
            ({"weekday": 0, "opens": "25:00", "closes": "09:00"}, "invalid", "opens"),
            ({"weekday": 0, "opens": "08:00", "closes": "24:00"}, "invalid", "closes"),
            ({"weekday": 0, "opens": "08:00", "closes": "23:59:30"}, "out_of_range", "closes"),
            ({"weekday": 0, "opens": "08:00", "closes": "08:00"}, "empty_range", "closes"),
            ({"weekday": 0, "opens": "08:00"}, "required", "closes"),
            ({"weekday": 0, "opens": "08:00", "closes": "09:00", "id": 1}, "unknown_field", "id"),
        ]
    ],
    (
        "sites",
        {"opening_hours": [*HOURS, {"weekday": 0, "opens": "11:59", "closes": "12:01"}]},
        "overlapping_hours",
        "/opening_hours",
    ),
    (
        "sites",
        {"opening_hours": [{"weekday": 7, "opens": "08:00", "closes": "09:00"}]},
        "max_value",
        "/opening_hours/0/weekday",
    ),
    (
        "sites",
        {"opening_hours": [{"weekday": True, "opens": "08:00", "closes": "09:00"}]},
        "type",
        "/opening_hours/0/weekday",
    ),
    (
        "sites",
        {"opening_hours": [{"weekday": 0, "opens": "25:00", "closes": "09:00"}]},
        "invalid",
        "/opening_hours/0/opens",
    ),
    (
        "sites",
        {"opening_hours": [{"weekday": 0, "opens": "08:00", "closes": "24:00"}]},
        "invalid",
        "/opening_hours/0/closes",
    ),
    (
        "sites",
        {"opening_hours": [{"weekday": 0, "opens": "08:00", "closes": "23:59:30"}]},
        "out_of_range",
        "/opening_hours/0/closes",
    ),
    (
        "sites",
        {"opening_hours": [{"weekday": 0, "opens": "08:00", "closes": "08:00"}]},
        "empty_range",
        "/opening_hours/0/closes",
    ),
    (
        "sites",
        {"opening_hours": [*HOURS, {"weekday": 0, "opens": "11:59", "closes": "12:01"}]},
        "overlapping_hours",
        "/opening_hours",
    ),
    ("sites", {"hold_life_minutes": 0}, "min_value", "/hold_life_minutes"),
    ("sites", {"plan_weights": 5}, "invalid", "/plan_weights"),
    ("sites", {"plan_weights": {}}, "required", "/plan_weights/deviation"),
    *[
        ("sites", {"plan_weights": WEIGHTS | {name: value}}, code, f"/plan_weights/{name}")
        for name, value, code in [
            ("deviation", -1, "min_value"),
            ("deviation", 10**14 + 1, "max_value"),
            ("level", 10**9 + 1, "max_value"),
            ("level", 2**63 - 1, "max_value"),
            ("same_time", 1.5, "type"),
            ("first_day", "1", "type"),
            ("fragments", True, "type"),
            ("fragments", None, "null"),
            ("cost", 1, "unknown_field"),
        ]
    ],
    ("chairs", {"kind": "sofa"}, "invalid_choice", "/kind"),
    ("chairs", {"kind": 1}, "invalid_choice", "/kind"),
    ("chairs", {"site": "1"}, "invalid", "/site"),
    ("chairs", {"site": 1.0}, "type", "/site"),
    ("chairs", {"site": True}, "type", "/site"),
    ("chairs", {"site": 5}, "type", "/site"),
    ("chairs", {"site": "{01890a5d-ac96-774b-bcce-b302099a8057}"}, "invalid", "/site"),
    ("chairs", {"site": UNKNOWN}, "unknown_reference", "/site"),
    ("chairs", {"features": ["a", "a"]}, "duplicate", "/features"),
    ("chairs", {"features": [5]}, "type", "/features/0"),
    ("chairs", {"is_active": "true"}, "type", "/is_active"),
    ("providers", {"capacity": 0}, "min_value", "/capacity"),
    ("providers", {"capacity": 51}, "max_value", "/capacity"),
    ("providers", {"capacity": "3"}, "type", "/capacity"),
    ("providers", {"capacity": 3.0}, "type", "/capacity"),
    ("providers", {"capacity": 2**31}, "max_value", "/capacity"),
    ("providers", {"max_acuity": 0}, "min_value", "/max_acuity"),
    ("providers", {"role": "janitor"}, "invalid_choice", "/role"),
    ("providers", {"user": UNKNOWN}, "unknown_reference", "/user"),
    ("time-off", {"end": MONDAY["start"]}, "empty_range", "/end"),
    ("time-off", {"end": "2027-06-07T07:00:00-05:00"}, "empty_range", "/end"),
    ("time-off", {"start": None}, "required", "/start"),
    ("time-off", {"start": "2027-06-07T08:00:00"}, "offset_required", "/start"),
    ("time-off", {"start": "2027-06-07"}, "invalid", "/start"),
    ("time-off", {"start": "2027-02-30T08:00:00Z"}, "invalid", "/start"),
    ("time-off", {"start": "2027-06-07T08:00:00+23:59"}, "offset_out_of_range", "/start"),
    ("time-off", {"start": "0001-01-01T00:00:00Z"}, "out_of_range", "/start"),
    ("time-off", {"start": 1812000000}, "type", "/start"),
    ("time-off", {"during": ["a", "b"]}, "unknown_field", "/during"),
    ("site-closures", {"end": MONDAY["start"]}, "empty_range", "/end"),
    ("chair-closures", {"end": "infinity"}, "invalid", "/end"),
    ("chair-closures", {"chair": UNKNOWN}, "unknown_reference", "/chair"),
    ("availability-rules", {"start_time": "25:00"}, "invalid", "/start_time"),
    ("availability-rules", {"end_time": "22:00"}, "empty_range", "/end_time"),
    ("availability-rules", {"weekday": -1}, "min_value", "/weekday"),
    ("availability-rules", {"effective_from": "2027-02-30"}, "invalid", "/effective_from"),
    ("availability-rules", {"effective_until": "2026-12-31"}, "empty_range", "/effective_until"),
    ("availability-rules", {"provider": UNKNOWN}, "unknown_reference", "/provider"),
]


@pytest.mark.parametrize("resource", RESOURCES)
def test_bad_input_changes_nothing(clinic: Clinic, api: Api, resource: str) -> None:
    client, good, before = manager(clinic, api), bodies(clinic)[resource], AuditEntry.objects.count()
    rows = [row for row in BAD if row[0] == resource]
    expected = [(400, code, pointer) for _, _, code, pointer in rows]
    sent = [{name: value for name, value in {**good, **row[1]}.items() if value is not None} for row in rows]
    assert [fault(post(client, resource, body)) for body in sent] == expected
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("resource", RESOURCES)
def test_bad_changes_of_a_record_change_nothing(clinic: Clinic, api: Api, resource: str) -> None:
    made = created(clinic, api, resource)
    client = manager(clinic, api)
    for change in ({"id": UNKNOWN}, {"foo": 1}, {"name": 5, "reason": 5, "end_time": 5}):
        assert client.patch(url(resource, made["id"]), change, format="json").status_code == 400
    assert client.get(url(resource, made["id"])).json() == made


@pytest.mark.parametrize(
    ("resource", "field"),
    [
        ("chairs", "site"),
        ("providers", "site"),
        ("site-closures", "site"),
        ("chair-closures", "chair"),
        ("availability-rules", "provider"),
        ("time-off", "provider"),
    ],
)
def test_a_record_stays_with_what_it_belongs_to(clinic: Clinic, api: Api, resource: str, field: str) -> None:
    made = created(clinic, api, resource)
    client = manager(clinic, api)
    elsewhere = {
        "site": post(client, "sites", bodies(clinic)["sites"]).json()["id"],
        "chair": str(clinic.room.id),
        "provider": str(clinic.nurses[1].id),
    }[field]
    answer = client.patch(url(resource, made["id"]), {field: elsewhere}, format="json")
    assert fault(answer) == (400, "read_only", f"/{field}")
    same = client.patch(url(resource, made["id"]), {field: made[field]}, format="json")
    assert same.status_code == 200


# A rule beside the nurse's Sunday 22:00 to 06:00 from 2027-01-01 (Monday to Saturday are 07:00 to 19:00).
BESIDE: list[tuple[dict[str, Any], bool]] = [
    ({"weekday": 6, "start_time": "06:00", "end_time": "22:00"}, True),
    ({"weekday": 6, "start_time": "06:00", "end_time": "22:01"}, False),
    ({"weekday": 0, "start_time": "06:00", "end_time": "07:00"}, True),
    ({"weekday": 0, "start_time": "05:59", "end_time": "07:00"}, False),
    ({"weekday": 5, "start_time": "19:00", "end_time": "18:00"}, True),
    ({"weekday": 5, "start_time": "23:00", "end_time": "22:30"}, False),
    ({"weekday": 6, "start_time": "22:00", "end_time": "06:00", "effective_until": "2026-12-27"}, True),
    ({"weekday": 6, "start_time": "22:00", "end_time": "06:00", "effective_until": "2027-01-02"}, True),
    ({"weekday": 6, "start_time": "22:00", "end_time": "06:00", "effective_until": "2027-01-03"}, False),
    ({"weekday": 0, "start_time": "02:00", "end_time": "03:00", "effective_until": "2027-01-03"}, True),
    ({"weekday": 0, "start_time": "02:00", "end_time": "03:00", "effective_until": "2027-01-04"}, False),
]


def test_rules_of_one_provider_do_not_overlap(clinic: Clinic, api: Api) -> None:
    first = created(clinic, api, "availability-rules")
    client, colleague = manager(clinic, api), make_provider(clinic.site, weekdays=range(0))
    for change, fits in BESIDE:
        body = {**bodies(clinic)["availability-rules"], "effective_from": "2026-01-01", **change}
        answer = post(client, "availability-rules", body)
        if fits:
            assert answer.status_code == 201, (change, answer.content)
            client.delete(url("availability-rules", answer.json()["id"]))
        else:
            assert (answer.status_code, answer.json()["code"]) == (409, "overlapping_rule"), change
            assert answer.json()["rule"] == first["id"]
        other = post(client, "availability-rules", {**body, "provider": str(colleague.id)})
        assert other.status_code == 201
        client.delete(url("availability-rules", other.json()["id"]))


def test_a_rule_may_be_moved_over_its_own_time_and_not_over_anothers(clinic: Clinic, api: Api) -> None:
    made = created(clinic, api, "availability-rules")
    client = manager(clinic, api)
    assert client.patch(url("availability-rules", made["id"]), {"end_time": "06:30"}, format="json").status_code == 200
    answer = client.patch(url("availability-rules", made["id"]), {"end_time": "07:01"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "overlapping_rule")
    assert str(AvailabilityRule.objects.get(pk=made["id"]).end_time) == "06:30:00"


@pytest.mark.parametrize("resource", ["sites", "chairs"])
def test_names_are_taken_once(clinic: Clinic, api: Api, resource: str) -> None:
    created(clinic, api, resource)
    again = post(manager(clinic, api), resource, bodies(clinic)[resource])
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    assert clinic.other
    elsewhere = {**bodies(clinic)[resource], **({"site": str(clinic.other.site.id)} if resource == "chairs" else {})}
    assert post(manager(clinic.other, api), resource, elsewhere).status_code == 201


def test_bad_queries(clinic: Clinic, api: Api) -> None:
    queries = [
        "chairs/?site=1",
        f"chairs/?site={UNKNOWN}",
        "chairs/?foo=1",
        "chairs/?kind=sofa",
        "chairs/?kind=bed&kind=bed",
        "chairs/?is_active=maybe",
        "chairs/?page_size=-1",
        "chairs/?page_size=201",
        "chairs/?cursor=abc",
        "chairs/?ordering=secret",
        "time-off/?from=2027-06-07T16:59:00Z&until=2027-06-06T16:59:00Z",
        "time-off/?from=yesterday",
        "availability-rules/?weekday=x",
        "availability-rules/?weekday=%D9%A6",
        "sites/?name=%00",
    ]
    answers = {query: manager(clinic, api).get(f"/api/v1/{query}") for query in queries}
    assert {query: answer.status_code for query, answer in answers.items()} == dict.fromkeys(queries, 400)
    assert {answer["Content-Type"] for answer in answers.values()} == {"application/problem+json"}


def test_a_filter_by_another_clinics_id_looks_like_an_unknown_one(clinic: Clinic, api: Api) -> None:
    assert clinic.other
    answers = [manager(clinic, api).get(f"/api/v1/chairs/?site={id}").json() for id in (clinic.other.site.id, UNKNOWN)]
    assert answers[0] == answers[1]
    assert answers[0]["code"] == "unknown_reference"


@pytest.mark.parametrize(
    "weights",
    [
        5,
        [],
        None,
        {"level": 1},
        WEIGHTS | {"cost": 1},
        WEIGHTS | {"deviation": 10**14 + 1},
        WEIGHTS | {"level": 10**9 + 1},
        WEIGHTS | {"level": -1},
        WEIGHTS | {"same_time": 1.5},
        WEIGHTS | {"first_day": "1"},
        WEIGHTS | {"fragments": True},
    ],
)
def test_the_database_refuses_weights_that_no_score_can_hold(clinic: Clinic, weights: object) -> None:
    with pytest.raises(IntegrityError, match="site_plan_weights"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_site SET plan_weights = %s", [json.dumps(weights)])
    for good in ({}, WEIGHTS, WEIGHTS | {"deviation": 10**14, "level": 0}):
        clinic.site.plan_weights = good
        clinic.site.save()
