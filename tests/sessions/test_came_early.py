"""A visit that comes before its turn: the sessions that it overtook are still to come, and still have a spacing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sessions.test_changing import booked, desk, planned, prescriber, replan, verb

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from tests.factories import Clinic

__all__ = ["desk", "prescriber"]  # fixtures


def test_sessions_before_one_that_came_early_are_to_come_too(
    clinic: Clinic, desk: APIClient, prescriber: APIClient
) -> None:
    """The third comes today; the first two stay three days apart, which is not what the prescriber now wants."""
    series = booked(desk, clinic)
    assert verb(desk, series["sessions"][2], "arrive").status_code == 200
    spacing = {"anchor": "previous", "min_days": 5, "target_days": 5, "max_days": 6}
    body = {"phase": "induction", "spacing": spacing, "reason": "slower"}
    adjusted = prescriber.post(f"/api/v1/series/{series['id']}/adjust/", body, format="json").json()
    assert adjusted["status"] == "needs_review"
    plan = planned(prescriber, series=series["id"])[0]
    assert [row["sequence"] for row in plan["sessions"]] == [4, 5, 6]
    assert replan(prescriber, series["id"], plan["id"]).json()["status"] == "needs_review"
    last = booked(desk, clinic)
    assert verb(desk, last["sessions"][5], "arrive").status_code == 200
    assert (
        prescriber.post(f"/api/v1/series/{last['id']}/adjust/", body, format="json").json()["status"] == "needs_review"
    )
