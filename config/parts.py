"""One part of the service: a process that is started again when it dies."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

import psutil

from config.processes import CannotStart, finish, kill_session, last_lines

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Process = subprocess.Popen[bytes]
    Steps = list[tuple[signal.Signals, float]]

# Seconds before the next start: a single death is mended at once, one death after another ever more slowly.
RESTART_DELAYS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
STEADY_SECONDS = 10.0


def say(text: str) -> None:
    """One line for the person at the console, who may have gone."""
    with contextlib.suppress(OSError):
        print(text, flush=True)  # noqa: T201


class Part:
    """A process that is kept running."""

    def __init__(self, name: str, start: Callable[[], Process], steps: Steps, log: Path) -> None:
        self.name, self.start, self.steps, self.log = name, start, steps, log
        self.process: Process | None = None
        self.deaths = 0
        self.started = 0.0
        self.told = ""
        self.asked = False
        self.due: float | None = None

    def begin(self) -> None:
        """Starts the process, now."""
        self.due = None
        self.started = time.monotonic()
        self.process = self.start()

    def look_after(self) -> None:
        """Notices a death, says so, and starts the part again when its time has come."""
        if self.process is not None and self.process.poll() is not None:
            self.bury(describe(self.process.returncode))
        if self.due is not None and time.monotonic() >= self.due:
            try:
                self.begin()
            except (CannotStart, OSError) as error:
                self.bury(str(error))

    def bury(self, reason: str) -> None:
        """Clears away what is left of a dead process and sets the time of the next start."""
        if self.process is not None:
            kill_session(self.process.pid)
        self.process = None
        self.deaths = 0 if time.monotonic() - self.started > STEADY_SECONDS else self.deaths + 1
        delay = RESTART_DELAYS[min(self.deaths, len(RESTART_DELAYS) - 1)]
        self.due = time.monotonic() + delay
        # One death after another for one reason is told once.
        if self.deaths <= 1 or reason != self.told:
            say(f"{self.name} ended ({reason}) and is started again; its log is {self.log}")
            if self.deaths and (words := last_lines(self.log)):
                say("    " + words.replace("\n", "\n    "))
        self.told = reason

    def ask_to_stop(self) -> None:
        """Sends the polite signal and does not wait."""
        self.due = None
        self.asked = True
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.steps[0][0])

    def stop(self) -> None:
        """Ends the process and everything it started, politely first."""
        if not self.asked:
            self.ask_to_stop()
        if self.process is not None:
            finish(self.process, self.steps, asked=True)
        self.process = None

    def kill(self) -> None:
        """Ends the process at once."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.steps[-1][0])


def describe(status: int) -> str:
    """How a process ended, from its return code."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def left_behind(data: Path) -> list[psutil.Process]:
    """Processes of an earlier run in this data folder that outlived it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("INFUSION_DATA") == str(data):
                found.append(process)
        except psutil.Error:
            continue
    return found
