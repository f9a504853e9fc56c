"""The manners of the API, tried through a few small views of its own: bad input, order of answers, pages, retries."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.urls import include, path
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy
from knox.models import AuthToken
from rest_framework import renderers
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail
from rest_framework.response import Response
from rest_framework.test import APIClient

import scheduler.api.views  # noqa: F401  (gives the constraints their names)
from accounts.http import conditions, fields, filters, idempotency, parsing, problems, schema
from accounts.http.rendering import JSONRenderer
from accounts.http.serializers import StrictModelSerializer, StrictSerializer
from accounts.http.views import (
    ApiView,
    ChangeRecord,
    CreateRecord,
    ListRecords,
    ReadRecord,
    RecordRouter,
    RecordViewSet,
    RemoveRecord,
)
from accounts.models import Channel, IdempotencyKey, Organization, Patient, Role, Site
from accounts.queries import visible_patients, visible_sites
from accounts.refusals import Conflict, Forbidden, Invalid, RuleBroken, TooMany, Unavailable
from tests import factories
from tests.at_once import together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django.fixtures import Settings

    from tests.factories import Clinic

    Api = Callable[[Any], APIClient]

# ---- the small service under test -----------------------------------------------------------------------------------


class Inner(StrictSerializer):
    level = fields.StrictInteger(min_value=0, max_value=10)
    opens = fields.LocalTimeField(required=False)


class Everything(StrictSerializer):
    id = fields.UUIDField(read_only=True)
    at = fields.InstantField(required=False)
    day = fields.DateField(required=False)
    time = fields.LocalTimeField(required=False)
    ref = fields.UUIDField(required=False)
    number = fields.StrictInteger(required=False, min_value=0, max_value=1440)
    ratio = fields.StrictNumber(required=False)
    flag = fields.StrictBoolean(required=False)
    name = fields.TextField(required=False, max_length=100)
    note = fields.TextField(required=False, multiline=True, allow_blank=True, max_length=5000)
    email = fields.EmailField(required=False)
    phone = fields.PhoneField(required=False)
    zone = fields.TimeZoneField(required=False)
    kind = fields.StrictChoice(required=False, choices=["recliner", "bed"])
    weekdays = fields.StrictList(required=False, unique=True, child=fields.StrictInteger(min_value=0, max_value=6))
    site = fields.ReferenceField(visible_sites, required=False)
    sites = fields.ReferenceField(visible_sites, required=False, many=True)
    inner = Inner(required=False)
    inners = Inner(required=False, many=True)
    answers = fields.StrictJSON(required=False)


class EverythingView(ApiView):
    signed_in_suffices = True

    def post(self, request: Any) -> Response:
        return Response(Everything(self.body(Everything)).data)


class OpenView(EverythingView):
    public = True

    def get(self, request: Any) -> Response:
        return Response({})


class PatientSerializer(StrictModelSerializer):
    site = fields.ReferenceField(visible_sites)
    preferred_channels = fields.StrictList(child=fields.StrictChoice(choices=Channel.choices), required=False)

    class Meta:
        model = Patient
        fields = (
            "id", "site", "user", "given_name", "family_name", "birth_date", "email", "phone", "preferred_channels",
            "language", "version",
        )  # fmt: skip
        read_only_fields = ("id", "user", "version")


class PatientFilters(filters.StrictFilterSet):
    site = filters.ReferenceFilter(visible_sites)
    family_name = filters.TextFilter()
    language = filters.ChoicesFilter([("en", "English"), ("es", "Español")])
    from_ = filters.DateFilter("birth_date", "gte")
    until = filters.DateFilter("birth_date", "lte")
    spans = (("from", "until", 40_000),)


class Reason(StrictSerializer):
    reason = fields.TextField()


class PatientViewSet(ListRecords, ReadRecord, CreateRecord, ChangeRecord, RemoveRecord, RecordViewSet):
    model = Patient
    serializer_class = PatientSerializer
    filterset_class = PatientFilters
    versioned = True

    def visible(self) -> Any:
        return visible_patients(self.user)

    def check_state(self) -> None:
        if self.action == "cancel" and self.record.language == "es":
            raise Conflict("already_done", "It is cancelled.", allowed=[])

    @action(detail=True, methods=["post"])
    def cancel(self, request: Any, pk: str) -> Response:
        if self.body(Reason)["reason"] == "rule":
            raise RuleBroken("gap_too_short", "Too soon.")
        Patient.objects.filter(pk=self.record.pk).update(language="es")
        return self.show(self.record)


class OrganizationsView(ApiView):
    """A POST that does something each time; `settings` of a test steer what becomes of it."""

    signed_in_suffices = True
    entered = threading.Event()
    leave = threading.Event()

    def post(self, request: Any) -> Response:
        said = self.body_data
        made = Organization.objects.create(name=said.get("name", "x"))
        match said.get("then"):
            case "refuse":
                raise Conflict("lost", "Somebody was faster.", plans=[{"id": "1"}])
            case "refuse_undone":
                with transaction.atomic():
                    transaction.set_rollback(True)
                raise Invalid("/name", "bad", "Bad.")
            case "crash":
                raise RuntimeError("ZZPHI Ada Lovelace")
            case "clash":
                raise_duplicate()
            case "wait":
                self.entered.set()
                self.leave.wait(20)
        return Response({"id": str(made.pk)}, status=201, headers={"Location": f"/x/{made.pk}/"})


def raise_duplicate() -> None:
    site = Site.objects.first()
    assert site is not None
    Site.objects.create(organization=site.organization, name=site.name, time_zone="UTC", on_call=site.on_call)


def raise_sql(statement: str) -> Callable[[], None]:
    def run() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    return run


def raising(error: Exception) -> Callable[[], None]:
    def run() -> None:
        raise error

    return run


# An id of nobody, the same in each process of a parallel run.
NOBODY = "0196a5d0-ac96-774b-bcce-b302099a8057"
TROUBLES: dict[str, tuple[Callable[[], Any], int, str]] = {
    "refusal": (raising(Forbidden("not_yours", "No.")), 403, "not_yours"),
    "too-many": (raising(TooMany("too_many_holds", retry_after=7)), 429, "too_many_holds"),
    "unavailable": (raising(Unavailable()), 503, "unavailable"),
    "duplicate": (raise_duplicate, 409, "name_taken"),
    "protected": (lambda: Site.objects.all().delete(), 409, "in_use"),
    "named": (
        raise_sql("DO $$ BEGIN RAISE EXCEPTION 'ZZPHI' USING ERRCODE='23514', CONSTRAINT='test_capacity'; END $$"),
        409,
        "capacity",
    ),
    "trigger": (raise_sql("DO $$ BEGIN RAISE EXCEPTION 'ZZPHI'; END $$"), 409, "conflict"),
    "number": (raise_sql("SELECT 100000::smallint"), 400, "out_of_range"),
    "deadlock": (raise_sql("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE='40P01'; END $$"), 409, "try_again"),
    "lock": (raise_sql("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE='55P03'; END $$"), 409, "busy"),
    "no-column": (raise_sql("SELECT zzphi FROM nowhere"), 500, "internal_error"),
    "bug": (raising(ValueError("ZZPHI Ada Lovelace")), 500, "internal_error"),
}


class TroubleView(ApiView):
    public = True

    def get(self, request: Any, name: str) -> Response:
        TROUBLES[name][0]()
        return Response({})


problems.name_constraint("test_capacity", "capacity", "No room.")
router = RecordRouter()
router.register("patients", PatientViewSet, basename="patients")
urlpatterns = [
    path("api/v1/", include(router.urls)),
    path("api/v1/", include("accounts.api.urls")),
    path("api/v1/everything/", EverythingView.as_view()),
    path("api/v1/open/", OpenView.as_view()),
    path("api/v1/organizations/", OrganizationsView.as_view()),
    path("api/v1/trouble/<slug:name>/", TroubleView.as_view()),
    path("api/v1/schema/", import_string("accounts.http.schema.schema_view"), name="schema"),
    path("api/v1/docs/", import_string("accounts.http.schema.docs_view"), name="docs"),
]
handler400, handler403 = problems.handler400, problems.handler403
handler404, handler500 = problems.handler404, problems.handler500


@pytest.fixture(autouse=True)
def _small_service(settings: Settings) -> Iterator[None]:
    settings.ROOT_URLCONF = __name__
    settings.CALLS_PER_MINUTE = {"user": 6000, "anonymous": 600}
    settings.SIGN_IN_FAILURES = {"account": 10, "address": 100, "seconds": 300}
    # The document is written once a process, and this is another service than the rest of the run's.
    schema.document.cache_clear()
    yield
    schema.document.cache_clear()


@pytest.fixture
def desk(api: Api, clinic: Clinic) -> APIClient:
    """A client signed in at the front desk."""
    return api(clinic.users["front_desk"])


@pytest.fixture
def anybody(api: Api) -> APIClient:
    """A client signed in as somebody who sees nothing."""
    return api(factories.make_user(factories.make_organization(), "nurse"))


def problem(response: Any) -> tuple[int, str]:
    """Status and code of an answer, after checking that it is a whole problem."""
    assert response["Content-Type"] == "application/problem+json", response.content[:300]
    body = response.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert body["status"] == response.status_code
    assert body["type"] == f"/problems/{body['code']}"
    for fault in body.get("errors", []):
        assert {"pointer", "code", "detail"} <= fault.keys()
    return response.status_code, body["code"]


def send(client: Any, address: str, body: bytes, *, method: str = "POST", **request: Any) -> Any:
    """Send these very bytes; as JSON unless the headers say otherwise."""
    return client.generic(method, address, body, **{"content_type": "application/json", **request})


def faults(response: Any) -> dict[str, str]:
    """Pointer -> code of a 400."""
    assert response.status_code == 400, response.content[:300]
    return {fault["pointer"]: fault["code"] for fault in response.json()["errors"]}


# ---- bodies ---------------------------------------------------------------------------------------------------------

DEEP = 33
BODIES: list[tuple[str, bytes, int, str]] = [
    ("list", b"[]", 400, "not_an_object"),
    ("null", b"null", 400, "not_an_object"),
    ("text", b'"x"', 400, "not_an_object"),
    ("number", b"5", 400, "not_an_object"),
    ("true", b"true", 400, "not_an_object"),
    ("blank", b"  ", 400, "not_json"),
    ("truncated", b'{"name": "A', 400, "not_json"),
    ("trailing comma", b'{"number": 1,}', 400, "not_json"),
    ("two documents", b"{} {}", 400, "not_json"),
    ("byte order mark", b"\xef\xbb\xbf{}", 400, "byte_order_mark"),
    ("utf-16", '{"name": "A"}'.encode("utf-16-le"), 400, "not_json"),
    ("utf-16 with mark", '{"name": "A"}'.encode("utf-16"), 400, "not_utf8"),
    ("bad utf-8", b'{"name": "\xff"}', 400, "not_utf8"),
    ("overlong utf-8", b'{"name": "\xc0\x80"}', 400, "not_utf8"),
    ("NaN", b'{"number": NaN}', 400, "not_a_number"),
    ("Infinity", b'{"number": -Infinity}', 400, "not_a_number"),
    ("1e400", b'{"number": 1e400}', 400, "number_out_of_range"),
    ("2^63", b'{"number": 9223372036854775808}', 400, "number_out_of_range"),
    ("5,000 digits", b'{"number": ' + b"1" * 5000 + b"}", 400, "number_out_of_range"),
    ("4,000 decimals", b'{"ratio": 0.' + b"1" * 4000 + b"}", 400, "number_out_of_range"),
    ("33 deep", b'{"answers": ' + b"[" * DEEP + b"]" * DEEP + b"}", 400, "too_deep"),
    ("6,000 deep", b'{"answers": ' + b"[" * 6000 + b"]" * 6000 + b"}", 400, "too_deep"),
    ("30,000 deep", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, "too_deep"),
    ("deep without end", b"[" * 60_000, 400, "too_deep"),
    ("escaped quotes without end", b'{"name": "' + b'\\"' * 30_000, 400, "not_json"),
    ("duplicate key", b'{"number": 1, "number": 99}', 400, "duplicate_key"),
    ("duplicate key inside", b'{"answers": {"a": 1, "a": 2}}', 400, "duplicate_key"),
    ("duplicate key by escape", b'{"number": 1, "\\u006eumber": 2}', 400, "duplicate_key"),
    ("1,001 keys", json.dumps({"answers": {str(n): n for n in range(1000)}}).encode(), 400, "too_many_keys"),
    ("NUL", b'{"name": "a\\u0000b"}', 400, "bad_character"),
    ("NUL inside", b'{"answers": {"a": ["\\u0000"]}}', 400, "bad_character"),
    ("lone surrogate", b'{"answers": {"a": "\\ud800"}}', 400, "bad_character"),
    ("lone surrogate in a key", b'{"answers": {"\\udfff": 1}}', 400, "bad_character"),
    ("65 KiB and 1", b'{"note": "' + b"x" * (65 * 1024 + 1) + b'"}', 413, "too_large"),
    ("3 MB", b'{"note": "' + b"x" * 3_000_000 + b'"}', 413, "too_large"),
]


@pytest.mark.parametrize(("body", "status", "code"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES])
def test_a_body_that_is_no_strict_json_is_refused(anybody: APIClient, body: bytes, status: int, code: str) -> None:
    response = send(anybody, "/api/v1/everything/", body)
    assert problem(response) == (status, code)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"answers": ' + b"[" * 31 + b"]" * 31 + b"}", '{"name": "Ада 😀"}'.encode()]
)
def test_good_json_is_read(body: bytes) -> None:
    assert parsing.read_object(body) == (json.loads(body) if body else {})


HEADERS: list[tuple[dict[str, Any], int, str]] = [
    ({"content_type": "application/xml"}, 415, "unsupported_media_type"),
    ({"content_type": "text/plain"}, 415, "unsupported_media_type"),
    ({"content_type": ""}, 415, "unsupported_media_type"),
    ({"content_type": "application/json; charset=bogus"}, 415, "unsupported_media_type"),
    ({"content_type": "application/json; charset=utf-16"}, 415, "unsupported_media_type"),
    ({"content_type": "multipart/form-data"}, 415, "unsupported_media_type"),
    ({"content_type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
    ({"headers": {"Content-Encoding": "gzip"}}, 415, "unsupported_media_type"),
    ({"headers": {"Transfer-Encoding": "chunked"}}, 411, "length_required"),
    ({"headers": {"Accept": "image/png"}}, 406, "not_acceptable"),
    ({"headers": {"X-HTTP-Method-Override": "DELETE"}}, 405, "method_not_allowed"),
    ({"headers": {"Idempotency-Key": ""}}, 400, "bad_idempotency_key"),
    ({"headers": {"Idempotency-Key": "k" * 256}}, 400, "bad_idempotency_key"),
    ({"headers": {"Idempotency-Key": "a\tb"}}, 400, "bad_idempotency_key"),
    ({"headers": {"Idempotency-Key": "a,b"}}, 400, "bad_idempotency_key"),
    ({"headers": {"Idempotency-Key": "schlüssel"}}, 400, "bad_idempotency_key"),
    ({"headers": {"If-Match": "3"}}, 400, "bad_if_match"),
    ({"headers": {"If-Match": '"3'}}, 400, "bad_if_match"),
]


@pytest.mark.parametrize(("request_", "status", "code"), HEADERS, ids=[str(case[0]) for case in HEADERS])
def test_headers_that_cannot_be_honoured_are_refused(
    anybody: APIClient, request_: dict[str, Any], status: int, code: str
) -> None:
    response = send(anybody, "/api/v1/everything/", b"{}", **request_)
    assert problem(response) == (status, code)


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=UTF-8", "Application/JSON"])
def test_json_is_taken_in_every_spelling_of_its_name(anybody: APIClient, content_type: str) -> None:
    response = send(anybody, "/api/v1/everything/", b'{"number": 5}', content_type=content_type)
    assert (response.status_code, response.json()) == (200, {"number": 5})


def test_a_verb_needs_no_body_and_no_content_type(anybody: APIClient) -> None:
    response = send(anybody, "/api/v1/everything/", b"", content_type="")
    assert (response.status_code, response.json()) == (200, {})


# ---- fields ---------------------------------------------------------------------------------------------------------

FIELDS: list[tuple[str, Any, str]] = [
    ("at", "2027-01-01T08:00:00", "offset_required"),
    ("at", "2026-03-08T02:30", "offset_required"),
    ("at", "2027-01-01T08:00:00+23:59", "offset_out_of_range"),
    ("at", "2027-01-01T08:00:00-14:01", "offset_out_of_range"),
    ("at", "2027-01-01T08:00:00+24:00", "invalid"),
    ("at", "2027-01-01", "invalid"),
    ("at", "٢٠٢٧-01-01T08:00:00Z", "invalid"),
    ("at", "２０２７-01-01T08:00:00Z", "invalid"),
    ("at", 1_800_000_000, "type"),
    ("at", [], "type"),
    ("at", {}, "type"),
    ("at", None, "null"),
    ("at", "2027-02-30T08:00:00Z", "invalid"),
    ("at", "2027-02-03T24:00:00Z", "invalid"),
    ("at", "2027-02-03T23:59:60Z", "invalid"),
    ("at", "2027-02-03T23:59:00Z\n", "invalid"),
    ("at", "0001-01-01T00:00:00+14:00", "out_of_range"),
    ("at", "9999-12-31T23:59:59-14:00", "out_of_range"),
    ("day", "2027-02-29", "invalid"),
    ("day", "20270201", "invalid"),
    ("day", "2027-01-01T00:00:00Z", "invalid"),
    ("day", "1899-12-31", "out_of_range"),
    ("day", 5, "type"),
    ("day", None, "null"),
    ("time", "25:00", "invalid"),
    ("time", "24:00", "invalid"),
    ("time", "9:00", "invalid"),
    ("time", "09:00:00.5", "invalid"),
    ("time", 900, "type"),
    ("ref", 5, "type"),
    ("ref", "{01890a5d-ac96-774b-bcce-b302099a8057}", "invalid"),
    ("ref", "01890a5dac96774bbcceb302099a8057", "invalid"),
    ("number", True, "type"),
    ("number", "1", "type"),
    ("number", 1.0, "type"),
    ("number", -1, "min_value"),
    ("number", 1441, "max_value"),
    ("number", 2**31, "max_value"),
    ("ratio", "1.5", "type"),
    ("ratio", False, "type"),
    ("flag", "true", "type"),
    ("flag", 1, "type"),
    ("name", 5, "type"),
    ("name", True, "type"),
    ("name", ["a"], "type"),
    ("name", "", "blank"),
    ("name", "   ", "blank"),
    ("name", "\u200b\u200d", "blank"),
    ("name", "Ann\u202eeirameN", "bidi_override"),
    ("name", "Ann\r\nBcc: x@example.org", "line_break"),
    ("name", "Ann\n", "line_break"),
    ("name", "Ann\u2028", "line_break"),
    ("name", "a\x07b", "control_character"),
    ("name", "x" * 101, "max_length"),
    ("note", "x" * 5001, "max_length"),
    ("note", "a\x1bb", "control_character"),
    ("email", "a@example.org\r\nBcc: b@example.org", "line_break"),
    ("email", "a@example.org, b@example.org", "invalid"),
    ("email", "a@[127.0.0.1]", "invalid"),
    ("email", "a@localhost", "invalid"),
    ("email", '"a b"@example.org', "invalid"),
    ("email", "x" * 250 + "@example.org", "max_length"),
    ("phone", "312-555-0142", "invalid"),
    ("phone", "+1312CALLNOW", "invalid"),
    ("phone", "+1312555014212345", "invalid"),
    ("phone", "+13125550142x5", "invalid"),
    ("phone", "+99912345678", "invalid"),
    ("phone", "+19005551234", "premium_rate"),
    ("zone", "EST5EDT;x", "invalid"),
    ("zone", "../../etc/passwd", "invalid"),
    ("zone", "utc+5", "invalid"),
    ("zone", "Mars/Olympus", "invalid"),
    ("kind", "sofa", "invalid_choice"),
    ("kind", 0, "invalid_choice"),
    ("kind", ["bed"], "invalid_choice"),
    ("weekdays", "12", "type"),
    ("weekdays", {"0": 1}, "type"),
    ("weekdays", [1, 1], "duplicate"),
    ("site", 5, "type"),
    ("site", "1", "invalid"),
    ("site", NOBODY, "unknown_reference"),
    ("sites", "x", "type"),
    ("inner", 5, "invalid"),
    ("inners", {}, "type"),
    ("answers", [], "type"),
    ("colour", "red", "unknown_field"),
    ("id", NOBODY, "read_only"),
]


@pytest.mark.parametrize(("field", "value", "code"), FIELDS, ids=[f"{case[0]} {case[1]!r:.40}" for case in FIELDS])
def test_a_bad_value_is_refused_where_it_stands(anybody: APIClient, field: str, value: Any, code: str) -> None:
    response = anybody.post("/api/v1/everything/", {field: value}, format="json")
    assert problem(response) == (400, code)
    assert faults(response) == {f"/{field}": code}


GOOD: list[tuple[str, Any, Any]] = [
    ("at", "2027-01-01T08:00:00-06:00", "2027-01-01T14:00:00Z"),
    ("at", "2027-01-01T08:00Z", "2027-01-01T08:00:00Z"),
    ("at", "2027-07-01T08:00:00.250+05:45", "2027-07-01T02:15:00.250000Z"),
    ("day", "2028-02-29", "2028-02-29"),
    ("time", "09:05", "09:05"),
    ("time", "23:59:59", "23:59:59"),
    ("ref", "01890A5D-AC96-774B-BCCE-B302099A8057", "01890a5d-ac96-774b-bcce-b302099a8057"),
    ("number", 1440, 1440),
    ("ratio", 2, 2.0),
    ("flag", False, False),
    ("name", "  Zoë O'Neil-Łukasz 😀 ", "Zoë O'Neil-Łukasz 😀"),
    ("name", "<script>${7*7}{{7*7}}'; DROP", "<script>${7*7}{{7*7}}'; DROP"),
    ("note", "one\ntwo", "one\ntwo"),
    ("note", "", ""),
    ("email", "Ada@Example.ORG", "ada@example.org"),
    ("phone", "+13125550142", "+13125550142"),
    ("zone", "Asia/Kathmandu", "Asia/Kathmandu"),
    ("kind", "bed", "bed"),
    ("weekdays", [0, 6], [0, 6]),
    ("inners", [{"level": 1, "opens": "08:00"}], [{"level": 1, "opens": "08:00"}]),
    ("answers", {"q1": [1, None, "x"]}, {"q1": [1, None, "x"]}),
]


@pytest.mark.parametrize(("field", "value", "shown"), GOOD, ids=[f"{case[0]} {case[1]!r:.40}" for case in GOOD])
def test_a_good_value_is_taken(anybody: APIClient, field: str, value: Any, shown: Any) -> None:
    response = anybody.post("/api/v1/everything/", {field: value}, format="json")
    assert (response.status_code, response.json()) == (200, {field: shown})


def test_faults_deep_inside_have_their_pointers(anybody: APIClient) -> None:
    body = {
        "weekdays": [1, 7, "2"],
        "inner": {"level": 11, "a/b~c": 1},
        "inners": [{"level": 1}, {"opens": "x"}, 5],
        "colour": 1,
    }
    response = anybody.post("/api/v1/everything/", body, format="json")
    assert problem(response) == (400, "invalid")
    assert faults(response) == {
        "/weekdays/1": "max_value",
        "/weekdays/2": "type",
        "/inner/level": "max_value",
        "/inner/a~1b~0c": "unknown_field",
        "/inners/1/level": "required",
        "/inners/1/opens": "invalid",
        "/inners/2": "invalid",
        "/colour": "unknown_field",
    }


def test_a_partial_change_may_leave_out_fields_but_not_parts_of_one() -> None:
    change = Everything(data={"inner": {"opens": "08:00"}, "number": 1}, partial=True)
    assert not change.is_valid()
    assert next(problems.flatten(change.errors))["pointer"] == "/inner/level"
    assert Everything(data={"number": 1}, partial=True).is_valid()


def test_a_foreign_record_looks_like_an_unknown_one(desk: APIClient, clinic: Clinic) -> None:
    assert clinic.other is not None
    answers = [
        desk.post("/api/v1/everything/", body, format="json").json()
        for site in (str(clinic.other.site.pk), str(uuid.uuid4()))
        for body in ({"site": site}, {"sites": [str(clinic.site.pk), site]})
    ]
    assert answers[0] == answers[2]
    assert answers[1] == answers[3]
    assert answers[1]["errors"][0]["pointer"] == "/sites/1"
    own = desk.post("/api/v1/everything/", {"site": str(clinic.site.pk).upper()}, format="json")
    assert own.json() == {"site": str(clinic.site.pk)}


# ---- who asks, and in which order it is answered --------------------------------------------------------------------


def test_answers_come_in_the_contracts_order(api: Api, clinic: Clinic) -> None:
    """Each step mends one thing, and the next complaint is heard."""
    assert clinic.other is not None
    nobody, auditor, desk = api(None), api(clinic.users["auditor"]), api(clinic.users["front_desk"])
    mine, foreign = f"/api/v1/patients/{clinic.patient.pk}", f"/api/v1/patients/{clinic.other.patient.pk}"

    def post(client: APIClient, address: str, body: bytes) -> tuple[int, str]:
        return problem(send(client, address, body))

    assert post(nobody, f"{foreign}/cancel/", b"{") == (400, "not_json")
    assert post(nobody, f"{foreign}/cancel/", b'{"x": 1}') == (401, "not_signed_in")
    assert post(auditor, f"{foreign}/cancel/", b'{"x": 1}') == (404, "not_found")
    assert post(auditor, f"{mine}/cancel/", b'{"x": 1}') == (403, "forbidden")
    Patient.objects.filter(pk=clinic.patient.pk).update(language="es")
    assert post(desk, f"{mine}/cancel/", b'{"x": 1}') == (403, "forbidden")


@pytest.fixture
def _cancel_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    from accounts import rights

    monkeypatch.setitem(rights.RIGHTS, "patients.cancel", rights.BOOKERS)


@pytest.mark.usefixtures("_cancel_is_allowed")
def test_state_is_looked_at_before_the_body_and_rules_after(desk: APIClient, clinic: Clinic) -> None:
    address = f"/api/v1/patients/{clinic.patient.pk}/cancel/"
    assert problem(desk.post(address, {"x": 1}, format="json")) == (400, "invalid")
    assert problem(desk.post(address, {"reason": "rule"}, format="json")) == (422, "gap_too_short")
    assert desk.post(address, {"reason": "ill"}, format="json").status_code == 200
    again = desk.post(address, {"x": 1}, format="json")
    assert problem(again) == (409, "already_done")
    assert again.json()["allowed"] == []


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer x", "Bearer a b", "Bearer \x00", "Basic YTpi", "Bearer \xff", "Token x", "Bearer " + "a" * 5000],
)
def test_a_bad_token_is_a_401(db: None, authorization: str) -> None:
    response = APIClient(HTTP_AUTHORIZATION=authorization).get("/api/v1/auth/me/")
    assert problem(response) == (401, "bad_token")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_right_token_beside_another_scheme_lets_nobody_in(clinic: Clinic) -> None:
    token = factories.make_token(clinic.users["nurse"])
    for header in (f"Bearer {token}, Basic YTpi", f"Bearer {token},Bearer {token}", f"Bearer {token} x"):
        assert problem(APIClient(HTTP_AUTHORIZATION=header).get("/api/v1/auth/me/")) == (401, "bad_token")
    assert APIClient(HTTP_AUTHORIZATION=f"bearer {token}").get("/api/v1/auth/me/").status_code == 200


def test_nobody_is_told_to_sign_in(api: Api) -> None:
    response = api(None).get("/api/v1/patients/")
    assert problem(response) == (401, "not_signed_in")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_expired_tokens_and_people_who_left_are_out(api: Api, clinic: Clinic) -> None:
    nurse, desk = clinic.users["nurse"], clinic.users["front_desk"]
    clients = api(nurse), api(desk)
    assert [client.get("/api/v1/auth/me/").status_code for client in clients] == [200, 200]
    AuthToken.objects.filter(user=nurse).update(expiry="2020-01-01T00:00:00Z")
    desk.is_active = False
    desk.save()
    assert [client.get("/api/v1/auth/me/").status_code for client in clients] == [401, 401]


def test_a_page_needs_its_csrf_token(clinic: Clinic) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(clinic.users["front_desk"])
    assert client.get("/api/v1/auth/me/").status_code == 200
    assert problem(client.post("/api/v1/everything/", {}, format="json")) == (403, "csrf_failed")
    client.cookies["csrftoken"] = "a" * 32
    allowed = client.post("/api/v1/everything/", {}, format="json", headers={"X-CSRFToken": "a" * 32})
    assert allowed.status_code == 200
    other = client.post("/api/v1/everything/", {}, format="json", headers={"X-CSRFToken": "b" * 32})
    assert problem(other) == (403, "csrf_failed")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "BREW"])
def test_a_method_that_is_not_there_is_a_405(api: Api, method: str) -> None:
    response = send(api(None), "/api/v1/patients/", b"", method=method)
    assert problem(response) == (405, "method_not_allowed")
    assert "GET" in response["Allow"]


def test_options_and_head(desk: APIClient, api: Api) -> None:
    response = api(None).options("/api/v1/patients/")
    assert response.status_code == 204
    assert {"GET", "POST"} <= set(response["Allow"].split(", "))
    assert desk.head("/api/v1/patients/").status_code == 200


NOWHERE = [
    "patients/1/", "patients/1.5/", "patients/abc/", "patients/%00/", "patients/..%2F/", f"patients/{2**63}/",
    "patients/" + "9" * 400 + "/", "patients/0189٠a5d-ac96-774b-bcce-b302099a8057/", "nothing/",
    "patients/01890a5d-ac96-774b-bcce-b302099a8057/%0A", "patients", "open/?format=xyz",
]  # fmt: skip


@pytest.mark.parametrize("address", NOWHERE)
def test_an_address_that_leads_nowhere_is_a_404(anybody: APIClient, settings: Settings, address: str) -> None:
    settings.APPEND_SLASH = False
    assert problem(anybody.get(f"/api/v1/{address}")) == (404, "not_found")


def test_a_foreign_host_is_a_400(api: Api) -> None:
    assert problem(api(None).get("/api/v1/auth/me/", headers={"Host": "evil.example"})) == (400, "bad_request")


# ---- what goes wrong below ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TROUBLES)
def test_every_trouble_has_its_answer_and_no_values_in_the_log(
    clinic: Clinic, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    client = APIClient(raise_request_exception=False)
    with caplog.at_level(logging.DEBUG, "accounts"), transaction.atomic():
        response = client.get(f"/api/v1/trouble/{name}/")
        transaction.set_rollback(True)
    assert problem(response) == TROUBLES[name][1:]
    assert "ZZPHI" not in caplog.text + response.content.decode()
    assert clinic.site.name not in caplog.text + response.content.decode()
    if response.status_code in {429, 503}:
        assert int(response["Retry-After"]) >= 1
    if response.status_code == 500:
        assert "unforeseen" in caplog.text


# ---- records: pages, filters, versions ------------------------------------------------------------------------------

QUERIES = [
    ("page_size=0", "out_of_range"), ("page_size=-1", "out_of_range"), ("page_size=201", "out_of_range"),
    ("page_size=1e9", "out_of_range"), ("page_size=٥", "out_of_range"), ("page_size=", "out_of_range"),
    ("cursor=x", "bad_cursor"), ("cursor=%E2%82%AC", "bad_cursor"), ("cursor=cD1hYmM=", "bad_cursor"),
    ("cursor=cD0lMDA=", "bad_cursor"), ("cursor=bz0tMQ==", "bad_cursor"),
    ("offset=-1", "unknown_parameter"), ("ordering=password", "unknown_parameter"), ("search=%00", "unknown_parameter"),
    ("page_size=1&page_size=2", "repeated_parameter"), ("family_name=" + "x" * 1001, "max_length"),
    ("family_name=%00", "control_character"), ("family_name=", "blank"), ("language=fr", "invalid_choice"),
    ("language=en,", "invalid_choice"), ("site=5", "invalid"), (f"site={NOBODY}", "unknown_reference"),
    ("from=2027-02-30", "invalid"), ("from=2027-01-02&until=2027-01-01", "reversed_range"),
    ("from=1900-01-01&until=2099-01-01", "range_too_long"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "code"), QUERIES)
def test_a_bad_query_is_refused(anybody: APIClient, query: str, code: str) -> None:
    response = anybody.get(f"/api/v1/patients/?{query}")
    assert problem(response) == (400, code)
    assert response.json()["errors"][0]["parameter"]


def test_a_foreign_site_in_a_filter_looks_unknown(desk: APIClient, clinic: Clinic) -> None:
    assert clinic.other is not None
    foreign = desk.get(f"/api/v1/patients/?site={clinic.other.site.pk}")
    assert foreign.json() == desk.get(f"/api/v1/patients/?site={uuid.uuid4()}").json()


def test_filters_filter(desk: APIClient, clinic: Clinic) -> None:
    lovelace = factories.make_patient(clinic.site, family_name="Lovelace", language="es")

    def found(query: str) -> set[str]:
        return {row["id"] for row in desk.get(f"/api/v1/patients/?{query}").json()["results"]}

    assert found("language=es") == found("family_name=Lovelace") == {str(lovelace.pk)}
    assert found(f"site={clinic.site.pk}&language=en,es") == {str(lovelace.pk), str(clinic.patient.pk)}
    assert found("from=1980-03-01&until=1990-01-01") == set()


def test_pages_turn_both_ways_and_show_each_record_once(desk: APIClient, clinic: Clinic) -> None:
    made = {str(factories.make_patient(clinic.site).pk) for _ in range(6)} | {str(clinic.patient.pk)}
    pages = [desk.get("/api/v1/patients/?page_size=3").json()]
    assert pages[0]["previous"] is None
    while pages[-1]["next"]:
        assert pages[-1]["next"].startswith("http://testserver/api/v1/patients/?")
        pages.append(desk.get(pages[-1]["next"]).json())
    ids = [row["id"] for page in pages for row in page["results"]]
    assert [len(page["results"]) for page in pages] == [3, 3, 1]
    assert ids == sorted(ids)
    assert set(ids) == made
    assert desk.get(pages[-1]["previous"]).json()["results"] == pages[1]["results"]


def test_a_version_guards_reading_and_changing(desk: APIClient, clinic: Clinic) -> None:
    address = f"/api/v1/patients/{clinic.patient.pk}/"
    first = desk.get(address)
    assert (first["ETag"], first["Cache-Control"]) == ('"1"', "private, no-store")
    unchanged = desk.get(address, headers={"If-None-Match": 'W/"1", "9"'})
    assert (unchanged.status_code, unchanged["ETag"], unchanged.content) == (304, '"1"', b"")

    def change(if_match: str | None) -> Any:
        headers = {} if if_match is None else {"If-Match": if_match}
        return desk.patch(address, {"given_name": "Grace"}, format="json", headers=headers)

    changed = change('"1"')
    assert (changed.status_code, changed["ETag"], changed.json()["version"]) == (200, '"2"', 2)
    for stale in ('"1"', 'W/"2"', "*", '"abc"', '""'):
        assert problem(change(stale)) == (412, "stale")
    assert problem(change("2")) == (400, "bad_if_match")
    assert change('"1", "2"').status_code == 200
    assert change(None)["ETag"] == '"4"'
    assert desk.get(address, headers={"If-None-Match": '"1"'}).status_code == 200


def test_a_record_is_made_shown_and_removed(desk: APIClient, api: Api, clinic: Clinic) -> None:
    body = {
        "site": str(clinic.site.pk), "given_name": "Ada", "family_name": "Lovelace", "birth_date": "1815-12-10",
        "preferred_channels": ["sms"],
    }  # fmt: skip
    assert faults(desk.post("/api/v1/patients/", body, format="json")) == {"/birth_date": "out_of_range"}
    made = desk.post("/api/v1/patients/", {**body, "birth_date": "1915-12-10"}, format="json")
    assert made.status_code == 201
    assert made["ETag"] == '"1"'
    assert desk.get(made["Location"]).json() == made.json()
    for name in ("id", "user", "version"):
        assert faults(desk.patch(made["Location"], {name: 1}, format="json")) == {f"/{name}": "read_only"}
    empty = desk.post("/api/v1/patients/", {}, format="json")
    assert set(faults(empty)) == {"/site", "/given_name", "/family_name", "/birth_date"}
    assert problem(api(clinic.users["auditor"]).delete(made["Location"])) == (403, "forbidden")
    assert faults(desk.delete(made["Location"], {"x": 1}, format="json")) == {"/x": "unknown_field"}
    assert desk.delete(made["Location"]).status_code == 204
    assert problem(desk.delete(made["Location"])) == (404, "not_found")


def test_a_relation_that_may_be_written_must_say_who_may_be_named() -> None:
    class Careless(StrictModelSerializer):
        class Meta:
            model = Patient
            fields = ("site",)

    with pytest.raises(AssertionError, match="ReferenceField"):
        Careless().get_fields()


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, None), ("*", frozenset()), ('"3"', frozenset("3")), ('W/"3"', frozenset()), ('"3" , "4"', frozenset("34"))],
)
def test_if_match_is_read(header: str | None, expected: frozenset[str] | None) -> None:
    assert conditions.expected_versions(header) == expected


# ---- the same request twice -----------------------------------------------------------------------------------------


def organizations(name: str = "x") -> int:
    """How many organizations the small service has made under this name."""
    return Organization.objects.filter(name=name).count()


def make(client: APIClient, body: dict[str, Any], key: str | None = "k1", address: str = "organizations/") -> Any:
    """POST to the small service with this key."""
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(f"/api/v1/{address}", body, format="json", headers=headers)


def test_a_repeat_is_answered_again_and_done_once(desk: APIClient) -> None:
    first, second = make(desk, {"name": "x"}), make(desk, {"name": "x"})
    assert (first.status_code, second.status_code, organizations()) == (201, 201, 1)
    assert first.content == second.content
    assert first["Location"] == second["Location"]
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert second["Content-Type"] == "application/json"
    assert make(desk, {"name": "x"}, key="k2").status_code == 201
    assert make(desk, {"name": "x"}, key=None).status_code == 201
    assert organizations() == 3


def test_another_request_under_the_same_key_is_a_422(desk: APIClient) -> None:
    make(desk, {"name": "x"})
    assert problem(make(desk, {"name": "y"})) == (422, "idempotency_key_reused")
    assert problem(make(desk, {"name": "x"}, address="everything/")) == (422, "idempotency_key_reused")
    assert organizations("y") == 0


def test_a_key_belongs_to_its_caller(desk: APIClient, api: Api, clinic: Clinic) -> None:
    first = make(desk, {"name": "x"})
    other = make(api(clinic.users["nurse"]), {"name": "x"})
    assert first.json() != other.json()
    assert organizations() == 2


def test_a_refusal_is_not_kept(desk: APIClient, clinic: Clinic) -> None:
    assert problem(make(desk, {"then": "refuse_undone"})) == (400, "bad")
    assert problem(make(desk, {"then": "clash"})) == (409, "name_taken")
    assert not IdempotencyKey.objects.exists()
    assert make(desk, {}).status_code == 201


def test_what_was_committed_before_a_refusal_stays_as_it_does_without_a_key(desk: APIClient) -> None:
    refused = make(desk, {"then": "refuse"})
    assert problem(refused) == (409, "lost")
    assert refused.json()["plans"] == [{"id": "1"}]
    assert organizations() == 1
    assert not IdempotencyKey.objects.exists()


@pytest.mark.usefixtures("committed")
def test_a_crash_leaves_neither_effect_nor_key() -> None:
    clinic = factories.make_clinic()
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {factories.make_token(clinic.users['nurse'])}")
    assert problem(make(client, {"then": "crash"})) == (500, "internal_error")
    assert (organizations(), IdempotencyKey.objects.count()) == (0, 0)


def test_keys_are_forgotten_after_a_day(desk: APIClient) -> None:
    first = make(desk, {})
    IdempotencyKey.objects.update(created_at="2020-01-01T00:00:00Z")
    assert make(desk, {}).json() != first.json()
    IdempotencyKey.objects.update(created_at="2020-01-01T00:00:00Z")
    assert (idempotency.forget_expired(), IdempotencyKey.objects.count()) == (1, 0)


@pytest.mark.usefixtures("committed")
def test_of_many_at_once_one_is_done_and_all_get_its_answer() -> None:
    user = factories.make_user(factories.make_organization(), "nurse")
    token = factories.make_token(user)
    answers = together([lambda: make(APIClient(HTTP_AUTHORIZATION=f"Bearer {token}"), {"name": "x"})] * 12)
    assert [answer.status_code for answer in answers] == [201] * 12
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer for answer in answers) == 11
    assert organizations() == 1


@pytest.fixture
def first_still_runs(committed: None) -> Iterator[tuple[APIClient, Callable[[], Any]]]:
    """A client, and a function that lets its first request go on and returns its answer."""
    clinic = factories.make_clinic()
    token = factories.make_token(clinic.users["nurse"])
    OrganizationsView.entered.clear()
    OrganizationsView.leave.clear()
    answers: list[Any] = []

    def run() -> None:
        try:
            answers.append(make(APIClient(HTTP_AUTHORIZATION=f"Bearer {token}"), {"then": "wait"}))
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert OrganizationsView.entered.wait(20)

    def finish() -> Any:
        OrganizationsView.leave.set()
        thread.join(20)
        return answers[0]

    yield APIClient(HTTP_AUTHORIZATION=f"Bearer {token}"), finish
    finish()


def test_while_the_first_runs_too_long_the_second_is_told_to_come_back(
    first_still_runs: tuple[APIClient, Callable[[], Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "LONGEST_WAIT", "50ms")
    client, finish = first_still_runs
    second = make(client, {"then": "wait"})
    assert problem(second) == (409, "still_running")
    assert int(second["Retry-After"]) >= 1
    assert finish().status_code == 201
    assert make(client, {"then": "wait"})["Idempotency-Replayed"] == "true"


def test_a_second_waits_for_the_first_and_gets_its_answer(
    first_still_runs: tuple[APIClient, Callable[[], Any]],
) -> None:
    client, finish = first_still_runs
    release = threading.Thread(target=when_somebody_waits, args=(OrganizationsView.leave.set,))
    release.start()
    second = make(client, {"then": "wait"})
    release.join(20)
    assert second.content == finish().content
    assert second["Idempotency-Replayed"] == "true"
    assert organizations() == 1


def when_somebody_waits(then: Callable[[], None]) -> None:
    """Call `then` once a connection waits for another one's transaction."""
    pause = threading.Event()
    try:
        for _ in range(400):
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'transactionid'")
                if cursor.fetchone()[0]:
                    break
            pause.wait(0.01)
        then()
    finally:
        connection.close()


