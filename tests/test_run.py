"""`bin/run` as a person uses it: it sets itself up, says in a sentence what is wrong, keeps its parts alive and leaves
nothing behind."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
RUN = str(ROOT / "bin" / "run")
OWN = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENVIRONMENT", "ALLOWED_HOSTS", "PUBLIC_URL", "EMAIL_URL", "SMS_URL")
PATIENCE = 120.0  # seconds that an event may take on a busy machine


def eventually(check: Callable[[], bool]) -> None:
    """Wait for an event, by looking; fail when it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def environment(**more: str) -> dict[str, str]:
    """Ours without what tells `bin/run` to use other servers or settings."""
    return {name: value for name, value in os.environ.items() if name not in (*OWN, "STATIC_ROOT")} | more


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Service:
    """A running `bin/run`; `given` are servers of the caller's."""

    def __init__(self, data: Path, **given: str) -> None:
        self.data = data
        self.port = free_port()
        self.output = ""
        command = [RUN, "--no-demo", "--port", str(self.port), "--data-dir", str(data)]
        self.process = subprocess.Popen(
            command, env=environment(**given), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line

    def wait_until_ready(self) -> Service:
        eventually(lambda: "Ready after" in self.output or self.process.poll() is not None)
        assert "Ready after" in self.output, self.output
        self.was_ready = self.answers("ready")
        return self

    def parts(self) -> dict[str, psutil.Process]:
        """The processes that the service looks after, by name."""
        names = {"postgres": "bin/postgres ", "valkey": "valkey-server ", "worker": " worker ", "beat": " beat "}
        names |= {"web": " gunicorn ", "clock": " manage clock "}
        found: dict[str, psutil.Process] = {}
        for child in psutil.Process(self.process.pid).children():
            try:
                line = " ".join(child.cmdline()) + " "
            except psutil.Error:
                continue
            found |= {name: child for name, sign in names.items() if sign in line and "lifeline.py" not in line}
        return found

    def pool(self) -> list[psutil.Process]:
        """The processes in which the worker does its tasks."""
        try:
            return list(self.parts()["worker"].children())
        except (KeyError, psutil.Error):
            return []

    def family(self) -> list[psutil.Process]:
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def answers(self, probe: str = "live") -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz/{probe}", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return status


def refused(*arguments: str, **more: str) -> str:
    """What `bin/run` says as it refuses to run."""
    result = subprocess.run(
        [RUN, *arguments], env=environment(**more), capture_output=True, text=True, timeout=PATIENCE
    )
    assert result.returncode == 1, result
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    return result.stderr.strip()


def gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the tests that leave it running."""
    running = Service(tmp_path_factory.mktemp("run") / "data").wait_until_ready()
    yield running
    running.stop()


def test_what_says_ready_is_ready_in_every_part(service: Service) -> None:
    assert service.was_ready


def test_it_says_where_it_is_and_keeps_its_folder_private(service: Service) -> None:
    assert f"http://127.0.0.1:{service.port}/" in service.output
    assert "demo.example" not in service.output
    assert service.answers()
    assert stat.S_IMODE(service.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((service.data / "secret_key").stat().st_mode) == 0o600


def test_a_page_asks_for_one_stylesheet_that_travels_compressed_and_is_kept(service: Service) -> None:
    """The phone's first paint waits for nothing else, and a changed style has another name."""
    root = f"http://127.0.0.1:{service.port}"
    with urllib.request.urlopen(f"{root}/", timeout=5) as page:
        styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.read().decode())
    assert len(styles) == 1
    assert re.search(r"/look\.[0-9a-f]{12}\.css$", styles[0])
    asked = urllib.request.Request(f"{root}{styles[0]}", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(asked, timeout=5) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "immutable" in answer.headers["Cache-Control"]
        style = gzip.decompress(answer.read()).decode()
    assert style.index("--plum:") < style.index("var(--plum)")


@pytest.mark.parametrize("name", ["web", "worker", "beat", "clock", "valkey", "postgres"])
def test_a_killed_part_comes_back(service: Service, name: str) -> None:
    eventually(lambda: name in service.parts())
    before = service.parts()[name]
    before.kill()
    eventually(lambda: service.parts().get(name, before).pid != before.pid)
    eventually(service.answers)


def test_no_process_of_the_pool_outlives_its_worker(service: Service) -> None:
    eventually(lambda: len(service.pool()) == 2)
    pool = service.pool()
    os.kill(pool[0].ppid(), signal.SIGKILL)
    eventually(lambda: gone(pool))


def test_the_same_data_folder_twice_is_one_sentence(service: Service) -> None:
    words = refused("--port", str(free_port()), "--data-dir", str(service.data))
    assert words.startswith(f"{service.data} is in use by another copy (process {service.process.pid})")


def test_a_port_in_use_is_one_sentence(service: Service, tmp_path: Path) -> None:
    words = refused("--port", str(service.port), "--data-dir", str(tmp_path / "data"))
    assert words == f"Port {service.port} is in use: choose another with --port."


def test_two_copies_run_side_by_side(service: Service, tmp_path: Path) -> None:
    other = Service(tmp_path / "data").wait_until_ready()
    try:
        assert other.answers()
        assert service.answers()
    finally:
        assert other.stop() == 0
    assert service.answers()


def test_a_killed_run_leaves_no_process_and_its_folder_starts_again(tmp_path: Path) -> None:
    first = Service(tmp_path / "data").wait_until_ready()
    eventually(lambda: len(first.parts()) == 6)
    family = first.family()
    first.process.kill()
    first.process.wait()
    eventually(lambda: gone(family))
    second = Service(tmp_path / "data").wait_until_ready()
    eventually(lambda: len(second.parts()) == 6)
    family = second.family()
    assert second.stop() == 0
    assert gone(family)


def test_a_stop_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    starting = Service(tmp_path / "data")
    eventually(lambda: "Valkey" in starting.output)
    family = starting.family()
    assert starting.stop() == 0
    assert gone(family)
    assert not (tmp_path / "data" / "sockets").is_symlink()


def test_a_file_in_the_place_of_the_data_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = refused("--port", str(free_port()), "--data-dir", str(tmp_path / "file" / "data"))
    assert words.startswith(f"Cannot write to the data folder {tmp_path}/file/data")


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "letter.txt").touch()
    words = refused("--port", str(free_port()), "--data-dir", str(tmp_path))
    assert words.startswith(f"{tmp_path} holds other things")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("port", ["0", "65536", "-1", "eight", "８０", ""])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    result = subprocess.run(
        [RUN, f"--port={port}"], env=environment(), capture_output=True, text=True, timeout=PATIENCE
    )
    assert result.returncode == 2
    assert "is not a port from 1 to 65535" in result.stderr


