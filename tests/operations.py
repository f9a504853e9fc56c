"""Every operation of the API with a request that succeeds in a `World`, for tests that go through all of them."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.conf import settings
from django.test import override_settings
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import Role
from notifications.channels import twilio
from sessions.models import Session
from tests.carrier import NUMBER, SID, TOKEN
from tests.factories import PASSWORD, phase

if TYPE_CHECKING:
    from tests.world import World

BASE = "/api/v1/"
Body = Callable[["World", dict[str, str]], dict[str, Any]]


@dataclass(frozen=True)
class Operation:
    """`path` is below BASE; `{name}` in it is filled from `World.names`. `body` makes one from the world and names.

    `right` is the row of `accounts.rights` that it needs: None where it is open, "" where signing in suffices. `form`
    is what the carrier sends in place of JSON, signed.
    """

    method: str
    path: str
    right: str | None
    body: Body | None = None
    form: dict[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def route(self) -> str:
        """The address with every record as `{id}` and every link as `{token}`, as `routes` gives it."""
        path = self.path.partition("?")[0]
        return re.sub(r"\{(\w+)\}", lambda name: "{token}" if name[1].endswith("token") else "{id}", path)

    @property
    def record(self) -> str | None:
        """The name of the record in the path."""
        found = re.search(r"\{(\w+)\}", self.path.partition("?")[0])
        return found[1] if found else None

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"

    def content(self, world: World, role: str) -> dict[str, Any]:
        """The body that succeeds; {} where there is none."""
        return self.body(world, names_of(world, role)) if self.body else {}

    def address(self, world: World, role: str, **instead: str) -> str:
        """The whole address; `instead` replaces records by name."""
        return BASE + self.path.format_map(world.names(role) | instead)

    def send(self, world: World, role: str | None, body: Any = None, **request: Any) -> Any:
        """Do it as somebody. `body` other than the one that succeeds: a dict, or bytes that go as they are."""
        who = role or "admin"
        address = request.pop("address", None) or self.address(world, who)
        if body is None:
            body = self.content(world, who)
        if self.form is not None and body == {}:
            return self._call(world, address, **request)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        # A GET has its parameters in the address; its body is not read.
        request.setdefault("content_type", "application/json" if raw else "")
        client: Any = world.client(role)
        return client.generic(self.method, address, b"" if self.method == "GET" else raw, **request)

    def _call(self, world: World, address: str, headers: dict[str, str] | None = None, **request: Any) -> Any:
        """As the carrier does it."""
        assert self.form is not None
        if "mail" in address:
            return self._from_mail_provider(world, address, headers, **request)
        fields = {name: [value] for name, value in self.form.items()}
        signed = twilio.signature(TOKEN, f"{settings.PUBLIC_URL}{address}", fields)
        request.setdefault("content_type", "application/x-www-form-urlencoded")
        request["headers"] = {"X-Twilio-Signature": signed, **(headers or {})}
        client: Any = world.client(None)
        with override_settings(SMS_URL=f"twilio+http://{SID}:{TOKEN}@127.0.0.1:9?from={NUMBER}"):
            return client.generic("POST", address, urlencode(self.form), **request)

    def _from_mail_provider(self, world: World, address: str, headers: dict[str, str] | None, **request: Any) -> Any:
        assert self.form is not None
        secret = base64.b64encode(b"provider:secret").decode()
        request["headers"] = {"Authorization": f"Basic {secret}", **(headers or {})}
        request.setdefault("content_type", "application/json")
        body = {**self.form, "created_at": "2026-11-25T12:00:00Z", "data": {"email_id": "of-no-mail"}}
        client: Any = world.client(None)
        known = {"WEBHOOK_SECRET": "provider:secret", "RESEND_API_KEY": "k"}
        with override_settings(EMAIL_BACKEND="anymail.backends.resend.EmailBackend", ANYMAIL=known):
            return client.generic("POST", address, json.dumps(body), **request)


def names_of(world: World, role: str) -> dict[str, str]:
    """The names of a role's records, and the role itself."""
    return world.names(role) | {"role": role}


def instant(world: World, day: int, hours: float = 0) -> str:
    """An instant as the API takes it."""
    return world.day(day, hours=hours).isoformat()


def date_of(world: World, day: int) -> str:
    """A date as the API takes it."""
    return world.day(day).date().isoformat()


def span(world: World, day: int = 201) -> dict[str, str]:
    """Two hours in which nothing is booked."""
    return {"start": instant(world, day), "end": instant(world, day, 2)}


