"""What a token tells of a person's sight is what the queries find by themselves."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
from knox.crypto import hash_token

from accounts.http.authentication import read_token
from accounts.models import Role, User
from accounts.queries import sites_staffed_by, staffed_sites, visible_patients, visible_sites
from scheduler.queries import visible_protocols
from scheduler.sites import create_site
from tests import factories

if TYPE_CHECKING:
    from tests.factories import Clinic

ROLES = [
    [],
    [Role.PATIENT],
    [Role.PATIENT, Role.PATIENT],
    [Role.PATIENT, Role.NURSE],
    [Role.FRONT_DESK],
    [Role.AUDITOR],
    [Role.ADMIN],
    [Role.ADMIN, Role.PATIENT],
]


@pytest.mark.parametrize("organization", [True, False])
@pytest.mark.parametrize("roles", ROLES, ids=" ".join)
def test_the_sight_of_a_token(clinic: Clinic, roles: list[str], organization: bool) -> None:
    assert clinic.other is not None
    second = factories.make_site(clinic.organization, clinic.users["prescriber"])
    for member, treated_at in product([True, False], [clinic.site, clinic.other.site, None]):
        user = factories.make_user(clinic.organization if organization else None, *roles, sites=(second,) * member)
        # A row that the use cases never write: it must open nothing.
        user.sites.add(clinic.other.site)
        if treated_at is not None:
            factories.make_patient(treated_at, user=user)
        asked = User.objects.get(pk=user.pk)
        told = read_token(hash_token(factories.make_token(user))).user
        assert asked.sight is None
        assert told.sight is not None
        assert set(sites_staffed_by(told)) == set(staffed_sites(asked).values_list("id", flat=True))
        for see in (visible_sites, visible_patients, visible_protocols):
            assert set(see(told)) == set(see(asked)), see


def test_an_unknown_token_is_nobodys(clinic: Clinic) -> None:
    assert read_token(hash_token("nothing")) is None


def test_whoever_makes_a_site_sees_it_at_once(clinic: Clinic) -> None:
    manager = read_token(hash_token(factories.make_token(clinic.users["manager"]))).user
    made = create_site(manager, {"name": "Second", "time_zone": "America/Chicago"})
    assert made in visible_sites(manager)
    assert made in staffed_sites(manager)
