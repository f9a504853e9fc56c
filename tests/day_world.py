"""The clinic of a played day: its visits around the present moment, what befalls each, and who works or looks."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, Any

from accounts import clock
from accounts.models import Role
from scheduler.models import ProviderRole
from sessions import events
from tests import factories
from tests.day_replay import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from accounts.models import Site
    from sessions.models import Session

Step = tuple[str, str, dict[str, Any], str]

LENGTHS: dict[str, Any] = {
    "prepare": 15,
    "infuse": 30,
    "recover": 15,
    "turnover": 15,
    "hands_on": 15,
}  # as in tests/day_replay.py
APART = 75 * MINUTE
TEAMS = 4  # chairs of one nurse, whose patients begin a quarter of an hour apart
CONSENT, OK = {"gate": "consent", "outcome": "met", "note": "signed"}, {"systolic": 124, "diastolic": 80, "spo2": 98}
FASTING = {"gate": "fasting", "outcome": "met", "note": ""}
HOME = {"gate": "escort", "outcome": "met", "note": ""}
OVER = {"override": {"reason": "seen by the prescriber"}}
NOW = "now"  # in a body: the instant at which it is sent first
ESCORT = {"escort_name": "Bo Example", "score": 10}
# What befalls a visit; after a `grave` one comes `held`, of the same series.
KINDS = ("plain", "slow", "paused", "stopped", "high", "grave", "override", "hurried", "no-show", "cancelled", "raced")
RULES: dict[str, Any] = {
    "gates": [
        {"gate": "consent", "severity": "block", "at": ["start"], "scope": "session", "override_roles": []},
        {"gate": "fasting", "severity": "block", "at": ["start"], "scope": "session", "override_roles": ["prescriber"]},
        {"gate": "escort", "severity": "block", "at": ["discharge"], "scope": "session", "override_roles": []},
    ],
    "observation": {
        "vitals": [
            {"during": "infuse", "from": 0, "every": 600, "until": 0},
            {"during": "recover", "from": 0, "every": 600, "until": 0},
        ],
        "early_minutes": 0,
        "late_minutes": 60,
        "repeat_after_minutes": 5,
        "limits": [{"measure": "systolic", "at_least": 180, "action": "repeat"}],
    },
    "discharge": {
        "escort": True,
        "scores": [{"instrument": "aldrete", "minimum": 9}],
        "override_roles": ["prescriber"],
    },
}


def script(kind: str, startable: bool) -> list[Step]:
    """What is done for a visit: who, which verb, with what, and the code of the refusal that has to come (or "")."""
    if kind == "no-show" and startable:
        return [("front_desk", "no-show", {}, ""), ("front_desk", "arrive", {}, "not_allowed")]
    if kind in ("no-show", "cancelled"):
        return [("front_desk", "confirm", {}, ""), ("front_desk", "cancel", {"reason": "ill"}, "")]
    befalls: dict[str, list[Step]] = {
        "slow": [
            ("nurse", "adverse-events", ill(2), ""),
            ("nurse", "slow", {"rate_percent": 50, "reason": "nausea"}, ""),
        ],
        "paused": [("nurse", "pause", {}, ""), ("nurse", "pause", {}, "already_done"), ("nurse", "resume", {}, "")],
        "grave": [("nurse", "adverse-events", ill(3), "")],
        "high": [("nurse", "vitals", {"systolic": 140, "diastolic": 85}, "")],
    }
    through = befalls.get(kind, [])
    broken_off: Step = ("nurse", "stop", {"reason": "asked for it"}, "")
    whole: Step = ("nurse", "finish-infusion", {}, "")
    hurry: list[Step] = [("nurse", "discharge", ESCORT, "gates_open"), ("prescriber", "discharge", ESCORT | OVER, "")]
    return [
        ("front_desk", "arrive", {}, ""),
        ("nurse", "gates", CONSENT, ""),
        *_begin(kind),
        ("nurse", "vitals", OK | ({"systolic": 190} if kind == "high" else {}), ""),
        *through,
        broken_off if kind == "stopped" else whole,
        ("nurse", "vitals", OK, ""),
        ("nurse", "gates", HOME, ""),
        *(hurry if kind == "hurried" else [("nurse", "discharge", ESCORT, "")]),
    ]


def _begin(kind: str) -> list[Step]:
    if kind == "override":
        return [
            ("nurse", "start", {}, "gates_open"),
            ("nurse", "start", OVER, "may_not_override"),
            ("prescriber", "start", OVER, ""),
        ]
    release: Step = ("prescriber", "release", {"reason": "may go on"}, "")
    held: list[Step] = [("nurse", "start", {}, "series_on_hold"), release]
    refused: list[Step] = [("nurse", "start", {}, "gates_open")]
    begun: Step = ("nurse", "both start" if kind == "raced" else "start", {}, "")
    return [*(held if kind == "held" else refused), ("nurse", "gates", FASTING, ""), begun]


def ill(grade: int) -> dict[str, Any]:
    """A report of something that begins now."""
    return {"grade": grade, "onset": NOW, "term": "Dyspnoea", "action": "treated", "outcome": "resolved"}


@dataclass
class Visit:
    """A visit, what is to be done for it, and what was done and answered."""

    session: Session
    kind: str
    steps: list[Step]
    done: list[str] = field(default_factory=list)


@dataclass
class World:
    """The clinic of the day: `tokens` by role, visits by chair in order."""

    site: Site
    tokens: dict[str, str]
    rows: list[list[Visit]]
    lock: threading.Condition = field(default_factory=threading.Condition)
    at_work: int = 0
    looked_at: bool = False
    steps: int = 0

    @property
    def visits(self) -> list[Visit]:
        """All of them."""
        return [visit for row in self.rows for visit in row]

    @contextmanager
    def working(self) -> Iterator[None]:
        """One step of the staff, not while somebody looks."""
        with self.lock:
            self.lock.wait_for(lambda: not self.looked_at)
            self.at_work += 1
        try:
            yield
        finally:
            with self.lock:
                self.at_work -= 1
                self.steps += 1
                self.lock.notify_all()

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nobody works meanwhile."""
        with self.lock:
            self.looked_at = True
            self.lock.wait_for(lambda: self.at_work == 0)
        try:
            yield
        finally:
            with self.lock:
                self.looked_at = False
                self.lock.notify_all()

    def wait_for_steps(self, wanted: int) -> None:
        """Until the staff have come so far."""
        with self.lock:
            assert self.lock.wait_for(lambda: self.steps >= wanted, 600), f"{self.steps} of {wanted} steps"


