"""Reads by HTTP: one session, a list of 50, and what our middleware alone leaves, beside an empty view.

Both are served by the same gunicorn settings, 16 connections each, in turn.
"""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import cycle
from typing import TYPE_CHECKING

from benchmarks.clinic import make_clinic
from benchmarks.common import load, request, say, spent, tell, tell_latency, tell_spent, web
from sessions.models import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.clinic import Clinic
    from benchmarks.common import Load, Servers

CONNECTIONS = 16
WORK = {
    "middleware alone": "none: what is left before any view of ours begins",
    "one session": "at least 0.25",
    "list of 50": "at least 0.15",
}


def main(servers: Servers, quick: bool) -> None:
    """Measure, and tell limit, ours and ratio of each kind of read."""
    days, rounds, seconds = (20, 2, 0.5) if quick else (1000, 5, 4.0)
    with servers.connect() as database:
        clinic = make_clinic(database, days, CONNECTIONS)
    say(f"{clinic.sessions:,} sessions; {CONNECTIONS} connections, {rounds} rounds of {seconds} s each")
    asks = {"middleware alone": _nothing, "one session": _one(clinic), "list of 50": _list(clinic)}
    limits: dict[str, list[Load]] = {name: [] for name in WORK}
    ours: dict[str, list[Load]] = {name: [] for name in WORK}
    spents: dict[str, list[tuple[float, float]]] = {name: [] for name in WORK}
    with web(servers.folder, "config.wsgi") as port, web(servers.folder, "benchmarks.bare") as bare:
        for name, ask in asks.items():
            for number in range(rounds + 1):
                limit = load(bare, [_empty() for _ in range(CONNECTIONS)], seconds).check(200)
                before = spent("config.wsgi"), spent("postgres")
                mine = load(port, [ask(token) for token in clinic.tokens], seconds).check(200)
                after, answers = (spent("config.wsgi"), spent("postgres")), len(mine.milliseconds)
                if number:  # the first round only warms up
                    limits[name].append(limit)
                    ours[name].append(mine)
                    spents[name].append(((after[0] - before[0]) / answers, (after[1] - before[1]) / answers))
    for name, target in WORK.items():
        rates = [one.rate for one in limits[name]], [one.rate for one in ours[name]]
        tell(f"{name} beside an empty view", "requests a second", *rates, target)
        tell_latency("limit", limits[name])
        tell_latency("ours", ours[name])
        tell_spent("ours", spents[name])


def _empty() -> Iterator[bytes]:
    return cycle([request("GET", "/empty")])


def _nothing(token: str) -> Iterator[bytes]:
    return cycle([request("GET", "/healthz/live")])


def _one(clinic: Clinic) -> Callable[[str], Iterator[bytes]]:
    """Each client reads sessions here and there."""
    some = [str(each) for each in Session.objects.order_by("id").values_list("id", flat=True)[:5000]]

    def ask(token: str) -> Iterator[bytes]:
        picked = random.Random(token).sample(some, min(len(some), 500))
        return cycle([request("GET", f"/api/v1/sessions/{each}/", token) for each in picked])

    return ask


def _list(clinic: Clinic) -> Callable[[str], Iterator[bytes]]:
    """Each client reads full pages that begin on days here and there."""

    def ask(token: str) -> Iterator[bytes]:
        luck = random.Random(token)
        days = [clinic.first + timedelta(days=luck.randrange(clinic.days - 10)) for _ in range(200)]
        query = f"site={clinic.site.pk}&page_size=50"
        return cycle([request("GET", f"/api/v1/sessions/?{query}&from={day}T00:00:00Z", token) for day in days])

    return ask
