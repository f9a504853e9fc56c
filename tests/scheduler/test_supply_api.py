"""Sites, chairs, providers and their hours over HTTP: what is given back, and who may see and change what."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import AuditEntry, Role, Site
from scheduler.models import Chair, OpeningHours
from scheduler.plans import Weights
from tests.factories import make_organization, make_site, make_user
from tests.scheduler.supply import RESOURCES, UNKNOWN, bodies, created, fault, manager, post, url

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

    Api = Callable[[Any], APIClient]


@pytest.mark.parametrize("resource", RESOURCES)
def test_what_was_made_can_be_read_listed_changed_and_removed(clinic: Clinic, api: Api, resource: str) -> None:
    client, body = manager(clinic, api), bodies(clinic)[resource]
    made = created(clinic, api, resource)
    assert AuditEntry.objects.filter(record_id=made["id"], actor=clinic.users[Role.MANAGER].id).exists()
    assert client.get(url(resource, made["id"])).json() == made
    assert made["id"] in [row["id"] for row in client.get(url(resource)).json()["results"]]
    for name, value in body.items():
        assert made[name] == value or name in ("start", "end")
    part = {"start_time": "21:00"} if resource == "availability-rules" else {"reason": "Other", "name": "Other"}
    part = {name: value for name, value in part.items() if name in made}
    changed = client.patch(url(resource, made["id"]), part, format="json")
    assert (changed.status_code, changed.json()) == (200, {**made, **part})
    assert client.delete(url(resource, made["id"])).status_code == 204
    assert client.get(url(resource, made["id"])).status_code == 404


def test_a_site_belongs_to_who_made_it(clinic: Clinic, api: Api) -> None:
    made = created(clinic, api, "sites")
    user, site = clinic.users[Role.MANAGER], Site.objects.get(pk=made["id"])
    assert made["organization"] == str(clinic.organization.id)
    assert made["on_call"] == str(user.id)
    assert site.staff.contains(user)


def test_opening_hours_are_replaced_whole(clinic: Clinic, api: Api) -> None:
    made = created(clinic, api, "sites")
    span = {"weekday": 6, "opens": "09:30", "closes": "23:59"}
    answer = manager(clinic, api).patch(url("sites", made["id"]), {"opening_hours": [span]}, format="json")
    assert answer.json()["opening_hours"] == [span]
    assert OpeningHours.objects.filter(site=made["id"]).count() == 1
    kept = manager(clinic, api).patch(url("sites", made["id"]), {"name": "North"}, format="json")
    assert (kept.json()["name"], kept.json()["opening_hours"]) == ("North", [span])


def test_a_site_weighs_plans_by_the_standard_until_it_says_otherwise(clinic: Clinic, api: Api) -> None:
    made = created(clinic, api, "sites")
    assert made["plan_weights"] == asdict(Weights())
    mine = {"deviation": 5, "same_time": 4, "first_day": 3, "level": 2, "fragments": 0}
    answer = manager(clinic, api).patch(url("sites", made["id"]), {"plan_weights": mine}, format="json")
    assert (answer.status_code, answer.json()) == (200, {**made, "plan_weights": mine})
    half = manager(clinic, api).patch(url("sites", made["id"]), {"plan_weights": {"level": 1}}, format="json")
    assert half.status_code == 400
    assert Site.objects.get(pk=made["id"]).plan_weights == mine


def test_instants_come_back_in_utc(clinic: Clinic, api: Api) -> None:
    made = created(clinic, api, "time-off")
    assert (made["start"], made["end"]) == ("2027-06-07T13:00:00Z", "2027-06-07T17:00:00Z")


@pytest.mark.parametrize("resource", RESOURCES)
def test_supply_is_for_managers_to_change(clinic: Clinic, api: Api, resource: str) -> None:
    made = created(clinic, api, resource)
    address = url(resource, made["id"])
    if resource == "sites":
        clinic.users[Role.FRONT_DESK].sites.add(made["id"])
        clinic.users[Role.AUDITOR].sites.add(made["id"])
    for role in (Role.FRONT_DESK, Role.AUDITOR, Role.PATIENT):
        client = api(clinic.users[role])
        assert post(client, resource, bodies(clinic)[resource]).status_code == 403
        sight = 404 if resource == "sites" and role == Role.PATIENT else 403
        assert client.patch(address, {}, format="json").status_code == sight
        assert client.delete(address).status_code == sight
    assert manager(clinic, api).get(address).json() == made


@pytest.mark.parametrize("resource", RESOURCES)
def test_nobody_gets_in_without_signing_in(clinic: Clinic, api: Api, resource: str) -> None:
    assert api(None).get(url(resource)).status_code == 401
    assert post(api(None), resource, {}).status_code == 401


@pytest.mark.parametrize("resource", RESOURCES)
def test_another_clinic_is_out_of_sight(clinic: Clinic, api: Api, resource: str) -> None:
    assert clinic.other
    made = created(clinic, api, resource)
    stranger = api(clinic.other.users[Role.ADMIN])
    assert made["id"] not in [row["id"] for row in stranger.get(url(resource)).json()["results"]]
    known, unknown = stranger.get(url(resource, made["id"])), stranger.get(url(resource, UNKNOWN))
    assert known.status_code == unknown.status_code == 404
    assert known.json() == unknown.json()
    assert stranger.patch(url(resource, made["id"]), {}, format="json").status_code == 404
    assert stranger.delete(url(resource, made["id"])).status_code == 404
    if resource != "sites":
        answer = post(stranger, resource, bodies(clinic)[resource])
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_reference")


def test_a_site_of_the_same_organization_is_only_for_those_who_work_there(clinic: Clinic, api: Api) -> None:
    other = make_site(clinic.organization, make_user(clinic.organization, Role.MANAGER))
    assert manager(clinic, api).get(url("sites", other.id)).status_code == 404
    assert api(clinic.users[Role.ADMIN]).get(url("sites", other.id)).status_code == 200


def test_staff_treated_at_another_site_see_it_and_change_nothing(clinic: Clinic, api: Api) -> None:
    user = make_user(clinic.organization, Role.MANAGER)
    clinic.patient.user = user
    clinic.patient.save()
    client = api(user)
    assert client.get(url("chairs", clinic.bed.id)).status_code == 200
    assert client.patch(url("chairs", clinic.bed.id), {"name": "Mine"}, format="json").status_code == 403
    assert client.patch(url("sites", clinic.site.id), {"name": "Mine"}, format="json").status_code == 403
    assert post(client, "chairs", bodies(clinic)["chairs"]).json()["code"] == "unknown_reference"


def test_patients_see_their_site_its_chairs_and_its_people(clinic: Clinic, api: Api) -> None:
    client = api(clinic.users[Role.PATIENT])
    clinic.patient.user = clinic.users[Role.PATIENT]
    clinic.patient.save()
    assert client.get(url("sites", clinic.site.id)).status_code == 200
    assert len(client.get(url("chairs")).json()["results"]) == len(clinic.chairs)
    assert client.get(url("time-off")).status_code == 403


@pytest.mark.parametrize("resource", ["availability-rules", "time-off"])
def test_nurses_write_their_own_hours_and_nobody_elses(clinic: Clinic, api: Api, resource: str) -> None:
    client, body = api(clinic.users[Role.NURSE]), bodies(clinic)[resource]
    assert clinic.nurses[0].user == clinic.users[Role.NURSE]
    mine = post(client, resource, body)
    assert mine.status_code == 201
    other = post(client, resource, {**body, "provider": str(clinic.nurses[1].id)})
    assert (other.status_code, other.json()["code"]) == (403, "not_your_hours")
    theirs = post(manager(clinic, api), resource, {**body, "provider": str(clinic.nurses[1].id)}).json()
    assert client.patch(url(resource, theirs["id"]), {}, format="json").status_code == 403
    assert client.delete(url(resource, theirs["id"])).status_code == 403
    assert client.delete(url(resource, mine.json()["id"])).status_code == 204


def test_a_provider_is_tied_to_staff_of_the_same_organization(clinic: Clinic, api: Api) -> None:
    assert clinic.other
    body = bodies(clinic)["providers"]
    mine = post(manager(clinic, api), "providers", {**body, "user": str(clinic.users[Role.NURSE].id)})
    assert mine.status_code == 201
    for stranger in (clinic.other.users[Role.NURSE], clinic.users[Role.PATIENT]):
        answer = post(manager(clinic, api), "providers", {**body, "user": str(stranger.id)})
        assert fault(answer) == (400, "unknown_reference", "/user")


def test_filters(clinic: Clinic, api: Api) -> None:
    client = manager(clinic, api)
    made = {resource: created(clinic, api, resource) for resource in RESOURCES}

    def ids(query: str) -> list[str]:
        answer = client.get(f"/api/v1/{query}")
        assert answer.status_code == 200, answer.content
        return [row["id"] for row in answer.json()["results"]]

    assert set(ids(f"chairs/?site={clinic.site.id}&kind=bed")) == {str(clinic.bed.id), made["chairs"]["id"]}
    Chair.objects.filter(pk=clinic.bed.pk).update(is_active=False)
    assert ids("chairs/?kind=bed&is_active=true") == [made["chairs"]["id"]]
    assert ids("providers/?role=prescriber") == [str(clinic.prescriber.id)]
    assert ids(f"availability-rules/?provider={clinic.nurses[0].id}&weekday=6") == [made["availability-rules"]["id"]]
    for resource in ("time-off", "site-closures", "chair-closures"):
        assert ids(f"{resource}/?from=2027-06-07T16:59:00Z&until=2027-06-07T18:00:00Z") == [made[resource]["id"]]
        assert ids(f"{resource}/?from=2027-06-07T17:00:00Z") == []
        assert ids(f"{resource}/?until=2027-06-07T13:00:00Z&site={clinic.site.id}") == []


def test_somebody_without_an_organization_makes_no_site(clinic: Clinic, api: Api) -> None:
    drifter = make_user(None, Role.MANAGER)
    assert post(api(drifter), "sites", bodies(clinic)["sites"]).status_code == 403
    fresh = make_user(make_organization(), Role.MANAGER)
    assert post(api(fresh), "sites", bodies(clinic)["sites"]).status_code == 201
