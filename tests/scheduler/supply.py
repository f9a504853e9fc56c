"""How tests speak to the resources of supply over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.models import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

    Api = Callable[[Any], APIClient]


HOURS = [{"weekday": 0, "opens": "08:00", "closes": "12:00"}, {"weekday": 0, "opens": "12:00", "closes": "18:30"}]
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
MONDAY = {"start": "2027-06-07T08:00:00-05:00", "end": "2027-06-07T12:00:00-05:00"}


def bodies(clinic: Clinic) -> dict[str, dict[str, Any]]:
    """For each resource a body that creates a record."""
    site, nurse = str(clinic.site.id), str(clinic.nurses[0].id)
    return {
        "sites": {"name": "South", "time_zone": "America/Chicago", "opening_hours": HOURS},
        "site-closures": {"site": site, **MONDAY, "reason": "Holiday"},
        "chairs": {"site": site, "name": "Bed 9", "kind": "bed", "features": ["cardiac_monitor"]},
        "chair-closures": {"chair": str(clinic.bed.id), **MONDAY},
        "providers": {"site": site, "name": "R. Moss", "role": "nurse", "capacity": 3, "max_acuity": 8},
        "availability-rules": {
            "provider": nurse,
            "weekday": 6,
            "start_time": "22:00",
            "end_time": "06:00",
            "effective_from": "2027-01-01",
        },
        "time-off": {"provider": nurse, **MONDAY, "reason": "Course"},
    }


RESOURCES = ["sites", "site-closures", "chairs", "chair-closures", "providers", "availability-rules", "time-off"]


def url(resource: str, id: Any = None) -> str:
    return f"/api/v1/{resource}/" + (f"{id}/" if id else "")


def manager(clinic: Clinic, api: Api) -> APIClient:
    return api(clinic.users[Role.MANAGER])


def post(client: APIClient, resource: str, body: Any) -> Any:
    return client.post(url(resource), body, format="json")


def created(clinic: Clinic, api: Api, resource: str) -> dict[str, Any]:
    answer = post(manager(clinic, api), resource, bodies(clinic)[resource])
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def fault(answer: Any) -> tuple[int, str, str]:
    """Status, code and pointer of the first fault."""
    body = answer.json()
    return answer.status_code, body["errors"][0]["code"], body["errors"][0]["pointer"]