def patient(world: World, names: dict[str, str]) -> dict[str, Any]:
    """A new patient; tied to a sign-in by those who may."""
    body: dict[str, Any] = {
        "site": names["site"],
        "given_name": "Grace",
        "family_name": "Sample",
        "birth_date": "1975-03-01",
        "email": "grace@example.org",
        "phone": "+13125550142",
        "preferred_channels": ["email"],
        "language": "en",
        "time_zone": "America/Denver",
        "quiet_from": "20:00",
        "quiet_until": "09:00",
        "texting_consent": True,
    }
    may_link = names["role"] in {Role.FRONT_DESK, Role.MANAGER, Role.ADMIN}
    return body | ({"user": names["free_sign_in"]} if may_link else {})


def site(world: World, names: dict[str, str]) -> dict[str, Any]:
    """A new site."""
    hours = [{"weekday": 0, "opens": "08:00", "closes": "18:00"}]
    limits = {"last_reminder_minutes": 30, "plan_life_minutes": 60, "hold_life_minutes": 10}
    weights = {"deviation": 10**14, "same_time": 2 * 10**8, "first_day": 2 * 10**6, "level": 500, "fragments": 1}
    return {
        "name": "Northside",
        "time_zone": "America/New_York",
        "phone": "+13125550143",
        "opening_hours": hours,
        "plan_weights": weights,
        **limits,
    }


def provider(world: World, names: dict[str, str]) -> dict[str, Any]:
    """A new nurse who signs in."""
    who = {"site": names["site"], "user": names["colleague"], "name": "R. Moss, RN", "role": "nurse"}
    return who | {"capacity": 3, "max_acuity": 8, "is_active": True}


def protocol(world: World, names: dict[str, str]) -> dict[str, Any]:
    """A new protocol."""
    return {
        "code": "new-one",
        "name": "A new one",
        "indications": ["CRPS"],
        "sources": ["A textbook"],
        "phases": [phase()],
        "gates": ["consent"],
        "reminders": [{"hours_before": 24, "channels": ["email"]}],
        "follow_ups": [{"instrument": "PEG", "hours_after": 24}],
    }


def rule(world: World, names: dict[str, str]) -> dict[str, Any]:
    """A shift at a time that no other has."""
    dates = {"effective_from": "2027-01-01", "effective_until": "2028-12-31"}
    times = {"weekday": 6, "start_time": "20:00", "end_time": "22:00"}
    return {"provider": names["own_provider"], **times, **dates}


def plans(world: World, names: dict[str, str]) -> dict[str, Any]:
    """A request for plans with every wish there is."""
    wishes = {
        "weekdays": [0, 1, 2, 3, 4, 5],
        "time_windows": [{"from": "08:00", "until": "18:00"}],
        "provider": names["own_provider"] if names["role"] != Role.PRESCRIBER else names["provider"],
        "chair_kind": "recliner",
        "same_time_of_day": True,
    }
    return {
        "protocol": names["protocol"],
        "site": names["site"],
        "patient": names["patient"],
        "earliest_date": date_of(world, 21),
        "latest_date": date_of(world, 50),
        "preferences": wishes,
        "limit": 1,
    }


def replan(world: World, names: dict[str, str]) -> dict[str, Any]:
    """A plan for the rest of the series that waits for review; of one that goes on for whoever is no prescriber."""
    return {"plan": names["rest_plan"]}


def adjust(world: World, names: dict[str, str]) -> dict[str, Any]:
    """A longer interval for the rest."""
    spacing = {"anchor": "previous", "min_days": 2, "target_days": 4, "max_days": 6}
    return {"phase": "induction", "spacing": spacing, "sessions": 6, "reason": "tired"}


def roster(world: World, names: dict[str, str]) -> dict[str, Any]:
    """One person all week."""
    user = str(world.clinic.users[Role.PRESCRIBER].pk)
    span = {"start_time": "00:00", "end_time": "00:00"}
    return {"site": names["site"], "shifts": [{"user": user, "weekday": day, **span} for day in range(7)]}


def flag_rule(world: World, names: dict[str, str]) -> dict[str, Any]:
    """Another level, threshold and clock."""
    clocks = {"act_minutes": 30, "escalate_minutes": 5}
    return {"kind": "severe_pain", "level": "urgent", "at_least": 7, **clocks, "source": "Our own policy"}


def message_plan(world: World, names: dict[str, str]) -> dict[str, Any]:
    """Everything said otherwise."""
    said = dict.fromkeys(("receipts", "changes", "cancellations", "no_shows", "offers"), True)
    return {"site": names["site"], **said, "preparation_hours": 48, "ask_again_hours": 6}


