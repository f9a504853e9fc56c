"""Bad inputs, as one table. Every row is tried on each operation that it concerns; each is refused with the status and
code that stand there, as a problem, and changes nothing.

Each request is one that succeeds, spoilt in a single point. `Row.number` is the row of the list of bad inputs that the
table follows; where the service's contract says otherwise, the contract stands:

- instants carry their offset, there is no zone beside them: 2 and 3 are `offset_required`;
- the grid is five minutes: a start off it is 422, minutes of a protocol off it are 400;
- ids in bodies and filters that are unknown or foreign are 400 `unknown_reference` (22); pages have up to 200 records;
- shifts may pass midnight, so one that ends before it starts is on the next day (75); only an empty one is refused;
- somebody else's hold is 409 for those who see the plan (34); bodies in chunks are 411 (50); forms are 415 (54).

Not here, for there is nothing yet that they concern: 18 (no length of a session is ever sent), 23 (a chair is never
chosen by hand), 31 (plans hold the slots), 89 (no webhooks that a clinic sets). 70 stands with each table: messages in
`tests/notifications/test_engine_api.py`, use in `tests/sessions/test_utilisation.py`, the day in
`tests/web/test_board_page.py`. 62 as far as questionnaires go: none has free text. 73 and 90 as far as texts go:
`tests/notifications/test_wishes.py`; 88: `test_twilio.py` and `test_inbound.py` beside it. Twilio's signature holds
no time, so ids and states guard replays. 82 is for the web server, before the service; 42 needs two requests at once
and stands in `tests/accounts/test_http.py`; 65 and 76 are no refusals and stand with
the follow-ups and the changes of supply. Of 33 the part that is
there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from accounts.models import IdempotencyKey
from tests.bad_inputs import ROWS
from tests.operations import BY_NAME, Operation
from tests.spoiling import PLAN, POSTS, Row, spoilt
from tests.world import World, digest, open_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import Settings
    from pytest_django.plugin import DjangoDbBlocker

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def prepared(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[World, dict[str, str]]]:
    """The world, and its digest."""
    with django_db_blocker.unblock(), open_world() as (world, _):
        page = Client()
        page.force_login(world.users["admin"])
        world.ids["cookie"] = page.cookies["sessionid"].value
        yield world, digest()


@pytest.fixture
def world(prepared: tuple[World, dict[str, str]], db: None) -> World:
    return prepared[0]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_bad_input_is_refused_and_changes_nothing(
    prepared: tuple[World, dict[str, str]], world: World, settings: Settings, row: Row
) -> None:
    row.before(world, settings)
    wrong = []
    for operation, request in row.requests(world):
        answer = operation.send(world, **({"role": None if operation.right is None else "admin"} | request))
        fault = why_not_refused(answer, row.status, row.code)
        if fault:
            wrong.append(f"{operation}: {fault}")
    assert not wrong, "\n".join(wrong)
    after = digest(*row.may_change)
    before = {table: sum_ for table, sum_ in prepared[1].items() if table in after}
    assert after == before


def why_not_refused(answer: Any, status: int, code: str) -> str:
    """What is wrong with an answer that must be this problem; "" where nothing is."""
    shown = f"{answer.status_code} {answer.content[:300]!r}"
    if answer.status_code != status or answer.get("Content-Type") != "application/problem+json":
        return f"{answer.get('Content-Type')} {shown}"
    body = answer.json()
    whole = {"type", "title", "status", "detail", "code"} <= body.keys()
    if not whole or (body["status"], body["code"], body["type"]) != (status, code, f"/problems/{code}"):
        return shown
    if status == 400 and not all({"pointer", "code", "detail"} <= fault.keys() for fault in body.get("errors", [])):
        return shown
    if status in {429, 503} and int(answer.get("Retry-After", 0)) < 1:
        return f"no Retry-After: {shown}"
    return "" if status != 401 or answer.get("WWW-Authenticate") else f"no challenge: {shown}"


# ---- what is no bad input, though it looks like one -----------------------------------------------------------------

TAKEN: list[tuple[int, str, str, str, Any, Any]] = [
    (26, "an id in upper case", "POST chairs/", "site", lambda w: w.ids["site"].upper(), lambda w: w.ids["site"]),
    (62, "an emoji", "POST patients/", "given_name", "Zoë 😀", "Zoë 😀"),
    (69, "markup", "POST patients/", "family_name", "<script>alert(1)</script>", "<script>alert(1)</script>"),
    (69, "templates", "POST chairs/", "name", "${7*7}{{7*7}}", "${7*7}{{7*7}}"),
    (69, "SQL", "POST providers/", "name", "'; DROP TABLE accounts_site; --", "'; DROP TABLE accounts_site; --"),
    (69, "a formula", "POST sites/", "name", "=cmd()|x", "=cmd()|x"),
    (71, "capitals in an address", "POST patients/", "email", "Ada@Example.ORG", "ada@example.org"),
    (75, "a shift past midnight", "POST availability-rules/", "end_time", "02:00", "02:00"),
]


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: f"{case[0]} {case[1]}")
def test_what_only_looks_bad_is_taken_as_it_is(world: World, case: tuple[int, str, str, str, Any, Any]) -> None:
    _, _, name, at, value, shown = case
    operation = BY_NAME[name]
    given = value(world) if callable(value) else value
    answer = operation.send(world, "admin", spoilt(operation.content(world, "admin"), at, given))
    assert answer.status_code == 201, answer.content
    assert answer.json()[at] == (shown(world) if callable(shown) else shown)


REPLAYED = [each for each in POSTS if not each.path.startswith(("auth/", "calendar-feeds/"))]


@pytest.mark.parametrize("operation", REPLAYED, ids=str)
def test_41_a_key_is_for_one_request(world: World, operation: Operation) -> None:
    role = None if operation.right is None else "admin"
    key = {"Idempotency-Key": "once"}
    first = operation.send(world, role, headers=key)
    assert first.status_code < 300, first.content
    before = digest()
    other_body = operation.send(world, role, operation.content(world, "admin") | {"foo": 1}, headers=key)
    assert why_not_refused(other_body, 422, "idempotency_key_reused") == ""
    if role:
        other_path = BY_NAME[PLAN].send(world, role, {"foo": 1}, headers=key)
        assert why_not_refused(other_path, 422, "idempotency_key_reused") == ""
    assert digest() == before
    again = operation.send(world, role, headers=key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["Idempotency-Replayed"] == "true"
    assert digest() == before
    assert IdempotencyKey.objects.count() == 1
