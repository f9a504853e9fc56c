"""What one session may not be, and what must stay in place beneath it: raw SQL, at both isolation levels."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from accounts.ids import uuid7
from tests.raw import DAY, MORNING, Connect, Ground, Row, at_both_levels, change, check, later, put, refused, shifted

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from psycopg import IsolationLevel

# Only so that the test database is made: the tests themselves do not use Django's connection.
pytestmark = pytest.mark.django_db


def before(column: str, other: str) -> Callable[[Ground], Row]:
    """A session in which `column` lies a minute before `other`."""

    def row(ground: Ground) -> Row:
        made = ground.row(0)
        return made | {column: made[other] - timedelta(minutes=1)}

    return row


def equal(column: str, other: str) -> Callable[[Ground], Row]:
    """A session in which `column` is `other`."""

    def row(ground: Ground) -> Row:
        made = ground.row(0)
        return made | {column: made[other]}

    return row


def with_columns(**columns: Any) -> Callable[[Ground], Row]:
    """A session with these columns."""
    return lambda ground: ground.row(0) | columns


def of(**find: Callable[[Ground], UUID]) -> Callable[[Ground], Row]:
    """A session with columns that are looked up in the clinic."""
    return lambda ground: ground.row(0) | {column: look(ground) for column, look in find.items()}


IMPOSSIBLE = {
    "nothing-hands-on": (equal("hands_on_until", "start"), "session_blocks_in_order"),
    "hands-on-reversed": (before("hands_on_until", "start"), "session_blocks_in_order"),
    "hands-on-past-infusion": (
        lambda ground: ground.row(0, hands_on_until=later(91)),
        "session_blocks_in_order",
    ),
    "infusion-before-start": (before("infuse_start", "start"), "session_blocks_in_order"),
    "infusion-empty": (equal("infuse_start", "recover_start"), "session_blocks_in_order"),
    "infusion-reversed": (before("recover_start", "infuse_start"), "session_blocks_in_order"),
    "recovery-reversed": (before("end", "recover_start"), "session_blocks_in_order"),
    "turnover-reversed": (before("turnover_end", "end"), "session_blocks_in_order"),
    "start-without-bound": (with_columns(start="-infinity"), "session_finite"),
    "end-without-bound": (with_columns(end="infinity", turnover_end="infinity"), "session_finite"),
    "turnover-without-bound": (with_columns(turnover_end="infinity"), "session_finite"),
    "longer-than-a-day": (
        lambda ground: ground.row(0, turnover_end=later(24 * 60 + 5)),
        "session_within_a_day",
    ),
    "no-points": (with_columns(acuity=0), "session_acuity_positive"),
    "unknown-status": (with_columns(status="forgotten"), "session_status_known"),
    "chair-of-another-clinic": (
        of(chair_id=lambda ground: ground.other.bed.id),
        "session_chair_of_its_site",
    ),
    "nurse-of-another-clinic": (
        of(nurse_id=lambda ground: ground.other.nurses[0].id),
        "session_provider_fits",
    ),
    "prescriber-of-another-clinic": (
        of(prescriber_id=lambda ground: ground.other.prescriber.id),
        "session_provider_fits",
    ),
    "prescriber-as-nurse": (of(nurse_id=lambda ground: ground.small.id), "session_provider_fits"),
    "nurse-as-prescriber": (
        of(prescriber_id=lambda ground: ground.clinic.nurses[1].id),
        "session_provider_fits",
    ),
    "one-nurse-as-both": (
        of(prescriber_id=lambda ground: ground.clinic.nurses[0].id),
        "session_provider_fits",
    ),
    "one-prescriber-as-both": (
        of(nurse_id=lambda ground: ground.clinic.prescriber.id),
        "session_provider_fits",
    ),
    "series-of-another-patient": (of(series_id=lambda ground: ground.series[1].id), "session_of_its_series"),
    "series-of-another-clinic": (
        of(site_id=lambda ground: ground.other.site.id),
        "session_of_its_series",
    ),
    "too-acute-alone": (with_columns(acuity=9), "nurse_capacity"),
}


@at_both_levels
@pytest.mark.parametrize(("row", "rule"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_an_impossible_session_is_refused(
    row: Callable[[Ground], Row], rule: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    connection = connect(level)
    with refused(rule):
        put(connection, row(ground))
        check(connection)


@at_both_levels
@pytest.mark.parametrize(("row", "rule"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_no_session_becomes_impossible(
    row: Callable[[Ground], Row], rule: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    connection = connect(level)
    fine, wrong = ground.row(0), row(ground)
    put(connection, fine)
    check(connection)
    kept = ("id", "sequence", "status") if rule != "session_status_known" else ("id", "sequence")
    # A status is also guarded by the order of the states, which speaks first.
    with refused(rule if rule != "session_status_known" else "session_moves"):
        change(connection, fine, **{name: value for name, value in wrong.items() if name not in kept})
        check(connection)


@at_both_levels
def test_a_series_has_each_number_once(level: IsolationLevel, ground: Ground, connect: Connect) -> None:
    connection = connect(level)
    one = ground.row(0)
    with refused("session_sequence_once"):
        put(connection, one, shifted(one, DAY) | {"id": uuid7()})
        check(connection)


FIXED = {
    "chair-goes-to-another-site": ("UPDATE scheduler_chair SET site_id = %(site)s WHERE id = %(chair)s", "chair"),
    "nurse-goes-to-another-site": ("UPDATE scheduler_provider SET site_id = %(site)s WHERE id = %(nurse)s", "provider"),
    "series-goes-to-another-patient": (
        "UPDATE infusion_sessions_series SET patient_id = %(patient)s WHERE id = %(series)s",
        "series",
    ),
    "series-goes-to-another-site": (
        "UPDATE infusion_sessions_series SET site_id = %(site)s WHERE id = %(series)s",
        "series",
    ),
}


@at_both_levels
@pytest.mark.parametrize(("statement", "what"), FIXED.values(), ids=FIXED)
def test_what_a_session_stands_on_stays_in_place(
    statement: str, what: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    row = ground.row(0)
    connection = connect(level)
    put(connection, row)
    check(connection)
    values = {"site": ground.other.site.id, "patient": ground.series[1].patient_id}
    values |= {"chair": row["chair_id"], "nurse": row["nurse_id"], "series": row["series_id"]}
    with refused(f"{what}_fixed"):
        connection.execute(statement, values)
        check(connection)


@at_both_levels
@pytest.mark.parametrize("foreign", ["patient", "protocol"])
def test_a_series_stays_in_its_organization(
    foreign: str, level: IsolationLevel, ground: Ground, connect: Connect
) -> None:
    clinic, other = ground.clinic, ground.other
    values = {"id": uuid7(), "site": clinic.site.id, "now": MORNING}
    values |= {"patient": clinic.patient.id, "protocol": clinic.protocol.id}
    values[foreign] = getattr(other, foreign).id
    with refused("series_of_one_organization"):
        connection = connect(level)
        connection.execute(
            "INSERT INTO infusion_sessions_series"
            " (id, patient_id, protocol_id, site_id, status, created_at, row_version)"
            " VALUES (%(id)s, %(patient)s, %(protocol)s, %(site)s, 'active', %(now)s, 1)",
            values,
        )
        check(connection)
