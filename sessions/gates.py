"""Gates at a session: what was answered, by whom, whether it still holds, and who may pass one that is open."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from accounts.refusals import Conflict, Forbidden, RuleBroken
from accounts.rights import holds
from scheduler.gates import Gate, gates_of, out_of_limits
from scheduler.models import Scope
from sessions.lifecycle import Versions, make_move
from sessions.models import Session

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from uuid import UUID

    from accounts.models import User

MET, NOT_APPLICABLE, NOT_MET, OVERRIDDEN = "met", "not_applicable", "not_met", "overridden"
SETTLED: Final = frozenset({MET, NOT_APPLICABLE})
PATIENT, STAFF = "patient", "staff"

Answer = dict[str, Any]


@dataclass(frozen=True)
class Earlier:
    """A gate's answer at another session of the patient."""

    session: UUID
    series: UUID
    answer: Answer


@dataclass(frozen=True)
class Standing:
    """How one gate stands for one session. `session` is where the answer was given; None where there is none."""

    gate: Gate
    answer: Answer
    session: UUID | None
    open: bool


def gates_for(session: Session) -> tuple[Gate, ...]:
    """The session's gates, resolved."""
    return gates_of([session.series.protocol])[session.series.protocol_id]


def earlier_answers(sessions: Iterable[Session]) -> dict[tuple[UUID, str], list[Earlier]]:
    """Answers that these sessions' patients have at any session, newest last, by (patient, gate). One query."""
    patients = {session.patient_id for session in sessions}
    rows = Session.objects.filter(patient__in=patients).exclude(gates={}).order_by("start")
    found: dict[tuple[UUID, str], list[Earlier]] = defaultdict(list)
    for pk, patient, series, answers in rows.values_list("pk", "patient_id", "series_id", "gates"):
        for gate, answer in answers.items():
            found[patient, gate].append(Earlier(pk, series, answer))
    return found


def standings(
    session: Session,
    gates: Sequence[Gate],
    earlier: Mapping[tuple[UUID, str], Sequence[Earlier]],
    now: datetime,
) -> list[Standing]:
    """How each gate stands, in the protocol's order."""
    when = session.infusion_started_at or max(now, session.start)
    return [_standing(session, gate, earlier.get((session.patient_id, gate.name), ()), when) for gate in gates]


def standings_of(session: Session, now: datetime) -> list[Standing]:
    """The same for one session alone, with what it needs read."""
    gates = gates_for(session)
    far = any(gate.scope != Scope.SESSION for gate in gates)
    return standings(session, gates, earlier_answers([session]) if far else {}, now)


def _standing(session: Session, gate: Gate, earlier: Sequence[Earlier], when: datetime) -> Standing:
    """The session's own answer first, else the newest one that reaches here and still holds."""
    own = session.gates.get(gate.name)
    if own is not None:
        return Standing(gate, own, session.pk, _is_open(gate, own, when))
    for found in reversed(earlier):
        if found.session != session.pk and _reaches(gate, found, session) and not _is_open(gate, found.answer, when):
            return Standing(gate, found.answer, found.session, open=False)
    return Standing(gate, {}, None, open=True)


def _reaches(gate: Gate, found: Earlier, session: Session) -> bool:
    if found.answer.get("outcome") not in SETTLED:
        return False
    return gate.scope == Scope.PATIENT or (gate.scope == Scope.SERIES and found.series == session.series_id)


def _is_open(gate: Gate, answer: Answer, when: datetime) -> bool:
    if answer.get("said_by") == PATIENT and not gate.patient_may:
        return True
    outcome = answer.get("outcome")
    # Whoever of the staff answers a gate that only warns has seen it, whatever the answer.
    seen = not gate.blocks and outcome is not None and answer.get("said_by") != PATIENT
    if outcome == OVERRIDDEN:
        return False
    return not (seen or (outcome in SETTLED and _holds(gate, answer, when)))


def _holds(gate: Gate, answer: Answer, when: datetime) -> bool:
    """Whether an answer is young enough for that instant."""
    if gate.valid_hours is None or "at" not in answer:
        return True
    return datetime.fromisoformat(answer["at"]) + timedelta(hours=gate.valid_hours) >= when


