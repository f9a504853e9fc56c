"""A visit at the chair: how it stands, what comes next, and a form for each thing that can be done about it now."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from rest_framework.exceptions import ValidationError

from accounts import clock
from accounts.audit import record_reads
from accounts.refusals import Forbidden, Refusal
from accounts.rights import holds, may
from scheduler.gates import measures
from scheduler.models import Moment
from scheduler.walltime import local_date
from sessions import adverse_events, discharge, gates, infusion, lifecycle, observation
from sessions.api import day_serializers as shapes
from sessions.api.serializers import NothingSerializer, ReasonedSerializer
from sessions.day import day_of
from sessions.facts import zone_of
from sessions.models import Session
from web import wording
from web.pages import page, page_for
from web.record_forms import faults_in
from web.visits import visit_seen_by
from web.words import ACTIONS, GRADES, OUTCOMES, refusal_words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from django.http import HttpRequest, HttpResponse, QueryDict
    from rest_framework.serializers import BaseSerializer

    from accounts.models import User

NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,9})?")
MEASURES: Final = {
    "systolic": gettext_noop("Upper pressure"),
    "diastolic": gettext_noop("Lower pressure"),
    "heart_rate": gettext_noop("Pulse"),
    "spo2": gettext_noop("Oxygen"),
    "respiratory_rate": gettext_noop("Breaths"),
    "temperature": gettext_noop("Temperature"),
}
# Units by their signs.
UNITS: Final = {"per minute": "/min", "degrees Celsius": "°C"}
SCORES: Final = {"aldrete": gettext_noop("Modified Aldrete"), "padss": gettext_noop("PADSS")}
# What is missing for the way home, beside gates.
LACKING: Final = {
    "minimum_recovery": gettext_noop("The least recovery has not passed."),
    "score": gettext_noop("The recovery score is missing, or too low."),
    "escort_name": gettext_noop("Nobody is named who takes the patient home."),
    "vitals": gettext_noop("Vital signs have to be fresh."),
}


@dataclass(frozen=True)
class Verb:
    """One thing that can be done: the shape its form has to keep, its use case, and what is said once it is done."""

    shape: type[BaseSerializer]
    use_case: Callable[..., Any]
    done: str


def _report(session: Session, *, actor: User, now: datetime, expected: lifecycle.Versions, **told: Any) -> Session:
    return adverse_events.report(session, adverse_events.Report(**told), actor, now, expected=expected)[0]


VERBS: Final = {
    "arrive": Verb(NothingSerializer, lifecycle.arrive, gettext_noop("The patient is here.")),
    "gates": Verb(shapes.GateSerializer, gates.meet_gate, gettext_noop("Noted.")),
    "start": Verb(shapes.StartSerializer, infusion.start, gettext_noop("The infusion has begun.")),
    "vitals": Verb(shapes.VitalsSerializer, observation.record_vitals, gettext_noop("Vital signs are noted.")),
    "pause": Verb(NothingSerializer, infusion.pause, gettext_noop("The infusion is paused.")),
    "resume": Verb(NothingSerializer, infusion.resume, gettext_noop("The infusion goes on.")),
    "slow": Verb(shapes.SlowSerializer, infusion.slow, gettext_noop("The infusion runs at another rate.")),
    "stop": Verb(ReasonedSerializer, infusion.stop, gettext_noop("The infusion is broken off.")),
    "finish-infusion": Verb(NothingSerializer, infusion.finish_infusion, gettext_noop("The infusion is complete.")),
    "adverse-events": Verb(shapes.AdverseEventSerializer, _report, gettext_noop("The event is written down.")),
    "discharge": Verb(shapes.DischargeSerializer, discharge.discharge, gettext_noop("The patient has gone home.")),
}


@page_for("sessions.vitals")
def chairside(request: HttpRequest, session: str) -> HttpResponse:
    """The visit as those at the chair need it."""
    return _shown(request, visit_seen_by(request, session))


@page_for("sessions.vitals", "POST")
def act(request: HttpRequest, session: str, verb: str) -> HttpResponse:
    """Do one thing; what is wrong with it is told above the forms, and nothing typed is lost."""
    visit, user = visit_seen_by(request, session), cast("User", request.user)
    if verb not in VERBS:
        raise Http404
    if not may(user, f"sessions.{verb}"):
        raise PermissionDenied
    asked = VERBS[verb].shape(data=_body(verb, request.POST, visit))
    try:
        asked.is_valid(raise_exception=True)
        seen = frozenset({request.POST["version"]}) if "version" in request.POST else None
        found = VERBS[verb].use_case(visit, **asked.validated_data, actor=user, now=clock.now(), expected=seen)
    except ValidationError as error:
        return _shown(request, visit, 400, list(_faults(error.detail)), verb)
    except Forbidden as refusal:
        return _shown(request, visit, 403, [refusal.detail], verb)
    except Refusal as refusal:
        return _shown(request, visit, refusal.status, list(_reasons(refusal)), verb)
    _say(request, verb, found)
    return redirect("web:chairside", visit.pk)


def _say(request: HttpRequest, verb: str, found: Any) -> None:
    """Say that it is done, and what a reading out of limits calls for."""
    answers = found[1].answers if isinstance(found, tuple) else []
    for each in answers:
        words = {
            "warn": _("%(what)s %(value)s is out of limits."),
            "repeat": _("%(what)s %(value)s is out of limits: measure again soon."),
            "stop_and_call": _("%(what)s %(value)s is out of limits: stop, and call the prescriber."),
        }
        told = {"what": _(MEASURES[each["measure"]]), "value": each["value"]}
        say = messages.error if each["action"] == "stop_and_call" else messages.warning
        say(request, words[each["action"]] % told)
    if not answers:
        messages.success(request, _(VERBS[verb].done))


def _body(verb: str, form: QueryDict, visit: Session) -> dict[str, Any]:
    """The form as the API would be sent it: numbers as numbers, what was left empty left out."""
    text = {name: str(value).strip() for name, value in form.items() if str(value).strip()}
    for name in ("csrfmiddlewaretoken", "version"):
        text.pop(name, None)
    body: dict[str, Any] = dict(text)
    numbers = {*MEASURES, "rate_percent", "grade", "score"}
    body |= {name: _number(value) for name, value in text.items() if name in numbers}
    if verb in ("start", "discharge") and "override" in text:
        body["override"] = {"reason": text["override"]}
    if verb == "gates" and (values := {name: body.pop(name) for name in MEASURES if name in body}):
        body["values"] = values
    if verb == "discharge" and "take_home" in text:
        body["take_home"] = [line.strip() for line in text["take_home"].splitlines() if line.strip()]
    if verb == "adverse-events" and "onset" in text:
        body["onset"] = _today_at(text["onset"], visit)
    return body


def _number(text: str) -> int | float | str:
    """A number where it is one; else the text, which the shape then refuses."""
    if not NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


def _today_at(text: str, visit: Session) -> str:
    """The instant of a time on today's clock at the clinic; what is none stays as it is, and the shape refuses it."""
    zone = zone_of(visit.site)
    try:
        clocked = datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007  (a time alone has no zone)
    except ValueError:
        return text
    return datetime.combine(local_date(clock.now(), zone), clocked, zone).isoformat()