def test_help_needs_no_installation(tmp_path: Path) -> None:
    project = Project(tmp_path)
    result = project.command("bin/run", "--help")
    assert result.returncode == 0
    assert "--data-dir DIR" in result.stdout
    assert not (project.folder / ".venv").exists()


class Project:
    """A copy of the project that depends on one small package, to be had from a folder: set-up without a network."""

    def __init__(self, parent: Path) -> None:
        self.folder = parent / "project"
        self.wheels = parent / "wheels"
        self.wheels.mkdir()
        for name in ("bin", "config"):
            shutil.copytree(ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        wheel = self.wheels / "tiny-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("tiny.py", "")
            archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
            archive.writestr(
                "tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr("tiny-1.0.dist-info/RECORD", "")
        self.lock(hashlib.sha256(wheel.read_bytes()).hexdigest())

    def lock(self, digest: str) -> None:
        for name in ("requirements.txt", "requirements-embedded.txt", "requirements-dev.txt"):
            (self.folder / name).write_text(f"tiny==1.0 --hash=sha256:{digest}\n")

    def environment(self, **more: str) -> dict[str, str]:
        bare = {name: value for name, value in environment().items() if not name.startswith("PIP_")}
        return bare | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels)} | more

    def command(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.folder / words[0]), *words[1:]],
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def set_up(self, **more: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, str(self.folder / "bin" / "_setup.py"), "dev"]
        return subprocess.run(words, env=self.environment(**more), capture_output=True, text=True, timeout=PATIENCE)

    def has_package(self) -> bool:
        words = [str(self.folder / ".venv" / "bin" / "python"), "-c", "import tiny"]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_set_up_installs_once_and_again_after_an_interruption_or_a_new_lock(project: Project) -> None:
    assert project.set_up().returncode == 0
    assert project.has_package()
    again = project.set_up()
    assert (again.returncode, again.stderr) == (0, "")
    # Cut off: the mark of an installation under way is still there, and the package half gone.
    (project.folder / ".venv" / "unfinished").touch()
    next(project.folder.glob(".venv/lib/*/site-packages/tiny.py")).unlink()
    assert project.set_up().returncode == 0
    assert project.has_package()
    with (project.folder / "requirements-dev.txt").open("a") as lock:
        lock.write("# newer\n")
    assert "Installing" in project.set_up().stderr


def test_two_set_ups_at_once_do_not_disturb_each_other(project: Project) -> None:
    words = [sys.executable, str(project.folder / "bin" / "_setup.py"), "dev"]
    both = [subprocess.Popen(words, env=project.environment(), stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=PATIENCE)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert sum("Installing" in words for words in told) == 1
    assert project.has_package()


def test_a_package_that_is_not_the_locked_one_is_refused(project: Project) -> None:
    project.lock("0" * 64)
    result = project.set_up()
    assert result.returncode == 1
    assert "could not be installed" in result.stderr
    assert "Traceback" not in result.stderr
    assert not project.has_package()


def test_no_index_in_reach_is_one_sentence(project: Project) -> None:
    result = project.set_up(PIP_NO_INDEX="0", PIP_FIND_LINKS="", PIP_INDEX_URL=f"http://127.0.0.1:{free_port()}/simple")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("No package index could be reached")
    assert "Traceback" not in result.stderr


def test_a_python_without_venv_is_one_sentence(project: Project) -> None:
    program = "import runpy, sys; sys.modules['venv'] = None; sys.argv = sys.argv[1:]; "
    program += "runpy.run_path(sys.argv[0], run_name='__main__')"
    words = [sys.executable, "-c", program, str(project.folder / "bin" / "_setup.py"), "dev"]
    result = subprocess.run(words, env=project.environment(), capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 1
    assert re.fullmatch(r"This Python cannot make virtual environments: .* run this again\.\n", result.stderr)


def test_an_old_python_is_one_sentence(project: Project, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    dirname = shutil.which("dirname")
    assert dirname is not None
    (programs / "dirname").symlink_to(dirname)
    (programs / "python3").write_text("#!/bin/sh\nexit 1\n")
    (programs / "python3").chmod(0o755)
    result = project.command("bin/run", PATH=str(programs))
    assert result.returncode == 1
    assert result.stderr == "Python 3.11 or newer is needed and was not found: install it and run this again.\n"


def test_a_project_folder_that_cannot_be_written_is_one_sentence(project: Project) -> None:
    # A file in the way of .venv: permissions would not hold root back.
    (project.folder / ".venv").touch()
    result = project.set_up()
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.stderr