# ---- how often ------------------------------------------------------------------------------------------------------


def test_calls_over_the_limit_are_told_when_to_come_back(api: Api, clinic: Clinic, settings: Settings) -> None:
    settings.CALLS_PER_MINUTE = {"user": 3, "anonymous": 2}
    desk, nurse, nobody = api(clinic.users["front_desk"]), api(clinic.users["nurse"]), api(None)
    assert [desk.get("/api/v1/auth/me/").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert nurse.get("/api/v1/auth/me/").status_code == 200
    assert [nobody.get("/api/v1/open/").status_code for _ in range(3)] == [200, 200, 429]
    refused = nobody.get("/api/v1/open/", headers={"X-Forwarded-For": "203.0.113.9"})
    assert problem(refused) == (429, "too_many")
    assert 1 <= int(refused["Retry-After"]) <= 60


@pytest.mark.parametrize("seed", ["2001:db8::1", "2001:db8::ffff:1"])
def test_a_network_of_one_subscriber_counts_as_one(db: None, settings: Settings, seed: str) -> None:
    settings.CALLS_PER_MINUTE = {"user": 3, "anonymous": 1}
    assert APIClient(REMOTE_ADDR="2001:db8::2").get("/api/v1/open/").status_code == 200
    assert APIClient(REMOTE_ADDR=seed).get("/api/v1/open/").status_code == 429
    assert APIClient(REMOTE_ADDR="2001:db8:1::2").get("/api/v1/open/").status_code == 200


# ---- signing in -----------------------------------------------------------------------------------------------------


def sign_in(client: APIClient, email: str, password: Any = factories.PASSWORD) -> Any:
    """Try to sign in."""
    return client.post("/api/v1/auth/login/", {"email": email, "password": password}, format="json")


def test_signing_in_and_out(clinic: Clinic) -> None:
    nurse, client = clinic.users["nurse"], APIClient()
    answer = sign_in(client, nurse.email.upper())
    assert answer.status_code == 200
    assert answer.json().keys() == {"token", "expires_at"}
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['token']}")
    me = client.get("/api/v1/auth/me/").json()
    assert me == {
        "id": str(nurse.pk), "email": nurse.email, "name": nurse.name, "roles": ["nurse"],
        "organization": str(clinic.organization.pk), "sites": [str(clinic.site.pk)],
    }  # fmt: skip
    assert client.post("/api/v1/auth/logout/").status_code == 204
    assert problem(client.get("/api/v1/auth/me/")) == (401, "bad_token")


