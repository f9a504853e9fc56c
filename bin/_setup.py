"""Makes `.venv` with the locked dependencies, for the commands beside this file. Needs nothing but Python and an index.

`_setup.py run ARGUMENTS` then becomes the service, `_setup.py dev` adds what tests and checks need, `_setup.py browser`
sees that there is a Chromium. What a person can mend is told in one sentence, with exit status 1.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.json"  # what is installed, by hash of its list; written last
OURS = f"{sys.version_info[0]}.{sys.version_info[1]}"
BASE = getattr(sys, "_base_executable", sys.executable)  # an activated environment's own Python may be about to go
UNFINISHED = VENV / "unfinished"  # there while an installation is under way
LOG = VENV / "setup.log"
EMBEDDED, DEV = "requirements-embedded.txt", "requirements-dev.txt"
NO_INDEX: tuple[str, ...] = (
    "NewConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "Name or service not known",
    "name resolution",
)
NO_INDEX += (
    "ProxyError",
    "Network is unreachable",
    "Connection refused",
    "No route to host",
    "Tunnel connection failed",
)


class Refused(Exception):  # noqa: N818 - the word for it
    """What stands in the way, as one sentence for the person at the console."""


def say(text: str) -> None:
    """One line of progress. On standard error: what a command prints is its own."""
    print(text, file=sys.stderr, flush=True)


def fingerprint(lock: str) -> str:
    """Hash of a list of dependencies."""
    return hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()


def is_installed(lock: str) -> bool:
    """Whether `.venv` holds the list's packages, for this Python."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return False
    return is_usable() and stamp.get(lock) == fingerprint(lock)


def is_usable() -> bool:
    """Whether `.venv` is whole and was made for this Python (which is its own, where that can be run at all)."""
    try:
        made_for = (VENV / "pyvenv.cfg").read_text()
    except OSError:
        return False
    version = re.search(rf"^version(_info)? = {re.escape(OURS)}\.", made_for, re.MULTILINE)
    return bool(version) and PYTHON.exists() and not UNFINISHED.exists()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Holds the project's folder against other set-ups, and waits for theirs to end."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up is at work in this folder; waiting for it.")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def set_up(lock: str) -> None:
    """Installs a list of dependencies into `.venv`, unless it is there already."""
    if is_installed(lock):
        return
    if not os.access(ROOT, os.W_OK):
        raise Refused(f"Cannot write to {ROOT}, where the dependencies would be installed: use a copy of your own.")
    with alone():
        if not is_installed(lock):
            install(lock)


def install(lock: str) -> None:
    """Makes the environment, from nothing if an earlier attempt was cut off, and installs into it."""
    if VENV.exists() and not VENV.is_dir():
        raise Refused(f"{VENV} is in the way of the folder of that name: remove it and run this again.")
    if VENV.exists() and not is_usable():
        say("Removing an unfinished or outdated .venv")
        STAMP.unlink(missing_ok=True)
        shutil.rmtree(VENV)
    VENV.mkdir(exist_ok=True)
    UNFINISHED.touch()
    pip = make_environment()
    count = len(re.findall(r"^[a-zA-Z0-9][^ ]*==", (ROOT / lock).read_text(), re.MULTILINE))
    say(f"Installing up to {count} packages into .venv (once; may take a minute or two)")
    words = ["install", "--require-hashes", "--no-deps", "--disable-pip-version-check", "--retries", "2", "-r", lock]
    run_pip([*pip, *words])
    known = json.loads(STAMP.read_text()) if STAMP.exists() else {}
    # The longer list holds the shorter one, in the same versions.
    known |= {name: fingerprint(name) for name in ((EMBEDDED, DEV) if lock == DEV else (EMBEDDED,))}
    if lock == EMBEDDED and known.get(DEV) != fingerprint(DEV):
        known.pop(DEV, None)
    STAMP.write_text(json.dumps(known))
    UNFINISHED.unlink()


def make_environment() -> list[str]:
    """Makes `.venv` where it is missing; gives the command that is its pip."""
    if not PYTHON.exists():
        if importlib.util.find_spec("venv") is None:
            raise Refused(NO_VENV)
        bundled = importlib.util.find_spec("ensurepip") is not None
        if not bundled:
            outer_pip()
        say(f"Making .venv with Python {sys.version.split()[0]}")
        command = [BASE, "-m", "venv", *([] if bundled else ["--without-pip"]), str(VENV)]
        made = subprocess.run(command, env=environment(), capture_output=True, text=True)
        if made.returncode != 0:
            words = (made.stdout + made.stderr).strip()
            raise Refused(NO_VENV if "ensurepip" in words else f"Python could not make .venv: {words[-300:]}")
    has_pip = any(VENV.glob("lib/python*/site-packages/pip"))
    return [str(PYTHON), "-I", "-m", "pip"] if has_pip else [*outer_pip(), "--python", str(PYTHON)]


