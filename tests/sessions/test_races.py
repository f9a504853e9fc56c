"""Many at once after the same thing, on the real database: somebody wins, nobody breaks anything."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from scheduler.models import Provider
from sessions.models import Series, Session
from tests import rules
from tests.at_once import together
from tests.factories import make_clinic, make_patient, make_protocol, phase
from tests.sessions.test_plan_and_book import ahead, plans

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from accounts.models import Patient
    from tests.factories import Clinic

SHORT = {"earliest_date": ahead(1), "latest_date": ahead(21), "limit": 1}


def booking(client: APIClient, clinic: Clinic, plan: str, patient: Patient) -> Any:
    body = {"patient": str(patient.pk), "protocol": str(clinic.protocol.pk), "plan": plan}
    return client.post("/api/v1/series/", body)


def shown(client: APIClient, clinic: Clinic) -> list[dict[str, Any]]:
    """All sessions of the clinic's site, as the API shows them."""
    return list(client.get(f"/api/v1/sessions/?site={clinic.site.pk}&page_size=200").json()["results"])


def limits() -> dict[str, rules.Limits]:
    return {str(each.pk): rules.Limits(each.capacity, each.max_acuity) for each in Provider.objects.all()}


def test_fifty_after_one_plan(committed: None, api: Callable[..., APIClient], postgres_log: Callable[[], str]) -> None:
    clinic = make_clinic()
    two = phase(sessions=2)
    protocol = make_protocol(clinic.organization, clinic.users["prescriber"], two)
    clients = [api(clinic.users["front_desk"]) for _ in range(50)]
    for number in range(8):
        patient = make_patient(clinic.site)
        asked = {**SHORT, "protocol": str(protocol.pk), "patient": str(patient.pk)}
        plan = plans(clients[0], clinic, **asked)[0]["id"]
        body = {"patient": str(patient.pk), "protocol": str(protocol.pk), "plan": plan}
        answers = together([partial(client.post, "/api/v1/series/", body) for client in clients])
        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
        lost = [answer.json() for answer in answers if answer.status_code == 409]
        assert {answer["code"] for answer in lost} == {"plan_booked"}
        assert all("plans" in answer for answer in lost)
        assert Series.objects.count() == number + 1
    assert Session.objects.count() == 16
    assert rules.broken(shown(clients[0], clinic), limits()) == []
    assert "deadlock" not in postgres_log()


def test_forty_into_a_day_that_takes_ten(
    committed: None, api: Callable[..., APIClient], postgres_log: Callable[[], str]
) -> None:
    clinic = make_clinic()
    # Five chairs, two sessions of four hours and a half each in a day of ten hours.
    minutes = {"prepare": 30, "infuse": 180, "recover": 45, "turnover": 15}
    protocol = make_protocol(
        clinic.organization, clinic.users["prescriber"], phase(sessions=1, minutes=minutes, acuity=1)
    )
    clinic = type(clinic)(**{**clinic.__dict__, "protocol": protocol})
    client = api(clinic.users["front_desk"])
    day = next(ahead(n) for n in range(1, 9) if plans(client, clinic, earliest_date=ahead(n), latest_date=ahead(n)))
    jobs = []
    for number in range(40):
        patient = make_patient(clinic.site)
        window = {"from": f"{8 + number % 6:02}:00", "until": "18:00"}
        asked = {"patient": str(patient.pk), "earliest_date": day, "latest_date": day, "limit": 1}
        plan = plans(client, clinic, **asked, preferences={"time_windows": [window]})[0]["id"]
        jobs.append(_until_it_is_clear(api(clinic.users["front_desk"]), clinic, plan, patient))
    codes = Counter(together(jobs))
    assert set(codes) == {201, 409}
    assert codes[201] == Session.objects.count()
    assert 5 <= codes[201] <= 10
    assert rules.broken(shown(client, clinic), limits()) == []
    assert "deadlock" not in postgres_log()


def _until_it_is_clear(client: APIClient, clinic: Clinic, plan: str, patient: Patient) -> Callable[[], int]:
    """Book, and where the race is lost try the fresh plan that the answer offers, until there is none."""

    def job() -> int:
        wanted = plan
        while True:
            answer = booking(client, clinic, wanted, patient)
            fresh = answer.json().get("plans")
            if answer.status_code != 409 or not fresh:
                return int(answer.status_code)
            wanted = fresh[0]["id"]

    return job


def test_two_moves_of_one_session(committed: None, api: Callable[..., APIClient]) -> None:
    clinic = make_clinic()
    client = api(clinic.users["front_desk"])
    found = plans(client, clinic, limit=1)[0]
    series = booking(client, clinic, found["id"], clinic.patient).json()
    session = series["sessions"][0]
    tag = client.get(f"/api/v1/sessions/{session['id']}/")["ETag"]
    url = f"/api/v1/sessions/{session['id']}"
    jobs = [
        lambda: client.post(f"{url}/arrive/", {}, headers={"If-Match": tag}),
        lambda: client.post(f"{url}/cancel/", {"reason": "ill"}, headers={"If-Match": tag}),
        lambda: client.post(f"{url}/confirm/", {}, headers={"If-Match": tag}),
    ]
    answers = together(jobs)
    assert sorted(answer.status_code for answer in answers)[0] == 200
    assert Counter(answer.status_code for answer in answers)[200] == 1
    assert all(answer.status_code in {200, 409, 412} for answer in answers)
    assert Session.objects.get(pk=session["id"]).events.count() == 2
