"""Every page, whoever it is for, read by axe in Spanish: patients' on a phone, others at both sizes; all fit."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import axe_playwright_python
import pytest
from django.test import Client
from django.urls import URLPattern

from accounts import clock
from accounts.models import AuditEntry
from sessions.models import Plan
from tests.factories import Clinic, make_order
from tests.web.conftest import DESK, PHONE, Visitor
from web import urls

if TYPE_CHECKING:
    from playwright.sync_api import Page

# In Spanish, whose words are longer; English, and patients at a desk, are read by the tests of each page.
READERS = (("patient", PHONE), ("admin", DESK))
# What may differ where a table has become lines: its roles and names, not its colours.
ON_A_PHONE: dict[str, object] = {
    "runOnly": {"type": "tag", "values": ["cat.tables", "cat.structure", "cat.aria", "cat.name-role-value"]}
}


AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RUN = "options => axe.run(document, options).then(found => found.violations)"


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


def look(page: Page, url: str, address: str, size: dict[str, int]) -> list[str]:
    """What is wrong with a page, at its size and on a phone."""
    page.goto(url + address)
    found = faults(page, size["width"])
    if size != PHONE:
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        found += faults(page, PHONE["width"], ON_A_PHONE)
        page.set_viewport_size(size)  # type: ignore[arg-type]
    return [f"{address}: {each}" for each in found]


def faults(page: Page, width: int, rules: dict[str, object] | None = None) -> list[str]:
    """What axe finds by these rules (None: by all), and whether the page is wider than its window."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    # Only what is wrong is worked out in full and handed over.
    wrong = page.evaluate(RUN, {"resultTypes": ["violations"], **(rules or {})})
    found = [f"{each['impact']}: {each['id']}" for each in wrong]
    wide = page.evaluate("document.documentElement.scrollWidth")
    return found + [f"{wide} wide in {width}"] * (wide > width)


@pytest.mark.parametrize(("who", "size"), READERS)
def test_axe_finds_nothing_on_any_page(clinic: Clinic, visitor: Visitor, who: str, size: dict[str, int]) -> None:
    client = Client()
    client.force_login(clinic.users[who])
    asked, changes = addresses(clinic), AuditEntry.objects.exclude(action="read")
    before = changes.count()
    pages = [each for each in asked if is_page(client, each)]
    assert len(pages) > 12
    assert changes.count() == before, "looking changes nothing, so nobody is named as who acts"
    page = visitor.as_user(clinic.users[who], size, locale="es-US")
    page.goto(visitor.url)
    assert page.evaluate("document.documentElement.lang") == "es"
    assert [fault for each in pages for fault in look(page, visitor.url, each, size)] == []
    assert visitor.complaints == []
    page.close()
