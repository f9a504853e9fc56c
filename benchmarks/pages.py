"""The ten most used pages of a clinic with a year of visits: server time, queries, weight, first paint on a slow phone;
and how long a new patient's first booking takes (walk.py).

Server time is asked by one reader at a time, beside an empty view of the same server. The phone is Lighthouse's: a
quarter of this machine's speed, 1.6 megabits a second, 150 ms there and back; its cache is empty at the first page.
"""

from __future__ import annotations

import gzip
import http.client
import logging
import statistics
import time
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import sync_playwright

from accounts.models import Role
from benchmarks import walk
from benchmarks.clinic import make_clinic
from benchmarks.common import ROOT, load, percentile, request, say, web
from sessions.models import Series
from tests import factories

if TYPE_CHECKING:
    from benchmarks.clinic import Clinic
    from benchmarks.common import Servers

CHROMIUM: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
SLOW: Final = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
SLOWER: Final = 4
FIRST_PAINT_MS: Final = 1000
FORM_TOKEN: Final = "x" * 32
PAINTED: Final = ("home", "visits", "plans")


@dataclass(frozen=True)
class Page:
    """A page, who opens it (None: nobody), what has to stand on it, and what is sent to it."""

    name: str
    address: str
    reader: Client | None
    shows: str
    form: str = ""


def main(servers: Servers, quick: bool) -> None:
    """Make the clinic, ask each page, count, weigh, paint."""
    settings.ALLOWED_HOSTS = ["*"]
    # What this process asks of itself, to count queries.
    for name in ("requests", "py.warnings"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with servers.connect() as database:
        clinic = make_clinic(database, 30 if quick else 365, 1)
    say(f"{clinic.sessions} visits in {clinic.days} days")
    pages = _pages(clinic)
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=["drf_spectacular_sidecar"])
    say(f"{'page':12} {'queries':>8} {'p50 ms':>8} {'p99 ms':>8} {'KB':>7}")
    with web(servers.folder, "config.wsgi") as port, web(servers.folder, "benchmarks.bare") as bare:
        empty = load(bare, [cycle([request("GET", "/empty")])], 0.3 if quick else 2.0).check(200)
        _row("empty view", 0, empty.milliseconds)
        for page in pages:
            took, size = _ask(port, page, 5 if quick else 60)
            _row(page.name, _queries(page), took, f"{size / 1000:7.1f}")
        _weigh()
        walk.prepare(clinic)
        _paint(port, [page for page in pages if page.name in PAINTED], 1 if quick else 5, clinic.site.time_zone)


def _row(name: str, queries: int, took: list[float], size: str = "") -> None:
    say(f"{name:12} {queries:8} {percentile(took, 0.5):8.1f} {percentile(took, 0.99):8.1f} {size}")


def _pages(clinic: Clinic) -> list[Page]:
    """The ten, with the records that they are about."""
    series = Series.objects.filter(site=clinic.site).select_related("patient").order_by("pk")[0]
    person, care = series.patient, factories.make_user(clinic.site.organization, Role.NURSE, sites=(clinic.site,))
    person.user, person.family_name = factories.make_user(None, Role.PATIENT), "Quillfeather"
    person.save()
    desk, nurse, patient = Client(), Client(), Client()
    desk.force_login(clinic.desk[0])
    nurse.force_login(care)
    patient.force_login(person.user)
    wishes = {"course": clinic.protocol.pk, "earliest": clinic.first + timedelta(days=2), "times": "any"}
    plans = desk.post(f"/patients/{person.pk}/book/", wishes)["Location"]
    return [
        Page("home", "/", None, "Send me a link"),
        Page("visits", "/visits/", patient, "Next visit"),
        Page("wishes", f"/patients/{person.pk}/book/", desk, "Find plans"),
        Page("plans", plans, desk, "Hold this plan"),
        Page("desk", "/desk/", desk, "Arrivals"),
        Page("search", "/patients/", desk, person.family_name, f"who={person.family_name}"),
        Page("patient", f"/patients/{person.pk}/", nurse, person.family_name),
        Page("board", f"/board/?date={clinic.first}", nurse, 'class="visit'),
        Page("day sheet", f"/day-sheet/?date={clinic.first}", desk, "Ada"),
        Page("alerts", "/alerts/", nurse, "Alerts"),
    ]


def _headers(page: Page) -> dict[str, str]:
    if page.reader is None:
        return {}
    name = settings.SESSION_COOKIE_NAME
    cookies = f"{name}={page.reader.cookies[name].value}; {settings.CSRF_COOKIE_NAME}={FORM_TOKEN}"
    return {"Cookie": cookies, "X-CSRFToken": FORM_TOKEN, "Content-Type": "application/x-www-form-urlencoded"}


def _ask(port: int, page: Page, times: int) -> tuple[list[float], int]:
    """Milliseconds of each answer, one after another on one connection, and the bytes of the last; some warm up."""
    took, body = [], b""
    asked = http.client.HTTPConnection("127.0.0.1", port)
    for number in range(times + 3):
        begin = time.perf_counter()
        asked.request("POST" if page.form else "GET", page.address, page.form or None, _headers(page))
        answer = asked.getresponse()
        body = answer.read()
        if number >= 3:
            took.append((time.perf_counter() - begin) * 1000)
    asked.close()
    if answer.status != 200 or page.shows not in body.decode():
        raise SystemExit(f"{page.address}: {answer.status}, without {page.shows!r}")
    return took, len(body)


def _queries(page: Page) -> int:
    """Statements that one look costs, those of signing in included."""
    client = page.reader or Client()
    with CaptureQueriesContext(connection) as seen:
        if page.form:
            client.post(page.address, page.form, content_type="application/x-www-form-urlencoded")
        else:
            client.get(page.address)
    return len(seen)


def _weigh() -> None:
    """Script and style of all pages together, as they are and as they travel."""
    for kind in ("js", "css"):
        files = [file.read_bytes() for file in (ROOT / "web" / "static" / "web").glob(f"*.{kind}")]
        packed = sum(len(gzip.compress(file)) for file in files)
        say(
            f"all {kind}: {sum(map(len, files)) / 1000:.1f} KB in {len(files)} files, {packed / 1000:.1f} KB compressed"
        )


def _paint(port: int, pages: list[Page], times: int, zone: str) -> None:
    """First contentful paint on the slow phone, and a first booking on it."""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        for page in pages:
            took = [_painted(browser, port, page) for _ in range(times)]
            painted = f"median {statistics.median(took):.0f} ms, most {max(took):.0f} ms"
            say(f"first paint of {page.name} on a slow phone: {painted}   target: {FIRST_PAINT_MS} ms")
        walk.measure(browser, f"http://127.0.0.1:{port}", zone, _slow)
        browser.close()


def _painted(browser: Any, port: int, page: Page) -> float:
    context = browser.new_context(viewport=walk.PHONE, extra_http_headers=_headers(page))
    tab = context.new_page()
    _slow(tab)
    tab.goto(f"http://127.0.0.1:{port}{page.address}")
    painted = tab.evaluate(
        """() => new Promise(done => new PerformanceObserver(list => {
            const found = list.getEntriesByName("first-contentful-paint")[0];
            if (found) done(found.startTime);
        }).observe({ type: "paint", buffered: true }))"""
    )
    context.close()
    return float(painted)


def _slow(tab: Any) -> None:
    """Make this tab a slow phone's."""
    tools = tab.context.new_cdp_session(tab)
    tools.send("Network.enable")
    tools.send("Network.emulateNetworkConditions", SLOW)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
