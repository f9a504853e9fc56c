"""The ground that tests stand on: real servers for the whole run, and fixtures that put a clinic on them.

Set DATABASE_URL and REDIS_URL to use servers that run already. Workers of a parallel run share what the first process
started, each with a database of its own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import pytest
from hypothesis import HealthCheck, settings

from config.embedded import Postgres, Valkey
from tests.emptying import empty_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from rest_framework.test import APIClient

    from accounts.models import User
    from tests.catcher import Catcher
    from tests.factories import Clinic


def start_servers() -> None:
    """Start what the environment does not name, until the end of this process."""
    given = {"DATABASE_URL", "REDIS_URL"} & os.environ.keys()
    if len(given) == 2:
        return
    folder = Path(tempfile.mkdtemp(prefix="infusion-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if "DATABASE_URL" not in given:
        postgres = Postgres(folder, fast=True)
        atexit.register(postgres.stop)
        os.environ["DATABASE_URL"] = postgres.start()
        os.environ["POSTGRES_LOG"] = str(postgres.log)
    if "REDIS_URL" not in given:
        valkey = Valkey(folder, fast=True)
        atexit.register(valkey.stop)
        os.environ["REDIS_URL"] = valkey.start()


# How long an example takes tells how busy the machine is, and no test is judged by that.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Here and not in a hook, since test modules import models: settings are read once, and need the servers' addresses.
os.environ.setdefault("SECRET_KEY", "for-tests-only-" + "x" * 50)
os.environ.setdefault("ENVIRONMENT", "development")
# Tests of texts run at any hour and send as many as they like; those of quiet hours and caps set their own.
for _wish in ("QUIET_FROM", "QUIET_UNTIL"):
    os.environ.setdefault(_wish, "00:00")
for _wish in ("TEXTS_A_DAY", "TEXTS_A_DAY_WITHOUT_CONSENT"):
    os.environ.setdefault(_wish, "0")
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
start_servers()
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ["REDIS_URL"] = f"{os.environ['REDIS_URL'].rpartition('/')[0]}/{int(worker.removeprefix('gw')) % 15 + 1}"
django.setup()
# A worker of a parallel run that inherits this would read the settings before the lines above gave it its own place.
del os.environ["DJANGO_SETTINGS_MODULE"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """Let tests with real commits clean up behind them: Django's own way would be refused by the append-only tables."""
    from django.test import TransactionTestCase

    TransactionTestCase._fixture_teardown = empty_tables  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _empty_cache(request: pytest.FixtureRequest) -> None:
    """Start every test that reaches the database with an empty cache and an empty queue."""
    if {"db", "transactional_db"} & set(request.fixturenames) or request.node.get_closest_marker("django_db"):
        from django.core.cache import cache

        cache.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Reports travel between processes as UTF-8, which half a surrogate in a captured log has no place in."""
    report = yield
    report.sections = [(title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections]
    return report


@pytest.fixture
def committed(transactional_db: None) -> None:
    """Real commits, seen by threads and by other connections; all rows are removed afterwards."""


@pytest.fixture
def clinic(db: None) -> Clinic:
    """A clinic with all that a booking needs; `clinic.other` is a second organization with the same things."""
    from tests.factories import make_clinic

    return make_clinic(other=make_clinic())


@pytest.fixture
def quick_passwords(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that are hashed at once, for tests that sign in often; that it is slow by design, others show."""
    from django.contrib.auth.hashers import make_password

    from tests import factories

    names = ("MD5PasswordHasher", "PBKDF2PasswordHasher")
    settings.PASSWORD_HASHERS = [f"django.contrib.auth.hashers.{name}" for name in names]
    hashed = make_password(factories.PASSWORD)
    monkeypatch.setattr(factories, "password_hash", lambda: hashed)


@pytest.fixture
def api(db: None) -> Callable[[User | None], APIClient]:
    """`api(user)` is a client signed in by a real token of that user, `api(None)` one that is not signed in."""
    from rest_framework.test import APIClient

    from tests.factories import make_token

    def client(user: User | None) -> APIClient:
        made = APIClient()
        if user is not None:
            made.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(user)}")
        return made

    return client


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    """A real SMTP server that keeps what it is given."""
    from tests.catcher import Catcher

    with Catcher() as caught:
        yield caught


@pytest.fixture
def postgres_log() -> Callable[[], str]:
    """`postgres_log()` is what PostgreSQL wrote to its log since the test began."""
    assert "POSTGRES_LOG" in os.environ, "DATABASE_URL names a running server: set POSTGRES_LOG to its log as well"
    log = Path(os.environ["POSTGRES_LOG"])
    begin = log.stat().st_size

    def since() -> str:
        with log.open("rb") as file:
            file.seek(begin)
            return file.read().decode(errors="replace")

    return since