def meet_gate(
    session: Session,
    gate: str,
    outcome: str,
    note: str,
    actor: User,
    now: datetime,
    values: Mapping[str, float] | None = None,
    expected: Versions = None,
) -> Session:
    """Record whether one of the protocol's gates is met; `values` are what was measured for it.

    Raises:
        RuleBroken: `unknown_gate` where the protocol has none of that name; `beyond_limits` with `answers` where it is
            called met and a value calls for more than a warning.
    """
    known = _named(session, gate)
    beyond = out_of_limits(known.limits, values or {})
    if outcome == MET and any(each.action != "warn" for each in beyond):
        told = [{"measure": each.measure, "action": each.action} for each in beyond]
        raise RuleBroken("beyond_limits", "What was measured does not let this gate be met.", answers=told)
    answer: Answer = {"outcome": outcome, "note": note, "by": str(actor.pk), "at": now.isoformat(), "said_by": STAFF}
    if values:
        answer["values"] = dict(values)

    def change(row: Session) -> None:
        row.gates = {**row.gates, gate: answer}

    also = {"gate": gate, "outcome": outcome}
    return make_move(session, "gates", actor, now, change=change, also=also, expected=expected)


def _named(session: Session, name: str) -> Gate:
    for gate in gates_for(session):
        if gate.name == name:
            return gate
    raise RuleBroken("unknown_gate", "The protocol has no gate of that name.")


def prepare(
    session: Session,
    answers: Sequence[Mapping[str, Any]],
    actor: User,
    now: datetime,
    expected: Versions = None,
) -> Session:
    """Take down what the patient says beforehand, each `{gate, outcome, note}`. What staff have answered stays.

    Raises:
        RuleBroken: `unknown_gate`; `not_for_patients` where a gate is not the patient's to answer.
    """
    for answer in answers:
        if not _named(session, answer["gate"]).patient_may:
            raise RuleBroken("not_for_patients", f"The clinic answers this one itself: {answer['gate']}.")

    def change(row: Session) -> None:
        said = {each["gate"]: _said(each, actor, now) for each in answers}
        by_staff = {gate for gate, answer in row.gates.items() if answer.get("said_by", STAFF) == STAFF}
        row.gates = row.gates | {gate: answer for gate, answer in said.items() if gate not in by_staff}

    also = {"gates": [each["gate"] for each in answers]}
    return make_move(session, "preparation", actor, now, change=change, also=also, expected=expected)


def _said(answer: Mapping[str, Any], actor: User, now: datetime) -> Answer:
    kept = {"outcome": answer["outcome"], "note": answer["note"], "by": str(actor.pk), "at": now.isoformat()}
    return {**kept, "said_by": PATIENT}


def open_at(stand: Iterable[Standing], moment: str) -> tuple[dict[str, frozenset[str]], list[str]]:
    """Gates open at a moment: those that block, each with the roles that may pass it, and those that only warn."""
    here = [each for each in stand if each.open and moment in each.gate.at]
    blocking = {each.gate.name: each.gate.override_roles for each in here if each.gate.blocks}
    return blocking, [each.gate.name for each in here if not each.gate.blocks]


def let_pass(
    missing: Mapping[str, Collection[str]],
    warnings: Sequence[str],
    actor: User,
    override: Mapping[str, str] | None,
    **told: Any,
) -> list[str]:
    """What is passed over by an override; [] where nothing is missing.

    Raises:
        Conflict: `gates_open` with what is `missing` (and `told`) where nobody overrides it; `gates_unseen` with the
            `warnings` that nobody has looked at. Forbidden: `may_not_override`.
    """
    if missing and override is None:
        raise Conflict(
            "gates_open", "Something has to be true first.", missing=list(missing), warnings=list(warnings), **told
        )
    if any(not roles or not holds(actor, *roles) for roles in missing.values()):
        raise Forbidden("may_not_override", "Your role may not pass what is open here.")
    if warnings:
        raise Conflict(
            "gates_unseen", "Somebody has to look at these warnings first.", missing=[], warnings=list(warnings)
        )
    return list(missing)


def passed(row: Session, names: Iterable[str], actor: User, reason: str, now: datetime) -> None:
    """Write on the row which gates were passed over, by whom and why."""
    answer = {"outcome": OVERRIDDEN, "note": reason, "by": str(actor.pk), "at": now.isoformat(), "said_by": STAFF}
    row.gates = row.gates | dict.fromkeys(names, answer)
