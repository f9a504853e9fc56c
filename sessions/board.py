"""The board of a site's day: who sits where, what is due next, what needs a person, who has how much.

Read in a fixed number of queries, however full the day. What it shows moves `SiteDay.version`; only what the clock
alone changes does not, and of that a board is at most a minute old (see `tag`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from django.db.models import Count, OuterRef, Q, Subquery

from accounts.prepared import first_row
from scheduler import walltime
from scheduler.gates import gates_of
from scheduler.models import Moment
from sessions import gates, observation
from sessions.discharge import ready_at
from sessions.expected import expected, minutes_late
from sessions.facts import SLOT, zone_of
from sessions.kept_days import room_of, supply_of
from sessions.lateness import Reached, Visit, live, reaches
from sessions.models import (
    GONE,
    TO_COME,
    AdverseEvent,
    SeriesStatus,
    Session,
    SessionStatus,
    SiteDay,
    VitalSigns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from accounts.models import Site
    from scheduler.facts import Day

MINUTE = timedelta(minutes=1)
UNDER_WAY = (SessionStatus.ARRIVED, SessionStatus.INFUSING, SessionStatus.RECOVERING)


@dataclass(frozen=True)
class Alert:
    """Something that needs a person. `level`: `alert` at once, `overdue` soon, `notice` to know."""

    level: str
    code: str
    session: Session
    since: datetime
    detail: str
    reached: tuple[Reached, ...] = ()


@dataclass(frozen=True)
class Step:
    """What is due next at a session, and what it waits for."""

    what: str
    at: datetime
    waits_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """One session on the board."""

    visit: Visit
    of: int
    late: int
    step: Step | None
    open_gates: tuple[str, ...]
    reading: VitalSigns | None
    dues: tuple[observation.Due, ...]
    alerts: tuple[Alert, ...]

    @property
    def session(self) -> Session:
        """The session itself."""
        return self.visit.session


@dataclass(frozen=True)
class Load:
    """How many patients and points a nurse has from one instant to the next."""

    start: datetime
    end: datetime
    patients: int
    acuity: int


@dataclass(frozen=True)
class Board:
    """A site's day. `sessions` by chair id in order of start; `duty` and `loads` by nurse id."""

    site: Site
    date: date
    now: datetime
    version: int
    day: Day
    chairs: Sequence[Any]
    nurses: Sequence[Any]
    sessions: dict[UUID, list[Shown]]
    loads: dict[UUID, list[Load]]
    alerts: list[Alert]

    @property
    def shown(self) -> Iterator[Shown]:
        """Every session on the board."""
        return (each for row in self.sessions.values() for each in row)


def version_of(site: Site, day: date) -> int:
    """The day's version, 0 where nothing was ever there. One query by a unique index."""
    return SiteDay.objects.filter(site=site, date=day).values_list("version", flat=True).first() or 0


def tag(version: int, now: datetime) -> str:
    """The board's ETag: its version, and the minute, since lateness comes with time alone."""
    return f'"{version}.{int(now.timestamp()) // 60}"'


# The day's number and that of the site's supply, before anything that they stand for is read.
NUMBERS = """
SELECT coalesce((SELECT version FROM infusion_sessions_siteday WHERE site_id = %s AND date = %s), 0),
    coalesce((SELECT version FROM scheduler_supplyversion WHERE site_id = %s), 0)
"""


def board(site: Site, day: date, now: datetime) -> Board:
    """The board as it stands. What the site has to offer is read only where it has changed."""
    version, number = first_row(NUMBERS, [site.pk, day, site.pk]) or (0, 0)
    supply, room = supply_of(site, day, number), room_of(site, number)
    rows, left_open = _sessions(site, day)
    facts = _facts([*rows, *left_open], now)
    visits = [Visit(row, expected(row, now)) for row in rows]
    shown = [_shown(visit, visits, supply, facts, now) for visit in visits]
    by_chair: dict[UUID, list[Shown]] = defaultdict(list)
    for each in shown:
        by_chair[each.session.chair_id].append(each)
    at_work = {row.nurse_id for row in rows}
    alerts = [alert for each in shown for alert in each.alerts]
    alerts += [_forgotten(row) for row in left_open]
    return Board(
        site=site,
        date=day,
        now=now,
        version=version,
        day=supply,
        chairs=[chair for chair in room.chairs if chair.is_active or chair.pk in by_chair],
        nurses=[nurse for nurse in room.nurses if nurse.is_active or nurse.pk in at_work],
        sessions=dict(by_chair),
        loads=_loads(visits),
        alerts=sorted(alerts, key=lambda alert: (("alert", "overdue", "notice").index(alert.level), alert.since)),
    )


