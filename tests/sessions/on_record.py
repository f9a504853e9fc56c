"""What is to be said about a visit as it stands, and how a course stands, read as a clerk would read the records.

Shares nothing with the service but the records themselves: no code of the floors is asked. It knows the site's plan
and the protocols of `change_machine`, by the numbers below.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import chain
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REMINDERS = [
    {"hours_before": 72, "channels": ["email"]},
    {"days_before": 1, "at": "10:00", "channels": ["email", "sms"]},
]
FOLLOW_UPS = [
    {"instrument": "NRS", "hours_after": 24, "anchor": "before_session"},
    {"instrument": "NRS", "hours_after": 3},
    {"instrument": "PEG", "hours_after": 0, "anchor": "series_end"},
]
PLAN: dict[str, Any] = {
    "receipts": True,
    "changes": True,
    "cancellations": True,
    "no_shows": True,
    "preparation_hours": 48,
    "ask_again_hours": 4,
}
GAP = (2, 5)
TO_COME, GONE, ENDED = ("booked", "confirmed"), ("cancelled", "no_show"), ("completed", "stopped_early")

# PostgreSQL's own number of the type.
JSONB = 3802
# One row of a table, its columns as attributes.
Row = Any

# What is said, by which channel, of which start, from when, until when.
Said = tuple[str, str, datetime, datetime, datetime]


@dataclass
class File:
    """What the records say of one visit, oldest first."""

    session: Row
    events: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)

    @property
    def starts(self) -> list[datetime]:
        """When the visit got a start, each time."""
        return [event.at for event in self.events if "start" in event.after]

    @property
    def told(self) -> datetime | None:
        """The start that the patient was told last."""
        spoke = [
            each
            for each in self.messages
            if each.status == "sent" and each.follow_up_id is None and each.kind not in ("cancellation", "no_show")
        ]
        return max(spoke, key=lambda each: each.sent_at or each.created_at).speaks_of if spoke else None


def files() -> list[File]:
    """Everything that is on record of each visit."""
    about = {name: {row.id: row for row in read(f"accounts_{name}")} for name in ("patient", "site")}
    about["series"] = {row.id: row for row in read("infusion_sessions_series")}
    found = {}
    for row in read("infusion_sessions_session"):
        for name, known in about.items():
            setattr(row, name, known[getattr(row, f"{name}_id")])
        found[row.id] = File(row)
    for event in read("infusion_sessions_sessionevent", "true ORDER BY id"):
        found[event.session_id].events.append(event)
    for message in read("notifications_message", "session_id IS NOT NULL AND alert_id IS NULL ORDER BY id"):
        found[message.session_id].messages.append(message)
    return list(found.values())


def read(table: str, which: str = "true") -> list[Row]:
    """The rows of a table as they are: no model is asked, whose making would take most of a step's time."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} WHERE {which}")
        columns = [(column.name, column.type_code == JSONB) for column in cursor.description]
        found = cursor.fetchall()
    return [
        SimpleNamespace(**{
            name: json.loads(cell) if is_json and cell is not None else cell
            for (name, is_json), cell in zip(columns, row, strict=True)
        })
        for row in found
    ]  # fmt: skip


def wrong(now: datetime) -> list[str]:
    """All that is wrong with what is on record; [] where all is well."""
    kept = files()
    checks = (_wrong_histories(kept), _wrong_courses(kept, now), _left_behind(kept, now), _wrong_messages(kept, now))
    return [*chain(*checks), *_wrong_offers(now)]


def _wrong_messages(kept: list[File], now: datetime) -> Iterator[str]:
    """Where what is due, as the rows have it, differs from what the visits as they stand call for."""
    for one in kept:
        said = {(each.kind, each.speaks_of) for each in one.messages if each.status == "sent"}
        wanted = {due for due in _due(one, kept) if due[4] > now and (due[0], due[2]) not in said}
        yield from _compared(wanted, one.messages, now, one.session.id)


def _wrong_offers(now: datetime) -> Iterator[str]:
    """The same of the places on offer."""
    rows = defaultdict(list)
    for row in read("notifications_message", "offer_id IS NOT NULL"):
        rows[row.offer_id].append(row)
    offers = read("infusion_sessions_offer")
    patients = {row.id: row for row in read("accounts_patient")} if offers else {}
    for offer in offers:
        told = any(row.status == "sent" for row in rows[offer.id])
        due = ("offer", _first(patients[offer.patient_id]), offer.start, offer.created_at, offer.expires_at)
        wanted = {due} if offer.status == "open" and not told and offer.expires_at > now else set()
        yield from _compared(wanted, rows[offer.id], now, offer.id)


def _compared(wanted: set[Said], rows: Iterable[Row], now: datetime, about: object) -> Iterator[str]:
    due = [row for row in rows if row.status == "due" and row.not_after > now]
    there = [(row.kind, row.channel, row.speaks_of, row.due_at, row.not_after) for row in due]
    if len(there) != len(set(there)):
        yield f"{about}: a message is there twice"
    for each in sorted(wanted - set(there)):
        yield f"{about}: not due, though it should be: {each}"
    for each in sorted(set(there) - wanted):
        yield f"{about}: due, though it should not be: {each}"


def _first(patient: Any) -> str:
    """By what the patient wishes to hear first."""
    return str(patient.preferred_channels[0])


def _due(one: File, others: list[File]) -> set[Said]:
    """Everything that is to be said of the visit as it stands, said already or not."""
    session = one.session
    if session.status in TO_COME:
        return {*_news(one), *_calendar(one)}
    if session.status in GONE:
        return set(_end(one))
    return set(_asked_after(one, others)) if session.status in ENDED else set()


