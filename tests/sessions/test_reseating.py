"""Putting a session just there: it goes, or the rule that forbids it is named; and nobody undoes it by laying anew."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from accounts import clock
from accounts.refusals import Refusal
from sessions import reseating
from sessions.models import Session
from tests.at_once import together
from tests.factories import noon
from tests.sessions.test_plan_and_book import book, plans

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic


@pytest.fixture
def desk(api: Callable[..., APIClient], clinic: Clinic) -> APIClient:
    return api(clinic.users["front_desk"])


@pytest.fixture
def visit(desk: APIClient, clinic: Clinic) -> Session:
    """The third of a booked series."""
    series = book(desk, clinic, plans(desk, clinic)[0]["id"]).json()
    return Session.objects.get(series=series["id"], sequence=3)


def put(client: APIClient, session: Session, **where: Any) -> Any:
    return client.post(f"/api/v1/sessions/{session.pk}/reseat/", {name: str(value) for name, value in where.items()})


def kinds(session: Session) -> list[str]:
    return list(session.events.order_by("id").values_list("kind", flat=True))


def test_another_chair_and_nurse_at_the_same_time(desk: APIClient, clinic: Clinic, visit: Session) -> None:
    desk.post(f"/api/v1/sessions/{visit.pk}/confirm/")
    nurse = next(each for each in clinic.nurses if each.pk != visit.nurse_id)
    answer = put(desk, visit, chair=clinic.room.pk, nurse=nurse.pk)
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["chair"], told["nurse"], told["status"]) == (str(clinic.room.pk), str(nurse.pk), "confirmed")
    assert kinds(visit)[-1] == "reseated"
    assert put(desk, visit, chair=clinic.room.pk).json()["code"] == "already_done"
    assert desk.post(f"/api/v1/sessions/{visit.pk}/reseat/", {}).status_code == 400


def test_another_time_is_a_rescheduling_to_just_that_chair(desk: APIClient, clinic: Clinic, visit: Session) -> None:
    later = visit.start + timedelta(minutes=90)
    answer = put(desk, visit, chair=clinic.bed.pk, start=later.isoformat())
    assert answer.status_code == 200, answer.content
    moved = Session.objects.get(pk=visit.pk)
    assert (moved.start, moved.chair, moved.status) == (later, clinic.bed, "booked")
    assert kinds(visit)[-1] == "rescheduled"
    far = put(desk, visit, start=(visit.start + timedelta(days=30)).isoformat())
    assert far.status_code == 422
    assert Session.objects.get(pk=visit.pk).start == later


def test_what_forbids_it_is_named_and_nobody_makes_room(desk: APIClient, clinic: Clinic, visit: Session) -> None:
    other = clinic.session(visit.start, chair=clinic.bed, nurse=clinic.nurses[1], acuity=1)
    answer = put(desk, visit, chair=clinic.bed.pk)
    assert (answer.status_code, answer.json()["code"]) == (409, "chair_taken")
    other.refresh_from_db()
    assert other.chair == clinic.bed
    assert put(desk, visit, nurse=clinic.prescriber.pk).json()["code"] == "nurse_unavailable"
    assert clinic.other is not None
    assert put(desk, visit, chair=clinic.other.bed.pk).json()["errors"][0]["code"] == "unknown_reference"
    stale = desk.post(
        f"/api/v1/sessions/{visit.pk}/reseat/", {"chair": str(clinic.room.pk)}, headers={"If-Match": '"0"'}
    )
    assert stale.status_code == 412


def test_it_is_not_laid_anew_for_others(desk: APIClient, clinic: Clinic, visit: Session) -> None:
    """The one chair of a kind was chosen by hand: whoever asks for that kind then finds it taken."""
    assert put(desk, visit, chair=clinic.bed.pk).status_code == 200
    newcomer = clinic.session(visit.start, chair=clinic.room, nurse=clinic.nurses[1], acuity=1)
    Session.objects.filter(pk=newcomer.pk).update(wished_chair_kind="bed")
    newcomer.refresh_from_db()
    answer = desk.post(
        f"/api/v1/sessions/{newcomer.pk}/reschedule/", {"start": (visit.start + timedelta(minutes=5)).isoformat()}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "chair_taken")
    assert Session.objects.get(pk=visit.pk).chair == clinic.bed


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_has_the_chair(clinic: Clinic) -> None:
    start, user = noon() + timedelta(hours=4), clinic.users["front_desk"]
    pairs = [(clinic.recliners[0], clinic.nurses[0]), (clinic.recliners[1], clinic.nurses[1])]
    rows = [clinic.session(start, chair=chair, nurse=nurse, acuity=1) for chair, nurse in pairs]

    def go(row: Session) -> str:
        try:
            reseating.reseat(row, reseating.Wanted(chair=clinic.bed.pk), user, clock.now())
        except Refusal as refusal:
            return refusal.code
        return "there"

    told = together([partial(go, row) for row in rows])
    assert sorted(told) == ["chair_taken", "there"]
    assert Session.objects.filter(chair=clinic.bed, start=start).count() == 1
