"""The clinic that raw SQL meets: saved once for a module of tests, which must be marked with `django_db`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection as django_connection
from psycopg import IsolationLevel

from scheduler.models import ProviderRole
from tests.emptying import empty_tables
from tests.factories import make_clinic, make_provider, make_series
from tests.raw import Connect, Ground, open_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from pytest_django import DjangoDbBlocker


@pytest.fixture(scope="module")
def ground(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Ground]:
    """Save the clinic, for all connections to see."""
    with django_db_blocker.unblock():
        clinic = make_clinic(other=make_clinic())
        series = tuple(clinic.series() for _ in range(8))
        small = make_provider(clinic.site, ProviderRole.PRESCRIBER, capacity=2)
        yield Ground(clinic, series, make_series(series[0].patient, clinic.protocol), small)
        empty_tables()
        django_connection.close()


@pytest.fixture
def connect(ground: Ground) -> Iterator[Connect]:
    """`connect(level)` opens a plain connection. Afterwards all are closed and what they committed is removed."""
    opened: list[psycopg.Connection] = []

    def connect(level: IsolationLevel) -> psycopg.Connection:
        opened.append(open_connection(level))
        return opened[-1]

    yield connect
    for made in opened:
        made.close()
    with open_connection(IsolationLevel.READ_COMMITTED) as cleaner:
        cleaner.execute("SET session_replication_role = replica")
        for table in ("sessionevent", "session", "siteday"):
            cleaner.execute(f"DELETE FROM infusion_sessions_{table}")
        cleaner.execute("UPDATE scheduler_provider SET capacity = 3, max_acuity = 8 WHERE role = 'nurse'")
