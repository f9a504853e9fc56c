"""The API's description: whole, true to what the service answers, and read without leaving the machine."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.core.management import call_command
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from rest_framework.test import APIClient

from accounts.http.schema import document
from tests.operations import BASE, OPERATIONS, Operation
from tests.world import World, open_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.plugin import DjangoDbBlocker

pytestmark = pytest.mark.django_db

# The examples speak of January 2027.
TODAY = datetime(2026, 11, 23, 16, tzinfo=UTC)
# Whose records stand for those that examples name.
STAND_INS = {
    "site": "site", "chair": "chair", "provider": "own_provider", "patient": "patient", "protocol": "protocol",
    "plan": "plan", "series": "series", "session": "booked", "user": "free_sign_in",
}  # fmt: skip
INSTEAD = {"POST series/{series}/replan/": {"plan": "rest_plan"}, "POST on-call/": {"user": "clinician"}}
DESCRIBED = [operation for operation in OPERATIONS if operation.path not in {"schema/", "docs/"}]


@pytest.fixture(scope="module")
def made(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with time_machine.travel(TODAY), django_db_blocker.unblock(), open_world() as (world, _):
        yield world


@pytest.fixture
def world(made: World, db: None) -> World:
    return made


@pytest.fixture(scope="module")
def described(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> dict[str, Any]:
    """The document as it is served; another test may have left that of another service. Nobody changes it here."""
    document.cache_clear()
    with django_db_blocker.unblock():
        answer = APIClient().get(f"{BASE}schema/")
    document.cache_clear()
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def entry(described: dict[str, Any], operation: Operation) -> dict[str, Any]:
    """What the document says of an operation."""
    found: dict[str, Any] = described["paths"][f"/{BASE.strip('/')}/{operation.route}"][operation.method.lower()]
    return found


def test_it_is_written_without_a_warning() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", os.devnull)


def test_it_describes_every_operation_and_no_other(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1")
    listed = {
        (method.upper(), path.removeprefix(BASE)) for path, methods in described["paths"].items() for method in methods
    }
    assert listed == {(operation.method, operation.route) for operation in DESCRIBED}


@pytest.mark.parametrize("operation", DESCRIBED, ids=str)
def test_every_operation_says_how_it_refuses(described: dict[str, Any], operation: Operation) -> None:
    answers = entry(described, operation)["responses"]
    expected = {"400", "404", "429", "default"}
    expected |= {"409", "413", "415", "422"} if operation.writes else set()
    expected |= {"401", "403"} if operation.right is not None else set()
    assert expected <= answers.keys()
    for status in expected:
        problem = described["components"]["responses"][answers[status]["$ref"].rpartition("/")[2]]
        assert problem["description"]
        assert problem["content"].keys() == {"application/problem+json"}


@pytest.mark.parametrize("operation", [each for each in DESCRIBED if each.body], ids=str)
def test_every_body_has_an_example_that_is_taken(described: dict[str, Any], world: World, operation: Operation) -> None:
    content = entry(described, operation)["requestBody"]["content"]
    assert content.keys() == {"application/json"}
    examples = content["application/json"].get("examples")
    assert examples, "an example is missing"
    for example in examples.values():
        body = with_records(example["value"], world, instead=INSTEAD.get(str(operation), {}))
        role = None if operation.right is None else "admin"
        answer = operation.send(world, role, body)
        # Nobody of the demo signs in here.
        fine = {401} if operation.path == "auth/login/" else {200, 201, 409}
        assert answer.status_code in fine, answer.content


def with_records(value: Any, world: World, name: str = "", instead: dict[str, str] | None = None) -> Any:
    """The example with records that are there."""
    stand_ins = STAND_INS | (instead or {})
    if isinstance(value, dict):
        return {key: with_records(inner, world, key, instead) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_records(inner, world, name.removesuffix("s"), instead) for inner in value]
    if name in stand_ins and isinstance(value, str):
        return world.ids[stand_ins[name]]
    return value


@pytest.mark.parametrize("operation", DESCRIBED, ids=str)
def test_what_is_answered_is_what_is_described(described: dict[str, Any], world: World, operation: Operation) -> None:
    answer = operation.send(world, None if operation.right is None else "admin")
    answers = entry(described, operation)["responses"]
    assert str(answer.status_code) in answers, answer.content
    if answer.status_code == 204:
        assert "content" not in answers["204"]
        return
    if answer["Content-Type"] != "application/json":
        assert answer["Content-Type"].partition(";")[0] in answers[str(answer.status_code)]["content"]
        return
    schema = answers[str(answer.status_code)]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": described["components"]}).validate(answer.json())


def test_a_refusal_is_as_it_is_described(described: dict[str, Any], world: World) -> None:
    problem = Draft202012Validator(described["components"]["schemas"]["Problem"])
    for operation in DESCRIBED:
        problem.validate(refused(operation, world))


def refused(operation: Operation, world: World) -> Any:
    """The answer to a body that is no JSON, or a parameter that there is not."""
    if operation.writes:
        return operation.send(world, "admin", b"[").json()
    address = operation.address(world, "admin").partition("?")[0] + "?colour=red"
    return operation.send(world, "admin", address=address).json()


# ---- the page -------------------------------------------------------------------------------------------------------


def test_the_page_is_open_and_loads_only_what_is_here(db: None) -> None:
    page = APIClient().get(f"{BASE}docs/")
    assert page.status_code == 200
    assert page["Content-Type"].startswith("text/html")
    loaded = re.findall(r"""(?:src|href)=["']?([^"' >]+)""", page.content.decode())
    assert len(loaded) >= 3
    script = APIClient().get(f"{BASE}docs/", {"script": ""})
    assert script.status_code == 200
    for text in (page.content.decode(), script.content.decode()):
        assert not re.search(r"""["'(](?:https?:)?//""", text), "something comes from elsewhere"
    for address in loaded:
        assert address.startswith("/")
        assert APIClient().get(address).status_code == 200, address


def test_the_document_is_open_and_kept_by_its_tag(described: dict[str, Any]) -> None:
    first = APIClient().get(f"{BASE}schema/")
    again = APIClient().get(f"{BASE}schema/", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
