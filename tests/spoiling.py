"""Ways to spoil a good request in one point, and which operations take what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.operations import BY_NAME, OPERATIONS, READS, WRITES, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.world import World

Request = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """`requests` gives what is sent: for each, an operation and what differs from the request that succeeds."""

    number: int
    what: str
    status: int
    code: str
    requests: Callable[[World], Iterable[tuple[Operation, Request]]]
    before: Callable[[World, Any], None] = field(default=lambda world, settings: None)
    may_change: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.number:02} {self.what}"


@dataclass(frozen=True)
class Raw:
    """A value that goes into the body as these very bytes."""

    text: bytes


def spoilt(body: dict[str, Any], at: str, value: Any) -> Any:
    """The body with `value` at `at` (keys and indices with slashes between); as bytes where the value is `Raw`."""
    whole = json.loads(json.dumps(body))
    inner: Any = whole
    *path, last = (int(key) if key.isdigit() else key for key in at.split("/"))
    for key in path:
        inner = inner[key]
    inner[last] = "@@@" if isinstance(value, Raw) else value
    return json.dumps(whole).encode().replace(b'"@@@"', value.text) if isinstance(value, Raw) else whole


Fields = Mapping[str, tuple[str, ...]]


def values(number: int, what: str, where: Fields, bad: Any, status: int, code: str, by: str = "admin") -> Row:
    """`bad` (or what it gives for a world) in each of these fields of these operations, one at a time."""

    def requests(world: World) -> Iterator[tuple[Operation, Request]]:
        value = bad(world) if callable(bad) else bad
        for name, fields in where.items():
            operation = BY_NAME[name]
            for at in fields:
                yield operation, {"role": by, "body": spoilt(operation.content(world, by), at, value)}

    return Row(number, what, status, code, requests)


def bodies(
    number: int, what: str, spoil: Callable[[bytes], bytes], status: int, code: str, on: Iterable[Operation] = WRITES
) -> Row:
    """Every body that `on` takes, spoilt as a whole."""

    def requests(world: World) -> Iterator[tuple[Operation, Request]]:
        for operation in on:
            good = json.dumps(operation.content(world, "admin")).encode()
            yield operation, {"body": spoil(good), "content_type": "application/json"}

    return Row(number, what, status, code, requests)


def differing(number: int, what: str, on: Iterable[Operation], status: int, code: str, **request: Any) -> Row:
    """The same difference in each: `headers`, `content_type`, `role` and the like."""
    return Row(number, what, status, code, lambda world: ((operation, request) for operation in on))


def asked(number: int, what: str, on: Iterable[Operation], query: str, code: str, status: int = 400) -> Row:
    """A query string, `{name}` in it filled, after whatever the address has."""

    def requests(world: World) -> Iterator[tuple[Operation, Request]]:
        for operation in on:
            address = operation.address(world, "admin")
            joint = "&" if "?" in address else "?"
            yield operation, {"address": address + joint + query.format_map(world.ids)}

    return Row(number, what, status, code, requests)


def on_record(
    number: int, what: str, name: str, record: str, status: int, code: str, body: Any = None, **more: Any
) -> Row:
    """An operation on another record than the one with which it succeeds."""

    def requests(world: World) -> Iterator[tuple[Operation, Request]]:
        operation = BY_NAME[name]
        assert operation.record is not None
        address = operation.address(world, "admin", **{operation.record: world.ids[record]})
        yield operation, {"address": address, "body": body(world) if callable(body) else body}

    return Row(number, what, status, code, requests, **more)


# ---- which operations take what -------------------------------------------------------------------------------------

RESCHEDULE: Final = "POST sessions/{booked}/reschedule/"
RESEAT: Final = "POST sessions/{booked}/reseat/"
BOOK: Final = "POST series/"
PLAN: Final = "POST plans/"
PROTOCOLS = ("POST protocols/", "PATCH protocols/{draft}/")
SPANS: Fields = {
    f"{method}{room}": ("start", "end")
    for room, one in (
        ("site-closures/", "site_closure"),
        ("chair-closures/", "chair_closure"),
        ("time-off/", "time_off"),
    )
    for method, room in (("POST ", room), ("PATCH ", f"{room}{{{one}}}/"))
}
INSTANTS: Fields = {**SPANS, RESCHEDULE: ("start",), RESEAT: ("start",)}
DATES: Fields = {
    "POST patients/": ("birth_date",),
    "PATCH patients/{patient}/": ("birth_date",),
    "POST availability-rules/": ("effective_from", "effective_until"),
    "PATCH availability-rules/{rule}/": ("effective_from", "effective_until"),
    "POST orders/": ("valid_until",),
    PLAN: ("earliest_date", "latest_date"),
}
TIMES: Fields = {
    "POST sites/": ("opening_hours/0/opens", "opening_hours/0/closes"),
    "POST availability-rules/": ("start_time", "end_time"),
    "PATCH availability-rules/{rule}/": ("start_time", "end_time"),
    PLAN: ("preferences/time_windows/0/from", "preferences/time_windows/0/until"),
}
IDS: Fields = {
    RESEAT: ("chair", "nurse"),
    "POST patients/": ("site", "user"),
    "POST site-closures/": ("site",),
    "POST invitations/": ("sites/0",),
    "PATCH users/{person}/": ("sites/0",),
    "POST chairs/": ("site",),
    "POST chair-closures/": ("chair",),
    "POST providers/": ("site", "user"),
    "POST availability-rules/": ("provider",),
    "POST time-off/": ("provider",),
    "POST orders/": ("patient", "protocol"),
    PLAN: ("site", "protocol", "patient", "preferences/provider"),
    BOOK: ("patient", "protocol", "plan"),
}
NAMES: Fields = {
    "POST invitations/": ("name",),
    "PATCH users/{person}/": ("name",),
    "POST patients/": ("given_name", "family_name"),
    "PATCH patients/{patient}/": ("given_name", "family_name"),
    "POST sites/": ("name",),
    "PATCH sites/{site}/": ("name",),
    "POST chairs/": ("name",),
    "PATCH chairs/{chair}/": ("name",),
    "POST providers/": ("name",),
    "PATCH providers/{provider}/": ("name",),
    **dict.fromkeys(PROTOCOLS, ("name",)),
    "POST sessions/{booked}/cancel/": ("reason",),
    "POST series/{series}/cancel/": ("reason",),
    "POST sessions/{infusing}/stop/": ("reason",),
}
PATIENTS = ("POST patients/", "PATCH patients/{patient}/")
E_MAILS: Fields = dict.fromkeys((*PATIENTS, "POST invitations/"), ("email",))
PHONES: Fields = {
    **dict.fromkeys((*PATIENTS, "POST sites/", "PATCH sites/{site}/"), ("phone",)),
}
NUMBERS: Fields = {
    "POST sites/": (
        "last_reminder_minutes",
        "plan_life_minutes",
        "hold_life_minutes",
        "plan_weights/level",
        "opening_hours/0/weekday",
    ),
    "POST providers/": ("capacity", "max_acuity"),
    "POST availability-rules/": ("weekday",),
    "POST orders/": ("sessions",),
    PLAN: ("limit", "preferences/weekdays/0"),
    "POST sessions/{recovering}/discharge/": ("score",),
    "POST protocols/": ("reminders/0/hours_before", "follow_ups/0/hours_after"),
}
READ_ONLY: Fields = {
    "POST invitations/": ("id", "invited_by", "accepted_at", "status", "user"),
    "PATCH users/{person}/": ("id", "email", "is_active", "has_second_factor", "visits_to_come"),
    "POST patients/": ("id", "created_at", "version"),
    "PATCH patients/{patient}/": ("id", "created_at", "version"),
    "POST sites/": ("id", "organization", "on_call"),
    "PATCH sites/{site}/": ("id", "organization", "on_call"),
    "POST chairs/": ("id",),
    "POST providers/": ("id",),
    "POST site-closures/": ("id",),
    "POST chair-closures/": ("id",),
    "POST availability-rules/": ("id",),
    "POST time-off/": ("id",),
    "POST protocols/": ("id", "version", "approved_by", "approved_at", "created_at"),
    "PATCH protocols/{draft}/": ("id", "version", "approved_by", "approved_at", "created_at"),
    "POST orders/": ("id", "prescribed_by", "created_at"),
}
ANSWER: Final = "POST follow-ups/{follow_up_token}/"
OPEN: Final = "GET follow-ups/{follow_up_token}/"

POSTS = [operation for operation in WRITES if operation.method == "POST"]
NEEDS_A_BODY = [
    operation
    for operation in POSTS
    if operation.body and not operation.path.endswith(("/release/", "/discharge/", "/start/", "/deactivate/"))
]
CHANGES_A_VERSION = [
    operation
    for operation in WRITES
    if operation.method in {"PATCH", "DELETE"}
    or (operation.record and operation.path.startswith(("sessions", "series")))
]
PAGES = [each for each in READS if each.right and each.right.endswith((".list", ".events")) and "?" not in each.path]
ANSWERING_JSON = [each for each in READS if not each.path.endswith((".ics", "schema/", "docs/"))]
ON_A_RECORD = [each for each in OPERATIONS if each.record]
SIGNED_IN = [each for each in OPERATIONS if each.right is not None]
SEARCHED = [BY_NAME["GET patients/"]]
SESSIONS = [BY_NAME["GET sessions/"]]
AVAILABILITY = BY_NAME["GET availability/?site={site}&from=2027-01-04&until=2027-01-05"]
