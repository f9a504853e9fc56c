"""Offline, what was typed stays and is not sent; what takes longer than a second says so; nothing goes twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axe_playwright_python.sync_playwright import Axe

from accounts.models import Patient
from tests.web.conftest import PHONE, Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.factories import Clinic


def test_offline_nothing_is_lost_and_a_slow_answer_says_so(clinic: Clinic, visitor: Visitor) -> None:
    page = visitor.as_user(clinic.users["patient"], PHONE)
    page.goto(visitor.url + "/messages/")
    page.get_by_label("Email address").fill("typed@example.org")
    page.context.set_offline(True)
    page.get_by_role("heading", name="You are offline").wait_for()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Save").click()
    assert page.get_by_label("Email address").input_value() == "typed@example.org"
    assert page.get_by_role("heading", name="You are offline").is_visible()
    page.context.set_offline(False)
    page.get_by_role("heading", name="You are offline").wait_for(state="hidden")
    held: list[Route] = []
    page.route("**/messages/", lambda route: held.append(route))
    # The browser answers no questions while it waits for a page: once the words are there, the answer is "stay".
    page.on("console", lambda said: held[0].fulfill(status=204) if said.text == "told" else None)
    page.evaluate(
        "new MutationObserver(() => console.log('told'))"
        ".observe(document.getElementById('working'), {attributes: true})"
    )
    page.get_by_role("button", name="Save").click(no_wait_after=True)
    page.get_by_text("One moment.").wait_for()
    assert Axe().run(page).response["violations"] == []
    page.evaluate("addEventListener('submit', event => console.log('again', event.defaultPrevented))")
    with page.expect_console_message(lambda said: said.text.startswith("again")) as again:
        page.get_by_role("button", name="Save").click(no_wait_after=True)
    assert again.value.text == "again true", "not sent twice"
    assert visitor.complaints == []
    page.close()
    assert Patient.objects.get(pk=clinic.patient.pk).email != "typed@example.org"
