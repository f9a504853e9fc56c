"""Vital signs: what is due when, what was read, and what a reading out of limits calls for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from accounts.refusals import RuleBroken
from scheduler.gates import measures, out_of_limits
from sessions.lifecycle import Versions, make_move
from sessions.models import Session, VitalSigns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from accounts.models import User

CALLS_AGAIN = ("repeat", "stop_and_call")


@dataclass(frozen=True)
class Marks:
    """When a session's infusion started and ended, when it will end where it runs, and when the patient left."""

    started: datetime | None
    infused: datetime | None
    left: datetime | None


@dataclass(frozen=True)
class Reading:
    """When a reading was taken, and whether it asks for another one soon."""

    at: datetime
    again: bool


@dataclass(frozen=True)
class Due:
    """One time at which vital signs are wanted: `coming`, `due`, `overdue`, `missed` (a later one was read), `done`."""

    at: datetime
    status: str


def marks_of(session: Session) -> Marks:
    """The marks of a session as they stand."""
    return Marks(session.infusion_started_at, session.infusion_ended_at, session.ended_at)


def dues(rules: Mapping[str, Any], marks: Marks, readings: Sequence[Reading], now: datetime) -> list[Due]:
    """What is due, from the infusion's start to the first time that lies ahead.

    A reading counts for one time: from `early_minutes` before it (at most half the way from the one before) until the
    next one's begins.
    """
    if not rules.get("vitals") or marks.started is None:
        return []
    early, late = (timedelta(minutes=rules[name]) for name in ("early_minutes", "late_minutes"))
    again = timedelta(minutes=rules["repeat_after_minutes"])
    times = sorted(
        {*_planned(rules["vitals"], marks, now + early), *(each.at + again for each in readings if each.again)}
    )
    if marks.left is not None:
        times = [at for at in times if at <= marks.left]
    if not times:
        return []
    begins = [at - min(early, (at - before) / 2 or early) for before, at in pairwise([*times[:1], *times])]
    found = []
    for at, since, until in zip(times, begins, [*begins[1:], marks.left], strict=True):
        done = any(since <= each.at and (until is None or each.at < until) for each in readings)
        gone = until is not None and (marks.left is not None or any(each.at >= until for each in readings))
        found.append(Due(at, "done" if done else _unmet(since, at + late, until, gone, now)))
        if since > now:
            break
    return found


def _unmet(since: datetime, late: datetime, until: datetime | None, gone: bool, now: datetime) -> str:
    if now < since:
        return "coming"
    if gone:
        return "missed"
    # From `until` on a reading counts for the next time, so only one is due at any moment.
    return "overdue" if now > late or (until is not None and now >= until) else "due"


def _planned(steps: Iterable[Mapping[str, Any]], marks: Marks, horizon: datetime) -> Iterator[datetime]:
    """The times that the steps give: up to the horizon, and the one after."""
    for step in steps:
        begun, over = (marks.started, marks.infused) if step["during"] == "infuse" else (marks.infused, marks.left)
        if begun is None:
            continue
        at, every = begun + timedelta(minutes=step["from"]), timedelta(minutes=step["every"])
        last = None if step["until"] is None else begun + timedelta(minutes=step["until"])
        end = min(filter(None, (over, last)), default=None)
        while end is None or at <= end:
            yield at
            if at > horizon:
                break
            at += every


def next_due(found: Iterable[Due]) -> Due | None:
    """The first that still wants a reading, overdue ones before those to come."""
    return next((each for each in found if each.status in ("due", "overdue", "coming")), None)


def readings_of(rows: Iterable[VitalSigns]) -> list[Reading]:
    """Rows as `dues` wants them, by time."""
    found = [Reading(row.taken_at, any(each["action"] in CALLS_AGAIN for each in row.answers)) for row in rows]
    return sorted(found, key=lambda reading: reading.at)


def record_vitals(
    session: Session,
    values: Mapping[str, float],
    actor: User,
    now: datetime,
    taken_at: datetime | None = None,
    note: str = "",
    expected: Versions = None,
) -> tuple[Session, VitalSigns]:
    """Write one reading; its `answers` say at once what a value out of the protocol's limits calls for.

    Raises:
        RuleBroken: `in_future`, `before_start`.
    """
    at = taken_at or now
    if at > now:
        raise RuleBroken("in_future", "A reading is taken before it is written down.")
    kept: list[VitalSigns] = []
    also: dict[str, Any] = {}

    def change(row: Session) -> None:
        if row.infusion_started_at is not None and at < row.infusion_started_at:
            raise RuleBroken("before_start", "This reading was taken before the infusion started.")
        beyond = out_of_limits(row.series.protocol.observation.get("limits", ()), values)
        answers = [vars(each) for each in beyond]
        taken = {"taken_at": at, "taken_by": actor, "recorded_at": now}
        kept.append(
            VitalSigns.objects.create(
                session=row, patient_id=row.patient_id, note=note, answers=answers, **taken, **values
            )
        )
        also["reading"] = str(kept[0].pk)

    session = make_move(session, "vitals", actor, now, change=change, also=also, expected=expected)
    return session, kept[0]


def human(values: Mapping[str, float]) -> Iterator[tuple[str, float, float]]:
    """Measures whose value no human has, with the bounds that it lies beyond."""
    for name, value in values.items():
        bounds = measures()[name]
        if not bounds["from"] <= value <= bounds["to"]:
            yield name, bounds["from"], bounds["to"]
