"""No plan: the answer names what stands in the way, and every change that it offers leads to plans when it is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from string import Formatter
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler.models import AvailabilityRule, ChairKind, SiteClosure
from scheduler.plans import Wishes
from sessions.models import Order
from sessions.planning import outlook
from sessions.why_sentences import CHANGES, FOR_STAFF, REASONS
from tests.factories import make_chair, make_order, make_protocol, make_provider, phase
from tests.sessions.test_plan_and_book import ahead, asked, book

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

Answer = dict[str, Any]


@pytest.fixture
def desk(api: Callable[..., APIClient], clinic: Clinic) -> APIClient:
    return api(clinic.users["front_desk"])


def infeasible(client: APIClient, body: dict[str, Any]) -> Answer:
    answer = client.post("/api/v1/plans/", body)
    assert answer.status_code == 200, answer.content
    assert answer.json()["plans"] == []
    return dict(answer.json()["infeasible"])


def check_changes(client: APIClient, body: dict[str, Any], found: Answer) -> list[str]:
    """Send the request again with each change; the codes of the changes that a request can say."""
    sent = []
    for each in found["relaxations"]:
        assert each["detail"]
        if each["change"] is not None:
            assert set(each["change"]) <= {"earliest_date", "latest_date", "preferences"}
            answer = client.post("/api/v1/plans/", body | each["change"])
            assert answer.status_code == 200, answer.content
            assert answer.json()["plans"], each
            sent += each["codes"]
    return sent


def codes(found: Answer) -> list[str]:
    return [reason["code"] for reason in found["reasons"]]


def on_weekday(weekday: int) -> str:
    """The first such weekday a week from now or later."""
    day = date.fromisoformat(ahead(7))
    return (day + timedelta(days=(weekday - day.weekday()) % 7)).isoformat()


def test_a_window_too_short(desk: APIClient, clinic: Clinic) -> None:
    body = asked(clinic, latest_date=ahead(8))
    found = infeasible(desk, body)
    assert set(codes(found)) == {"latest_date", "min_gap"}
    assert "latest_date" in check_changes(desk, body, found)
    assert all(reason["for_staff"] for reason in found["reasons"])


def test_one_weekday_is_not_enough(desk: APIClient, clinic: Clinic) -> None:
    body = asked(clinic, preferences={"weekdays": [1], "same_time_of_day": True})
    found = infeasible(desk, body)
    assert set(codes(found)) == {"weekdays", "max_gap"}
    assert {reason["session"] for reason in found["reasons"]} == {None, 2}
    assert "weekdays" in check_changes(desk, body, found)
    change = next(each["change"] for each in found["relaxations"] if each["codes"] == ["weekdays"])
    assert change["preferences"]["same_time_of_day"] is True
    assert [each["change"] for each in found["relaxations"] if each["codes"] == ["max_gap"]] == [None]


def test_times_of_day(desk: APIClient, clinic: Clinic) -> None:
    """A visit of 150 minutes, and two hours to have it in."""
    body = asked(clinic, preferences={"time_windows": [{"from": "09:00", "until": "11:00"}]})
    found = infeasible(desk, body)
    assert codes(found) == ["time_windows"]
    assert check_changes(desk, body, found) == ["time_windows"]
    wanted = found["relaxations"][0]["change"]["preferences"]["time_windows"]
    assert wanted == [{"from": "09:00", "until": "11:30"}]


def test_a_wish_for_somebody_away_and_for_a_chair_that_does_not_fit(desk: APIClient, clinic: Clinic) -> None:
    away = make_provider(clinic.site, weekdays=range(0))
    body = asked(clinic, preferences={"provider": str(away.pk)})
    found = infeasible(desk, body)
    assert codes(found) == ["provider", "nurses"]
    assert check_changes(desk, body, found) == ["provider"]
    strict = make_protocol(clinic.organization, clinic.prescriber.user, phase(chair={"kinds": ["bed"], "features": []}))
    body = asked(clinic, protocol=str(strict.pk), preferences={"chair_kind": "recliner"})
    found = infeasible(desk, body)
    assert codes(found) == ["chair_kind", "chair_need"]
    assert check_changes(desk, body, found) == ["chair_kind"]


def test_two_wishes_at_once(desk: APIClient, clinic: Clinic) -> None:
    """Where no single change helps, pairs do; both wishes are in the change."""
    make_chair(clinic.site, kind=ChairKind.PRIVATE_ROOM)
    away = make_provider(clinic.site, weekdays=range(0))
    body = asked(
        clinic,
        preferences={"provider": str(away.pk), "time_windows": [{"from": "09:00", "until": "11:00"}]},
    )
    found = infeasible(desk, body)
    assert len(check_changes(desk, body, found)) >= 2
    assert all(len(each["codes"]) == 2 for each in found["relaxations"])


def test_a_closure_and_what_the_clinic_can_do(desk: APIClient, clinic: Clinic) -> None:
    tuesday = date.fromisoformat(on_weekday(1))
    whole = (f"{tuesday}T00:00:00-06:00", f"{tuesday + timedelta(days=2)}T00:00:00-06:00")
    SiteClosure.objects.create(site=clinic.site, during=whole, reason="Works")
    single = make_protocol(clinic.organization, clinic.prescriber.user, phase(sessions=1))
    body = asked(clinic, protocol=str(single.pk), earliest_date=str(tuesday), latest_date=str(tuesday))
    found = infeasible(desk, body)
    assert set(codes(found)) == {"earliest_date", "latest_date", "closures"}
    assert set(check_changes(desk, body, found)) == {"earliest_date", "latest_date"}
    lifted = next(each for each in found["relaxations"] if each["codes"] == ["no_closure"])
    assert lifted["change"] is None


def test_one_more_nurse_on_saturdays(desk: APIClient, clinic: Clinic) -> None:
    AvailabilityRule.objects.filter(provider__in=clinic.nurses, weekday=5).delete()
    single = make_protocol(clinic.organization, clinic.prescriber.user, phase(sessions=1))
    body = asked(
        clinic, protocol=str(single.pk), earliest_date=on_weekday(5), latest_date=on_weekday(5), preferences=None
    )
    found = infeasible(desk, body)
    assert set(codes(found)) == {"earliest_date", "latest_date", "nurses"}
    nurse = next(each for each in found["relaxations"] if each["codes"] == ["one_nurse"])
    assert nurse["detail"].startswith("One more nurse on Saturday ")
    assert nurse["change"] is None


def test_patients_read_words_of_their_own(clinic: Clinic, api: Any) -> None:
    make_order(clinic.patient, clinic.protocol, clinic.users["prescriber"], sessions=6)
    found = infeasible(api(clinic.users["patient"]), asked(clinic, preferences={"weekdays": [1]}))
    assert [reason["for_staff"] for reason in found["reasons"]] == [None, None]
    assert [reason["detail"] for reason in found["reasons"]] == [
        "You asked for Tuesdays only.",
        "Session 2 has to follow session 1 within 5 days.",
    ]


def test_words_in_the_language_of_the_reader(desk: APIClient, clinic: Clinic) -> None:
    body = asked(clinic, preferences={"weekdays": [1]})
    for language, reason, staff, change in (
        ("en", "You asked for Tuesdays only.", "Wish: weekdays.", "Thursdays too."),
        ("es-MX,es;q=0.9", "Usted pidió solo los martes.", "Deseo: días de la semana.", "También los jueves."),
        ("de", "You asked for Tuesdays only.", "Wish: weekdays.", "Thursdays too."),
    ):
        answer = desk.post("/api/v1/plans/", body, headers={"accept-language": language})
        found = answer.json()["infeasible"]
        assert (found["reasons"][0]["detail"], found["reasons"][0]["for_staff"]) == (reason, staff)
        assert change in [each["detail"] for each in found["relaxations"]]
        assert "Accept-Language" in answer.headers["Vary"]


@pytest.mark.parametrize("sentences", [REASONS, FOR_STAFF, CHANGES], ids=["reasons", "for_staff", "changes"])
def test_each_language_says_the_same(sentences: dict[str, dict[str, str]]) -> None:
    english, spanish = (
        {
            code: {name for _, name, _, _ in Formatter().parse(text) if name}
            for code, text in sentences[language].items()
        }
        for language in ("en", "es")
    )
    assert english == spanish


def test_a_patient_is_offered_nothing_beyond_the_order(clinic: Clinic, api: Any) -> None:
    patient, body = api(clinic.users["patient"]), asked(clinic, latest_date=ahead(8))
    order = make_order(clinic.patient, clinic.protocol, clinic.users["prescriber"], sessions=6)
    later = next(each for each in infeasible(patient, body)["relaxations"] if each["codes"] == ["latest_date"])
    # While the order ends before, the same change would lead to plans that cannot be booked.
    last = date.fromisoformat(later["change"]["latest_date"])
    Order.objects.update(valid_until=last - timedelta(days=1))
    found = infeasible(patient, body)
    assert all("latest_date" not in each["codes"] for each in found["relaxations"])
    check_changes(patient, body, found)
    infeasible(patient, body | later["change"])
    Order.objects.update(valid_until=last)
    offered = patient.post("/api/v1/plans/", body | {"latest_date": ahead(60)}).json()["plans"]
    for plan in offered:
        assert max(session["start"] for session in plan["sessions"])[:10] <= f"{last}"
    taken = patient.post("/api/v1/plans/", body | later["change"]).json()["plans"][0]["id"]
    assert book(patient, clinic, taken).status_code == 201
    assert Order.objects.get() == order
    Order.objects.update(valid_until=date.fromisoformat(ahead(0)))
    refused = patient.post("/api/v1/plans/", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "no_order")


def test_as_many_queries_for_a_long_window_as_for_a_short_one(desk: APIClient, clinic: Clinic) -> None:
    counts = []
    for last in (30, 300):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            infeasible(desk, asked(clinic, latest_date=ahead(last), preferences={"weekdays": [1]}))
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_outlook_stays_within_what_a_request_may_ask(clinic: Clinic) -> None:
    today = date(2027, 3, 1)
    now = datetime(2027, 3, 1, 18, tzinfo=UTC)

    def ends(first: int, last: int) -> tuple[int, int]:
        dates = outlook(clinic.site, Wishes(today + timedelta(days=first), today + timedelta(days=last)), now)
        return (dates[0] - today).days, (dates[-1] - today).days

    assert ends(10, 20) == (0, 111)
    assert ends(200, 260) == (109, 351)
    assert ends(100, 480) == (80, 500)
    assert ends(540, 548) == (449, 548)