def absence(world: World, names: dict[str, str]) -> dict[str, Any]:
    """A day on which the nurse's own session has to find somebody else."""
    span = {"start": instant(world, 22, -2), "end": instant(world, 22, 8)}
    return {"kind": "provider_absence", "provider": names["own_provider"], **span, "reason": "ill"}


def entry(world: World, names: dict[str, str]) -> dict[str, Any]:
    """Another time for a booked session."""
    windows = [{"from": "08:00", "until": "18:00"}]
    span = {"earliest": date_of(world, 0), "latest": date_of(world, 5)}
    return {"patient": names["patient"], "session": names["confirmed"], **span, "time_windows": windows}


def invitation(world: World, names: dict[str, str]) -> dict[str, Any]:
    """Somebody new."""
    return {"email": "new@example.org", "name": "R. Moss, RN", "roles": ["nurse"], "sites": [names["site"]]}


def order(world: World, names: dict[str, str]) -> dict[str, Any]:
    """An order for the patient."""
    who = {"patient": names["patient"], "protocol": names["protocol"]}
    return {**who, "sessions": 6, "valid_until": date_of(world, 300)}


def wording(world: World, names: dict[str, str]) -> dict[str, Any]:
    """Words of the site's own."""
    return {
        "site": names["site"],
        "kind": "reminder",
        "channel": "email",
        "language": "en",
        "subject": "See you on {day}",
        "body": "Your visit at {clinic} is on {day} at {time}.\n\nCall {phone}.",
    }


def feed(world: World, names: dict[str, str]) -> dict[str, Any]:
    """A calendar: of the patient, or those who treat their own."""
    own = names["role"] in {Role.NURSE, Role.PRESCRIBER}
    return {"provider": names["own_provider"]} if own else {"patient": names["patient"]}


def booking(world: World, names: dict[str, str]) -> dict[str, Any]:
    """The plan, booked."""
    return {name: names[name] for name in ("patient", "protocol", "plan")}


def of_(name: str, **others: Any) -> Body:
    """A body that names one record."""
    return lambda world, names: {name: names["own_provider" if name == "provider" else name], **others, **span(world)}


def of(**values: Any) -> Body:
    """A body that is always the same."""
    return lambda world, names: copy.deepcopy(values)


def ill(world: World, names: dict[str, str]) -> dict[str, Any]:
    """An adverse event that holds nothing, the same at each call."""
    began = Session.objects.get(pk=names["infusing"]).infusion_started_at
    assert began is not None
    what = {"grade": 2, "term": "Vomiting", "onset": began.isoformat(), "symptoms": "Twice"}
    return {
        **what,
        "action": "paused",
        "outcome": "resolved",
        "drugs_given": "",
        "rechallenge_plan": "",
        "amends": None,
    }


def elsewhere(world: World, names: dict[str, str]) -> dict[str, Any]:
    """An hour and a half later, with whom and where it is."""
    return {"start": (world.day(0) + timedelta(minutes=90)).isoformat()}


def moved(world: World, names: dict[str, str]) -> dict[str, Any]:
    """An hour later than it is."""
    return {"start": (world.day(0) + timedelta(hours=1)).isoformat()}


def records(name: str, create: Body, change: Body | None = None, *, one: str, spare: str | None = None) -> Any:
    """The operations of an ordinary resource; `one` is opened and changed, `spare` removed."""
    yield Operation("GET", f"{name}/", f"{name}.list")
    yield Operation("POST", f"{name}/", f"{name}.create", create)
    yield Operation("GET", f"{name}/{{{one}}}/", f"{name}.retrieve")
    if change:
        yield Operation("PATCH", f"{name}/{{{one}}}/", f"{name}.partial_update", change)
    if spare:
        yield Operation("DELETE", f"{name}/{{{spare}}}/", f"{name}.destroy")


def read_only(name: str, one: str) -> Iterator[Operation]:
    """List and record."""
    yield Operation("GET", f"{name}/", f"{name}.list")
    yield Operation("GET", f"{name}/{{{one}}}/", f"{name}.retrieve")


def verb(name: str, one: str, what: str, body: Body | None = None) -> Operation:
    """POST of a verb."""
    return Operation("POST", f"{name}/{{{one}}}/{what}/", f"{name}.{what}", body)