def make_world(chairs: int, waves: int, luck: Random) -> World:
    """Visits from half an hour ago on, chair by chair; the site's noon is now, so that the day holds them all."""
    now = clock.now()
    hours = 12 - now.hour
    organization = factories.make_organization()
    doctor = factories.make_user(organization, Role.PRESCRIBER)
    site = factories.make_site(organization, doctor, time_zone=f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT")
    people = {role: factories.make_user(organization, role, sites=(site,)) for role in (Role.FRONT_DESK, Role.NURSE)}
    tokens = {str(role): factories.make_token(user) for role, user in (people | {Role.PRESCRIBER: doctor}).items()}
    nurses = [factories.make_provider(site, capacity=12, weekdays=range(7)) for _ in range(-(-chairs // TEAMS))]
    prescriber = factories.make_provider(site, ProviderRole.PRESCRIBER, capacity=99, weekdays=range(7))
    plain = factories.make_protocol(organization, doctor, **RULES)
    least = RULES["discharge"] | {"minimum_recovery_minutes": [10]}
    hurried = factories.make_protocol(organization, doctor, **(RULES | {"discharge": least}))
    first = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0) - 30 * MINUTE
    rows: list[list[Visit]] = []
    for place, kinds in enumerate(_kinds(chairs, waves, luck)):
        chair, nurse = factories.make_chair(site), nurses[place % len(nurses)]
        row: list[Visit] = []
        for wave, kind in enumerate(kinds):
            start = first + wave * APART + place // len(nurses) * 15 * MINUTE
            series = factories.make_series(factories.make_patient(site), hurried if kind == "hurried" else plain)
            series = row[-1].session.series if kind == "held" else series
            session = factories.make_session(
                series, start, chair=chair, nurse=nurse, prescriber=prescriber, acuity=1, **LENGTHS
            )
            row.append(Visit(session, kind, script(kind, startable=start <= now)))
        rows.append(row)
    made = World(site, tokens, rows)
    events.record_many([visit.session for visit in made.visits], "booked", doctor, now)
    return made


def _kinds(chairs: int, waves: int, luck: Random) -> list[list[str]]:
    """What befalls each chair's visits: one that is grave and what comes of it, one no-show, the rest by luck."""
    count_ = chairs * waves - 3
    rest = [kind for kind, _ in zip(cycle(kind for kind in KINDS if kind not in ("grave", "no-show")), range(count_))]
    luck.shuffle(rest)
    rows = [[rest.pop() for _ in range(waves - (2, 1)[place] if place < 2 else waves)] for place in range(chairs)]
    rows[0][:0], rows[1][:0] = ["grave", "held"], ["no-show"]
    return rows
