"""A day in the chairs, played by simulated staff over HTTP on the service as it is shipped, with power cuts in it.

The visits stand around the present moment, so nothing moves the clock: who is late is late by the plan. Everybody asks
again with the same Idempotency-Key where no answer came. `tests/day_replay.py` says what the board has to show.
"""

from __future__ import annotations

import http.client
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen
from uuid import uuid4

import psutil
from django.db import connection

from accounts import clock
from scheduler.walltime import local_date
from sessions.facts import zone_of
from tests.day_replay import MINUTE, Life, differences, held_series, instant
from tests.day_world import NOW
from tests.service import eventually
from tests.test_run import Service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.day_world import Visit, World

EVENT_OF = {
    "confirm": "confirmed",
    "arrive": "arrived",
    "gates": "gate",
    "start": "started",
    "slow": "slowed",
    "pause": "paused",
    "resume": "resumed",
    "stop": "stopped",
    "finish-infusion": "infusion_finished",
    "adverse-events": "adverse_event",
    "no-show": "no_show",
    "cancel": "cancelled",
    "release": "series_released",
    "discharge": "discharged",
}


class Day:
    """The service with its world, the staff who play, and whoever cuts the power and looks at the board."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.cuts = self.checks = self.again = 0
        self.wrong: list[str] = []
        database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
        self.service = Service(folder / "data", DATABASE_URL=database, REDIS_URL=os.environ["REDIS_URL"])
        self.last: tuple[int, Any] = (-1, None)

    def play(self, staff: int, cuts: int, checks: int) -> None:
        """The whole day: `cuts` times the power fails at web and worker, `checks` times the board is looked at."""
        total = sum(len(visit.steps) for visit in self.world.visits)
        stops = sorted(
            [(total * number // (cuts + 1), self.cut) for number in range(1, cuts + 1)]
            + [(total * number // checks, self.check) for number in range(checks)],
            key=lambda stop: stop[0],
        )
        with ThreadPoolExecutor(staff) as pool:
            played = [pool.submit(self._chair, row) for row in self.world.rows]
            for steps, act in stops:
                self.world.wait_for_steps(steps)
                act()
            for each in played:
                each.result()
        self.check()

    def _chair(self, row: list[Visit]) -> None:
        for visit in row:
            for role, verb, body, code in visit.steps:
                with self.world.working():
                    if verb == "both start":
                        self._race(visit)
                    else:
                        self._step(visit, role, verb, body, code)

    def _step(self, visit: Visit, role: str, verb: str, body: dict[str, Any], code: str) -> None:
        session = visit.session
        path = f"series/{session.series_id}/release/" if verb == "release" else f"sessions/{session.pk}/{verb}/"
        sent = {name: clock.now().isoformat() if value == NOW else value for name, value in body.items()}
        status, answer = self.ask(role, path, sent)
        found = "" if 200 <= status < 300 else answer.get("code")
        if found != code:
            self.wrong.append(f"{visit.kind}: {verb}: {status} {answer}, not {code or 'done'}")
        if not code:
            visit.done.append(verb)

    def _race(self, visit: Visit) -> None:
        """Two people click start at once: one wins, the other is told who did it."""
        path = f"sessions/{visit.session.pk}/start/"
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda role: self.ask(role, path, {}), ("nurse", "prescriber")))
        visit.done.append("start")
        if sorted(status for status, _ in both) != [200, 409] or not next(a for s, a in both if s == 409).get("by"):
            self.wrong.append(f"two starts at once: {both}")

    def ask(self, role: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> tuple[int, Any]:
        """The answer, asked for again with the same key until one comes."""
        headers |= {"Authorization": f"Bearer {self.world.tokens[role]}"}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers |= {"Content-Type": "application/json", "Idempotency-Key": uuid4().hex}
        request = Request(f"http://127.0.0.1:{self.service.port}/api/v1/{path}", data, headers)

        def once() -> tuple[int, Any] | None:
            try:
                with urlopen(request, timeout=30) as answer:
                    return answer.status, json.loads(answer.read())
            except HTTPError as error:
                told = error.read()
                # The other hand of a lock that went with its process, or a server that is stopping.
                if error.code < 500 and b'"still_running"' not in told:
                    return error.code, json.loads(told or b"{}")
            except (OSError, http.client.HTTPException):
                pass
            self.again += 1
            return None

        return eventually(once, path)  # type: ignore[return-value]

    def cut(self) -> None:
        """SIGKILL to web server and worker with all their children, whatever they are at; both come back."""
        before = {name: self.service.parts()[name] for name in ("web", "worker")}
        for part in before.values():
            for process in [part, *part.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self.cuts += 1

        def back() -> bool:
            now = self.service.parts()
            return all(name in now and now[name].pid != part.pid for name, part in before.items())

        eventually(back, "web and worker come back")

    def check(self) -> None:
        """Hold the board against the histories while nobody works; it has moved where something has happened."""
        with self.world.still():
            date = local_date(clock.now(), zone_of(self.world.site))
            _, board = self.ask("nurse", f"board/?site={self.world.site.pk}&date={date}")
            histories = {str(visit.session.pk): self._history(visit) for visit in self.world.visits}
        lives = {str(visit.session.pk): self._life(visit, histories) for visit in self.world.visits}
        series = {str(visit.session.pk): str(visit.session.series_id) for visit in self.world.visits}
        self.checks += 1
        newest = max(event["id"] for events_ in histories.values() for event in events_)
        self.wrong += differences(board, lives, held_series(histories, series))
        version, known = self.last
        if newest != known and board["version"] <= version:
            self.wrong.append(f"the board stands at version {version} although event {newest} came after {known}")
        self.last = board["version"], newest

    def _history(self, visit: Visit) -> list[dict[str, Any]]:
        found, path = [], f"sessions/{visit.session.pk}/events/"
        while path:
            _, page = self.ask("nurse", path)
            found += page["results"]
            path = (page["next"] or "").partition("/api/v1/")[2]
        return sorted(found, key=lambda event: event["id"])

    def _life(self, visit: Visit, histories: dict[str, list[dict[str, Any]]]) -> Life:
        session = visit.session
        booked, *rest = histories[str(session.pk)]
        minimum = 10 * MINUTE if visit.kind == "hurried" else None
        where = {name: booked["after"][name] for name in ("chair", "nurse")}
        start = instant(booked["after"]["start"])
        life = Life(start, series=str(session.series_id), minimum=minimum, high=visit.kind == "high", **where)
        for event in [booked, *rest]:
            life.live(event)
        return life

    def doubled_or_lost(self) -> list[str]:
        """Visits whose history is not, once each, what was done for them."""
        wrong = []
        for visit in self.world.visits:
            kinds = [event["kind"] for event in self._history(visit)]
            told = [kind for kind in kinds if not kind.startswith("found_")]
            done = ["booked", *(EVENT_OF.get(verb, verb) for verb in visit.done)]
            # A release is told by the last session begun of its series, which the held one is.
            if told != done or len(set(kinds) - set(told)) != len(kinds) - len(told):
                wrong.append(f"{visit.kind}: history {kinds}, done {done}")
        return wrong
