"""The numbers of a site and a period, counted by hand beside."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from accounts.http.sheets import as_csv, safe_cell
from scheduler.walltime import local_date
from sessions.facts import zone_of
from sessions.models import Series, Session
from tests.factories import noon

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

MINUTE = timedelta(minutes=1)


@pytest.fixture
def monday(clinic: Clinic) -> Any:
    """Nine in the morning of a Monday that has passed."""
    at = noon(-10) + timedelta(hours=3)
    return at - timedelta(days=at.weekday())


def report(client: APIClient, clinic: Clinic, day: date, **more: str) -> Any:
    query = {"site": str(clinic.site.pk), "from": str(day), "until": str(day), **more}
    return client.get("/api/v1/reports/utilisation/", query)


def test_a_day_is_counted(clinic: Clinic, api: Callable[..., APIClient], monday: Any) -> None:
    series = clinic.series()
    Series.objects.filter(pk=series.pk).update(created_at=monday - timedelta(days=10))
    real = {
        "arrived_at": monday + 20 * MINUTE, "infusion_started_at": monday + 45 * MINUTE,
        "ended_at": monday + 170 * MINUTE,
    }  # fmt: skip
    row = clinic.session(monday, series=series, status="completed")
    Session.objects.filter(pk=row.pk).update(**real)
    clinic.session(monday + timedelta(hours=4), series=series, status="no_show")
    gone = clinic.session(monday + timedelta(hours=5), series=series, status="cancelled")
    Session.objects.filter(pk=gone.pk).update(cancelled_late=True)
    clinic.session(monday + timedelta(days=1), series=series)
    day = local_date(monday, zone_of(clinic.site))
    told = report(api(clinic.users["manager"]), clinic, day).json()
    counts = ("sessions", "completed", "no_shows", "no_show_percent", "cancelled", "cancelled_late")
    assert [told[name] for name in counts] == [3, 1, 1, 50.0, 1, 1]
    chair = next(each for each in told["chairs"] if each["id"] == str(row.chair_id))
    assert (chair["offered_minutes"], chair["booked_minutes"], chair["used_minutes"]) == (600, 165, 165)
    assert (chair["booked_percent"], chair["used_percent"]) == (27.5, 27.5)
    nurse = next(each for each in told["nurses"] if each["id"] == str(row.nurse_id))
    assert (nurse["offered_minutes"], nurse["booked_minutes"], nurse["used_minutes"]) == (3 * 720, 150, 150)
    assert told["lead_days"] == {"count": 3, "median": 10.2, "p90": 10.2}
    assert told["late_arrival_minutes"] == {"count": 1, "median": 20, "p90": 20}
    assert told["late_start_minutes"]["median"] == 15
    assert told["late_end_minutes"]["median"] == 20


def test_the_same_as_a_table(clinic: Clinic, api: Callable[..., APIClient], monday: Any) -> None:
    clinic.recliners[0].name = "=1+1"
    clinic.recliners[0].save()
    manager = api(clinic.users["manager"])
    day = local_date(monday, zone_of(clinic.site))
    answer = report(manager, clinic, day, format="csv")
    assert answer["Content-Type"].startswith("text/csv")
    rows = list(csv.reader(answer.content.decode("utf-8-sig").splitlines()))
    assert rows[0] == ["kind", "name", "measure", "value"]
    assert ["chair", "'=1+1", "offered_minutes", "600"] in rows
    refused = report(manager, clinic, day, format="csv", until="2020-01-01")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "empty_range")


@pytest.mark.parametrize(
    ("value", "cell"),
    [("=cmd()", "'=cmd()"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("\t=1", "'\t=1"), (-1, "-1"), (None, ""),
     ("a=b", "a=b")],
)  # fmt: skip
def test_no_cell_is_a_formula(value: Any, cell: str) -> None:
    assert safe_cell(value) == cell
    assert as_csv(("a",), [(value,)]).startswith("\ufeffa\r\n")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"from": "soon"}, "invalid"),
        ({"from": "2027-02-02", "until": "2027-02-01"}, "empty_range"),
        ({"from": "2026-01-01", "until": "2027-06-01"}, "range_too_long"),
        ({"until": "9999-01-01"}, "out_of_range"),
        ({"colour": "red"}, "unknown_parameter"),
    ],
)
def test_what_is_no_period(clinic: Clinic, api: Callable[..., APIClient], changed: dict[str, str], code: str) -> None:
    answer = report(api(clinic.users["manager"]), clinic, date(2027, 1, 4), **changed)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)