# Of how many visits each is one: those of its series that take place.
IN_SERIES = Subquery(
    Session.objects.filter(series=OuterRef("series"))
    .exclude(status__in=GONE)
    .order_by()
    .values("series")
    .values(n=Count("*"))
)


def _sessions(site: Site, day: date) -> tuple[list[Session], list[Session]]:
    """The day's sessions by start, and those of earlier days that nobody has ended. One query."""
    since, until = (walltime.first_instant(at, zone_of(site)) for at in (day, day + walltime.DAY))
    with_all = Session.objects.select_related("patient", "series__protocol", "chair", "nurse").annotate(of=IN_SERIES)
    older = Q(start__lt=since, status__in=UNDER_WAY)
    found = with_all.filter(Q(start__gte=since, start__lt=until) | older, site=site).order_by("start", "id")
    rows = list(found)
    for row in rows:
        row.site = site
    return [row for row in rows if row.start >= since], [row for row in rows if row.start < since]


@dataclass(frozen=True)
class _Facts:
    """What stands beside the sessions, by session."""

    readings: dict[UUID, list[VitalSigns]]
    adverse: dict[UUID, list[AdverseEvent]]
    standings: dict[UUID, list[gates.Standing]]


def _facts(rows: Sequence[Session], now: datetime) -> _Facts:
    ids = [row.pk for row in rows]
    readings: dict[UUID, list[VitalSigns]] = defaultdict(list)
    for reading in VitalSigns.objects.filter(session__in=ids).order_by("taken_at", "id"):
        readings[reading.session_id].append(reading)
    adverse: dict[UUID, list[AdverseEvent]] = defaultdict(list)
    for event in AdverseEvent.objects.filter(session__in=ids).order_by("onset", "id"):
        adverse[event.session_id].append(event)
    known = gates_of({row.series.protocol_id: row.series.protocol for row in rows}.values())
    earlier = gates.earlier_answers(rows)
    standings = {row.pk: gates.standings(row, known[row.series.protocol_id], earlier, now) for row in rows}
    return _Facts(readings, adverse, standings)


def _shown(visit: Visit, visits: Sequence[Visit], day: Day, facts: _Facts, now: datetime) -> Shown:
    row = visit.session
    readings = facts.readings.get(row.pk, [])
    rules = row.series.protocol.observation
    dues = observation.dues(rules, observation.marks_of(row), observation.readings_of(readings), now)
    moment = Moment.START if row.infusion_started_at is None else Moment.DISCHARGE
    missing, warnings = gates.open_at(facts.standings[row.pk], moment)
    open_gates = () if row.ended_at or row.status in GONE else (*missing, *warnings)
    step = _step(visit, dues, open_gates)
    late = 0 if row.status in GONE or row.ended_at else minutes_late(row, visit.expected.end)
    adverse = facts.adverse.get(row.pk, [])
    alerts = _alerts(visit, visits, day, late, step, readings, dues, adverse, now)
    reading = readings[-1] if readings else None
    return Shown(visit, cast("Any", row).of, late, step, open_gates, reading, tuple(dues), tuple(alerts))


def _step(visit: Visit, dues: Iterable[observation.Due], open_gates: tuple[str, ...]) -> Step | None:
    row, when = visit.session, visit.expected
    if row.status in TO_COME:
        return Step("arrive", row.start)
    if row.status == SessionStatus.ARRIVED:
        return Step("start", when.infuse_start, open_gates)
    if row.status == SessionStatus.INFUSING:
        ahead = Step("resume", row.paused_at) if row.paused_at else Step("finish-infusion", when.recover_start)
    elif row.status == SessionStatus.RECOVERING:
        ready = ready_at(row)
        ahead = Step("discharge", max(when.end, ready) if ready else when.end, open_gates)
    else:
        return None
    reading = observation.next_due(dues)
    return Step("vitals", reading.at) if reading is not None and reading.at <= ahead.at else ahead


