"""Runs the whole service on one machine and keeps it running: `python -m config.supervisor`, started by `bin/run`.

Each part is a child process. A part that dies is started again; Ctrl-C, SIGTERM or a closed terminal stops them all.
Should this process itself be killed, its children end with it (lifeline.py), and the next start ends what may be left.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import ipaddress
import json
import os
import secrets
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from config.embedded import Postgres, Valkey
from config.options import ROOT, Refused, listening_socket, prepare_data_folder, read_options
from config.parts import Part, left_behind, say
from config.processes import CannotStart, end_processes, finish, last_lines, launch

if TYPE_CHECKING:
    import socket
    from argparse import Namespace
    from collections.abc import Callable
    from pathlib import Path

DEMO_ROLES = ("patient", "frontdesk", "nurse", "prescriber", "manager", "auditor", "admin")
READY_SECONDS = 60.0


class Stopped(Exception):  # noqa: N818 - the word for it
    """A person or the system asked the service to stop."""


class Supervisor:
    """The service of one data folder on one port."""

    def __init__(self, options: Namespace) -> None:
        self.options = options
        self.data: Path = options.data_dir
        self.logs = self.data / "logs"
        self.parts: list[Part] = []
        self.stopping = threading.Event()
        self.postgres = None if os.environ.get("DATABASE_URL") else Postgres(self.data)
        self.valkey = None if os.environ.get("REDIS_URL") else Valkey(self.data)
        self.listener: socket.socket | None = None
        self.lock = -1
        self.new_database = False
        self.worker_log_start = 0

    def on_signal(self, _number: int, _frame: object) -> None:
        """Asks for a stop; asked again, does not wait for what is at work."""
        if self.stopping.is_set():
            for part in self.parts:
                part.kill()
        self.stopping.set()

    def run(self) -> None:
        """Until asked to stop. CannotStart and Refused carry one sentence."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Under nohup a closed terminal is no reason to stop.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self.on_signal)
        try:
            self.start()
            while not self.stopping.wait(0.1):
                for part in self.parts:
                    part.look_after()
        except Stopped:
            pass
        finally:
            self.stop()

    def start(self) -> None:
        """Everything, in the order in which the parts need each other; returns when the service answers."""
        began = time.monotonic()
        self.take_data_folder()
        self.listener = listening_socket(self.options.host, self.options.port)
        say(f"Data folder {self.data}")
        self.start_servers()
        environment = self.environment()
        self.prepare_database(environment)
        say("Starting web server, worker and beat")
        self.start_service(environment)
        self.wait_for_service(environment)
        self.welcome(environment, time.monotonic() - began)

    def take_data_folder(self) -> None:
        """Locks the data folder for this process and ends what a killed run may have left at work in it."""
        prepare_data_folder(self.data)
        self.lock = os.open(self.data / "lock", os.O_RDWR)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self.lock, 20).decode("ascii", "replace").strip()
            raise Refused(
                f"{self.data} is in use by another copy (process {owner}): choose another with --data-dir."
            ) from error
        os.truncate(self.lock, 0)
        os.write(self.lock, f"{os.getpid()}\n".encode())
        end_processes(left_behind(self.data), signal.SIGTERM, 3)

    def start_servers(self) -> None:
        """PostgreSQL and Valkey, unless the environment names others."""
        postgres, valkey = self.postgres, self.valkey
        if postgres:
            self.new_database = not postgres.data.exists()
            say("Making a new PostgreSQL database" if self.new_database else "Starting PostgreSQL")
            steps = [(signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0)]
            self.begin(Part("PostgreSQL", postgres.launch, steps, postgres.log))
        if valkey:
            say("Starting Valkey")
            self.begin(Part("Valkey", valkey.launch, [(signal.SIGTERM, 5.0)], valkey.log))
            # Its address is certain only now; PostgreSQL's is already, and it starts meanwhile.
            valkey.wait_until_ready()
            self.parts[-1].process = valkey.process
        if postgres:
            postgres.wait_until_ready()

    def begin(self, part: Part) -> None:
        """Starts a part and keeps it from now on, unless a stop was asked for."""
        if self.stopping.is_set():
            raise Stopped
        self.parts.append(part)
        part.begin()

    def environment(self) -> dict[str, str]:
        """What the service's processes see: ours, and what the caller left open."""
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        environment["INFUSION_DATA"] = str(self.data)
        environment.setdefault("STATIC_ROOT", str(self.data / "static"))
        if self.postgres:
            environment["DATABASE_URL"] = self.postgres.url
        if self.valkey:
            environment["REDIS_URL"] = self.valkey.url
        assert self.listener is not None
        host, anywhere = reachable(self.listener)
        shown = f"[{host}]" if ":" in host else host
        environment.setdefault("PUBLIC_URL", f"http://{shown}:{self.options.port}")
        if not environment.get("SECRET_KEY"):
            environment["SECRET_KEY"] = self.secret_key()
            environment.setdefault("ENVIRONMENT", "development")
            names = "*" if anywhere else f"127.0.0.1,localhost,[::1],{shown},{self.options.host}"
            environment.setdefault("ALLOWED_HOSTS", names)
            environment.setdefault("EMAIL_URL", f"filemail:///{self.data / 'mail'}")
            environment.setdefault("SMS_URL", f"file://{self.data / 'sms'}")
        return environment

    def secret_key(self) -> str:
        """The data folder's own key, made on the first start."""
        path = self.data / "secret_key"
        if not path.exists():
            draft = path.with_name("secret_key.new")
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(64))
            draft.rename(path)
        return path.read_text().strip()

    def prepare_database(self, environment: dict[str, str]) -> None:
        """Migrations and demo clinic; CannotStart with the last words where they fail.

        Left out where the same code has done it today on the same embedded database: it would take seconds.
        """
        stamp, state = self.data / "prepared", code_state() + str(self.options.demo)
        if self.postgres and not self.new_database and stamp.exists() and stamp.read_text() == state:
            return
        say("Bringing the database up to date" + " (on the first start with the demo clinic)" * self.options.demo)
        log = self.logs / "prepare.log"
        command = [sys.executable, "-m", "config.prepare", *(["--demo"] if self.options.demo else [])]
        process = launch(command, log, signal.SIGTERM, environment=environment, folder=ROOT)
        try:
            while process.poll() is None:
                if self.stopping.wait(0.02):
                    raise Stopped
        finally:
            finish(process, [(signal.SIGTERM, 5)])
        if process.returncode != 0:
            raise CannotStart(f"The database could not be brought up to date (see {log}):\n{last_lines(log)}")
        stamp.write_text(state)

    def start_service(self, environment: dict[str, str]) -> None:
        """Web server, worker, beat and the second clock."""
        assert self.listener is not None
        fd = self.listener.fileno()
        web = f"gunicorn config.wsgi --bind fd://{fd} --worker-class gthread --workers 2 --threads 4 --preload".split()
        web += ["--graceful-timeout", "5", "--no-control-socket", "--log-level", "warning"]
        celery = ["celery", "-A", "config.celery"]
        worker = [
            *celery,
            *["worker", "--loglevel", "INFO", "--concurrency", "2", "--without-gossip", "--without-mingle"],
        ]
        worker += ["--include", "config.pool"]
        clock = ["manage", "clock"]
        beat = [*celery, "beat", "--loglevel", "INFO", "--schedule", str(self.data / "beat"), "--pidfile="]

        def part(title: str, name: str, words: list[str], seconds: float, at_our_death: signal.Signals) -> Part:
            log = self.logs / f"{name}.log"
            command = [sys.executable, "-m", *words]
            return Part(
                title,
                lambda: launch(command, log, at_our_death, None, environment, ROOT, (fd,) if name == "web" else ()),
                [(signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)],
                log,
            )

        worker_log = self.logs / "worker.log"
        self.worker_log_start = worker_log.stat().st_size if worker_log.exists() else 0
        # A worker that is asked politely would first end its tasks, which can take minutes.
        self.begin(part("The worker", "worker", worker, 10, signal.SIGKILL))
        self.begin(part("The web server", "web", web, 8, signal.SIGTERM))
        self.begin(part("The beat", "beat", beat, 5, signal.SIGTERM))
        self.begin(part("The clock", "clock", clock, 5, signal.SIGTERM))

    def wait_for_service(self, environment: dict[str, str]) -> None:
        """Until web server, worker and beat answer, however long the parts need; says so where that is long."""
        missing: dict[str, Callable[[], bool]] = {
            "web server": lambda: self.asked("live", environment)[0] < 500,
            "worker": self.worker_is_ready,
            "beat": lambda: self.beat_is_seen(environment),
        }
        patience = time.monotonic() + READY_SECONDS
        while missing := {name: answers for name, answers in missing.items() if not answers()}:
            if self.stopping.wait(0.05):
                raise Stopped
            for part in self.parts:
                part.look_after()
            if time.monotonic() > patience:
                say(f"Not ready yet: {' and '.join(missing)}. Still trying; logs are in {self.logs}")
                patience += READY_SECONDS

    def worker_is_ready(self) -> bool:
        """Whether the worker says that it takes work. (To ask it over the broker costs a second of imports here.)"""
        with (self.logs / "worker.log").open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(self.worker_log_start if self.worker_log_start <= size else 0)
            return b" ready." in log.read()

    def beat_is_seen(self, environment: dict[str, str]) -> bool:
        """Whether a tick of beat has gone the whole way, by the probe. What else the probe finds is not waited for."""
        status, said = self.asked("ready", environment)
        try:
            return bool(json.loads(said)["checks"]["beat"] == "ok")
        except (ValueError, KeyError, TypeError):
            return status < 500

    def asked(self, probe: str, environment: dict[str, str]) -> tuple[int, bytes]:
        """The web server's answer to a probe, (503, b"") while there is none.

        A refusal of ours (an unknown host, say) is an answer too.
        """
        assert self.listener is not None
        connection = http.client.HTTPConnection(reachable(self.listener)[0], self.options.port, timeout=5)
        try:
            host = urlsplit(environment["PUBLIC_URL"]).netloc
            connection.request("GET", f"/healthz/{probe}", headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 503, b""
        finally:
            connection.close()

    def welcome(self, environment: dict[str, str], seconds: float) -> None:
        """Where to go and how to sign in."""
        address = environment["PUBLIC_URL"]
        say(f"\nReady after {seconds:.1f} s: {address}/   API: {address}/api/v1/docs/   (Ctrl-C stops it)")
        if self.options.demo and environment.get("ENVIRONMENT") == "development":
            say("Demo sign-ins, password demo-demo-demo:")
            say("  " + "  ".join(f"{role}@demo.example" for role in DEMO_ROLES))

    def stop(self) -> None:
        """Every part, the servers last, when nobody needs them any more; then the folder is free again."""
        if self.parts:
            say("Stopping")
        clients = [part for part in reversed(self.parts) if part.name not in ("PostgreSQL", "Valkey")]
        for part in clients:
            part.ask_to_stop()
        for part in clients:
            part.stop()
        for server in (self.valkey, self.postgres):
            if server is not None and server.process is not None:
                server.stop()
        if self.listener is not None:
            self.listener.close()
        if self.lock >= 0:
            os.close(self.lock)


def reachable(listener: socket.socket) -> tuple[str, bool]:
    """The address at which this machine reaches a listening socket, and whether it listens on all of them."""
    address = ipaddress.ip_address(listener.getsockname()[0])
    if address.is_unspecified:
        return ("127.0.0.1" if address.version == 4 else "::1"), True
    return str(address), False


def code_state() -> str:
    """Changes with the project's code, its dependencies and the day."""
    files = [ROOT / "requirements.txt", *(f for f in ROOT.glob("[a-z]*/**/*.py") if f.parts[-2] != "tests")]
    files += ROOT.glob("web/static/web/*")
    facts = [time.strftime("%Y-%m-%d")]
    facts += [f"{file} {file.stat().st_mtime_ns} {file.stat().st_size}" for file in sorted(files)]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def main() -> int:
    """Exit status: 0 stopped as asked, 1 could not start."""
    try:
        Supervisor(read_options(sys.argv[1:])).run()
    except (CannotStart, Refused) as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    except OSError as error:
        print(f"Cannot go on: {error}.", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
