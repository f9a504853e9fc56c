"""Changes of a clinic at random, of every kind that bears on its days."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, time, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import psycopg
from django.db import DatabaseError, transaction
from psycopg.types.range import TimestamptzRange

from accounts.refusals import Refusal
from scheduler.models import AvailabilityRule, Chair, Provider, ProviderRole, TimeOff
from scheduler.sites import change_site
from sessions import kept_days
from sessions.models import Session
from tests import factories
from tests.raw import MORNING, Ground, change, put, shifted

if TYPE_CHECKING:
    from tests.raw import Row

# What is refused, and what finds nothing to change.
REFUSALS = (psycopg.Error, DatabaseError, Refusal, AssertionError, IndexError)


def make_ground() -> Ground:
    """Save the clinic of the raw rows; nothing of another one is kept."""
    kept_days.forget()
    clinic = factories.make_clinic(other=factories.make_clinic())
    series = tuple(clinic.series() for _ in range(8))
    small = factories.make_provider(clinic.site, ProviderRole.PRESCRIBER, capacity=2)
    return Ground(clinic, series, factories.make_series(series[0].patient, clinic.protocol), small)


class Writers:
    """Changes of a clinic at random, by raw SQL and by the ORM; one that the database refuses changes nothing."""

    def __init__(self, ground: Ground, raw: psycopg.Connection, luck: Random) -> None:
        self.ground, self.raw, self.luck = ground, raw, luck
        self.site = ground.clinic.site
        self.rows: list[Row] = []

    def step(self) -> None:
        """One change, committed or undone."""
        name = self.luck.choice([each for each in dir(self) if each.startswith("do_")])
        undone = self.luck.random() < 0.2
        with suppress(*REFUSALS), transaction.atomic():
            getattr(self, name)()
            if undone:
                transaction.set_rollback(True)
        with suppress(psycopg.Error):
            self.raw.rollback() if undone else self.raw.commit()

    def some(self, model: Any) -> Any:
        """Any row of the site's."""
        return self.luck.choice(list(model.objects.filter(site=self.site)))

    def span(self) -> tuple[datetime, datetime]:
        """Some hours of the window."""
        start = MORNING + timedelta(hours=self.luck.randrange(-20, 120))
        return start, start + timedelta(hours=self.luck.randrange(1, 30))

    def do_insert_session(self) -> None:
        row = self.ground.row(self.luck.randrange(8), self.luck.choice([0, 600, 800, 1440, 2880, 4321]))
        put(self.raw, row)
        self.rows.append(row)

    def do_move_session(self) -> None:
        row = self.luck.choice(self.rows)
        by = timedelta(minutes=self.luck.choice([-1440, 1440, 2880, 600, -7]))
        moved = shifted(row, by)
        change(self.raw, row, **{name: moved[name] for name in moved if isinstance(moved[name], datetime)})

    def do_reseat_session(self) -> None:
        change(self.raw, self.luck.choice(self.rows), chair_id=self.luck.choice(self.ground.clinic.chairs).id)

    def do_cancel_session(self) -> None:
        change(self.raw, self.luck.choice(self.rows), status=self.luck.choice(["cancelled", "arrived", "confirmed"]))

    def do_remove_session(self) -> None:
        self.raw.execute("DELETE FROM infusion_sessions_session WHERE id = %s", [self.luck.choice(self.rows)["id"]])

    def do_change_session_by_model(self) -> None:
        session = self.luck.choice(list(Session.objects.all()))
        session.acuity = self.luck.randrange(1, 4)
        session.save()

    def do_remove_sessions_by_model(self) -> None:
        Session.objects.filter(pk=self.luck.choice(self.rows)["id"]).delete()

    def do_change_hours(self) -> None:
        hours = [{"weekday": n, "opens": time(self.luck.randrange(6, 9)), "closes": time(18)} for n in range(6)]
        change_site(self.site.pk, {"opening_hours": hours})

    def do_close_site(self) -> None:
        self.raw.execute(
            "INSERT INTO scheduler_siteclosure (id, site_id, during, reason) VALUES (uuidv7(), %s, %s, '')",
            [self.site.pk, TimestamptzRange(*self.span())],
        )

    def do_open_site(self) -> None:
        self.raw.execute("DELETE FROM scheduler_siteclosure WHERE site_id = %s", [self.site.pk])

    def do_close_chair(self) -> None:
        chair = self.some(Chair)
        self.raw.execute(
            "INSERT INTO scheduler_chairclosure (id, chair_id, during, reason) VALUES (uuidv7(), %s, %s, '')",
            [chair.pk, TimestamptzRange(*self.span())],
        )

    def do_change_chair(self) -> None:
        Chair.objects.filter(pk=self.some(Chair).pk).update(
            kind=self.luck.choice(["bed", "recliner"]), is_active=self.luck.random() < 0.8
        )

    def do_new_chair(self) -> None:
        factories.make_chair(self.site, features=("cardiac_monitor",))

    def do_time_off(self) -> None:
        TimeOff.objects.create(provider=self.some(Provider), during=self.span())

    def do_change_provider(self) -> None:
        provider = self.some(Provider)
        self.raw.execute(
            "UPDATE scheduler_provider SET capacity = capacity + 1, is_active = %s WHERE id = %s",
            [self.luck.random() < 0.8, provider.pk],
        )

    def do_new_nurse(self) -> None:
        factories.make_provider(self.site, capacity=2)

    def do_change_rules(self) -> None:
        rule = self.luck.choice(list(AvailabilityRule.objects.filter(provider__site=self.site)))
        if self.luck.random() < 0.5:
            rule.delete()
        else:
            rule.end_time = time(self.luck.randrange(1, 23))
            rule.save()

    def do_move_site(self) -> None:
        zone = self.luck.choice(["America/Chicago", "Asia/Kathmandu", "Europe/Berlin"])
        self.raw.execute("UPDATE accounts_site SET time_zone = %s WHERE id = %s", [zone, self.site.pk])


def begin(ground: Ground, raw: psycopg.Connection, seed: int) -> Writers:
    writers = Writers(ground, raw, Random(seed))
    writers.do_insert_session()
    raw.commit()
    return writers
