"""Days kept in the process are those that a fresh look finds, whatever is written, by whom, and whatever is undone."""

from __future__ import annotations

import math
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from psycopg import IsolationLevel

from scheduler.facts import Seat, Taken
from scheduler.models import Chair
from scheduler.supply import supply_on
from scheduler.walltime import SLOT, first_instant, local_date
from sessions import kept_days
from sessions.facts import zone_of
from sessions.models import Session
from tests import factories
from tests.raw import MORNING, Ground, put
from tests.sessions.writers import Writers, begin, make_ground

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.backends.utils import CursorWrapper

    from accounts.models import Site
    from scheduler.facts import Day
    from tests.raw import Connect

DAY = timedelta(days=1)
BEGINS, ENDS = ("start", "infuse_start"), ("end", "turnover_end", "hands_on_until")


def window(site: Site) -> list[Any]:
    first = local_date(MORNING, zone_of(site)) - DAY
    return [first + n * DAY for n in range(8)]


def fresh(site: Site) -> tuple[Day, ...]:
    """What is there, and nothing kept: within a transaction only supply is, and that is forgotten first."""
    kept_days.rows.days.clear()
    kept_days.supplies.days.clear()
    with transaction.atomic():
        return kept_days.days_of(site, window(site))


def in_agreement(site: Site) -> None:
    site.refresh_from_db()
    now, then = kept_days.days_of(site, window(site)), fresh(site)
    assert now == then
    assert not any(one is two for one, two in zip(now, then, strict=True))


@pytest.fixture
def ground(committed: None) -> Ground:
    """The clinic of the raw rows, committed, for one test."""
    return make_ground()


@pytest.mark.parametrize("seed", range(4))
def test_after_any_write(ground: Ground, connect: Connect, seed: int) -> None:
    writers = begin(ground, connect(IsolationLevel.READ_COMMITTED), seed)
    for _ in range(40):
        writers.step()
        in_agreement(writers.site)
        connection.close_if_unusable_or_obsolete()


def test_what_nobody_changed_is_not_read_again(ground: Ground, connect: Connect) -> None:
    writers = begin(ground, connect(IsolationLevel.READ_COMMITTED), 1)
    once = kept_days.days_of(writers.site, window(writers.site))
    writers.rows.append(row := ground.row(5, 1440))
    put(writers.raw, row)
    writers.raw.commit()
    again = kept_days.days_of(writers.site, window(writers.site))
    changed = [old is not new for old, new in zip(once, again, strict=True)]
    assert changed == [False, False, True, False, False, False, False, False]


def test_what_is_undone_is_never_kept(ground: Ground, connect: Connect) -> None:
    site = ground.clinic.site
    writers = begin(ground, connect(IsolationLevel.READ_COMMITTED), 1)
    before = kept_days.days_of(site, window(site))
    kept_days.forget()
    with transaction.atomic():
        factories.make_chair(site)
        # The number of the day moves at commit only, so it still says that nothing has changed.
        Session.objects.filter(pk=writers.rows[0]["id"]).update(chair=ground.clinic.room)
        inside = kept_days.days_of(site, window(site))
        transaction.set_rollback(True)
    assert len(inside[0].chairs) == len(before[0].chairs) + 1
    assert kept_days.days_of(site, window(site)) == before
    # The next change must not take up the number of the one that was undone.
    writers.raw.execute("UPDATE scheduler_provider SET capacity = capacity WHERE site_id = %s", [site.pk])
    writers.raw.commit()
    assert kept_days.days_of(site, window(site)) == before


def test_a_site_that_moves_away_and_back(ground: Ground, connect: Connect) -> None:
    site, raw = ground.clinic.site, connect(IsolationLevel.READ_COMMITTED)
    in_agreement(site)
    for zone in ("Asia/Kathmandu", "America/Chicago"):
        raw.execute("UPDATE accounts_site SET time_zone = %s WHERE id = %s", [zone, site.pk])
        if zone == "Asia/Kathmandu":
            # The evening of one day in Chicago is the next one there.
            put(raw, ground.row(3, 600))
        raw.commit()
        in_agreement(site)


def test_with_readers_beside_writers(ground: Ground, connect: Connect) -> None:
    site = ground.clinic.site
    raws = [connect(IsolationLevel.READ_COMMITTED) for _ in range(2)]
    writers = [begin(ground, raw, 10 + number) for number, raw in enumerate(raws)]
    finished, faults = threading.Event(), []

    def work(each: Callable[[], None]) -> None:
        try:
            each()
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    def write(which: Writers) -> Callable[[], None]:
        def steps() -> None:
            for _ in range(30):
                which.step()

        return steps

    def read() -> None:
        while not finished.is_set():
            kept_days.days_of(site, window(site))

    readers = [threading.Thread(target=work, args=(read,)) for _ in range(2)]
    writing = [threading.Thread(target=work, args=(write(each),)) for each in writers]
    for thread in (*readers, *writing):
        thread.start()
    for thread in writing:
        thread.join()
    # Nobody writes any more: what is kept now is all that will ever be told.
    in_agreement(site)
    finished.set()
    for thread in readers:
        thread.join()
    assert not faults
    in_agreement(site)


