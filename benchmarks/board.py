"""A day of 60 visits on the board: 10 open pages that ask every 1.5 seconds while the day changes, and an empty view.

Then the same two answers as fast as they come: the whole board, and "nothing new". Queries are counted. At last two
real browsers on one board (`benchmarks/browsers.py`).
"""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import cycle
from typing import TYPE_CHECKING

from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import clock
from accounts.models import Role
from benchmarks import browsers
from benchmarks.common import Load, load, percentile, request, say, tell, tell_latency, web
from scheduler.catalogue import entry
from scheduler.models import ProviderRole
from scheduler.walltime import local_date
from sessions import board as boards
from sessions.facts import zone_of
from sessions.models import Session, SiteDay
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from accounts.models import Site
    from benchmarks.common import Servers

PAGES, CHAIRS, WAVES = 10, 20, 3


def main(servers: Servers, quick: bool) -> None:
    """Make the day, count, measure, tell."""
    rounds, seconds = (2, 0.5) if quick else (5, 4.0)
    site, day, tokens = _day()
    say(f"{Session.objects.filter(site=site).count()} visits in {CHAIRS} chairs, {PAGES} open pages")
    counts = _queries(site, day)
    address = f"/api/v1/board/?site={site.pk}&date={day}"
    kinds = {"whole board": _whole, "nothing new": _same}
    version = boards.version_of(site, day)
    limits: dict[str, list[Load]] = {name: [] for name in kinds}
    ours: dict[str, list[Load]] = {name: [] for name in kinds}
    with web(servers.folder, "config.wsgi") as port, web(servers.folder, "benchmarks.bare") as bare:
        for name, ask in kinds.items():
            for number in range(rounds + 1):
                limit = load(bare, [cycle([request("GET", "/empty")]) for _ in tokens], seconds).check(200)
                mine = load(port, [ask(address, token, version) for token in tokens], seconds)
                if set(mine.statuses) - {200, 304}:
                    raise SystemExit(f"Answers besides 200 and 304: {dict(mine.statuses)}")
                if number:  # the first round only warms up
                    limits[name].append(limit)
                    ours[name].append(mine)
        open_pages = _open_pages(port, address, tokens, site, day, 4 if quick else 30)
        browsers.measure(port, 2 if quick else 60)
    for name in kinds:
        rates = [one.rate for one in limits[name]], [one.rate for one in ours[name]]
        tell(f"{name} beside an empty view", "requests a second", *rates, TARGETS[name])
        tell_latency("limit", limits[name])
        tell_latency("ours", ours[name])
    say(f"\n{PAGES} open pages, one question each 1.5 s, a change each second")
    half, most = percentile(open_pages.milliseconds, 0.5), percentile(open_pages.milliseconds, 0.99)
    say(f"  p50 {half:,.1f} ms, p99 {most:,.1f} ms, {dict(sorted(open_pages.statuses.items()))}")
    say(f"queries: whole board {counts[0]}, of which {counts[1]} read the day; the same for 5 visits and for 60")


TARGETS = {"whole board": "none: it is read once a change and page", "nothing new": "at least 0.2"}


def _day() -> tuple[Site, date, list[str]]:
    """60 visits around now, a third of them under way, watched as the catalogue's protocol for mood says."""
    organization = factories.make_organization()
    doctor = factories.make_user(organization, Role.PRESCRIBER)
    site = factories.make_site(organization, doctor, time_zone="UTC")
    nurses = [factories.make_provider(site, capacity=10, weekdays=range(7)) for _ in range(10)]
    prescriber = factories.make_provider(site, ProviderRole.PRESCRIBER, capacity=60, weekdays=range(7))
    chairs = [factories.make_chair(site) for _ in range(CHAIRS)]
    said = entry("KET-TRD-3W")
    rules = {name: said[name] for name in ("gates", "observation", "discharge")}
    protocol = factories.make_protocol(organization, doctor, **rules)
    now = clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = max(midnight, min(now - timedelta(hours=4), midnight + timedelta(hours=14)))
    for number in range(CHAIRS * WAVES):
        place, wave = number % CHAIRS, number // CHAIRS
        start = first + timedelta(hours=3 * wave, minutes=15 * (place // 10))
        status = ("completed", "infusing", "booked")[wave]
        series = factories.make_series(factories.make_patient(site), protocol)
        row = factories.make_session(
            series,
            start,
            chair=chairs[place],
            nurse=nurses[place % 10],
            prescriber=prescriber,
            acuity=1,
            status=status,
        )
        infused = start + timedelta(minutes=30)
        begun = {"arrived_at": start, "infusion_started_at": infused, "rate_since": infused}
        if wave < 2:
            ended = {"infusion_ended_at": row.recover_start, "ended_at": row.end} if wave == 0 else {}
            Session.objects.filter(pk=row.pk).update(**begun, **ended)
    people = [factories.make_user(organization, Role.NURSE, sites=(site,)) for _ in range(PAGES)]
    return site, local_date(now, zone_of(site)), [factories.make_token(user) for user in people]


def _queries(site: Site, day: date) -> tuple[int, int]:
    """Queries of a whole board, and of those the ones on our tables of sessions."""
    with CaptureQueriesContext(connection) as seen:
        boards.board(site, day, clock.now())
    told = [query["sql"] or "" for query in seen.captured_queries]
    return len(told), sum("infusion_sessions" in sql for sql in told)


def _whole(address: str, token: str, version: int) -> Iterator[bytes]:
    return cycle([request("GET", address, token)])


def _same(address: str, token: str, version: int) -> Iterator[bytes]:
    """Asked with the tag that the board has just now; where the minute has turned, the whole board comes once."""
    while True:
        yield _conditional(address, token, boards.tag(version, clock.now()))


def _conditional(address: str, token: str, tag: str) -> bytes:
    return request("GET", address, token).replace(b"\r\n\r\n", f"\r\nIf-None-Match: {tag}\r\n\r\n".encode(), 1)


def _open_pages(port: int, address: str, tokens: list[str], site: Site, day: date, seconds: float) -> Load:
    """Each page asks every 1.5 seconds with the tag it has; the day changes every second."""
    whole, until, version = Load(), time.perf_counter() + seconds, boards.version_of(site, day)
    tags = dict.fromkeys(tokens, boards.tag(version, clock.now()))
    while time.perf_counter() < until:
        begin = time.perf_counter()
        SiteDay.objects.filter(site=site, date=day).update(version=version + 1)
        version += 1
        asked = [iter([_conditional(address, token, tags[token])]) for token in tokens]
        one = load(port, asked)
        whole.milliseconds += one.milliseconds
        whole.statuses += one.statuses
        tags = dict.fromkeys(tokens, boards.tag(version, clock.now()))
        again = load(port, [iter([_conditional(address, token, tags[token])]) for token in tokens])
        whole.milliseconds += again.milliseconds
        whole.statuses += again.statuses
        time.sleep(max(0.0, 1.5 - (time.perf_counter() - begin)))
    whole.seconds = seconds
    return whole
