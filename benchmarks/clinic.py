"""A clinic with years of bookings, written straight into the tables. Import it once the servers stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from accounts import clock
from accounts.models import Patient, Role, Site, User
from scheduler.models import Chair, Protocol, Provider, ProviderRole
from scheduler.walltime import local_date
from tests import factories

if TYPE_CHECKING:
    import psycopg

WEEK = range(7)
CHAIRS, NURSES, PRESCRIBERS = 12, 6, 3
FILLED_CHAIRS = 10  # so many sessions has each filled day; the other chairs are for those who book
PEOPLE = 500  # patients who hold the sessions that are there already

# Two waves a day, one session a chair; every nurse has one patient in each. 30, 60, 60 and 15 minutes a session.
FILL = """
INSERT INTO infusion_sessions_session (id, series_id, patient_id, site_id, phase, ordinal, sequence, status, start,
    hands_on_until, infuse_start, recover_start, "end", turnover_end, acuity, chair_id, nurse_id, prescriber_id,
    stop_reason, escort_name, gates, version)
SELECT uuidv7(), s.id, s.patient_id, s.site_id, 'induction', 1, 1 + (d * %(chairs)s + c) / %(people)s, 'booked', t,
    t + interval '15 min', t + interval '30 min', t + interval '90 min', t + interval '150 min',
    t + interval '165 min', 2, (%(chair_ids)s::uuid[])[c + 1], (%(nurse_ids)s::uuid[])[c %% 5 + 1],
    (%(prescriber_ids)s::uuid[])[c %% 3 + 1], '', '', '{}', 1
FROM generate_series(0, %(days)s - 1) d CROSS JOIN generate_series(0, %(chairs)s - 1) c
CROSS JOIN LATERAL (
    SELECT ((%(first)s::date + d) + CASE WHEN c < 5 THEN time '08:00' ELSE time '11:00' END) AT TIME ZONE %(zone)s AS t
) at
JOIN (SELECT row_number() OVER (ORDER BY id) - 1 AS place, * FROM infusion_sessions_series) s
  ON s.place = (d * %(chairs)s + c) %% %(people)s
"""
DAYS = """
INSERT INTO infusion_sessions_siteday (site_id, date, version)
SELECT %(site)s, %(first)s::date + d, 1 FROM generate_series(0, %(days)s - 1) d
"""


@dataclass(frozen=True)
class Clinic:
    """One site, open every day from 08:00 to 18:00, its first `days` days from `first` on filled with sessions.

    `desk` are people at the front desk; `tokens` sign them in.
    """

    site: Site
    protocol: Protocol
    chairs: list[Chair]
    nurses: list[Provider]
    prescribers: list[Provider]
    desk: list[User]
    tokens: list[str]
    first: date
    days: int

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.site.time_zone)

    @property
    def sessions(self) -> int:
        """How many sessions there are at the beginning."""
        return self.days * FILLED_CHAIRS


def make_clinic(database: psycopg.Connection, days: int, desk: int) -> Clinic:
    """Save the clinic with `days` filled days, the first one a week from now, and so many people at the desk."""
    organization = factories.make_organization()
    doctor = factories.make_user(organization, Role.PRESCRIBER)
    site = factories.make_site(organization, doctor)
    factories.make_opening_hours(site, weekdays=WEEK, opens=time(8), closes=time(18))
    people = [factories.make_user(organization, Role.FRONT_DESK, sites=(site,)) for _ in range(desk)]
    nurse, prescriber = ProviderRole.NURSE, ProviderRole.PRESCRIBER
    clinic = Clinic(
        site=site,
        protocol=factories.make_protocol(organization, doctor),
        chairs=[factories.make_chair(site) for _ in range(CHAIRS)],
        nurses=[factories.make_provider(site, nurse, capacity=4, weekdays=WEEK) for _ in range(NURSES)],
        prescribers=[factories.make_provider(site, prescriber, capacity=12, weekdays=WEEK) for _ in range(PRESCRIBERS)],
        desk=people,
        tokens=[factories.make_token(user) for user in people],
        first=local_date(clock.now(), ZoneInfo(site.time_zone)) + timedelta(days=7),
        days=days,
    )
    _fill(database, clinic)
    return clinic


def make_patients(site: Site, count: int) -> list[Patient]:
    """Save so many patients."""
    values = {"given_name": "Ada", "family_name": "Example", "birth_date": date(1980, 2, 29), "site": site}
    return Patient.objects.bulk_create(Patient(**values, email=f"patient-{n}@example.org") for n in range(count))


def _fill(database: psycopg.Connection, clinic: Clinic) -> None:
    """Write the sessions that are there already. The replica role leaves out triggers, which would take minutes."""
    for patient in make_patients(clinic.site, PEOPLE):
        factories.make_series(patient, clinic.protocol)
    wanted = {
        "site": clinic.site.pk,
        "first": clinic.first,
        "days": clinic.days,
        "zone": clinic.site.time_zone,
        "chairs": FILLED_CHAIRS,
        "people": PEOPLE,
        "chair_ids": [chair.pk for chair in clinic.chairs],
        "nurse_ids": [nurse.pk for nurse in clinic.nurses],
        "prescriber_ids": [prescriber.pk for prescriber in clinic.prescribers],
    }
    database.execute("SET session_replication_role = replica")
    database.execute(FILL, wanted)
    database.execute(DAYS, wanted)
    database.execute("SET session_replication_role = DEFAULT")
    database.execute("VACUUM ANALYZE")
    database.execute("CHECKPOINT")