def _alerts(
    visit: Visit,
    visits: Sequence[Visit],
    day: Day,
    late: int,
    step: Step | None,
    readings: Sequence[VitalSigns],
    dues: Sequence[observation.Due],
    adverse: Sequence[AdverseEvent],
    now: datetime,
) -> Iterator[Alert]:
    """What of one session needs a person."""
    row = visit.session
    if row.status in GONE or row.ended_at is not None:
        return
    yield from _of_readings(row, readings, dues, now)
    for event in adverse:
        if event.grade >= row.site.hold_series_from_grade:
            yield Alert("alert", "adverse_event", row, event.onset, f"A severe adverse event, grade {event.grade}.")
    if row.series.status == SeriesStatus.ON_HOLD and row.infusion_started_at is None:
        yield Alert("alert", "series_on_hold", row, row.start, "A prescriber has to release this series first.")
    if row.status in TO_COME and now >= row.start + row.site.overdue_after_minutes * MINUTE:
        since = int((now - row.start).total_seconds()) // 60
        yield _reaching("overdue", "not_here", visit, visits, day, f"Not here, {since} min late.")
    elif late >= row.site.late_from_minutes:
        yield _reaching("notice", "running_late", visit, visits, day, f"Ends {late} min later than planned.")
    if step is not None and step.what == "start" and step.waits_for and now >= row.infuse_start:
        yield Alert("overdue", "gates_open", row, row.infuse_start, f"The start waits for {named(step.waits_for)}.")
    if row.status in UNDER_WAY and now >= visit.session.end + row.site.forgotten_after_minutes * MINUTE:
        yield _forgotten(row)


def named(gates_: tuple[str, ...]) -> str:
    """Gates as words."""
    return ", ".join(gate.replace("_", " ") for gate in gates_)


def _of_readings(
    row: Session, readings: Sequence[VitalSigns], dues: Sequence[observation.Due], now: datetime
) -> Iterator[Alert]:
    """The last reading, where it calls for more than a warning; a reading that is overdue."""
    called = {each["action"] for each in readings[-1].answers} if readings else set()
    if "stop_and_call" in called:
        yield Alert("alert", "vitals_stop", row, readings[-1].taken_at, "Vital signs: stop and call the prescriber.")
    elif "repeat" in called:
        yield Alert("alert", "vitals_repeat", row, readings[-1].taken_at, "Vital signs out of limits: repeat.")
    overdue = next((each for each in dues if each.status == "overdue"), None)
    if overdue is not None:
        since = int((now - overdue.at).total_seconds()) // 60
        yield Alert("overdue", "vitals_overdue", row, overdue.at, f"Vital signs are {since} min overdue.")


def _reaching(level: str, code: str, visit: Visit, visits: Sequence[Visit], day: Day, detail: str) -> Alert:
    found = tuple(reaches(visit, live(visits), day))
    grave = "overdue" if found else level
    return Alert(grave, code, visit.session, visit.session.start, detail, found)


def _forgotten(row: Session) -> Alert:
    return Alert("overdue", "forgotten", row, row.end, "Nobody has ended this visit.")


def _loads(visits: Iterable[Visit]) -> dict[UUID, list[Load]]:
    """How many each nurse has at once, from one change to the next, as the day is expected to go."""
    by_nurse: dict[UUID, list[Visit]] = defaultdict(list)
    for visit in live(visits):
        by_nurse[visit.session.nurse_id].append(visit)
    found = {}
    for nurse, mine in by_nurse.items():
        marks = sorted({at for visit in mine for at in (visit.expected.start, visit.expected.end)})
        spans = []
        for since, until in pairwise(marks):
            here = [v for v in mine if v.expected.start <= since and v.expected.end >= until]
            spans.append(Load(since, until, len(here), sum(v.session.acuity for v in here)))
        found[nurse] = [span for span in spans if span.patients]
    return found


def duty_of(board_: Board, nurse: UUID) -> list[tuple[datetime, datetime]]:
    """When a nurse is on duty that day, as spans of time."""
    facts = next((each for each in board_.day.nurses if each.id == str(nurse)), None)
    spans, bits, at = [], 0 if facts is None else facts.on_duty, 0
    while bits:
        skip = (bits & -bits).bit_length() - 1
        bits >>= skip
        run = ((~bits) & -(~bits)).bit_length() - 1
        begin = board_.day.first_instant + (at + skip) * SLOT
        spans.append((begin, begin + run * SLOT))
        at, bits = at + skip + run, bits >> run
    return spans
