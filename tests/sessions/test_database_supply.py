"""Supply and orders that make no sense are refused by the database: raw SQL, at both isolation levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from accounts.ids import uuid7
from tests.raw import MORNING, Connect, Ground, at_both_levels, refused

if TYPE_CHECKING:
    from psycopg import IsolationLevel

# Only so that the test database is made: the tests themselves do not use Django's connection.
pytestmark = pytest.mark.django_db

CLOSED = {
    "site_closure_bounded": (
        "INSERT INTO scheduler_siteclosure (id, site_id, during, reason) VALUES (%(id)s, %(site)s, "
    ),
    "chair_closure_bounded": (
        "INSERT INTO scheduler_chairclosure (id, chair_id, during, reason) VALUES (%(id)s, %(chair)s, "
    ),
    "time_off_bounded": "INSERT INTO scheduler_timeoff (id, provider_id, during, reason) VALUES (%(id)s, %(nurse)s, ",
}
BOUNDLESS = {
    "empty": "'empty'",
    "of-no-length": "'[2031-03-03 15:00Z, 2031-03-03 15:00Z)'",
    "without-start": "'(, 2031-03-03 15:00Z)'",
    "without-end": "'[2031-03-03 15:00Z,)'",
    "without-either": "'(,)'",
    "since-ever": "'[-infinity, 2031-03-03 15:00Z)'",
    "for-ever": "'[2031-03-03 15:00Z, infinity)'",
}
REVERSED = "'[2031-03-03 16:00Z, 2031-03-03 15:00Z)'"
FINE = "'[2031-03-03 15:00Z, 2031-03-03 16:00Z)'"


def values(ground: Ground) -> dict[str, Any]:
    """What the statements here refer to."""
    clinic = ground.clinic
    return {
        "id": uuid7(),
        "organization": clinic.organization.id,
        "site": clinic.site.id,
        "chair": clinic.bed.id,
        "nurse": clinic.nurses[0].id,
        "prescriber": clinic.prescriber.id,
        "patient": clinic.patient.id,
        "protocol": clinic.protocol.id,
        "user": clinic.users["prescriber"].id,
        "series": ground.series[0].id,
        "now": MORNING,
    }


@at_both_levels
@pytest.mark.parametrize("during", BOUNDLESS.values(), ids=BOUNDLESS)
@pytest.mark.parametrize(("rule", "begin"), CLOSED.items(), ids=CLOSED)
def test_an_absence_has_two_ends_and_something_between(
    rule: str, begin: str, during: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    connection = connect(level)
    connection.execute(f"{begin}{FINE}, '')", values(ground))
    with refused(rule):
        connection.execute(f"{begin}{during}, '')", values(ground))


@at_both_levels
@pytest.mark.parametrize("begin", CLOSED.values(), ids=CLOSED)
def test_an_absence_does_not_end_before_it_begins(
    begin: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    with pytest.raises(psycopg.errors.DataException, match="lower bound must be less"):
        connect(level).execute(f"{begin}{REVERSED}, '')", values(ground))


@at_both_levels
@pytest.mark.parametrize("during", BOUNDLESS.values(), ids=BOUNDLESS)
@pytest.mark.parametrize(("rule", "begin"), CLOSED.items(), ids=CLOSED)
def test_no_absence_loses_its_ends(
    rule: str, begin: str, during: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    connection = connect(level)
    connection.execute(f"{begin}{FINE}, '')", values(ground))
    table = begin.split()[2]
    with refused(rule):
        connection.execute(f"UPDATE {table} SET during = {during}")


HOURS = "INSERT INTO scheduler_openinghours (site_id, weekday, opens, closes) VALUES (%(site)s, "
SHIFT = (
    "INSERT INTO scheduler_availabilityrule"
    " (id, provider_id, weekday, start_time, end_time, effective_from, effective_until) VALUES (%(id)s, %(nurse)s, "
)
PROVIDER = (
    "INSERT INTO scheduler_provider (id, site_id, name, role, is_active, capacity, max_acuity)"
    " VALUES (%(id)s, %(site)s, 'Somebody', 'nurse', true, "
)
ORDER = (
    "INSERT INTO infusion_sessions_order"
    " (id, patient_id, protocol_id, prescribed_by_id, valid_until, created_at, sessions)"
    " VALUES (%(id)s, %(patient)s, %(protocol)s, %(user)s, '2031-04-01', %(now)s, "
)
PROTOCOL = (
    "INSERT INTO scheduler_protocol (id, organization_id, name, indications, sources, phases, gates, reminders,"
    " follow_ups, created_at, code, version, status) VALUES"
    " (%(id)s, %(organization)s, 'P', '{}', '{}', '[]', '[]', '[]', '[]', %(now)s, "
)
SITE = (
    "INSERT INTO accounts_site (id, organization_id, time_zone, phone, crisis_line, emergency_number, on_call_id,"
    " last_reminder_minutes, plan_life_minutes, hold_life_minutes, name)"
    " VALUES (%(id)s, %(organization)s, 'America/Chicago', '', '988', '911', %(user)s, 30, 60, 10, "
)
USER = (
    "INSERT INTO accounts_user (id, password, is_superuser, name, is_active, created_at, email, roles)"
    " VALUES (%(id)s, '', false, '', true, %(now)s, "
)
CHAIR = (
    "INSERT INTO scheduler_chair (id, site_id, kind, features, is_active, name)"
    " VALUES (%(id)s, %(site)s, 'bed', '{}', true, "
)

# What just passes, what does not, and by which rule.
SENSELESS = {
    "open-for-no-time": (HOURS, "0, '20:00', '20:01')", "0, '20:00', '20:00')", "opening_hours_not_empty"),
    "closed-before-open": (HOURS, "0, '00:00', '23:59')", "0, '20:00', '19:00')", "opening_hours_not_empty"),
    "eighth-day": (HOURS, "6, '08:00', '09:00')", "7, '08:00', '09:00')", "opening_hours_weekday"),
    "shift-on-eighth-day": (
        SHIFT,
        "6, '22:00', '06:00', '2031-01-01', null)",
        "7, '22:00', '06:00', '2031-01-01', null)",
        "availability_weekday",
    ),
    "shift-of-no-time": (
        SHIFT,
        "0, '08:00', '07:59', '2031-01-01', null)",
        "0, '08:00', '08:00', '2031-01-01', null)",
        "availability_not_empty",
    ),
    "shift-ends-before-it-begins": (
        SHIFT,
        "0, '08:00', '09:00', '2031-01-02', '2031-01-02')",
        "0, '08:00', '09:00', '2031-01-02', '2031-01-01')",
        "availability_dates_in_order",
    ),
    "room-for-nobody": (PROVIDER, "1, null)", "0, null)", "provider_capacity_positive"),
    "no-points": (PROVIDER, "1, 1)", "1, 0)", "provider_acuity_positive"),
    "order-of-nothing": (ORDER, "1)", "0)", "order_of_something"),
    "approved-by-nobody": (PROTOCOL, "'A', 1, 'draft')", "'A', 1, 'approved')", "protocol_approved_by_somebody"),
    "protocol-version-twice": (PROTOCOL, "'A', 1, 'draft')", "'A', 1, 'draft')", "protocol_version_once"),
    "site-name-twice": (SITE, "'Uptown')", "'Uptown')", "site_name_once"),
    "chair-name-twice": (CHAIR, "'Window')", "'Window')", "chair_name_once"),
    "address-in-capitals": (
        USER,
        "'a@example.org', '{nurse}')",
        "'A@example.org', '{nurse}')",
        "user_email_lower_case",
    ),
    "role-that-is-none": (USER, "'a@example.org', '{nurse}')", "'b@example.org', '{king}')", "user_roles_known"),
}


@at_both_levels
@pytest.mark.parametrize(("begin", "fine", "senseless", "rule"), SENSELESS.values(), ids=SENSELESS)
def test_what_makes_no_sense_is_refused(
    begin: str, fine: str, senseless: str, rule: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    connection = connect(level)
    connection.execute(begin + fine, values(ground))
    with refused(rule):
        connection.execute(begin + senseless, values(ground))
