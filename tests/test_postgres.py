"""Our way to PostgreSQL: instants as Django reads them, dead connections seen without a question."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from django.db import DataError, connection
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import IsolationLevel

from accounts.http.fields import InstantField
from accounts.prepared import all_rows
from config.postgres.base import DatabaseWrapper
from tests.raw import open_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTANTS = st.datetimes(timezones=st.just(UTC))


@pytest.fixture
def other(transactional_db: None) -> Iterator[DatabaseWrapper]:
    """A second connection of Django's, as another thread would have it."""
    made = connection.copy()
    assert isinstance(made, DatabaseWrapper)
    made.ensure_connection()
    yield made
    made.close()


@pytest.mark.django_db
@settings(max_examples=50)
@given(instants=st.lists(INSTANTS, min_size=10, max_size=30))
def test_instants_come_back_as_they_were(instants: list[datetime]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT unnest(%s::timestamptz[])", [instants])
        found = [row[0] for row in cursor.fetchall()]
    assert found == instants
    assert {at.utcoffset() for at in found} == {timedelta(0)}


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "20000-01-01 00:00:00+00"])
def test_what_is_no_instant_of_python_is_an_error_of_the_data(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [text])
        with pytest.raises(DataError):
            cursor.fetchone()


@pytest.mark.django_db
@settings(max_examples=30)
@given(instants=st.lists(INSTANTS | INSTANTS.map(lambda at: at.replace(microsecond=0)), min_size=10, max_size=30))
def test_what_is_only_shown_comes_as_the_api_shows_it(instants: list[datetime]) -> None:
    shown = all_rows("SELECT i, NULL::timestamptz, uuidv7() FROM unnest(%s::timestamptz[]) i", [instants], shown=True)
    assert [at for at, _, _ in shown] == [InstantField().to_representation(at) for at in instants]
    assert {nothing for _, nothing, _ in shown} == {None}
    assert all(str(UUID(name)) == name for _, _, name in shown)
    # The cursor after it gives values again.
    ((at,),) = all_rows("SELECT %s::timestamptz", [instants[0]])
    assert at == instants[0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", ["infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "20000-01-01 00:00:00.123456+00"]
)
def test_what_the_api_cannot_show_is_an_error_of_the_data(text: str) -> None:
    with pytest.raises(DataError):
        all_rows("SELECT %s::timestamptz", [text], shown=True)


def test_a_standing_connection_is_usable(other: DatabaseWrapper) -> None:
    with other.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert other.is_usable()


def test_a_connection_that_the_server_ended_is_not(other: DatabaseWrapper) -> None:
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    with open_connection(IsolationLevel.READ_COMMITTED) as watcher:
        # Waits until the other process has gone.
        assert watcher.execute("SELECT pg_terminate_backend(%s, 10000)", [pid]).fetchone() == (True,)
    assert not other.is_usable()
    # What Django does at the end of each request, and before the first question of the next.
    other.close_if_unusable_or_obsolete()
    other.close_if_health_check_failed()
    with other.cursor() as cursor:
        cursor.execute("SELECT 2")
        assert cursor.fetchone() == (2,)