def outer_pip() -> list[str]:
    """The pip of the Python outside, which can fill an environment that has none (pip 22.3 and later)."""
    command = [BASE, "-m", "pip"]
    if subprocess.run([*command, "--version"], capture_output=True).returncode != 0:
        raise Refused(NO_VENV)
    return command


NO_VENV = (
    "This Python cannot make virtual environments: install its venv package "
    f"(Debian, Ubuntu: apt install python{OURS}-venv) and run this again."
)


def environment() -> dict[str, str]:
    """The caller's, without what would send packages elsewhere or bring in others."""
    dropped = (
        "PYTHONPATH",
        "PYTHONHOME",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_ROOT",
        "PIP_REQUIRE_VIRTUALENV",
        "PIP_PYTHON",
    )
    return {name: value for name, value in os.environ.items() if name not in dropped} | {"PIP_USER": "0"}


def run_pip(command: list[str]) -> None:
    """Runs pip with a short line of progress; Refused with the reason where it fails. The whole output is in LOG."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    lines: list[str] = []
    seen = 0
    try:
        with LOG.open("w") as log:
            for line in process.stdout:
                log.write(line)
                lines.append(line)
                if line.startswith("Collecting "):
                    seen += 1
                    if seen % 20 == 0:
                        say(f"  {seen} packages fetched")
                elif line.startswith("Installing collected"):
                    say("  unpacking")
        process.wait()
    finally:
        # Interrupted: nobody may go on writing once the folder is let go.
        process.kill()
        process.wait()
    if process.returncode == 0:
        return
    output = "".join(lines)
    if any(sign in output for sign in NO_INDEX):
        raise Refused("No package index could be reached: check the network, or set PIP_INDEX_URL to one that can be.")
    errors = [line.strip() for line in lines if line.startswith("ERROR")] or [line.strip() for line in lines[-1:]]
    raise Refused(f"The dependencies could not be installed: {' '.join(errors)[:500]} (the whole story is in {LOG})")


def find_browser() -> str | None:
    """Path of a Chromium that the browser tests can drive."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


def ensure_browser() -> None:
    """Installs Chromium where this is root on a Debian; elsewhere says how to get it: the tests will fail."""
    if find_browser():
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        say("No Chromium was found, so the browser tests will fail: install it (Debian: apt install chromium).")
        return
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=500"]
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    say("Installing Chromium for the browser tests (once; may take a minute)")
    packages = ["chromium", "fonts-dejavu-core", "fonts-liberation"]
    for words in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        result = subprocess.run([*apt, *words], env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if not find_browser():
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        say(f"Chromium could not be installed, so the browser tests will fail: {reason}")


def run(arguments: list[str]) -> None:
    """Becomes the service. What would stop it at once is told before anything is installed."""
    options = runpy.run_path(str(ROOT / "config" / "options.py"))
    chosen = options["read_options"](arguments)
    if not is_installed(EMBEDDED):
        try:
            options["listening_socket"](chosen.host, chosen.port).close()
            options["prepare_data_folder"](chosen.data_dir)
        except options["Refused"] as error:
            raise Refused(str(error)) from error
    set_up(EMBEDDED)
    os.chdir(ROOT)
    python = str(PYTHON)
    for name in ("PYTHONPATH", "PYTHONHOME"):
        os.environ.pop(name, None)
    os.execv(python, [python, "-m", "config.supervisor", *options["as_arguments"](chosen)])  # noqa: S606


def main(words: list[str]) -> int:
    """Exit status: 0 done, 1 cannot be done, 130 interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if words[:1] == ["run"]:
            run(words[1:])
        elif words == ["dev"]:
            set_up(DEV)
        elif words == ["browser"]:
            ensure_browser()
        else:
            raise Refused("Use bin/run, bin/test, bin/check or bin/lock.")
    except Refused as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"Set-up failed: {error}.")
        return 1
    except KeyboardInterrupt:
        say("Interrupted; the next run sets up anew.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
