"""A board worked out from the history of its visits alone, without the product's code, to hold the real one against.

It knows the protocol that `tests/day_world.py` gives its visits, and nothing of how the service keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

MINUTE = timedelta(minutes=1)
# What the service cuts off a run of the infusion, a second at each change, counts double at half the rate.
SLACK = timedelta(seconds=6)
PREPARE, INFUSE, RECOVER, TURNOVER = (minutes * MINUTE for minutes in (15, 30, 15, 15))
AT_START, AT_DISCHARGE = ("consent", "fasting"), ("escort",)
REPEAT_AFTER = 5 * MINUTE
NOT_HERE_AFTER, LATE_FROM = 15, 10
GRAVE = 3
TO_COME, GONE, ENDED = ("booked", "confirmed"), ("cancelled", "no_show"), ("completed", "stopped_early")
LEADS_TO = {
    "booked": "booked",
    "confirmed": "confirmed",
    "arrived": "arrived",
    "started": "infusing",
    "infusion_finished": "recovering",
    "stopped": "recovering",
    "no_show": "no_show",
    "cancelled": "cancelled",
}


def instant(text: str) -> datetime:
    """An instant as the API writes it."""
    return datetime.fromisoformat(text)


@dataclass
class Life:
    """One visit as its events tell it. `high` is whether its first reading calls for a repetition."""

    start: datetime
    chair: str
    nurse: str
    series: str
    minimum: timedelta | None
    high: bool
    status: str = ""
    arrived: datetime | None = None
    started: datetime | None = None
    paused: datetime | None = None
    infused: datetime | None = None
    ended: datetime | None = None
    stopped: bool = False
    rate: int = 100
    # Seconds of the infusion that have run by the last change, and when that was.
    run: float = 0.0
    since: datetime | None = None
    settled: set[str] = field(default_factory=set)
    readings: list[datetime] = field(default_factory=list)
    grave: bool = False

    @property
    def end(self) -> datetime:
        """The planned end."""
        return self.start + PREPARE + INFUSE + RECOVER

    def live(self, event: dict[str, Any]) -> None:
        """One event more."""
        kind, at, after = event["kind"], instant(event["at"]), event["after"]
        self.status = LEADS_TO.get(kind, self.status)
        if kind in ("slowed", "paused", "resumed", "infusion_finished", "stopped"):
            self.run, self.since = self.run_at(at), at
        if kind == "arrived":
            self.arrived = at
        elif kind == "gate":
            (self.settled.add if after["outcome"] == "met" else self.settled.discard)(after["gate"])
        elif kind == "started":
            self.started = self.since = at
            self.settled |= set(after.get("overridden", ()))
        elif kind == "slowed":
            self.rate = after["rate_percent"]
        elif kind == "paused":
            self.paused = at
        elif kind == "resumed":
            self.paused = None
        elif kind in ("infusion_finished", "stopped"):
            self.infused, self.paused, self.stopped = at, None, kind == "stopped"
        elif kind == "vitals":
            self.readings.append(at)
        elif kind == "adverse_event":
            self.grave |= after["grade"] >= GRAVE
        elif kind == "discharged":
            self.ended, self.status = at, "stopped_early" if self.stopped else "completed"
        elif kind == "reseated":
            self.chair, self.nurse = after.get("chair", self.chair), after.get("nurse", self.nurse)

    def run_at(self, now: datetime) -> float:
        """Seconds of the planned infusion that have run."""
        if self.since is None or self.paused is not None:
            return self.run
        return self.run + (now - self.since).total_seconds() * self.rate / 100

    def times(self, now: datetime) -> tuple[datetime, datetime, datetime, datetime]:
        """Start, start of the infusion, start of recovery and end, as they were or are to be expected."""
        begun = self.status not in TO_COME
        start = max(self.start, self.arrived) if self.arrived else self.start if begun else max(self.start, now)
        infuse = self.started or start + PREPARE
        if self.status == "arrived":
            infuse = max(infuse, now)
        recover = self.infused or infuse + INFUSE
        if self.status == "infusing":
            left = max(0.0, INFUSE.total_seconds() - self.run_at(now)) * 100 / self.rate
            recover = now + timedelta(seconds=left)
        end = recover + RECOVER
        if begun:
            end = max(end, now)
        return start, infuse, recover, self.ended or end

    def late(self, now: datetime) -> int:
        """Whole minutes behind the plan."""
        if self.ended or self.status in GONE:
            return 0
        return max(0, int((self.times(now)[3] - self.end).total_seconds()) // 60)

    def open_gates(self) -> list[str]:
        """What stands between the patient and the next door."""
        if self.ended or self.status in GONE:
            return []
        return [gate for gate in (AT_DISCHARGE if self.started else AT_START) if gate not in self.settled]

    def next_step(self, now: datetime) -> str | None:
        """What is due next."""
        if self.status in TO_COME:
            return "arrive"
        if self.status == "arrived":
            return "start"
        recover, end = self.times(now)[2:]
        if self.status == "infusing":
            step, at = ("resume", self.paused) if self.paused else ("finish-infusion", recover)
        elif self.status == "recovering":
            assert self.infused is not None
            step, at = "discharge", max(end, self.infused + (self.minimum or timedelta()))
        else:
            return None
        wanted = self._reading_wanted()
        return "vitals" if wanted is not None and wanted <= at else step

    def _reading_wanted(self) -> datetime | None:
        """A reading as the infusion starts, one as it ends, and one a while after a reading that was too high."""
        again = [self.readings[0] + REPEAT_AFTER] if self.high and self.readings else []
        times = sorted({at for at in (self.started, self.infused, *again) if at is not None})
        for at in times:
            if not any(reading >= at for reading in self.readings):
                return at
        return None

    def alerts(self, held: set[str], now: datetime) -> set[str]:
        """The codes of what needs a person."""
        if self.ended or self.status in GONE:
            return set()
        found = {"adverse_event"} if self.grave else set()
        if self.high and len(self.readings) == 1:
            found.add("vitals_repeat")
        if self.series in held and self.started is None:
            found.add("series_on_hold")
        if self.status in TO_COME and now >= self.start + NOT_HERE_AFTER * MINUTE:
            found.add("not_here")
        elif self.late(now) >= LATE_FROM:
            found.add("running_late")
        if self.status == "arrived" and self.open_gates() and now >= self.start + PREPARE:
            found.add("gates_open")
        return found


def held_series(histories: dict[str, list[dict[str, Any]]], series: dict[str, str]) -> set[str]:
    """The series that wait for a prescriber; `series` by visit."""
    told = sorted((event["id"], visit, event) for visit, events in histories.items() for event in events)
    held: set[str] = set()
    for _, visit, event in told:
        if event["kind"] == "adverse_event" and event["after"]["grade"] >= GRAVE:
            held.add(series[visit])
        elif event["kind"] == "series_released":
            held.discard(series[visit])
    return held


def differences(board: dict[str, Any], lives: dict[str, Life], held: set[str]) -> list[str]:
    """Where the board says something else than the histories; [] where it is right."""
    now = instant(board["as_of"])
    seen = {each["id"]: (chair["id"], each) for chair in board["chairs"] for each in chair["sessions"]}
    wrong = [f"{visit}: on the board {visit in seen}" for visit in seen.keys() ^ lives.keys()]
    for visit, (chair, shown) in seen.items():
        unlike = _unlike(chair, shown, lives[visit], held, now)
        wrong += [f"{visit}: {name}: board {a}, events {b}" for name, a, b in unlike]
    return wrong + _loads(board, lives, now)


def _unlike(chair: str, shown: dict[str, Any], life: Life, held: set[str], now: datetime) -> list[tuple[str, Any, Any]]:
    marks = {
        "start": life.start,
        "end": life.end,
        "arrived_at": life.arrived,
        "infusion_started_at": life.started,
        "paused_at": life.paused,
        "infusion_ended_at": life.infused,
        "ended_at": life.ended,
    }
    pairs: list[tuple[str, Any, Any]] = [
        (name, shown[name] and instant(shown[name]), value) for name, value in marks.items()
    ]
    reading = shown["last_reading"]
    pairs += [
        ("chair", chair, life.chair),
        ("nurse", shown["nurse"], life.nurse),
        ("status", shown["status"], life.status),
        ("open gates", shown["open_gates"], life.open_gates()),
        ("next", shown["next"] and shown["next"]["what"], life.next_step(now)),
        ("last reading", reading and instant(reading["taken_at"]), life.readings[-1] if life.readings else None),
    ]
    wrong = [pair for pair in pairs if pair[1] != pair[2]]
    if life.status in GONE:
        return wrong
    end = life.times(now)[3]
    if abs(instant(shown["expected_end"]) - end) > SLACK:
        wrong.append(("expected end", shown["expected_end"], end))
    if abs(shown["late_minutes"] - life.late(now)) > 1:
        wrong.append(("late", shown["late_minutes"], life.late(now)))
    # At the edge of a minute either is right.
    sure = {code for moment in (now - SLACK, now + SLACK) for code in life.alerts(held, moment)}
    missing = life.alerts(held, now) & life.alerts(held, now - SLACK) - set(shown["alerts"])
    if missing or set(shown["alerts"]) - sure:
        wrong.append(("alerts", shown["alerts"], sorted(life.alerts(held, now))))
    return wrong


def _loads(board: dict[str, Any], lives: dict[str, Life], now: datetime) -> list[str]:
    """Each nurse's patients, counted every five minutes from an hour ago on."""
    wrong = []
    for nurse in board["nurses"]:
        spans = [life.times(now) for life in lives.values() if life.nurse == nurse["id"] and life.status not in GONE]
        for number in range(-12, 60):
            at = now + number * 5 * MINUTE
            if any(abs(edge - at) <= SLACK for span in spans for edge in (span[0], span[3])):
                continue
            mine = sum(span[0] <= at < span[3] for span in spans)
            here = [load for load in nurse["loads"] if instant(load["start"]) <= at < instant(load["end"])]
            told = sum(load["patients"] for load in here)
            if mine != told:
                wrong.append(f"{nurse['name']} at {at}: board {told} patients, events {mine}")
    return wrong