def test_a_token_is_kept_nowhere_in_plain_text(clinic: Clinic) -> None:
    headers = {"Idempotency-Key": "k1"}
    body = {"email": clinic.users["nurse"].email, "password": factories.PASSWORD}
    answer = APIClient().post("/api/v1/auth/login/", body, format="json", headers=headers)
    assert answer.status_code == 200
    assert not IdempotencyKey.objects.exists()
    assert not AuthToken.objects.filter(digest=answer.json()["token"]).exists()


def test_wrong_sign_ins_look_alike(clinic: Clinic) -> None:
    nurse = clinic.users["nurse"]
    gone = clinic.users["manager"]
    gone.is_active = False
    gone.save()
    answers = [
        sign_in(APIClient(), nurse.email, "wrong"),
        sign_in(APIClient(), "nobody@example.org"),
        sign_in(APIClient(), "no address at all"),
        sign_in(APIClient(), gone.email),
    ]
    assert {problem(answer) for answer in answers} == {(401, "wrong_credentials")}
    assert len({answer.content for answer in answers}) == 1
    assert all(answer["WWW-Authenticate"].startswith("Bearer") for answer in answers)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"email": "a@example.org", "password": "x" * 4097}, 400, "max_length"),
        ({"email": "a@example.org", "password": "a\x00b"}, 400, "bad_character"),
        ({"email": "a@example.org", "password": ""}, 400, "blank"),
        ({"email": "a@example.org", "password": 5}, 400, "type"),
        ({"email": "a@example.org"}, 400, "required"),
        ({"email": "a@example.org", "password": "x", "role": "admin"}, 400, "unknown_field"),
    ],
)
def test_a_bad_sign_in_is_a_400(db: None, body: dict[str, Any], status: int, code: str) -> None:
    assert problem(APIClient().post("/api/v1/auth/login/", body, format="json")) == (status, code)