def _faults(detail: Any) -> Iterator[str]:
    """Sentences that name the field and the rule."""
    for path, told in faults_in(detail):
        name = path.rpartition(".")[2]
        known = _(MEASURES[name]) if name in MEASURES else name.replace("_", " ").capitalize()
        yield f"{known}: {told}" if name else told


def _reasons(refusal: Refusal) -> Iterator[str]:
    """What a refusal says, and each thing that is missing."""
    yield refusal_words(refusal)
    for name in [*refusal.extra.get("missing", ()), *refusal.extra.get("warnings", ())]:
        yield _(LACKING[name]) if name in LACKING else name.replace("_", " ").capitalize()


def _shown(
    request: HttpRequest, visit: Session, status: int = 200, wrong: list[str] | None = None, verb: str = ""
) -> HttpResponse:
    visit = visit_seen_by(request, str(visit.pk))
    user, now = cast("User", request.user), clock.now()
    record_reads(user.pk, Session._meta.db_table, [(visit.pk, visit.patient_id)])
    rules, typed = visit.series.protocol.discharge, request.POST if wrong else {}
    stand, lived = [_gate(each, user) for each in gates.standings_of(visit, now)], day_of(visit, now)
    due = observation.next_due(lived["due"])
    return page(
        request,
        "chairside",
        status,
        site=visit.site,
        session=visit,
        of=visit.series.sessions.count(),
        now=now,
        clocked=f"{wording.local(now, visit.site.time_zone):%H:%M}",
        day=lived,
        due=due,
        due_words=_("Next at %s") % _clock(due.at, visit) if due else "",
        can={each.replace("-", "_") for each in lifecycle.allowed(visit, now) if may(user, f"sessions.{each}")},
        gates=stand,
        waits=any(each["open"] and Moment.START in each["gate"].at for each in stand),
        passes=any(each["open"] and each["passes"] for each in stand),
        measures=[
            (name, words, unit, typed.get(name, "") if verb == "vitals" else "") for name, words, unit in _asked()
        ],
        readings=[_reading(row, visit.site.time_zone) for row in visit.vitals.order_by("-taken_at", "-id")],
        instruments=[
            (each["instrument"], _(SCORES[each["instrument"]]), each["minimum"]) for each in rules.get("scores") or []
        ],
        escort=bool(rules.get("escort")),
        may_override_discharge=holds(user, *rules.get("override_roles", ())),
        choices={"grades": _choices(GRADES), "actions": _choices(ACTIONS), "outcomes": _choices(OUTCOMES)},
        wrong=wrong or [],
        typed=typed,
        tried=verb,
        may_move=may(user, "sessions.reschedule") and "reschedule" in lifecycle.allowed(visit, now),
    )


