"""Templates of messages: a manager tries words out, is told what may not be said, saves, goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from notifications import wordings
from notifications.models import Wording
from notifications.texts import wording_for
from tests.web.conftest import DESK, Visitor

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Clinic

SAID = "{clinic}: we see you on {day} at {time}. Call {phone}."


def address(clinic: Clinic, rest: str = "reminder/email/en") -> str:
    """Where the words of the clinic's reminder by mail are changed."""
    return f"/clinic/templates/{clinic.site.pk}/{rest}/"


def test_a_manager_tries_words_out_and_saves_them(clinic: Clinic, visitor: Visitor) -> None:
    page = visitor.as_user(clinic.users["manager"], DESK)
    page.goto(visitor.url + "/clinic/templates/")
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("link", name="Reminder: mail, English", exact=True).click()
    page.get_by_role("textbox", name="Words").fill("Your ketamine is on {day}.")
    page.get_by_role("button", name="Look at it").click()
    page.get_by_text("“ketamine” tells of somebody's health").wait_for()
    assert page.get_by_role("textbox", name="Words").input_value() == "Your ketamine is on {day}."
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("textbox", name="Words").fill(SAID)
    page.get_by_role("button", name="Look at it").click()
    page.get_by_text(f"{clinic.site.name}: we see you on").wait_for()
    assert not Wording.objects.exists(), "looking saves nothing"
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved. The next message says it so.").wait_for()
    assert wording_for(clinic.site, "reminder", "email", "en").body == SAID
    page.get_by_text("own words in place of those shipped").wait_for()
    page.get_by_role("button", name="Back to the words that are shipped").click()
    page.get_by_text("The words that are shipped are used again.").wait_for()
    page.get_by_text("The words before").click()
    assert page.get_by_role("listitem").filter(has_text=SAID).count() == 1, "nothing that was said is forgotten"
    page.close()
    assert wording_for(clinic.site, "reminder", "email", "en") == wordings.default("reminder", "email", "en")
    assert visitor.complaints == []


@pytest.mark.parametrize(
    ("rest", "body", "field"),
    [("reminder/email/en", "", "body"), ("reminder/email/en", "{nonsense}", "body"),
     ("reminder/sms/es", "x" * 400, "body"),
     ("follow_up/email/en", "Without what is needed", "body"), ("reminder/sms/en", "Su dolor", "body"),
     ("reminder/email/en", "a\0b", "body"), ("reminder/email/en", "x" * 9000, "body")],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_what_may_not_be_said_is_not_saved(clinic: Clinic, client: Client, rest: str, body: str, field: str) -> None:
    client.force_login(clinic.users["manager"])
    answer = client.post(address(clinic, rest), {"do": "save", "subject": "Visit", "body": body})
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    assert not Wording.objects.exists()


def test_every_template_has_its_page(clinic: Clinic, client: Client) -> None:
    """Each kind by each way in each language, and each shows what arrives."""
    client.force_login(clinic.users["manager"])
    pages = [slot for _words, slots in client.get("/clinic/templates/").context["found"] for slot, _own in slots]
    assert len(pages) == 2 * sum("email" in each for each in wordings.DATA["kinds"].values()) + 2 * sum(
        "sms" in each for each in wordings.DATA["kinds"].values()
    )
    for slot in pages:
        shown = client.get(address(clinic, f"{slot.kind}/{slot.channel}/{slot.language}"))
        assert shown.status_code == 200
        assert shown.context["shown"]["body"], slot


@pytest.mark.parametrize("rest", ["nothing/email/en", "reminder/fax/en", "reminder/email/de", "reminder/needs/en"])
def test_a_template_that_is_not_there(clinic: Clinic, client: Client, rest: str) -> None:
    client.force_login(clinic.users["manager"])
    assert client.get(address(clinic, rest)).status_code == 404


@pytest.mark.parametrize(("who", "status"), [("nurse", 403), ("auditor", 403), ("patient", 403)])
def test_who_writes_templates(clinic: Clinic, client: Client, who: str, status: int) -> None:
    client.force_login(clinic.users[who])
    for path in ("/clinic/templates/", address(clinic)):
        assert client.get(path).status_code == status
    assert client.post(address(clinic), {"do": "save", "subject": "x", "body": SAID}).status_code == status
    assert clinic.other
    client.force_login(clinic.other.users["manager"])
    assert client.post(address(clinic), {"do": "save", "subject": "x", "body": SAID}).status_code == 404
    assert not Wording.objects.exists()