def _news(one: File) -> Iterator[Said]:
    start, since, moves, told = one.session.start, one.starts[-1], len(one.starts) - 1, one.told
    by, until = _first(one.session.patient), min(since + 24 * HOUR, start)
    if told is not None and told != start:
        yield f"change_{moves}", by, start, since, until
    elif not (told == start and moves):
        yield "receipt", by, start, since, until


def _calendar(one: File) -> Iterator[Said]:
    """Preparation, the two reminders, what is asked before it."""
    session, since = one.session, one.starts[-1]
    start, last = session.start, session.start - HOUR / 2
    prepared = max(start - 48 * HOUR, since)
    if prepared < last:
        yield "preparation", _first(session.patient), start, prepared, last
    zone = ZoneInfo(session.site.time_zone)
    eve = datetime.combine(start.astimezone(zone).date() - DAY, time(10), zone).astimezone(UTC)
    wants = session.patient.preferred_channels
    for kind, at, until, channels in (
        ("reminder_72h", start - 72 * HOUR, eve, ["email"]),
        ("reminder_1d_1000", eve, last, wants),
    ):
        if until > since:
            for channel in channels:
                yield kind, channel, start, max(at, since), until
    asked = max(start - 24 * HOUR, since)
    if session.sequence > 1 and asked < start:
        yield "follow_up_nrs_24h_before", _first(session.patient), start, asked, start


def _end(one: File) -> Iterator[Said]:
    session, told = one.session, one.told
    at = next(event.at for event in one.events if event.kind == session.status)
    if session.status == "no_show":
        yield "no_show", _first(session.patient), session.start, at, at + 24 * HOUR
    elif told is not None and at < told:
        yield "cancellation", _first(session.patient), told, at, min(at + 24 * HOUR, told)


def _asked_after(one: File, others: list[File]) -> Iterator[Said]:
    session, by = one.session, _first(one.session.patient)
    given = [each.session for each in others if each.session.series_id == session.series_id]
    last = max((each for each in given if each.status in ENDED), key=lambda each: each.start)
    kinds = [("follow_up_nrs_3h", 3 * HOUR)]
    if session.series.status == "completed" and last.id == session.id:
        kinds.append(("follow_up_peg_0h_series_end", 0 * HOUR))
    assert session.ended_at is not None
    for kind, hours in kinds:
        at = session.ended_at + hours
        yield kind, by, session.start, at, at + 7 * DAY
        yield f"{kind}_again", by, session.start, at + 4 * HOUR, at + 7 * DAY


def _wrong_histories(kept: list[File]) -> Iterator[str]:
    """Visits whose events, told one after the other, do not come to how they stand."""
    for one in kept:
        told: dict[str, Any] = {}
        for event in one.events:
            if event.before.items() - told.items():
                yield f"{one.session.id}: {event.kind} begins at {event.before}, where it stood at {told}"
            told |= event.after
        row = one.session
        stands = {"status": row.status, "start": row.start.isoformat(), "end": row.end.isoformat()}
        stands |= {name: str(getattr(row, f"{name}_id")) for name in ("chair", "nurse", "prescriber")}
        wrong = {name: (told.get(name), now) for name, now in stands.items() if told.get(name) != now}
        if wrong:
            yield f"{row.id}: {wrong}"


def _wrong_courses(kept: list[File], now: datetime) -> Iterator[str]:
    """Courses that go on as if all were well, although a visit to come is too near to the one before, or too far.

    A prescriber's other spacing is for what is to come: what was given stands as it was given.
    """
    courses: dict[UUID, dict[int, Row]] = defaultdict(dict)
    for one in sorted(kept, key=lambda one: one.events[0].id):
        # Of several at one place of a course, the one booked last is in force, or was until it was lost.
        courses[one.session.series_id][one.session.sequence] = one.session
    for rows in courses.values():
        series, low, high = rows[min(rows)].series, *GAP
        for change in series.adjustments:
            low, high = change["spacing"]["min_days"], change["spacing"]["max_days"]
        zone = ZoneInfo(rows[min(rows)].site.time_zone)
        for number, row in rows.items():
            before = rows.get(number - 1)
            if series.status != "active" or before is None or row.status not in TO_COME or row.start <= now:
                continue
            days = (row.start.astimezone(zone).date() - before.start.astimezone(zone).date()).days
            if not low <= days <= high:
                yield f"{series.id}: {days} days before session {number}"


def _left_behind(kept: list[File], now: datetime) -> Iterator[str]:
    """Visits to come that lack their nurse, prescriber, chair or site, and stand in nobody's list for that."""
    drafted = {row.id: row.status for row in read("infusion_sessions_disruption")}
    known = {
        item.session_id
        for item in (read("infusion_sessions_disruptionitem") if drafted else ())
        if drafted[item.disruption_id] == "draft"
        or (drafted[item.disruption_id], item.outcome) == ("applied", "unresolved")
    }
    gone: dict[UUID, list[Any]] = defaultdict(list)
    for table, name in (("timeoff", "provider"), ("chairclosure", "chair"), ("siteclosure", "site")):
        for row in read(f"scheduler_{table}"):
            gone[getattr(row, f"{name}_id")].append(row.during)
    for row in (one.session for one in kept):
        if row.status not in TO_COME or row.start <= now or row.id in known:
            continue
        needs = {
            "nurse": (row.nurse_id, row.start, row.end),
            "prescriber": (row.prescriber_id, row.infuse_start, row.end),
            "chair": (row.chair_id, row.start, row.turnover_end),
            "site": (row.site_id, row.start, row.turnover_end),
        }
        for name, (who, start, end) in needs.items():
            if any(during.lower < end and start < during.upper for during in gone[who]):
                yield f"{row.id} has no {name} on {row.start}"