SHORTER = of(body="{clinic}: see you on {day}. Reply STOP to end texts.")
BECAUSE = of(reason="the patient has a cold")
OPERATIONS: tuple[Operation, ...] = (
    Operation("POST", "auth/login/", None, lambda world, names: {
        "email": world.users["front_desk"].email, "password": PASSWORD,
    }),
    Operation("POST", "auth/logout/", ""),
    Operation("GET", "auth/me/", ""),
    *records("patients", patient, of(language="es"), one="patient"),
    Operation("GET", "patients/{patient}/export/", "patients.export"),
    *read_only("users", "person"),
    Operation("PATCH", "users/{person}/", "users.partial_update", lambda world, names: {
        "name": "R. Moss", "roles": ["nurse", "front_desk"], "sites": [names["site"]],
    }),
    verb("users", "person", "deactivate", lambda world, names: {"on_call": names["clinician"]}),
    verb("users", "left_person", "reactivate"),
    verb("users", "person", "send-password-link"),
    verb("users", "person", "reset-second-factor"),
    *records("invitations", invitation, one="invitation"),
    verb("invitations", "invitation", "resend"),
    verb("invitations", "invitation", "withdraw"),
    *records("sites", site, of(phone="+13125550145"), one="site", spare="spare_site"),
    *records("site-closures", of_("site", reason="Snow"), of(reason="Storm"), one="site_closure", spare="site_closure"),
    *records(
        "chairs",
        lambda world, names: {"site": names["site"], "name": "Bed 9", "kind": "bed", "features": [], "is_active": True},
        of(name="Chair by the window"),
        one="chair",
        spare="chair",
    ),
    *records(
        "chair-closures", of_("chair", reason="Pump"), of(reason="Lamp"), one="chair_closure", spare="chair_closure"
    ),
    *records("providers", provider, of(name="R. Moss"), one="provider", spare="spare_provider"),
    *records("availability-rules", rule, of(end_time="13:00"), one="rule", spare="rule"),
    *records("time-off", of_("provider", reason="Course"), of(reason="Leave"), one="time_off", spare="time_off"),
    *records("protocols", protocol, of(name="A better name"), one="draft"),
    *records(
        "gate-definitions",
        of(gate="port_checked", rule="The port was flushed.", severity="block", at=["start"], scope="session",
           valid_hours=24, override_roles=["prescriber"], patient_may=False, sources=["A textbook"],
           limits=[{"measure": "systolic", "at_least": 160, "action": "repeat"}]),
        of(rule="A better rule"),
        one="gate_definition",
    ),
    Operation(
        "GET",
        "availability/?site={site}&from=2027-01-04&until=2027-01-05",
        "availability.list",
    ),
    Operation("GET", "reports/utilisation/?site={site}&from=2027-01-04&until=2027-01-31", "reports.utilisation"),
    Operation("GET", "board/?site={site}&date=2027-01-04", "board.list"),
    *records("orders", order, one="order"),
    Operation("POST", "plans/", "plans.create", plans),
    Operation("GET", "plans/{plan}/", "plans.retrieve"),
    verb("plans", "plan", "hold"),
    *records("series", booking, one="series"),
    verb("series", "series", "cancel", BECAUSE),
    verb("series", "review", "release", of(reason="seen")),
    verb("series", "series", "replan", replan),
    verb("series", "series", "adjust", adjust),
    *records("disruptions", absence, one="disruption"),
    verb("disruptions", "disruption", "apply"),
    verb("disruptions", "applied_disruption", "undo"),
    *records(
        "waitlist-entries", entry, lambda world, names: {"latest": date_of(world, 6)}, one="entry", spare="entry"
    ),
    *read_only("offers", "offer"),
    verb("offers", "offer", "accept"),
    verb("offers", "offer", "decline"),
    *read_only("sessions", "booked"),
    Operation("GET", "sessions/{booked}/events/", "sessions.events"),
    verb("sessions", "booked", "confirm"),
    verb("sessions", "booked", "reschedule", moved),
    verb("sessions", "booked", "reseat", elsewhere),
    verb("sessions", "booked", "cancel", BECAUSE),
    Operation("GET", "sessions/{infusing}/day/", "sessions.day"),
    Operation("GET", "sessions/{confirmed}/preparation/", "sessions.preparation"),
    verb("sessions", "confirmed", "preparation", of(answers=[{"gate": "escort", "outcome": "met", "note": "Bo"}])),
    verb("sessions", "confirmed", "arrive"),
    verb("sessions", "arrived", "gates", of(gate="consent", outcome="met", note="signed")),
    verb("sessions", "arrived", "start", of(override={"reason": "seen"})),
    verb("sessions", "infusing", "vitals", of(systolic=128, diastolic=82, heart_rate=74, spo2=98, note="calm")),
    verb("sessions", "infusing", "slow", of(rate_percent=50, reason="nausea")),
    verb("sessions", "infusing", "adverse-events", ill),
    verb("sessions", "infusing", "pause"),
    verb("sessions", "paused", "resume"),
    verb("sessions", "infusing", "stop", of(reason="nausea")),
    verb("sessions", "infusing", "finish-infusion"),
    verb("sessions", "recovering", "discharge", of(escort_name="Bo Example", score=9)),
    verb("sessions", "overdue", "no-show"),
    *read_only("notifications", "message"),
    verb("notifications", "message", "resend"),
    *records("wordings", wording, SHORTER, one="wording", spare="spare_wording"),
    Operation("POST", "wordings/preview/", "wordings.preview", wording),
    *read_only("replies", "reply"),
    verb("replies", "reply", "close"),
    *records("calendar-feeds", feed, one="feed", spare="feed"),
    Operation("GET", "calendar/{calendar_token}.ics", None),
    Operation("POST", "inbound/mail/", None, form={"type": "email.opened"}),
    Operation("POST", "inbound/sms/", None, form={"MessageSid": "SM-of-a-text", "From": "+15005550006", "Body": "C"}),
    Operation("POST", "inbound/sms/{message}/status/", None, form={"MessageStatus": "delivered"}),
    *read_only("follow-ups", "follow_up"),
    Operation("GET", "follow-ups/trend/?patient={patient}&instrument=PEG", "follow-ups.trend"),
    verb("follow-ups", "follow_up", "revoke-links"),
    Operation("GET", "follow-ups/{follow_up_token}/", None),
    Operation(
        "POST",
        "follow-ups/{follow_up_token}/",
        None,
        of(answers={"peg_pain": 4, "peg_enjoyment": 3, "peg_activity": 5}),
    ),
    *read_only("alerts", "alert"),
    verb("alerts", "alert", "acknowledge"),
    verb("alerts", "alert", "close", of(outcome="Called; safe at home.")),
    Operation("GET", "notifications/export/", "notifications.export"),
    Operation("GET", "on-call/", "on-call.list"),
    Operation("POST", "on-call/", "on-call.create", roster),
    Operation("GET", "on-call/{roster}/", "on-call.retrieve"),
    Operation("GET", "on-call/now/?site={site}", "on-call.now"),
    Operation("POST", "on-call/pager/", "on-call.pager", of(phone="+13125550146", channels=["email", "sms"])),
    Operation("GET", "red-flag-rules/", "red-flag-rules.list"),
    Operation("GET", "red-flag-rules/in-force/", "red-flag-rules.in-force"),
    Operation("POST", "red-flag-rules/", "red-flag-rules.create", flag_rule),
    Operation("GET", "red-flag-rules/{flag_rule}/", "red-flag-rules.retrieve"),
    Operation("GET", "message-plans/", "message-plans.list"),
    Operation("POST", "message-plans/", "message-plans.create", message_plan),
    Operation("GET", "message-plans/{message_plan}/", "message-plans.retrieve"),
    Operation("GET", "schema/", None),
    Operation("GET", "docs/", None),
)  # fmt: skip

WRITES = tuple(operation for operation in OPERATIONS if operation.writes and operation.form is None)
READS = tuple(operation for operation in OPERATIONS if not operation.writes)
BY_NAME = {str(operation): operation for operation in OPERATIONS}


def routes() -> dict[tuple[str, str], Any]:
    """(method, address) -> view of everything below BASE, as the URLconf has it."""
    return {
        (method, path.removeprefix(BASE.lstrip("/"))): view
        for path, view in _walk(get_resolver().url_patterns, "")
        if path.startswith(BASE.lstrip("/"))
        for method in _methods(view)
    }


def _walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        else:
            yield (
                re.sub(r"<(\w+):\w+>", lambda kind: "{id}" if kind[1] == "record_id" else "{token}", path),
                (pattern.callback),
            )


def _methods(view: Any) -> list[str]:
    """The methods that a view answers, without HEAD and OPTIONS."""
    shape = getattr(view, "cls", None)
    if shape is None:
        return ["GET"]
    # DRF adds HEAD to a view's actions with its first GET.
    known = ("get", "post", "put", "patch", "delete")
    actions = getattr(view, "actions", None)
    return [name.upper() for name in known if (name in actions if actions else hasattr(shape, name))]