def test_the_longest_unasked_is_forgotten(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_days, "AT_MOST", 5)
    site = ground.clinic.site
    in_agreement(site)
    assert [key[2] for key in kept_days.filled.days] == window(site)[3:]


def test_it_costs_as_many_questions_for_much_as_for_little(
    ground: Ground, django_assert_num_queries: Callable[[int], Any]
) -> None:
    site = ground.clinic.site
    with django_assert_num_queries(9):
        kept_days.days_of(site, window(site))
    Chair.objects.bulk_create(Chair(site=site, name=f"One more {n}", kind="recliner") for n in range(500))
    with django_assert_num_queries(9):
        kept_days.days_of(site, window(site))
    with django_assert_num_queries(1):
        kept_days.days_of(site, window(site))


def as_taken(row: Session, day: Day) -> Taken:
    """What a session takes of a day, by the book: in slots, rounded outward."""
    slots = {name: (getattr(row, name) - day.first_instant) / SLOT for name in (*BEGINS, *ENDS)}
    return Taken(
        **{name: math.floor(slots[name]) for name in BEGINS},
        **{name: math.ceil(slots[name]) for name in ENDS},
        id=str(row.id),
        acuity=row.acuity,
        chair=str(row.chair_id),
        nurse=str(row.nurse_id),
        prescriber=str(row.prescriber_id),
        pinned=row.status == "arrived",
        seat=Seat(frozenset(row.chair_kinds)),
        provider=str(row.wished_provider_id),
    )


def test_what_sessions_take_as_their_rows_say(ground: Ground, connect: Connect) -> None:
    site, raw = ground.clinic.site, connect(IsolationLevel.READ_COMMITTED)
    # One that begins between two slots, one that ends on the morrow, one that has begun, one that is gone.
    rows = [
        ground.row(1, 62),
        ground.row(2, 13 * 60, infuse=300),
        ground.row(3, 120, status="arrived", arrived_at=MORNING),
        ground.row(4, 60, status="cancelled"),
    ]
    put(raw, *rows)
    raw.execute("UPDATE infusion_sessions_session SET chair_kinds = '{bed}', wished_provider_id = nurse_id, acuity = 3")
    raw.commit()
    zone = zone_of(site)
    found = {day.date: day for day in kept_days.days_of(site, window(site))}
    for day in found.values():
        ends = first_instant(day.date + DAY, zone)
        there = Session.objects.filter(site=site, turnover_end__gt=day.first_instant, start__lt=ends)
        live = there.exclude(status="cancelled").order_by("id")
        assert day.taken == tuple(as_taken(one, day) for one in live)
    assert [len(day.taken) for day in found.values()].count(0) == len(found) - 2
    # Of some days only: what reaches over midnight is found though the eve is not asked for.
    morrow = max(on for on, day in found.items() if day.taken)
    kept_days.forget()
    assert kept_days.days_of(site, [morrow, morrow + 5 * DAY]) == (found[morrow], found[morrow + 5 * DAY])


def test_what_lies_outside_the_dates_is_not_read(ground: Ground, connect: Connect) -> None:
    site, raw = ground.clinic.site, connect(IsolationLevel.READ_COMMITTED)
    dates = window(site)

    def rows_read() -> int:
        kept_days.forget()
        with transaction.atomic(), connection.cursor() as cursor:
            # As on a large table, for which this would be the dearer way.
            cursor.execute("SET LOCAL enable_seqscan = off")
            before = fetched(cursor)
            kept_days.days_of(site, dates)
            return fetched(cursor) - before

    def fetched(cursor: CursorWrapper) -> int:
        cursor.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
            " WHERE relname = 'infusion_sessions_session'"
        )
        return int(cursor.fetchone()[0])

    put(raw, *(ground.row(n % 8, n % 6 * 1440 + n // 6 * 300) for n in range(12)))
    raw.commit()
    before = rows_read()
    put(raw, *(ground.row(n % 8, (20 + n % 20) * 1440 + n // 20 * 300) for n in range(60)))
    raw.commit()
    assert (before, rows_read()) == (12, 12)


def test_the_supply_of_a_site_that_has_nothing(ground: Ground) -> None:
    site = factories.make_site(ground.clinic.organization, ground.clinic.users["manager"])
    assert kept_days.days_of(site, window(site)) == supply_on(site, window(site))
    assert kept_days.days_of(site, []) == ()
