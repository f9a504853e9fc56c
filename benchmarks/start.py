"""A start of `bin/run` in a data folder that has been used: to ready, and what its processes hold at rest.

The limit is what no start can do without: PostgreSQL and Valkey in folders that have been used, each alone, and one
process that loads the application.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from benchmarks.common import ROOT, say, spread, tell
from config.embedded import Postgres, Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS: Final = 5
# Long enough for the first ticks; so what is held is what the service holds all day.
REST_SECONDS: Final = 15
LOAD: Final = "import django; django.setup(); import config.urls, config.celery, config.wsgi"
# Whatever names other servers or other settings is not ours.
OTHERS: Final = ("DATABASE_URL", "REDIS_URL", "ENVIRONMENT", "SECRET_KEY", "EMAIL_URL", "SMS_URL")


def main(quick: bool) -> None:
    """Prints milliseconds to ready beside the limit, and megabytes at rest by part."""
    rounds = 1 if quick else ROUNDS
    with tempfile.TemporaryDirectory(prefix="infusion-start-") as folder:
        data, bare = Path(folder) / "data", Path(folder) / "bare"
        with running(data, demo=not quick) as (first, _):
            say(f"first start: {first:,.0f} ms, demo clinic {'left out' if quick else 'made'}")
        limit(bare)
        limits, ours, held = [], [], []
        for _ in range(rounds):
            limits.append(limit(bare))
            with running(data, demo=not quick) as (took, service):
                ours.append(took)
                time.sleep(0 if quick else REST_SECONDS)
                held.append(memory(service))
        tell("second start to ready", "ms", limits, ours, "none; at most 5,000 ms, 10,000 is the bar")
        tell_memory(held)


def limit(folder: Path) -> float:
    """Milliseconds from nothing to both servers and a process with the application in it."""
    folder.mkdir(exist_ok=True)
    begin = time.perf_counter()
    postgres, valkey = Postgres(folder), Valkey(folder)
    try:
        urls = {"DATABASE_URL": postgres.start(), "REDIS_URL": valkey.start()}
        given = {"ENVIRONMENT": "development", "SECRET_KEY": "x" * 60, "DJANGO_SETTINGS_MODULE": "config.settings"}
        subprocess.run([sys.executable, "-c", LOAD], env=os.environ | urls | given, cwd=ROOT, check=True)
        return (time.perf_counter() - begin) * 1000
    finally:
        valkey.stop()
        postgres.stop()


@contextmanager
def running(data: Path, *, demo: bool) -> Iterator[tuple[float, psutil.Process]]:
    """`bin/run` in this folder until the block ends; milliseconds to ready, and its process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    ours = {name: value for name, value in os.environ.items() if name not in OTHERS}
    words = [str(ROOT / "bin" / "run"), "--port", str(port), "--data-dir", str(data), *["--no-demo"] * (not demo)]
    begin = time.perf_counter()
    process = subprocess.Popen(words, env=ours, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if re.match(r"Ready after", line):
                break
        else:
            raise SystemExit(f"bin/run did not start: {''.join(said)}")
        yield (time.perf_counter() - begin) * 1000, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def memory(service: psutil.Process) -> dict[str, float]:
    """Megabytes by part: each process's own and its share of what several hold."""
    signs = {"postgres": "postgres", "valkey": "valkey", "web": "gunicorn", "worker": " worker ", "beat": " beat "}
    held: dict[str, float] = {}
    for process in [service, *service.children(recursive=True)]:
        try:
            line, share = " ".join(process.cmdline()) + " ", process.memory_full_info().pss
        except psutil.Error:
            continue
        part = next((name for name, sign in signs.items() if sign in line), "run and clock")
        held[part] = held.get(part, 0) + share / 1e6
    return held


def tell_memory(held: list[dict[str, float]]) -> None:
    """All together, and each part."""
    say("\nat rest, all processes, MB   target: less than 500")
    say(f"  held   {spread([sum(one.values()) for one in held])}")
    for part in held[0]:
        say(f"  {part:14}{spread([one.get(part, 0) for one in held])}")
