"""The service as docker-compose.yml has it: its very commands, environment and files, on servers of the tests."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import psutil
import psycopg
import pytest
import redis
import yaml
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = ("migrate", "web", "worker", "beat", "clock")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
DATABASE_NUMBER = 15  # Valkey's last, where no other test works
PATIENCE = 120.0  # seconds that an event may take on a busy machine
HOST = "clinic.example"
PASSWORD = "a long word for tests"
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def filled_in(text: str, given: dict[str, str]) -> str:
    """What compose makes of a value: `${NAME:-default}`, `${NAME:?must be set}`, `$$`."""

    def value(match: re.Match[str]) -> str:
        name, sign, rest = match.groups()
        assert name in given or sign == "-", f"{name} must be set: {rest}"
        return given.get(name) or (rest if sign == "-" else "")

    return VARIABLE.sub(value, text).replace("$$", "$")


class Stack:
    """The files of the image in a folder, a database of its own, and what has been started there."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        self.app = folder / "app"
        self.app.mkdir()
        for name in re.findall(r"(?m)^!(\S+)$", (ROOT / ".dockerignore").read_text()):
            source, target = ROOT / name, self.app / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        self.folder, self.database_url, self.redis_url = folder, database_url, redis_url
        self.given = {
            "SECRET_KEY": secrets.token_urlsafe(64),
            "PUBLIC_URL": f"https://{HOST}",
            "ALLOWED_HOSTS": HOST,
            "POSTGRES_PASSWORD": "unused",
            "EMAIL_URL": "smtp://127.0.0.1:9",
            "DEFAULT_FROM_EMAIL": f"clinic@{HOST}",
            "WEB_CONCURRENCY": "1",
        }
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self.parts: dict[str, subprocess.Popen[bytes]] = {}

    def environment(self, service: str) -> dict[str, str]:
        """The service's environment and nothing else; of its database our address with its own options."""
        named = {name: filled_in(str(value), self.given) for name, value in service_of(service)["environment"].items()}
        address, options = urlsplit(self.database_url), urlsplit(named["DATABASE_URL"]).query
        ours = {
            "DATABASE_URL": address._replace(query="&".join(filter(None, (address.query, options)))).geturl(),
            "REDIS_URL": self.redis_url,
            "STATIC_ROOT": str(self.folder / "static"),
        }
        if "PORT" in named:
            ours["PORT"] = str(self.port)
        return named | ours | {"PATH": f"{Path(sys.executable).parent}:{os.defpath}"}

    def run(self, service: str, command: list[str], typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end as if in the service's container."""
        return subprocess.run(
            command,
            cwd=self.app,
            env=self.environment(service),
            input=typed,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def start(self, service: str) -> None:
        """Start the service by its own command."""
        command = [filled_in(word, self.given) for word in service_of(service)["command"]]
        with (self.folder / f"{service}.log").open("wb") as log:
            self.parts[service] = subprocess.Popen(
                command, cwd=self.app, env=self.environment(service), stdout=log, stderr=log, start_new_session=True
            )

    def check_health(self, service: str) -> subprocess.CompletedProcess[str]:
        """Run the service's health check."""
        kind, *words = [filled_in(word, self.given) for word in service_of(service)["healthcheck"]["test"]]
        return self.run(service, ["sh", "-c", *words] if kind == "CMD-SHELL" else words)

    def ask(
        self, method: str, path: str, body: object = None, *, https: bool = True, bearer: str = ""
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers and text of the web server's answer, as a proxy that ends TLS asks for it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        sent = {"Host": HOST, "Content-Type": "application/json"} | ({"X-Forwarded-Proto": "https"} if https else {})
        sent |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        try:
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def cookies(self, email: str, password: str) -> dict[str, str]:
        """What signing in on the pages sets, by name: each as it stands in its header."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        sent = {"Host": HOST, "X-Forwarded-Proto": "https", "Origin": f"https://{HOST}"}
        try:
            connection.request("GET", "/sign-in/", headers=sent)
            form = connection.getresponse()
            form.read()
            csrf = str(form.getheader("Set-Cookie"))
            token = csrf.partition("=")[2].partition(";")[0]
            said = urlencode({"email": email, "password": password, "csrfmiddlewaretoken": token})
            sent |= {"Cookie": csrf.partition(";")[0], "Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/sign-in/", said, sent)
            answer = connection.getresponse()
            assert answer.status == 302, answer.read()
            return {each.partition("=")[0]: each for each in [csrf, *(answer.headers.get_all("Set-Cookie") or [])]}
        finally:
            connection.close()

    def is_ready(self) -> bool:
        """Whether `/healthz/ready` says so; a part that has ended fails the test."""
        for name, part in self.parts.items():
            assert part.poll() is None, f"{name} ended:\n{self.log(name)}"
        try:
            return self.ask("GET", "/healthz/ready")[0] == 200
        except OSError:
            return False

    def log(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text()

    def end(self) -> None:
        """Leave nothing behind, however the test ended."""
        for part in self.parts.values():
            if part.poll() is None:
                os.killpg(part.pid, signal.SIGKILL)
            part.wait(PATIENCE)


def service_of(name: str) -> dict[str, Any]:
    return dict(COMPOSE["services"][name])


# What a person does with a telephone; prints a recovery code.
SET_UP = """
import pyotp
from accounts import clock, second_factor
from accounts.models import User
secret, now = second_factor.new_secret(), clock.now()
print(second_factor.set_up(User.objects.get(), secret, pyotp.TOTP(secret).at(now), now)[0])
"""


def eventually(look: Callable[[], bool], what: Callable[[], object]) -> None:
    """Look until it is so; fail with `what()` where it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, what()
        time.sleep(0.25)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """An empty database and a Valkey number for this test alone."""
    address, name = urlsplit(os.environ["DATABASE_URL"]), f"production_{secrets.token_hex(4)}"
    broker = urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{DATABASE_NUMBER}").geturl()
    with psycopg.connect(address.geturl(), autocommit=True) as server, redis.Redis.from_url(broker) as valkey:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        made = Stack(tmp_path, address._replace(path=f"/{name}").geturl(), broker)
        try:
            yield made
        finally:
            made.end()
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            valkey.flushdb()


def test_from_an_empty_database_to_a_signed_in_person_and_a_clean_end(stack: Stack) -> None:
    migrated = stack.run("migrate", service_of("migrate")["command"])
    assert migrated.returncode == 0, migrated.stderr
    for service in ("web", "worker", "beat", "clock"):
        stack.start(service)
    eventually(stack.is_ready, lambda: {name: stack.log(name)[-2000:] for name in stack.parts})

    for service in stack.parts:
        checked = stack.check_health(service)
        assert checked.returncode == 0, (service, checked.stdout, checked.stderr)

    first_person = re.search(r"manage\.py shell -c '\n(.+?)\n +'", OPERATIONS, re.DOTALL)
    assert first_person
    script = re.sub(r"(?m)^ {4}", "", first_person[1])
    typed = f"Our clinic\nme@{HOST}\n{PASSWORD}\n"
    made = stack.run("web", ["python", "manage.py", "shell", "-c", script], typed)
    assert made.returncode == 0, made.stderr
    status, headers, _ = stack.ask("GET", "/api/v1/sites/", https=False)
    assert (status, headers["Location"]) == (301, f"https://{HOST}/api/v1/sites/")
    me = {"email": f"me@{HOST}", "password": PASSWORD}
    status, _, text = stack.ask("POST", "/api/v1/auth/login/", me)
    assert (status, json.loads(text)["code"]) == (401, "second_factor_required"), "production demands it of staff"
    made = stack.run("web", ["python", "manage.py", "shell", "-v0", "-c", SET_UP])
    assert made.returncode == 0, made.stderr
    me["code"] = made.stdout.split()[-1]
    status, headers, text = stack.ask("POST", "/api/v1/auth/login/", me)
    assert status == 200, text
    assert len(headers["X-Request-ID"]) == 36
    assert headers["Strict-Transport-Security"]
    status, _, text = stack.ask("GET", "/api/v1/sites/", bearer=json.loads(text)["token"])
    assert (status, json.loads(text)["results"]) == (200, [])
    cookies = stack.cookies(me["email"], PASSWORD)
    assert cookies.keys() == {"__Host-csrf", "__Host-session"}
    for cookie in cookies.values():
        assert {"Path=/", "Secure"} <= {part.strip() for part in cookie.split(";")}, cookie
        assert "domain" not in cookie.lower(), "of this host alone"
    assert stack.ask("GET", "/static/web/look.css")[0] == 200
    assert stack.ask("GET", "/metrics")[0] == 404, "given away through a proxy"
    status, _, text = stack.ask("GET", "/metrics", https=False)
    assert "infusion_database_up 1\n" in text, (status, text)

    families = [process for part in stack.parts.values() for process in family(part.pid)]
    assert len(families) >= 6
    for part in stack.parts.values():
        part.send_signal(signal.SIGTERM)
    for name, part in stack.parts.items():
        assert part.wait(seconds(service_of(name)["stop_grace_period"])) == 0, stack.log(name)
    assert not [process for process in families if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]

    lines = {name: [json.loads(line) for line in stack.log(name).splitlines() if own(line)] for name in stack.parts}
    assert all({"time", "level", "logger", "message"} <= line.keys() for each in lines.values() for line in each)
    assert [line for line in lines["web"] if "api/v1/auth/login/ 200" in line["message"]]
    assert [line for line in lines["worker"] if "notifications.tick" in line["message"]]
    assert [line for line in lines["beat"] if "notifications.tick" in line["message"]]
    assert stack.given["SECRET_KEY"] not in "".join(stack.log(name) for name in stack.parts)


def own(line: str) -> bool:
    """Not what Celery itself writes past all logging as it is told to stop."""
    return line not in {"", "worker: Warm shutdown (MainProcess)"}


def family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def seconds(text: str) -> float:
    assert text.endswith("s")
    return float(text.removesuffix("s"))


def test_a_migration_does_not_stand_in_line_for_a_lock(stack: Stack) -> None:
    """Whoever comes behind it would stand there too: it gives up, and is tried again."""
    migrate = service_of("migrate")["command"]
    assert stack.run("migrate", migrate).returncode == 0
    back = [*migrate, "notifications", "0003_together"]
    with psycopg.connect(stack.database_url) as reader:
        reader.execute("SELECT count(*) FROM notifications_message")
        refused = stack.run("migrate", back)
        assert refused.returncode != 0
        assert "canceling statement due to lock timeout" in refused.stderr
        assert reader.execute("SELECT count(alone) FROM notifications_message").fetchone() == (0,)
    for command in (back, migrate):
        done = stack.run("migrate", command)
        assert done.returncode == 0, done.stderr


def test_the_deployment_check_has_nothing_to_say(stack: Stack) -> None:
    checked = stack.run("web", ["python", "manage.py", "check", "--deploy", "--fail-level", "WARNING"])
    assert checked.returncode == 0, checked.stderr
    assert "no issues (0 silenced)" in checked.stdout
    collected = stack.run("web", ["python", "manage.py", "collectstatic", "--noinput", "--verbosity", "0"])
    assert collected.returncode == 0, collected.stderr
    assert (stack.folder / "static" / "web" / "look.css").exists()


@pytest.mark.parametrize("service", OURS)
def test_without_a_key_each_part_refuses_to_start_and_says_why(stack: Stack, service: str) -> None:
    del stack.given["SECRET_KEY"]
    with pytest.raises(AssertionError, match="SECRET_KEY must be set: "):
        stack.environment(service)
    stack.given["SECRET_KEY"] = ""
    refused = stack.run(service, service_of(service)["command"])
    assert refused.returncode != 0
    assert "SECRET_KEY is not set." in refused.stderr.strip().splitlines()[-1]


def test_the_compose_file_is_whole_and_holds_no_secret() -> None:
    services = COMPOSE["services"]
    assert set(services) == {*OURS, "postgres", "redis"}
    assert services["postgres"]["image"] == "postgres:18"
    assert services["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert services["redis"]["image"] == "valkey/valkey:9"
    assert {volume.split(":")[0] for each in services.values() for volume in each.get("volumes", [])} == set(
        COMPOSE["volumes"]
    )
    for name, service in services.items():
        assert service["restart"], name
        assert seconds(service["stop_grace_period"]) >= 45, name
        assert "healthcheck" in service or name == "migrate"
        for other, how in service.get("depends_on", {}).items():
            finished = how["condition"] == "service_completed_successfully"
            assert finished if other == "migrate" else how["condition"] == "service_healthy"
            assert finished or "healthcheck" in services[other]
        secret = {
            key: value for key, value in service.get("environment", {}).items() if "PASS" in key or "SECRET" in key
        }
        assert all(value.startswith("${") for value in secret.values()), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), "open to others than the proxy"
    for name in OURS:
        assert services[name]["user"].split(":")[0] not in {"0", "root"}
        assert services[name]["environment"]["SECRET_KEY"].startswith("${SECRET_KEY:?")
    assert all(services[name]["networks"] == ["inside"] for name in ("postgres", "redis"))
    assert COMPOSE["networks"]["inside"]["internal"] is True


def test_the_image_is_built_in_stages_from_the_hashed_lock_for_an_ordinary_account() -> None:
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    assert [line.split(" AS ")[0] for line in lines if line.startswith("FROM ")] == ["FROM python:${PYTHON}-slim"] * 2
    assert any("--require-hashes" in line and "-r requirements.txt" in line for line in lines)
    assert [line for line in lines if line.startswith("USER ")] == [f"USER {COMPOSE['services']['web']['user']}"]
    assert all(
        "--hash=sha256:" in block
        for block in re.split(r"\n(?=\S)", (ROOT / "requirements.txt").read_text())
        if "==" in block
    )


def test_every_variable_that_the_settings_read_is_written_down() -> None:
    read = set(re.findall(r'\benv(?:\.\w+)?\(\s*"([A-Z_]+)"', (ROOT / "config" / "settings.py").read_text()))
    assert len(read) >= 12
    taken = {name for service in COMPOSE["services"].values() for name in named_in(service)}
    table = OPERATIONS.split("## Environment variables")[1].split("\n## ")[0]
    missing = {name for name in read | taken if f"`{name}`" not in table}
    assert not missing
    given = {name for name in OURS for name in service_of(name)["environment"]}
    assert given <= read | {"PORT", "WEB_CONCURRENCY"}, "compose sets what nobody reads"


def named_in(value: Any) -> set[str]:
    """The names of `${...}` anywhere in a part of the compose file."""
    return {match[0] for match in VARIABLE.findall(json.dumps(value))}
