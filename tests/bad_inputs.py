"""The table of bad inputs that `tests/test_bad_inputs.py` goes through."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from knox.models import AuthToken

from accounts import clock
from tests.bad_changes import changes
from tests.operations import BASE, BY_NAME, OPERATIONS, WRITES, Operation, date_of, instant
from tests.spoiling import (
    ANSWER,
    ANSWERING_JSON,
    AVAILABILITY,
    BOOK,
    CHANGES_A_VERSION,
    DATES,
    E_MAILS,
    IDS,
    INSTANTS,
    NAMES,
    NEEDS_A_BODY,
    NUMBERS,
    ON_A_RECORD,
    OPEN,
    PAGES,
    PHONES,
    PLAN,
    POSTS,
    PROTOCOLS,
    READ_ONLY,
    RESCHEDULE,
    SEARCHED,
    SESSIONS,
    SIGNED_IN,
    SPANS,
    TIMES,
    Fields,
    Raw,
    Request,
    Row,
    asked,
    bodies,
    differing,
    on_record,
    values,
)
from tests.world import DAY, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

KIB = 1024


def instants() -> Iterator[Row]:
    """1 to 16: moments, dates and spans of time."""
    for number, what, bad, code in (
        (1, "an instant without offset", "2027-01-01T08:00:00", "offset_required"),
        (2, "a wall time that there is not", "2026-03-08T02:30", "offset_required"),
        (3, "a wall time that comes twice", "2026-11-01T01:30", "offset_required"),
        (5, "an offset of nearly a day", "2027-01-01T08:00:00+23:59", "offset_out_of_range"),
        (6, "an offset of a day", "2027-01-01T08:00:00+24:00", "invalid"),
        (7, "a date for an instant", "2027-01-01", "invalid"),
        (8, "Arabic-Indic digits", "٢٠٢٧-01-01T08:00:00Z", "invalid"),
        (8, "full-width digits", "２０２７-01-01T08:00:00Z", "invalid"),
        (9, "seconds since 1970", 1_800_000_000, "type"),
        (9, "a list for an instant", [], "type"),
        (9, "an object for an instant", {}, "type"),
        (9, "null for an instant", None, "null"),
        (10, "the 30th of February", "2027-02-30T08:00:00Z", "invalid"),
        (10, "24 o'clock", "2027-02-03T24:00:00Z", "invalid"),
        (10, "a leap second", "2027-02-03T23:59:60Z", "invalid"),
        (11, "the year 1", "0001-01-01T00:00:00+14:00", "out_of_range"),
        (11, "the year 9999", "9999-12-31T23:59:59-14:00", "out_of_range"),
        (16, "a bound that is infinite", "infinity", "invalid"),
    ):
        yield values(number, what, INSTANTS, bad, 400, code)
    for number, what, bad, code in (
        (7, "an instant for a date", "2027-01-01T00:00:00Z", "invalid"),
        (8, "a date in Arabic-Indic digits", "٢٠٢٧-01-01", "invalid"),
        (9, "a number for a date", 20_270_101, "type"),
        (10, "a date that there is not", "2027-02-29", "invalid"),
        (11, "a date in the year 9999", "9999-12-31", "out_of_range"),
    ):
        yield values(number, what, DATES, bad, 400, code)
    yield values(16, "an end that is null", dict.fromkeys(SPANS, ("end",)), None, 400, "null")
    yield values(
        15, "an end before the start", dict.fromkeys(SPANS, ("end",)), "2026-01-01T00:00:00Z", 400, "empty_range"
    )
    yield values(
        15, "an end at the start", {n: ("end",) for n in SPANS if n.startswith("POST")},
        lambda world: instant(world, 201), 400, "empty_range",
    )  # fmt: skip
    yield values(
        15, "a window that is reversed", {PLAN: ("latest_date",)}, lambda w: date_of(w, 20), 400, "empty_range"
    )
    yield values(15, "a part of the day that is empty", {PLAN: (TIMES[PLAN][1],)}, "08:00", 400, "empty_range")
    yield values(
        15, "hours that are reversed", {"POST sites/": ("opening_hours/0/closes",)}, "07:00", 400, "empty_range"
    )


def starts() -> Iterator[Row]:
    """4, 12 to 14, 19 to 21, 29: starts that are well-formed and impossible."""
    for number, what, start, status, code in (
        (4, "an offset that the site has not then", lambda w: w.day(0).date().isoformat() + "T20:00:00+05:00", 422,
         "offset_mismatch"),
        (12, "a start last year", lambda w: (clock.now() - 365 * DAY).isoformat(), 422, "in_past"),
        (12, "a start a second ago", lambda w: (clock.now() - DAY / 86_400).isoformat(), 422, "in_past"),
        (13, "a start beyond the horizon", lambda w: instant(w, 560), 422, "beyond_horizon"),
        (14, "a start off the grid", lambda w: instant(w, 0, 7 / 60), 422, "off_grid"),
        (19, "a start before opening", lambda w: instant(w, 0, -3), 422, "outside_opening_hours"),
        (19, "a start on a Sunday", lambda w: instant(w, 6), 422, "outside_opening_hours"),
        (19, "a start on a holiday", lambda w: instant(w, 16), 422, "outside_opening_hours"),
        (19, "a start when the nurses are off", lambda w: instant(w, 17), 422, "nurse_unavailable"),
        (19, "a start when the prescriber is off", lambda w: instant(w, 18), 422, "prescriber_unavailable"),
        (20, "a start when each chair is taken", lambda w: instant(w, 14), 409, "chair_taken"),
        (20, "a start when each nurse has enough", lambda w: instant(w, 15), 409, "ratio_exceeded"),
        (20, "a start when the patient is elsewhere", lambda w: instant(w, 1), 409, "patient_busy"),
        (21, "a recovery after closing", lambda w: instant(w, 0, 7), 422, "recovery_after_close"),
    ):  # fmt: skip
        yield values(number, what, {RESCHEDULE: ("start",)}, start, status, code)
    for what, record, day, code in (
        ("a gap too short", "spaced", 8, "gap_too_short"),
        ("a gap too long", "spaced", 14, "gap_too_long"),
        ("a span too long", "spanned", 13, "span"),
    ):
        body = {"start": day}
        yield on_record(
            29, what, RESCHEDULE, record, 422, code, lambda w, body=body: {"start": instant(w, body["start"])}
        )
    yield values(12, "a window from yesterday", {PLAN: ("earliest_date",)}, lambda w: ago(2), 422, "in_past")
    yield values(12, "an order that has run out", {"POST orders/": ("valid_until",)}, lambda w: ago(2), 422, "in_past")
    yield values(
        13, "a window beyond 548 days", {PLAN: ("latest_date",)}, lambda w: date_of(w, 560), 422, "beyond_horizon"
    )
    yield values(
        13, "a window of 401 days", {PLAN: ("latest_date",)}, lambda w: date_of(w, 422), 422, "window_too_long"
    )


def ago(days: int) -> str:
    """The date so many days before now."""
    return (clock.now() - days * DAY).date().isoformat()


def numbers_and_ids() -> Iterator[Row]:
    """17, 22, 24 to 28, 30: numbers, ids in bodies and in addresses."""
    bad: Any
    minutes = dict.fromkeys(PROTOCOLS[:1], ("phases/0/minutes/infuse",))
    lives: Fields = {"POST sites/": ("plan_life_minutes", "hold_life_minutes")}
    for bad, code in ((0, "out_of_range"), (-1, "out_of_range"), (1441, "out_of_range"), (999_999_999, "out_of_range")):
        yield values(17, f"an infusion of {bad} minutes", minutes, bad, 400, code)
    yield values(14, "minutes off the grid", minutes, 7, 400, "off_grid")
    for bad, code in ((0, "min_value"), (-1, "min_value"), (1441, "max_value"), (999_999_999, "max_value")):
        yield values(17, f"a life of {bad} minutes", lives, bad, 400, code)
    for what, bad, code in (
        ("1 in quotes", "1", "invalid"),
        ("1.0", 1.0, "type"),
        ("full-width 1", "１", "invalid"),
    ):
        yield values(24, f"{what} for an id", IDS, bad, 400, code)
    for what, bad, code in (
        ("true", True, "type"),
        ("1.5", 1.5, "type"),
        ("1e400", Raw(b"1e400"), "number_out_of_range"),
        ("2^31", 2**31, "type"),
        ("2^63", 2**63, "number_out_of_range"),
        ("5,000 digits", Raw(b"9" * 5000), "number_out_of_range"),
    ):
        yield values(25, f"{what} for an id", IDS, bad, 400, code)
    for what, bad, code in (
        ("5", 5, "type"),
        ("braces", "{01890a5d-ac96-774b-bcce-b302099a8057}", "invalid"),
        ("no hyphens", "01890a5dac96774bbcceb302099a8057", "invalid"),
        ("a list", ["01890a5d-ac96-774b-bcce-b302099a8057"], "type"),
    ):
        yield values(26, f"{what} for an id", IDS, bad, 400, code)
    yield values(22, "an id of nothing", IDS, "01890a5d-ac96-774b-bcce-b302099a8057", 400, "unknown_reference")
    for what, bad, code in (
        ("true", True, "type"), ("1 in quotes", "1", "type"), ("1.0", 1.0, "type"), ("2^31", 2**31, "max_value"),
        ("-1", -1, "min_value"), ("a list", [1], "type"), ("1e400", Raw(b"1e400"), "number_out_of_range"),
        ("2^63", 2**63, "number_out_of_range"), ("5,000 digits", Raw(b"9" * 5000), "number_out_of_range"),
    ):  # fmt: skip
        yield values(25, f"{what} for a number", NUMBERS, bad, 400, code)
    for what, bad, code in (("0", 0, "min_value"), ("10,000", 10_000, "max_value")):
        yield values(30, f"an order of {what} sessions", {"POST orders/": ("sessions",)}, bad, 400, code)
        yield values(30, f"a plan of {what} sessions", {PLAN: ("sessions",)}, bad, 400, code)
    for bad, code in ((0, "out_of_range"), (10_000, "too_many_sessions")):
        yield values(30, f"a phase of {bad} sessions", {"POST protocols/": ("phases/0/sessions",)}, bad, 400, code)
    for number, what, text in (
        (27, "2^63", str(2**63)),
        (27, "400 digits", "9" * 400),
        (27, "NUL", "%00"),
        (27, "letters", "abc"),
        (27, "the folder above", "..%2F"),
        (28, "an Arabic-Indic digit", "0189٠a5d-ac96-774b-bcce-b302099a8057"),
        (28, "a full-width digit", "01890a5d-ac96-774b-bcce-b302099a805７"),
    ):
        yield elsewhere(number, f"{what} in the address", text)


def elsewhere(number: int, what: str, text: str) -> Row:
    """Another text where the record's id or the link's token stands in the address."""

    def requests(world: World) -> Iterator[tuple[Operation, Request]]:
        for operation in ON_A_RECORD:
            address = BASE + operation.path.format_map(dict.fromkeys(world.ids, text))
            yield operation, {"address": address}

    return Row(number, what, 404, "not_found", requests)


def booking() -> Iterator[Row]:
    """32 to 37: plans, holds and states."""
    yield Row(34, "a plan that has expired", 409, "plan_expired", booked_instead("expired_plan"), may_change=PLANS)
    yield Row(34, "a plan that is booked", 409, "plan_booked", booked_instead("booked_plan"), may_change=PLANS)
    yield Row(34, "a plan that somebody holds", 409, "plan_held", booked_instead("held_plan"), may_change=PLANS)
    yield Row(32, "one session of six clashes", 409, "patient_busy", booked_instead("clashing_plan"), may_change=PLANS)
    hold = "POST plans/{plan}/hold/"
    for what in ("expired", "booked", "held"):
        for body in (None, {"foo": 1}):
            name = f"a hold of what is {what}{', with a body that is wrong' if body else ''}"
            yield on_record(34, name, hold, f"{what}_plan", 409, f"plan_{what}", body)
    for ttl in (0, -1, 14_400):
        yield differing(35, f"a hold for {ttl} minutes", [BY_NAME[hold]], 400, "unknown_field", body={"ttl": ttl})
    yield differing(36, "a sixth hold", [BY_NAME[hold]], 429, "too_many_holds", role="holder")
    for number, what, name, record, code in (
        (33, "release of what goes on", "POST series/{review}/release/", "series", "not_held"),
        (33, "release of what is over", "POST series/{review}/release/", "series_over", "not_held"),
        (37, "cancel twice, a series", "POST series/{series}/cancel/", "series_over", "already_done"),
        (37, "start before arrival", "POST sessions/{arrived}/start/", "booked", "not_allowed"),
        (37, "start of what is cancelled", "POST sessions/{arrived}/start/", "cancelled", "not_allowed"),
        (37, "finish of what is cancelled", "POST sessions/{infusing}/finish-infusion/", "cancelled", "not_allowed"),
        (37, "discharge of what is cancelled", "POST sessions/{recovering}/discharge/", "cancelled", "not_allowed"),
        (37, "discharge during infusion", "POST sessions/{recovering}/discharge/", "infusing", "not_allowed"),
        (37, "cancel twice", "POST sessions/{booked}/cancel/", "cancelled", "already_done"),
        (37, "cancel of what runs", "POST sessions/{booked}/cancel/", "infusing", "not_allowed"),
        (37, "confirm twice", "POST sessions/{booked}/confirm/", "confirmed", "already_done"),
        (37, "move of what has begun", RESCHEDULE, "arrived", "not_allowed"),
        (37, "arrival during infusion", "POST sessions/{confirmed}/arrive/", "infusing", "not_allowed"),
        (37, "pause twice", "POST sessions/{infusing}/pause/", "paused", "already_done"),
        (37, "resume without pause", "POST sessions/{paused}/resume/", "infusing", "not_paused"),
        (37, "a gate of what is over", "POST sessions/{arrived}/gates/", "completed", "not_allowed"),
        (37, "absent before the start", "POST sessions/{overdue}/no-show/", "booked", "not_yet"),
        (37, "say again what is still due", "POST notifications/{message}/resend/", "due_message", "under_way"),
        (37, "acknowledge twice", "POST alerts/{alert}/acknowledge/", "owned_alert", "already_done"),
        (37, "close twice", "POST alerts/{alert}/close/", "closed_alert", "already_done"),
    ):
        yield on_record(number, what, name, record, 409, code)
        # The state comes before the body.
        yield on_record(number, f"{what}, with a body that is wrong", name, record, 409, code, {"foo": 1})
    yield on_record(37, "a start where it is already", RESCHEDULE, "booked", 409, "already_done", at_its_start)
    yield values(
        37, "a gate that there is not", {"POST sessions/{arrived}/gates/": ("gate",)}, "weather", 422, "unknown_gate"
    )
    yield from the_day()
    for name in (PLAN, "POST orders/"):
        for kind in ("draft", "retired"):
            yield values(
                37, f"a protocol that is {kind} for {name}", {name: ("protocol",)},
                lambda w, kind=kind: w.ids[kind], 422, "protocol_not_approved",
            )  # fmt: skip


def hence(hours: int) -> str:
    """The instant so many hours from now."""
    return (clock.now() + hours * DAY / 24).isoformat()


VITALS, ADVERSE = "POST sessions/{infusing}/vitals/", "POST sessions/{infusing}/adverse-events/"
GATE, DISCHARGE = "POST sessions/{arrived}/gates/", "POST sessions/{recovering}/discharge/"


def the_day() -> Iterator[Row]:
    """37: what nobody reads from a patient, what has not happened yet, and who may not let one go."""
    bounds = {"systolic": (39, 301), "diastolic": (19, 201), "heart_rate": (19, 251), "spo2": (49, 101)}
    for measure, beyond in bounds.items():
        for bad in (*beyond, -1, 10**9):
            yield values(37, f"{bad} for {measure}", {VITALS: (measure,)}, bad, 400, "not_human")
    for what, wrong in (("a text", "128"), ("true", True), ("a list", [128])):
        yield values(37, f"{what} for a pressure", {VITALS: ("systolic",)}, wrong, 400, "type")
    yield values(37, "a pressure below its own diastolic", {VITALS: ("systolic",)}, 60, 400, "not_human")
    ahead = {VITALS: ("taken_at",), ADVERSE: ("onset",)}
    yield values(37, "a reading or an event of tomorrow", ahead, hence(24), 422, "in_future")
    yield values(37, "a reading of before the start", {VITALS: ("taken_at",)}, hence(-12), 422, "before_start")
    yield values(37, "an event of before the patient came", {ADVERSE: ("onset",)}, hence(-12), 422, "before_arrival")
    yield values(37, "a grade that there is not", {ADVERSE: ("grade",)}, 6, 400, "max_value")
    for role in ("front_desk", "manager", "auditor"):
        care = [BY_NAME[name] for name in (VITALS, ADVERSE, GATE, DISCHARGE)]
        yield differing(37, f"care given by {role}", care, 403, "forbidden", role=role)
    megabyte = "x" * (KIB * KIB)
    notes = {VITALS: ("note",), GATE: ("note",), ADVERSE: ("symptoms",), DISCHARGE: ("escort_name",)}
    yield values(62, "a note of a megabyte", notes, megabyte, 413, "too_large")
    yield values(62, "a note of 50 KiB", notes, "x" * (50 * KIB), 400, "max_length")
    yield values(37, "a score of eleven", {DISCHARGE: ("score",)}, 11, 400, "max_value")
    items = {"activity": 2, "respiration": 2, "circulation": 2, "consciousness": 2}
    yield values(37, "items of no instrument", {DISCHARGE: ("items",)}, items, 422, "score_items")


def at_its_start(world: World) -> dict[str, str]:
    """The body that moves the session to where it is."""
    return {"start": instant(world, 0)}


# A race lost is answered with fresh plans, which are kept.
PLANS = ("infusion_sessions_plan",)


def booked_instead(plan: str) -> Callable[[World], Iterable[tuple[Operation, Request]]]:
    """Book this plan."""
    operation = BY_NAME[BOOK]
    return lambda world: [(operation, {"body": operation.content(world, "admin") | {"plan": world.ids[plan]}})]


def headers() -> Iterator[Row]:
    """38 to 41, 52 to 57: what stands around a body."""
    for what, tag, status, code in (
        ("a version that has passed", '"999"', 412, "stale"),
        ("a weak tag", 'W/"1"', 412, "stale"),
        ("no tag at all", "1", 400, "bad_if_match"),
        ("a tag without end", '"1', 400, "bad_if_match"),
        ("a star", "*", 412, "stale"),
    ):
        yield differing(38, f"{what} in If-Match", CHANGES_A_VERSION, status, code, headers={"If-Match": tag})
    for what, key in (
        ("empty", ""), ("of 256 characters", "k" * 256), ("with a control character", "a\tb"), ("that are two", "a,b"),
    ):  # fmt: skip
        yield differing(40, f"keys {what}", POSTS, 400, "bad_idempotency_key", headers={"Idempotency-Key": key})
    for what, kind in (
        ("XML", "application/xml"),
        ("text", "text/plain"),
        ("a form", "application/x-www-form-urlencoded"),
        ("a multipart form without boundary", "multipart/form-data"),
    ):
        number = 54 if "form" in what else 52
        yield differing(number, what, WRITES, 415, "unsupported_media_type", body=b'{"foo": 1}', content_type=kind)
    yield differing(52, "no kind", WRITES, 415, "unsupported_media_type", body=b'{"foo": 1}', content_type="")
    bogus = "application/json; charset=bogus"
    yield differing(
        53, "a bogus charset", WRITES, 415, "unsupported_media_type", body=b'{"foo": 1}', content_type=bogus
    )
    packed = {"Content-Encoding": "gzip"}
    yield differing(55, "packed", WRITES, 415, "unsupported_media_type", body=b'{"foo": 1}', headers=packed)
    picture = {"Accept": "image/png"}
    yield differing(56, "a picture asked for", ANSWERING_JSON, 406, "not_acceptable", headers=picture)
    yield asked(56, "a format asked for", ANSWERING_JSON, "format=xyz", "not_found", 404)
    override = {"X-HTTP-Method-Override": "DELETE"}
    json_api = [each for each in OPERATIONS if each.path not in {"schema/", "docs/"}]
    yield differing(57, "another method meant", json_api, 405, "method_not_allowed", headers=override)
    for method in ("PUT", "TRACE", "BREW"):
        others = [Operation(method, each.path, each.right) for each in json_api]
        yield differing(57, f"{method}", others, 405, "method_not_allowed", body=b"")
    yield differing(83, "a foreign host", json_api, 400, "bad_request", headers={"Host": "evil.example"})


def whole_bodies() -> Iterator[Row]:
    """43 to 51, 58: bodies as a whole."""
    foreign = [each for each in WRITES if str(each) != "POST auth/logout/"]
    yield bodies(43, "a field that there is not", lambda good: joined(good, b'"foo": 1'), 400, "unknown_field", foreign)
    for name, fields in READ_ONLY.items():
        for at in fields:
            yield values(44, f"{at} in {name}", {name: (at,)}, "01890a5d-ac96-774b-bcce-b302099a8057", 400, "read_only")
    ours: Fields = dict.fromkeys(READ_ONLY, ("clinic", "created_by", "revision", "is_superuser"))
    yield values(44, "fields of other people's making", ours, 1, 400, "unknown_field")
    yield bodies(45, "a key that comes twice", lambda good: joined(good, b'"foo": 1, "foo": 2'), 400, "duplicate_key")
    for text in (b"[]", b"null", b'"x"', b"5", b"true"):
        yield bodies(46, f"{text.decode()} for a body", replaced_by(text), 400, "not_an_object")
    yield bodies(46, "nothing for a body", lambda good: b"", 400, "required", NEEDS_A_BODY)
    for what, spoil, code in (
        ("truncated", lambda good: good[:-1], "not_json"),
        ("with a byte order mark", lambda good: b"\xef\xbb\xbf" + good, "byte_order_mark"),
        ("in UTF-16", lambda good: good.decode().encode("utf-16-le"), "not_json"),
        ("in bad UTF-8", lambda good: joined(good, b'"foo": "\xff"'), "not_utf8"),
    ):
        yield bodies(47, f"a body {what}", spoil, 400, code)
    for number, what, extra, status, code in (
        (48, "NaN", b"NaN", 400, "not_a_number"),
        (48, "Infinity", b"-Infinity", 400, "not_a_number"),
        (48, "1e400", b"1e400", 400, "number_out_of_range"),
        (49, "33 levels", b"[" * 32 + b"]" * 32, 400, "too_deep"),
        (49, "6,000 levels", b"[" * 6000 + b"]" * 6000, 400, "too_deep"),
        (49, "100,000 levels", b"[" * 100_000, 413, "too_large"),
        (50, "65 KiB and a byte", b'"' + b"x" * (65 * KIB) + b'"', 413, "too_large"),
        (51, "1,001 keys", json.dumps(dict.fromkeys(map(str, range(1001)), 0)).encode(), 400, "too_many_keys"),
        (51, "10,000 keys", json.dumps(dict.fromkeys(map(str, range(10_000)), 0)).encode(), 413, "too_large"),
        (58, "NUL", b'"a\\u0000b"', 400, "bad_character"),
        (58, "half a surrogate", b'"\\ud800"', 400, "bad_character"),
    ):
        yield bodies(number, what, with_foo(extra), status, code)
    large = [BY_NAME[name] for name in (PLAN, ANSWER, "POST auth/login/")]
    yield bodies(50, "3 MB", lambda good: joined(good, b'"foo": "' + b"x" * 3_000_000 + b'"'), 413, "too_large", large)
    yield bodies(51, "a key of 1 MB", lambda good: b'{"' + b"k" * 1_000_000 + b'": 1}', 413, "too_large", large)
    chunked = {"Transfer-Encoding": "chunked"}
    yield differing(50, "a body in chunks", WRITES, 411, "length_required", headers=chunked)


def replaced_by(text: bytes) -> Callable[[bytes], bytes]:
    """Whatever was sent, this is sent."""
    return lambda good: text


def with_foo(value: bytes) -> Callable[[bytes], bytes]:
    """The object with `foo` in it."""
    return lambda good: joined(good, b'"foo": ' + value)


def joined(good: bytes, member: bytes) -> bytes:
    """The object with one member more."""
    return good[:-1] + (b", " if len(good) > 2 else b"") + member + b"}"


def texts() -> Iterator[Row]:
    """59 to 62, 64, 66 to 68, 71, 72, 74, 75: what people write."""
    bad: Any
    item = {ANSWER: ("answers/peg_pain",)}
    for number, what, bad, code in (
        (59, "NUL", "a\x00b", "bad_character"), (59, "half a surrogate", "\ud800", "bad_character"),
        (60, "a text", "4", "invalid"), (60, "true", True, "invalid"), (60, "1.0", 1.0, "invalid"),
        (60, "null", None, "invalid"), (60, "11 of 10", 11, "out_of_range"), (60, "-1", -1, "out_of_range"),
        (61, "4,000 digits", Raw(b"9" * 4000), "number_out_of_range"),
    ):  # fmt: skip
        yield values(number, f"{what} for an answer", item, bad, 400, code)
    yield values(60, "a question that there is not", {ANSWER: ("answers/peg_4",)}, 1, 400, "unknown_item")
    yield values(
        60, "a question left out", {ANSWER: ("answers",)}, {"peg_pain": 1, "peg_enjoyment": 1}, 400, "required"
    )
    yield values(60, "a list of answers", {ANSWER: ("answers",)}, [4, 3, 5], 400, "type")
    stale = {"answers": {"peg_pain": 4, "peg_enjoyment": 3, "peg_activity": 5}, "version": "0" * 12}
    yield Row(63, "a form of before", 409, "form_changed", lambda world: [(BY_NAME[ANSWER], {"body": stale})])
    yield on_record(64, "answers after a cancelled visit", ANSWER, "not_asked_token", 409, "not_asked")
    yield on_record(64, "questions after a cancelled visit", OPEN, "not_asked_token", 409, "not_asked")
    long_texts: Fields = {
        "POST sessions/{booked}/cancel/": ("reason",),
        "POST sessions/{infusing}/stop/": ("reason",),
        "POST series/{review}/release/": ("reason",),
        "POST sessions/{arrived}/gates/": ("note",),
        "POST sessions/{recovering}/discharge/": ("escort_name",),
        **{name: fields for name, fields in NAMES.items() if "name" in fields[0]},
    }
    yield values(62, "5,001 characters", long_texts, "x" * 5001, 400, "max_length")
    for number, what, bad, code in (
        (62, "spaces only", "   ", "blank"), (66, "nothing visible", "\u200b\u200d", "blank"),
        (66, "writing turned round", "Ann\u202eeirameN", "bidi_override"),
        (67, "a second line", "Ann\r\nBcc: x@example.org", "line_break"), (67, "a line's end", "Ann\n", "line_break"),
        (68, "the number 5", 5, "type"), (68, "a list", ["Ann"], "type"), (68, "null", None, "null"),
        (58, "a bell", "a\x07b", "control_character"),
    ):  # fmt: skip
        yield values(number, f"{what} for a name", NAMES, bad, 400, code)
    for what, bad, code in (
        ("a second header", "a@example.org\r\nBcc: b@example.org", "line_break"),
        ("two addresses", "a@example.org, b@example.org", "invalid"),
        ("255 characters", "x" * 243 + "@example.org", "max_length"),
        ("an IP literal", "a@[127.0.0.1]", "invalid"),
        ("a quoted name", '"a b"@example.org', "invalid"),
        ("a host of this machine", "a@localhost", "invalid"),
    ):
        yield values(71, f"{what} for an e-mail address", E_MAILS, bad, 400, code)
    for what, bad, code in (
        ("letters", "+1312CALLNOW", "invalid"), ("no country", "312-555-0142", "invalid"),
        ("premium rate", "+19005551234", "premium_rate"), ("16 digits", "+1312555014212345", "invalid"),
        ("an extension", "+13125550142x5", "invalid"), ("a country that there is not", "+99912345678", "invalid"),
    ):  # fmt: skip
        yield values(72, f"{what} for a phone", PHONES, bad, 400, code)
    for bad in ("EST5EDT;x", "../../etc/passwd", "utc+5", "Mars/Olympus"):
        yield values(74, f"{bad} for a zone", {"POST sites/": ("time_zone",)}, bad, 400, "invalid")
    yield values(75, "25 o'clock", TIMES, "25:00", 400, "invalid")
    yield values(75, "9 o'clock without its zero", TIMES, "9:00", 400, "invalid")
    yield values(75, "a shift that is empty", {"POST availability-rules/": ("end_time",)}, "20:00", 400, "empty_range")
    rule: Fields = {"POST availability-rules/": ("effective_until",)}
    yield values(75, "a rule that ends before it begins", rule, "2026-12-31", 400, "empty_range")
    shift: Fields = {"POST availability-rules/": ("start_time",)}
    yield values(75, "a shift that overlaps another", shift, "11:00", 409, "overlapping_rule")


def queries() -> Iterator[Row]:
    """77 to 81: query strings."""
    for bad in ("-1", "0", "201", "1000000000", "1.5", "x", "", "１"):
        yield asked(77, f"{bad or 'nothing'} for page_size", PAGES, f"page_size={bad}", "out_of_range")
    yield asked(77, "a cursor that is none", PAGES, "cursor=eA", "bad_cursor")
    yield asked(77, "a limit", PAGES, "limit=1000000000", "unknown_parameter")
    yield asked(77, "an offset", PAGES, "offset=-1", "unknown_parameter")
    yield asked(78, "a filter that there is not", ANSWERING_JSON, "colour=red", "unknown_parameter")
    too_long = "from=2027-01-01T00:00:00Z&until=2028-03-01T00:00:00Z"
    yield asked(78, "425 days of sessions", SESSIONS, too_long, "range_too_long")
    reversed_ = "from=2027-01-02T00:00:00Z&until=2027-01-01T00:00:00Z"
    spans = [*SESSIONS, *(BY_NAME[f"GET {room}/"] for room in ("site-closures", "chair-closures", "time-off"))]
    yield asked(78, "an end before the start", spans, reversed_, "reversed_range")
    for what, query, code in (
        ("33 days", "from=2027-01-01&until=2027-02-02", "range_too_long"),
        ("reversed days", "from=2027-01-04&until=2027-01-03", "empty_range"),
        ("the year 9999", "from=9999-12-31&until=9999-12-31", "out_of_range"),
        ("no end", "from=2027-01-04", "required"),
        ("an instant without offset", "from=2027-01-04T08:00:00&until=2027-01-05", "offset_required"),
    ):
        yield available(what, query, code)
    for field_name in ("password", "id", "-start", "patient__email"):
        yield asked(79, f"ordered by {field_name}", PAGES, f"ordering={field_name}", "unknown_parameter")
    yield asked(80, "NUL", SEARCHED, "search=a%00b", "control_character")
    yield asked(80, "100,000 characters", SEARCHED, "search=" + "x" * 100_000, "max_length")
    yield asked(80, "5,000 terms", SEARCHED, "search=" + "+".join("x" * 5000), "max_length")
    yield asked(80, "6 terms", SEARCHED, "search=a+b+c+d+e+f", "too_many_terms")
    yield asked(81, "the same twice", PAGES, "page_size=1&page_size=2", "repeated_parameter")
    yield asked(81, "the same site twice", [AVAILABILITY], "site={site}", "repeated_parameter")


def available(what: str, query: str, code: str) -> Row:
    """What is free, asked for a time that is none."""

    def requests(world: World) -> Iterator[tuple[Operation, Request]]:
        yield AVAILABILITY, {"address": f"{BASE}availability/?site={world.ids['site']}&{query}"}

    return Row(78, f"{what} of availability", 400, code, requests)


def people() -> Iterator[Row]:
    """84 to 87, 90: who asks."""
    for what, make in TOKENS.items():

        def requests(world: World, make: Any = make) -> Iterator[tuple[Operation, Request]]:
            text = make(world)
            for operation in SIGNED_IN:
                yield operation, {"role": None, "headers": {"Authorization": text}}

        yield Row(84, what, 401, "bad_token", requests)
    signed_in_writes = [each for each in WRITES if each.right is not None]
    for what, more in (
        ("no CSRF token", {}),
        ("the CSRF token of another", {"X-CSRFToken": "x" * 64}),
        ("a foreign origin", {"Origin": "https://evil.example"}),
    ):

        def by_page(world: World, more: Any = more) -> Iterator[tuple[Operation, Request]]:
            for operation in signed_in_writes:
                yield operation, {"role": None, "headers": {"Cookie": f"sessionid={world.ids['cookie']}", **more}}

        # The session of a browser keeps when its person was last there.
        yield Row(85, what, 403, "csrf_failed", by_page, may_change=("django_session",))
    for what, spoil in (
        ("one bit flipped", lambda token: ("B" if token[0] == "A" else "A") + token[1:]),
        ("shortened", lambda token: token[:-1]),
        ("lengthened", lambda token: token + "A"),
        ("padded", lambda token: token + "="),
    ):

        def links(world: World, spoil: Any = spoil) -> Iterator[tuple[Operation, Request]]:
            for name in (OPEN, ANSWER):
                token = spoil(world.ids["follow_up_token"])
                yield BY_NAME[name], {"address": BY_NAME[name].address(world, "admin", follow_up_token=token)}

        yield Row(86, f"a link {what}", 404, "not_found", links)
    for name in (OPEN, ANSWER):
        yield on_record(86, f"a link that has expired, {name[:4]}", name, "expired_token", 410, "expired")
        yield on_record(86, f"a link that was revoked, {name[:4]}", name, "revoked_token", 410, "revoked")
        yield on_record(86, f"a link that was used, {name[:4]}", name, "answered_token", 410, "already_answered")
    sign_in = [BY_NAME["POST auth/login/"]]
    login: Fields = {"POST auth/login/": ("password",)}
    yield values(87, "a password of 4,097 characters", login, "x" * 4097, 400, "max_length")
    yield values(87, "a password with NUL", login, "a\x00b", 400, "bad_character")
    yield values(87, "a wrong password", login, "wrong", 401, "wrong_credentials")
    yield Row(
        87, "an 11th try after 10 failures", 429, "too_many_sign_ins",
        lambda world: [(each, {"body": NOBODY}) for each in sign_in], before=fail_ten_times,
    )  # fmt: skip
    throttled = [each for each in OPERATIONS if each.path not in {"schema/", "docs/", "auth/login/"}]
    yield Row(
        90, "a call over the limit", 429, "too_many",
        lambda world: [(each, {}) for each in throttled], before=allow_no_calls,
    )  # fmt: skip


def expired_token(world: World) -> str:
    """A token whose time is over."""
    token, text = AuthToken.objects.create(world.users["admin"])
    AuthToken.objects.filter(pk=token.pk).update(expiry=clock.now() - DAY)
    return f"Bearer {text}"


def revoked_token(world: World) -> str:
    """A token that was signed out."""
    token, text = AuthToken.objects.create(world.users["admin"])
    token.delete()
    return f"Bearer {text}"


TOKENS: dict[str, Callable[[World], str]] = {
    "an expired token": expired_token,
    "a revoked token": revoked_token,
    "a malformed token": lambda world: "Bearer a b",
    "no token": lambda world: "Bearer",
    "a token of 10,000 characters": lambda world: "Bearer " + "x" * 10_000,
    "a link's token": lambda world: f"Bearer {world.ids['follow_up_token']}",
    "another scheme": lambda world: f"Token {world.tokens['admin']}",
    "two schemes": lambda world: f"Bearer {world.tokens['admin']}, Basic YTpi",
}


NOBODY = {"email": "nobody@example.org", "password": "wrong"}


def fail_ten_times(world: World, settings: Any) -> None:
    """Ten wrong passwords; what they are compared with is hashed quickly, for that is not what is tried."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    operation = BY_NAME["POST auth/login/"]
    assert [operation.send(world, None, NOBODY).status_code for _ in range(10)] == [401] * 10


def allow_no_calls(world: World, settings: Any) -> None:
    """Whatever is called next is too much."""
    settings.CALLS_PER_MINUTE = {"user": 0, "anonymous": 0}


ROWS = [
    *instants(), *starts(), *numbers_and_ids(), *booking(), *headers(), *whole_bodies(), *texts(), *queries(),
    *people(), *changes(),
]  # fmt: skip