def _asked(only: Collection[str] = tuple(MEASURES)) -> list[tuple[str, str, str]]:
    """Name, words and unit of what can be measured."""
    return [(name, _(words), _unit(name)) for name, words in MEASURES.items() if name in only]


def _unit(name: str) -> str:
    unit = str(measures()[name]["unit"])
    return UNITS.get(unit, unit)


def _clock(instant: datetime, visit: Session) -> str:
    return wording.clock(wording.local(instant, visit.site.time_zone))


def _choices(words: dict[Any, str]) -> list[tuple[Any, str]]:
    return [(value, _(text)) for value, text in words.items()]


def _gate(stand: gates.Standing, user: User) -> dict[str, Any]:
    """One gate: what it asks, what was said, and whether the reader may pass it."""
    roles = stand.gate.override_roles
    return {
        "gate": stand.gate,
        "open": stand.open,
        "note": stand.answer.get("note", ""),
        "by_patient": stand.answer.get("said_by") == gates.PATIENT,
        "passes": bool(roles) and holds(user, *roles),
        "asked": _asked({each["measure"] for each in stand.gate.limits}),
    }


def _reading(row: Any, zone: str) -> dict[str, Any]:
    """A reading as a line: the time, each value with its unit, and whether one lies beyond its limits."""
    beyond = {each["measure"] for each in row.answers}
    pressure = "/".join(str(value) for value in (row.systolic, row.diastolic) if value is not None)
    values = [(_("Blood pressure"), pressure, "mmHg", bool(beyond & {"systolic", "diastolic"}))] if pressure else []
    values += [
        (_(MEASURES[name]), getattr(row, name), _unit(name), name in beyond)
        for name in ("heart_rate", "spo2", "respiratory_rate", "temperature")
        if getattr(row, name) is not None
    ]
    return {"at": wording.clock(wording.local(row.taken_at, zone)), "values": values, "note": row.note}