def test_too_many_failures_close_the_account_for_that_address(clinic: Clinic, settings: Settings) -> None:
    settings.SIGN_IN_FAILURES = {"account": 3, "address": 100, "seconds": 300}
    nurse = clinic.users["nurse"].email
    assert [sign_in(APIClient(), nurse, "wrong").status_code for _ in range(3)] == [401] * 3
    refused = sign_in(APIClient(), nurse)
    assert problem(refused) == (429, "too_many_sign_ins")
    assert 1 <= int(refused["Retry-After"]) <= 300
    assert sign_in(APIClient(REMOTE_ADDR="192.0.2.7"), nurse).status_code == 200
    assert sign_in(APIClient(), clinic.users["manager"].email).status_code == 200


def test_right_sign_ins_do_not_count(clinic: Clinic, settings: Settings) -> None:
    settings.SIGN_IN_FAILURES = {"account": 2, "address": 2, "seconds": 300}
    nurse = clinic.users["nurse"].email
    assert [sign_in(APIClient(), nurse).status_code for _ in range(4)] == [200] * 4


def test_one_address_cannot_try_many_accounts(clinic: Clinic, settings: Settings) -> None:
    settings.SIGN_IN_FAILURES = {"account": 10, "address": 2, "seconds": 300}
    tries = [sign_in(APIClient(), f"user{n}@example.org").status_code for n in range(3)]
    assert tries == [401, 401, 429]


