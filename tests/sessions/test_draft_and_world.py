"""Between a draft, its apply and its undo the world goes on: what that does is said, and nothing is half done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from accounts import clock
from accounts.models import Role
from accounts.refusals import Conflict
from scheduler.models import Chair
from sessions import applying
from sessions.models import Disruption, Session
from tests.sessions.test_disruptions import absent, at, client, course, drafted, outcomes, sound, state, verb

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

__all__ = ["client"]  # a fixture


def closed(client: APIClient, clinic: Clinic) -> dict[str, Any]:
    """A draft for the first recliner, closed on the Monday."""
    return dict(drafted(client, "chair_closure", "07:00", "19:00", chair=str(clinic.recliners[0].pk)))


def closed_day(client: APIClient, clinic: Clinic) -> dict[str, Any]:
    return dict(drafted(client, "site_closure", "00:00", "00:00", length=1, site=str(clinic.site.pk)))


def test_another_spacing_since_the_draft_makes_it_stale(
    clinic: Clinic, client: APIClient, api: Callable[[Any], APIClient]
) -> None:
    session = course(clinic, "09:00")[1]
    draft = closed_day(client, clinic)
    assert outcomes(draft) == {str(session.pk): "moved"}
    # As booked it is three days and three; the draft would make it four and two, or two and four.
    spacing = {"anchor": "previous", "min_days": 3, "target_days": 3, "max_days": 5}
    body = {"phase": "induction", "spacing": spacing, "reason": "slower"}
    prescriber = api(clinic.users[Role.PRESCRIBER])
    assert prescriber.post(f"/api/v1/series/{session.series_id}/adjust/", body, format="json").status_code == 200
    before = state()
    answer = verb(client, draft, "apply").json()
    assert (answer["code"], answer["changed"]) == ("draft_stale", [str(session.pk)])
    assert state() == before
    fresh = client.get(f"/api/v1/disruptions/{answer['disruption']}/").json()
    assert outcomes(fresh) == {str(session.pk): "unresolved"}


def test_a_place_that_the_draft_wants_and_somebody_has_booked_leads_to_a_fresh_draft(
    clinic: Clinic, client: APIClient
) -> None:
    session = course(clinic, "09:00")[1]
    draft = closed(client, clinic)
    wanted = draft["items"][0]["to"]["chair"]
    clinic.session(at("09:30"), chair=Chair.objects.get(pk=wanted), nurse=clinic.nurses[1])
    before = state()
    answer = verb(client, draft, "apply").json()
    assert (answer["code"], answer["changed"]) == ("draft_stale", [])
    assert state() == before
    fresh = client.get(f"/api/v1/disruptions/{answer['disruption']}/").json()
    assert outcomes(fresh) == {str(session.pk): "kept"}
    assert fresh["items"][0]["to"]["chair"] != wanted
    assert verb(client, fresh, "apply").status_code == 200
    sound(client, clinic)


def test_a_confirmation_comes_back_with_the_time_that_was_confirmed(clinic: Clinic, client: APIClient) -> None:
    session = course(clinic, "09:00")[1]
    assert client.post(f"/api/v1/sessions/{session.pk}/confirm/", {}, format="json").status_code == 200
    draft = closed_day(client, clinic)
    for what, status in (("apply", "booked"), ("undo", "confirmed")):
        assert verb(client, draft, what).status_code == 200
        assert Session.objects.get(pk=session.pk).status == status


def test_a_former_start_that_has_passed_stands_in_the_way_of_an_undo(
    clinic: Clinic, client: APIClient, time_machine: Any
) -> None:
    session = course(clinic, "09:00")[1]
    draft = closed_day(client, clinic)
    assert verb(client, draft, "apply").status_code == 200
    time_machine.move_to(at("09:05"))
    before = state()
    with pytest.raises(Conflict) as refused:
        applying.undo(Disruption.objects.get(), clinic.users[Role.MANAGER], clock.now())
    way = [{"session": str(session.pk), "code": "passed"}]
    assert (refused.value.code, refused.value.extra["in_the_way"], state()) == ("cannot_undo", way, before)


def test_supply_that_is_gone_stands_in_the_way_of_an_undo(clinic: Clinic, client: APIClient) -> None:
    session = course(clinic, "09:00")[1]
    Session.objects.exclude(pk=session.pk).delete()
    draft = closed(client, clinic)
    assert verb(client, draft, "apply").status_code == 200
    gone = client.patch(f"/api/v1/chairs/{clinic.recliners[0].pk}/", {"is_active": False}, format="json")
    assert gone.status_code == 200, "nobody is booked there any more"
    before = state()
    answer = verb(client, draft, "undo")
    assert (answer.status_code, answer.json()["code"]) == (409, "cannot_undo")
    assert answer.json()["in_the_way"] == [{"session": str(session.pk), "code": "supply_changed"}]
    assert state() == before


def test_a_draft_is_applied_as_it_was_seen_or_not_at_all(clinic: Clinic, client: APIClient) -> None:
    course(clinic, "09:00")
    draft = absent(client, clinic)
    stale = verb(client, draft, "apply", headers={"If-Match": '"0"'})
    assert (stale.status_code, Disruption.objects.get().status) == (412, "draft")
    seen = client.get(f"/api/v1/disruptions/{draft['id']}/")["ETag"]
    assert verb(client, draft, "apply", headers={"If-Match": seen}).status_code == 200
