"""Every page, whoever it is for: read by axe on a phone in Spanish and at a desk in English; nothing is too wide."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.urls import URLPattern

from accounts import clock
from sessions.models import Plan
from tests.factories import Clinic, make_order
from tests.web.conftest import DESK, PHONE, Visitor
from web import urls

if TYPE_CHECKING:
    from playwright.sync_api import Page

# What patients do at a desk is read by the tests of each page.
READERS = (("patient", PHONE, "es-US"), ("admin", PHONE, "es-US"), ("admin", DESK, "en-US"))


def addresses(clinic: Clinic) -> list[str]:
    """Each address that answers with a page to somebody, with a record in it."""
    make_order(clinic.patient, clinic.protocol, clinic.users["prescriber"])
    session = clinic.session(clock.now() + timedelta(days=40), series=clinic.series(clinic.patient))
    client = Client()
    client.force_login(clinic.users["patient"])
    form = {"course": clinic.protocol.pk, "earliest": clock.now().date() + timedelta(days=2), "times": "any"}
    client.post(f"/patients/{clinic.patient.pk}/book/", form)
    plan = Plan.objects.order_by("score")[0]
    ids = {"patient": clinic.patient.pk, "plan": plan.pk, "session": session.pk, "series": session.series_id}
    ids["person"] = clinic.users["nurse"].pk
    routes = [str(each.pattern) for each in urls.urlpatterns if isinstance(each, URLPattern)]
    for name, pk in ids.items():
        routes = [route.replace(f"<record_id:{name}>", str(pk)) for route in routes]
    return [f"/{route}" for route in routes if "<" not in route and not route.endswith((".csv", "now/"))]


def is_page(client: Client, address: str) -> bool:
    answer = client.get(address)
    return answer.status_code == 200 and b"<html" in answer.content


def look(page: Page, url: str, address: str, width: int) -> list[str]:
    """What is wrong with a page."""
    page.goto(url + address)
    found = [f"{each['impact']}: {each['id']}" for each in Axe().run(page).response["violations"]]
    wide = page.evaluate("document.documentElement.scrollWidth")
    return [f"{address} {width}: {each}" for each in (*found, *([f"{wide} wide"] if wide > width else []))]


@pytest.mark.parametrize(("who", "size", "language"), READERS)
def test_axe_finds_nothing_on_any_page(
    clinic: Clinic, visitor: Visitor, who: str, size: dict[str, int], language: str
) -> None:
    client = Client()
    client.force_login(clinic.users[who])
    pages = [each for each in addresses(clinic) if is_page(client, each)]
    assert len(pages) > 12
    page = visitor.as_user(clinic.users[who], size, locale=language)
    page.goto(visitor.url)
    assert page.evaluate("document.documentElement.lang") == language[:2]
    found = [fault for each in pages for fault in look(page, visitor.url, each, size["width"])]
    assert found == []
    assert visitor.complaints == []
    page.close()