@pytest.mark.usefixtures("committed")
def test_of_many_tries_at_once_no_more_are_looked_at_than_allowed(settings: Settings) -> None:
    settings.SIGN_IN_FAILURES = {"account": 3, "address": 100, "seconds": 300}
    statuses = together([lambda: sign_in(APIClient(), "nobody@example.org", "wrong").status_code] * 12)
    assert sorted(statuses) == [401] * 3 + [429] * 9


# ---- the document ---------------------------------------------------------------------------------------------------


def test_the_document_is_open_and_says_what_all_operations_share(db: None) -> None:
    response = APIClient().get("/api/v1/schema/")
    assert response.status_code == 200
    document = response.json()
    assert document["openapi"].startswith("3.1")
    post = document["paths"]["/api/v1/patients/"]["post"]
    assert "Idempotency-Key" in {parameter["name"] for parameter in post["parameters"]}
    assert {"201", "400", "401", "403", "409", "422", "429", "default"} <= post["responses"].keys()
    patch = document["paths"]["/api/v1/patients/{id}/"]["patch"]
    assert "If-Match" in {parameter["name"] for parameter in patch["parameters"]}
    assert "application/problem+json" in document["components"]["responses"]["Problem400"]["content"]
    listed = document["paths"]["/api/v1/patients/"]["get"]
    assert {"cursor", "page_size", "site", "from", "until"} <= {each["name"] for each in listed["parameters"]}
    again = APIClient().get("/api/v1/schema/", headers={"If-None-Match": response["ETag"]})
    assert again.status_code == 304


def test_the_document_is_read_from_local_files(db: None) -> None:
    page = APIClient().get("/api/v1/docs/").content.decode()
    assert "/static/drf_spectacular_sidecar/" in page
    assert "https://" not in page


ANSWER = {
    "text": "\u2028 </script> \U0001f600 é",
    "numbers": [0, -1, 2**63 - 1, 1.5],
    "lazy": gettext_lazy("Yes"),
    "detail": ErrorDetail("no", "code"),
    "id": uuid.UUID(int=7),
    "instant": datetime(2027, 1, 4, 15, tzinfo=UTC),
    "date": date(2027, 1, 4),
    "choice": Role.NURSE,
    5: (None, True, {"deep": []}),
}


def test_answers_are_written_as_the_framework_writes_them() -> None:
    ours, theirs = (each().render(ANSWER) for each in (JSONRenderer, renderers.JSONRenderer))
    assert json.loads(ours) == json.loads(theirs)
    assert JSONRenderer().render(None) == b""
