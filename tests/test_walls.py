"""The walls: who may call what, and that nothing of others is seen, named or even hinted at."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.db import transaction

from accounts.http.filters import ReferenceFilter
from accounts.models import AuditEntry, Patient, Role, Site
from accounts.queries import sight_of, visible_patients, visible_sites
from accounts.rights import RIGHTS
from scheduler.models import Protocol
from scheduler.queries import visible_protocols
from sessions.models import Plan
from sessions.queries import to_be_booked, to_be_planned, visible_plans
from tests.door import listening
from tests.operations import BASE, BY_NAME, OPERATIONS, READS, WRITES, Operation, routes
from tests.world import World, open_world, reads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.plugin import DjangoDbBlocker

pytestmark = pytest.mark.django_db
# Rows that no operation asks for.
RIGHTS_WITHOUT_OPERATION: set[str] = set()
# Rooms whose every record belongs to a patient.
OF_PATIENTS = (
    "patients", "orders", "plans", "series", "sessions", "disruptions", "waitlist-entries", "offers", "notifications",
    "follow-ups", "alerts", "replies",
)  # fmt: skip
# Changes that leave no entry: sign-ins, and messages, which are a log themselves.
NOT_IN_THE_TRAIL = {
    "POST auth/login/",
    "POST auth/logout/",
    "POST notifications/{message}/resend/",
    "POST wordings/preview/",
}
# Bodies that name one of several records.
NAMES_ONE_OF = {"POST calendar-feeds/"}
# Records that a patient does not see: a protocol that cannot be booked, a site where they are not treated, a rule.
NOT_FOR_PATIENTS = {
    "draft", "spare_site", "gate_definition", "disruption", "applied_disruption", "person", "left_person", "invitation",
}  # fmt: skip
# Some of what writes visits: each kind of change.
WRITE_VISITS = {
    "POST series/", "POST series/{series}/replan/", "POST series/{series}/cancel/",
    "POST sessions/{booked}/reschedule/", "POST sessions/{booked}/reseat/", "POST sessions/{booked}/cancel/",
    "POST sessions/{confirmed}/arrive/", "POST offers/{offer}/accept/",
    "POST disruptions/{disruption}/apply/", "POST disruptions/{applied_disruption}/undo/",
}  # fmt: skip
SIGNED_IN = [operation for operation in OPERATIONS if operation.right is not None]
WITH_RIGHT = [operation for operation in OPERATIONS if operation.right]
ON_A_RECORD = [operation for operation in SIGNED_IN if operation.record]
LISTS = [operation for operation in READS if operation.right and operation.right.endswith(".list")]


@pytest.fixture(scope="module")
def worlds(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[World, World]]:
    """Ours, and that of another organization."""
    with django_db_blocker.unblock(), open_world() as made:
        yield made


@pytest.fixture
def world(worlds: tuple[World, World], db: None) -> World:
    return worlds[0]


@pytest.fixture
def other(world: World, worlds: tuple[World, World]) -> World:
    return worlds[1]


def problem(answer: Any) -> tuple[int, str]:
    """Status and code of what must be a problem."""
    assert answer["Content-Type"] == "application/problem+json", answer.content[:500]
    body = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"]


# ---- the table is whole ---------------------------------------------------------------------------------------------


def test_every_address_and_method_is_in_the_table() -> None:
    assert {(operation.method, operation.route) for operation in OPERATIONS} == set(routes())


def test_every_operation_has_its_row_of_rights_and_every_row_an_operation() -> None:
    asked = {operation.right for operation in WITH_RIGHT}
    assert asked <= RIGHTS.keys()
    # PUT is offered nowhere.
    rows = {row for row in RIGHTS if not row.endswith(".update")}
    removable = {operation.right for operation in OPERATIONS if operation.method == "DELETE"}
    never = {row for row in rows if row.endswith((".destroy", ".partial_update")) and row not in asked}
    assert rows - asked - never == RIGHTS_WITHOUT_OPERATION
    assert not never & removable


# ---- roles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", SIGNED_IN, ids=str)
def test_without_sign_in_it_is_a_401(world: World, operation: Operation) -> None:
    answer = operation.send(world, None)
    assert problem(answer) == (401, "not_signed_in")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def may(operation: Operation, role: str) -> bool:
    """What the table of rights says; patients may besides change how they themselves are reached."""
    allowed = RIGHTS[str(operation.right)]
    own_contact = (operation.right, role) == ("patients.partial_update", Role.PATIENT)
    return role in allowed or (role == Role.ADMIN and bool(allowed)) or own_contact


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("operation", WITH_RIGHT, ids=str)
def test_a_role_does_what_its_row_says_and_no_more(world: World, operation: Operation, role: str) -> None:
    before = AuditEntry.objects.exclude(action="read").filter(actor=world.users[role].pk).count()
    with listening() as asked:
        answer = operation.send(world, role)
    assert asked.past_the_door == []
    if role == Role.PATIENT and operation.record in NOT_FOR_PATIENTS:
        assert problem(answer) == (404, "not_found")
        return
    if not may(operation, role):
        assert problem(answer) == (403, "forbidden")
        return
    assert answer.status_code < 300, answer.content
    if operation.writes and str(operation) not in NOT_IN_THE_TRAIL:
        after = AuditEntry.objects.exclude(action="read").filter(actor=world.users[role].pk).count()
        assert after > before, "a change is in the trail under the name of who made it"


def test_what_writes_visits_is_known_and_no_admin_site_writes_past_the_door(world: World) -> None:
    """Else the line above that looks for writes before locks would show nothing."""
    writing = set()
    for operation in WRITES:
        if operation.path.startswith(("series/", "sessions/", "offers/", "disruptions/")) and operation.right:
            with transaction.atomic(), listening() as asked:
                assert operation.send(world, "admin").status_code < 300
                transaction.set_rollback(True)
            writing |= {str(operation)} if asked.wrote else set()
    assert writing >= WRITE_VISITS
    assert "django.contrib.admin" not in settings.INSTALLED_APPS


@pytest.mark.parametrize("role", [Role.NURSE, Role.PATIENT])
@pytest.mark.parametrize(
    "operation", [each for each in READS if each.right and each.path.startswith(OF_PATIENTS)], ids=str
)
def test_a_read_of_a_patients_record_is_in_the_trail(world: World, operation: Operation, role: str) -> None:
    if role not in RIGHTS[str(operation.right)]:
        assert operation.send(world, role).status_code in {403, 404}
        return
    before = reads(world.users[role], world.ids["patient"])
    assert operation.send(world, role).status_code == 200
    assert reads(world.users[role], world.ids["patient"]) > before


# ---- other organizations, other sites, other patients ---------------------------------------------------------------

# Who else may see a record: the same organization its protocols, gates and rules, patients what their clinic offers.
SEEN_ELSEWHERE = {"draft", "gate_definition", "flag_rule"}
OF_A_PATIENT = {
    "patient", "order", "plan", "series", "review", "booked", "confirmed", "arrived", "infusing", "paused",
    "recovering", "overdue", "message", "follow_up", "alert", "reply", "feed", "entry", "offer",
}  # fmt: skip


def outsiders() -> list[Any]:
    """(operation, whose client: ours or the other world's, as whom)."""
    found = []
    for operation in ON_A_RECORD:
        found.append(pytest.param(operation, "other", "admin", id=f"{operation} by another organization"))
        if operation.record not in SEEN_ELSEWHERE | {"spare_site"}:
            found.append(pytest.param(operation, "ours", "elsewhere", id=f"{operation} by another site"))
        if operation.record in OF_A_PATIENT:
            found.append(pytest.param(operation, "ours", "neighbour", id=f"{operation} by another patient"))
    return found


@pytest.mark.parametrize(("operation", "whose", "who"), outsiders())
def test_a_record_out_of_sight_is_as_one_that_is_not_there(
    world: World, other: World, operation: Operation, whose: str, who: str
) -> None:
    assert operation.record is not None
    caller = other if whose == "other" else world
    body = operation.content(world, "admin")
    foreign = operation.send(caller, who, body, address=operation.address(world, "admin"))
    nowhere = {operation.record: str(uuid.uuid4())}
    unknown = operation.send(caller, who, body, address=operation.address(world, "admin", **nowhere))
    assert problem(foreign) == (404, "not_found")
    assert foreign.content == unknown.content


@pytest.mark.parametrize("removal", [each for each in ON_A_RECORD if each.method == "DELETE"], ids=str)
def test_a_removed_record_is_as_one_that_never_was(world: World, removal: Operation) -> None:
    assert removal.record is not None
    assert removal.send(world, "admin").status_code == 204
    nowhere = {removal.record: str(uuid.uuid4())}
    for operation in ON_A_RECORD:
        if operation.record == removal.record:
            gone = operation.send(world, "admin")
            unknown = operation.send(world, "admin", address=operation.address(world, "admin", **nowhere))
            assert problem(gone) == (404, "not_found"), operation
            assert gone.content == unknown.content


@pytest.mark.parametrize("operation", LISTS, ids=str)
def test_a_list_shows_nothing_of_others(world: World, other: World, operation: Operation) -> None:
    own = operation.send(world, "admin").content.decode()
    assert any(identity in own for identity in world.ids.values()), "there is something to be seen"
    for identity in other.ids.values():
        assert identity not in own
    seen = operation.send(world, "neighbour").content.decode()
    for name in OF_A_PATIENT:
        assert world.ids[name] not in seen


FILTERED = {
    "site": "site", "patient": "patient", "protocol": "protocol", "series": "series", "session": "booked",
    "chair": "chair", "provider": "provider", "owner": "colleague", "alert": "alert",
}  # fmt: skip


def filters() -> list[Any]:
    """(operation, query parameter) for each that names a record."""
    found = [("GET availability/?site={site}&from=2027-01-04&until=2027-01-05", "site")]
    found.append(("GET reports/utilisation/?site={site}&from=2027-01-04&until=2027-01-31", "site"))
    found.append(("GET board/?site={site}&date=2027-01-04", "site"))
    found.append(("GET follow-ups/trend/?patient={patient}&instrument=PEG", "patient"))
    views = routes()
    for operation in LISTS:
        shape = getattr(views[(operation.method, operation.route)].cls, "filterset_class", None)
        for name, each in getattr(shape, "base_filters", {}).items():
            if isinstance(each, ReferenceFilter):
                found.append((str(operation), name))
    return [pytest.param(BY_NAME[one], name, id=f"{one} {name}") for one, name in found]


@pytest.mark.parametrize(("operation", "name"), filters())
def test_a_filter_does_not_tell_a_foreign_record_from_none(
    world: World, other: World, operation: Operation, name: str
) -> None:
    def ask(value: str) -> Any:
        path, _, query = operation.address(world, "admin").partition("?")
        asked = [part for part in query.split("&") if part and not part.startswith(f"{name}=")]
        return operation.send(world, "admin", address=f"{path}?{'&'.join([*asked, f'{name}={value}'])}")

    assert ask(world.ids[FILTERED[name]]).status_code == 200
    foreign, unknown = ask(other.ids[FILTERED[name]]), ask(str(uuid.uuid4()))
    assert problem(foreign) == (400, "unknown_reference")
    assert foreign.content == unknown.content


def references(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where ids stand in a body."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from references(inner, (*at, key))
    if isinstance(value, str) and len(value) == 36 and value.count("-") == 4:
        yield at


def put(body: Any, at: tuple[Any, ...], value: Any) -> Any:
    """The body with another value at one place."""
    whole = json.loads(json.dumps(body))
    inner = whole
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return whole


WITH_BODY = [operation for operation in WRITES if operation.body]


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
def test_a_body_does_not_tell_a_foreign_record_from_none(world: World, other: World, operation: Operation) -> None:
    body, theirs = operation.content(world, "admin"), operation.content(other, "admin")
    for at in references(body):
        foreign_id = theirs
        for key in at:
            foreign_id = foreign_id[key]
        foreign = operation.send(world, "admin", put(body, at, foreign_id))
        unknown = operation.send(world, "admin", put(body, at, str(uuid.uuid4())))
        assert problem(foreign) == (400, "unknown_reference")
        assert foreign.json()["errors"][0]["pointer"] == "/" + "/".join(map(str, at))
        assert foreign.content == unknown.content


def test_the_bodies_name_a_record_wherever_one_can_be_named(world: World) -> None:
    from accounts.http.fields import ReferenceField

    for operation in WITH_BODY:
        shape = getattr(getattr(routes()[(operation.method, operation.route)], "cls", None), "serializer_class", None)
        if shape is None or operation.method != "POST" or not str(operation.right).endswith("create"):
            continue
        named = {at[0] for at in references(operation.content(world, "admin"))}
        takes = {
            name for name, field in shape().fields.items() if isinstance(field, ReferenceField) and not field.read_only
        }
        takes -= {name for one, name, _ in OTHER_WAYS if one == str(operation)}
        assert takes <= named or (str(operation) in NAMES_ONE_OF and takes & named), operation


# Bodies of which a test names one of several subjects: operation, the field in its place, whose record that is.
OTHER_WAYS = [
    ("POST plans/", "series", "series"),
    ("POST plans/", "session", "booked"),
    ("POST sessions/{booked}/reschedule/", "plan", "plan"),
    ("POST disruptions/", "chair", "chair"),
    ("POST disruptions/", "site", "site"),
    ("POST waitlist-entries/", "protocol", "protocol"),
]


@pytest.mark.parametrize(("operation", "name", "record"), OTHER_WAYS)
def test_another_subject_does_not_tell_a_foreign_record_from_none(
    world: World, other: World, operation: str, name: str, record: str
) -> None:
    body = {**BY_NAME[operation].content(world, "admin"), name: other.ids[record]}
    foreign = BY_NAME[operation].send(world, "admin", body)
    unknown = BY_NAME[operation].send(world, "admin", {**body, name: str(uuid.uuid4())})
    assert foreign.status_code == 400
    assert (f"/{name}", "unknown_reference") in {(one["pointer"], one["code"]) for one in foreign.json()["errors"]}
    assert foreign.content == unknown.content


@pytest.mark.parametrize("name", ["patient", "plan"])
def test_a_patient_books_nothing_for_another(world: World, name: str) -> None:
    for operation in (BY_NAME["POST plans/"], BY_NAME["POST series/"]):
        body = operation.content(world, "neighbour")
        if name not in body:
            continue
        foreign = operation.send(world, "neighbour", body)
        unknown = operation.send(world, "neighbour", {**body, name: str(uuid.uuid4())})
        assert foreign.status_code == unknown.status_code == 400
        pointers = [fault["pointer"] for fault in foreign.json()["errors"] if fault["code"] == "unknown_reference"]
        assert f"/{name}" in pointers
        assert foreign.content == unknown.content


@pytest.mark.parametrize("name", ["rule", "time_off"])
def test_a_nurse_changes_no_hours_but_their_own(world: World, name: str) -> None:
    room = {"rule": "availability-rules", "time_off": "time-off"}[name]
    others = world.by_role["prescriber"][name]
    change = BY_NAME[f"PATCH {room}/{{{name}}}/"]
    refused = change.send(world, "nurse", address=f"{BASE}{room}/{others}/")
    assert problem(refused) == (403, "not_your_hours")
    create = BY_NAME[f"POST {room}/"]
    body = create.content(world, "nurse") | {"provider": world.by_role["prescriber"]["own_provider"]}
    assert problem(create.send(world, "nurse", body)) == (403, "not_your_hours")


@pytest.mark.parametrize(
    ("find", "first", "seen"), [(to_be_booked, Plan, visible_plans), (to_be_planned, Site, visible_sites)]
)
def test_a_booking_finds_its_records_as_everything_else_does(
    world: World, other: World, find: Any, first: Any, seen: Any
) -> None:
    """For all people of both worlds, and every such record of both; half of them come as by a page."""
    rows = [list(model._default_manager.all()) for model in (first, Patient, Protocol)]
    known = [tuple(each[number % len(each)] for each in rows) for number in range(max(map(len, rows)))]
    for number, user in enumerate([*world.users.values(), *other.users.values()]):
        user.sight = sight_of(user) if number % 2 else None
        sees = [set(visible(user)) for visible in (seen, visible_patients, visible_protocols)]
        for wanted in known:
            found = find(user, *(each.pk for each in wanted))
            assert found == tuple(each if each in own else None for each, own in zip(wanted, sees, strict=True))
