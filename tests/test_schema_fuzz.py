"""Requests made from the OpenAPI document, in and out of its schema, against the whole service: none gives a 5xx, and
every answer is one that the document names, down to the last field.

Other requests with each FUZZ_SEED; FUZZ_EXAMPLES is how many there are for each operation.
"""

from __future__ import annotations

import copy
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection, transaction
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.http.schema import document
from accounts.models import Role
from config.wsgi import application
from tests.operations import BASE, OPERATIONS, Operation
from tests.world import World, open_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.plugin import DjangoDbBlocker
    from schemathesis import APIOperation, BaseSchema, Case

pytestmark = pytest.mark.django_db
SEED = int(os.environ.get("FUZZ_SEED", "20261122"))
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# The document and the page that shows it are no part of the document.
DESCRIBED = [operation for operation in OPERATIONS if operation.path not in {"schema/", "docs/"}]
# Filters that name a record of another kind than their own name says.
FILTERS = {"session": "completed"}
KNOWN_HEADERS = {"If-Match": ", ".join(f'"{version}"' for version in range(9)), "Idempotency-Key": "5f2c"}


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with django_db_blocker.unblock(), open_world() as (made, _):
        yield made


@pytest.fixture
def _one_connection(db: None) -> Iterator[None]:
    """Django would close this test's connection with each request, as one that a request has left in a transaction."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture(scope="module")
def schema() -> BaseSchema:
    """The document as it is served, but no answer may have a field, and none a status, that it does not name."""
    # Other tests serve other addresses, whose document may be kept.
    document.cache_clear()
    strict = json.loads(document())
    document.cache_clear()
    for name, component in strict["components"]["schemas"].items():
        # A problem may have members of its own.
        if "properties" in component and name != "Problem":
            component["additionalProperties"] = False
    for item in strict["paths"].values():
        for operation in item.values():
            operation["responses"].pop("default")
    made = schemathesis.openapi.from_dict(strict, config=SchemathesisConfig())
    made.app = application
    return made


def described(schema: BaseSchema, operation: Operation) -> APIOperation:
    """The document's own description of the operation."""
    return schema[BASE + operation.route][operation.method]


def test_the_document_describes_every_operation(schema: BaseSchema) -> None:
    named = {(method.upper(), path) for path in schema for method in schema[path]}
    assert named == {(operation.method, BASE + operation.route) for operation in DESCRIBED}


@pytest.mark.usefixtures("_one_connection")
@pytest.mark.parametrize("operation", DESCRIBED, ids=str)
def test_every_answer_is_in_the_schema(world: World, schema: BaseSchema, operation: Operation) -> None:
    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(attempt=attempts(world, described(schema, operation), operation))
    def check(attempt: tuple[Case, dict[str, str]]) -> None:
        case, headers = attempt
        with undone():
            case.call_and_validate(headers=headers, checks=CHECKS)

    print(f"FUZZ_SEED={SEED}")  # noqa: T201 -- shown with a failure, so that it can be repeated
    check()


@contextmanager
def undone() -> Iterator[None]:
    """Undo what the block writes, after the checks that the database keeps for the commit."""
    with transaction.atomic():
        yield
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)


@st.composite
def attempts(draw: st.DrawFn, world: World, shape: APIOperation, operation: Operation) -> tuple[Case, dict[str, str]]:
    """A request, and the headers that sign it in. It is made from the schema, or against it; for three of four, what
    the service knows is then put into it, so that they come as far as the use cases.
    """
    role = draw(st.sampled_from([Role.ADMIN] * 8 + Role.values))
    case = draw(cases(shape))
    if draw(st.sampled_from([True, True, True, False])):
        case.path_parameters = {name: draw(known_record(world, operation)) for name in case.path_parameters}
        case.query = {name: draw(known_filter(world, name, value)) for name, value in case.query.items()}
        if asked := dict(parse_qsl(urlsplit(operation.address(world, role)).query)):
            case.query = draw(known_fields(asked, case.query))
        known = {name: value for name, value in KNOWN_HEADERS.items() if name in case.headers}
        case.headers = CaseInsensitiveDict(known)
        if good := operation.content(world, role):
            case.body = draw(known_fields(good, case.body))
    return case, draw(st.sampled_from(credentials(operation, world.tokens[role])))


def cases(shape: APIOperation) -> st.SearchStrategy[Case]:
    """Requests as the schema has them; where it has a parameter or a body, others as well."""
    within = shape.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if not (shape.body or list(shape.iter_parameters())):
        return within
    return within | shape.as_strategy(generation_mode=GenerationMode.NEGATIVE)


def credentials(operation: Operation, token: str) -> list[dict[str, str]]:
    """Mostly those that are right. Where nobody has to sign in, right and wrong ones are of no matter."""
    right, wrong = {"Authorization": f"Bearer {token}"}, {"Authorization": "Bearer of-bad-news"}
    return [right] * (1 if operation.right is None else 8) + [wrong, {}]


def known_record(world: World, operation: Operation) -> st.SearchStrategy[str]:
    """The record with which the operation succeeds, or another of its kind."""
    own = str(operation.record)
    kind = operation.path.partition("/")[0]
    others = {each.record for each in OPERATIONS if each.path.startswith(f"{kind}/") and each.record}
    if own.endswith("token"):
        others = {name for name in world.ids if name.endswith("token")}
    alike = sorted(name for name in others if name.endswith("token") == own.endswith("token"))
    return st.sampled_from([own] * len(alike) + alike).map(world.ids.__getitem__)


def known_filter(world: World, name: str, value: Any) -> st.SearchStrategy[Any]:
    """The parameter as it was made; or, where it names a record, one that there is."""
    known = world.ids.get(FILTERS.get(name, name))
    return st.just(value) if known is None else st.sampled_from([known, known, known, value])


def known_fields(good: dict[str, Any], made: Any) -> st.SearchStrategy[dict[str, Any]]:
    """The fields that succeed; mostly with one or two as they were made."""
    made = made if isinstance(made, dict) else {}
    fields = st.sampled_from(sorted(made)) if made else st.nothing()
    kept = st.sampled_from([0, 1, 1, 2] if made else [0]).flatmap(
        lambda most: st.lists(fields, min_size=most and 1, max_size=most, unique=True)
    )
    return kept.map(lambda names: copy.deepcopy(good) | {name: made[name] for name in names})
