"""The check-in page: by HTTP as any client sees it, and in a real browser on a phone, with and without scripts."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client

from accounts import clock
from accounts.models import Patient, Site
from notifications import follow_ups
from notifications.instruments import INSTRUMENTS
from notifications.models import Alert, FollowUp
from sessions.models import SessionStatus
from tests.factories import Clinic, make_patient, noon

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
TAP = 48


def make_follow_up(
    clinic: Clinic,
    instrument: str = "PHQ-9",
    *,
    days_ago: int = 2,
    status: str = SessionStatus.COMPLETED,
    **fields: Any,
) -> FollowUp:
    """Save a follow-up that is open now, after a completed session of a patient with a name that stands out."""
    patient = make_patient(clinic.site, given_name="Wilhelmina", family_name="Quartermaine", phone="+13125550199")
    session = clinic.session(noon(-days_ago), series=clinic.series(patient), status=status)
    now = clock.now()
    times = {"due_at": now - timedelta(hours=1), "expires_at": now + timedelta(days=7)}
    values = {"session": session, "patient": patient, "instrument": instrument, "hours_after": 24}
    return FollowUp.objects.create(**(values | times | fields))


def path(follow_up: FollowUp) -> str:
    """The path of the follow-up's link, as its message has it."""
    return "/check-in/" + follow_ups.new_link(follow_up).partition("/check-in/")[2]


def form(instrument: str = "PHQ-9", **changes: Any) -> dict[str, Any]:
    """A form with 0 for each required item, as a browser sends it, `changes` over it."""
    lowest = {item.id: str(item.options[0].value) for item in INSTRUMENTS[instrument].items if item.required}
    return lowest | changes


def words(html: str) -> str:
    """The text of a page, tags taken out, white space made single."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_every_instrument_is_asked_in_full_and_answered(clinic: Clinic, client: Client, instrument: str) -> None:
    follow_up = make_follow_up(clinic, instrument)
    page = client.get(path(follow_up))
    assert page.status_code == 200
    for item in INSTRUMENTS[instrument].items:
        assert item.text in words(page.content.decode())
        for option in item.options:
            assert f'name="{item.id}" value="{option.value}"' in page.content.decode()
    thanks = client.post(path(follow_up), form(instrument))
    assert thanks.status_code == 200
    assert "Thank you. Your answers are sent." in words(thanks.content.decode())
    follow_up.refresh_from_db()
    assert follow_up.answered_at is not None
    assert follow_up.score == Decimal(int(instrument == "PGIC"))


def test_the_page_tells_nothing_about_the_patient(clinic: Clinic, client: Client) -> None:
    follow_up = make_follow_up(clinic)
    session = follow_up.session
    pages = [
        client.get(path(follow_up)),
        client.post(path(follow_up), {}),
        client.post(path(follow_up), form(phq9_9="2")),
        client.get(path(follow_up)),
    ]
    assert [page.status_code for page in pages] == [200, 400, 200, 410]
    for page in pages:
        html = page.content.decode()
        title = re.search(r"<title>(.*)</title>", html)
        assert title
        assert unescape(title[1]).removeprefix("Not sent yet · ") == f"Check-in · {clinic.site.name}"
        told = ("Wilhelmina", "Quartermaine", "5550199", str(follow_up.id), str(session.id), str(session.patient_id))
        for private in (*told, clinic.protocol.code, f"{session.start:%Y}", "PHQ", "ketamine", "depression"):
            assert private not in html


def test_headers_keep_the_link_and_the_page_to_the_reader(clinic: Clinic, client: Client) -> None:
    follow_up = make_follow_up(clinic)
    for page in (client.get(path(follow_up)), client.post(path(follow_up), form()), client.get("/check-in/none/")):
        assert page["Referrer-Policy"] == "no-referrer"
        assert "no-store" in page["Cache-Control"]
        assert "noindex" in page["X-Robots-Tag"]
        assert "unsafe" not in page["Content-Security-Policy"]
        assert not page.cookies
        html = page.content.decode()
        assert all("src=" in script and ">" not in script for script in re.findall(r"<script([^>]*)>", html))
        assert re.search(r"<script[^>]*>[^<]", html) is None
        assert " style=" not in html


def test_opening_the_link_changes_nothing(clinic: Clinic, client: Client) -> None:
    follow_up = make_follow_up(clinic)
    before = list(FollowUp.objects.values())
    for _ in range(3):
        assert client.get(path(follow_up)).status_code == 200
        assert client.head(path(follow_up)).status_code == 200
    assert list(FollowUp.objects.values()) == before
    assert client.put(path(follow_up)).status_code == 405


@pytest.mark.parametrize("value", ["1", "2", "3"])
def test_item_nine_raises_an_alert_and_shows_the_sites_crisis_line(clinic: Clinic, client: Client, value: str) -> None:
    Site.objects.filter(id=clinic.site.id).update(crisis_line="116 123", emergency_number="112", phone="+13125550143")
    follow_up = make_follow_up(clinic)
    asked = words(client.get(path(follow_up)).content.decode())
    assert "116 123" in asked
    assert "112" in asked
    page = client.post(path(follow_up), form(phq9_9=value)).content.decode()
    assert 'href="tel:116123"' in page
    assert 'href="tel:112"' in page
    assert 'href="tel:+13125550143"' in page
    assert "988" not in page
    assert "are marked urgent for a clinician there" in words(page)
    more = re.search(r'href="(/check-in/[^"]+)"', page)
    assert more
    assert "killing yourself" in words(client.get(more[1]).content.decode())
    alert = Alert.objects.get(follow_up=follow_up)
    assert (alert.kind, alert.level, alert.owner_id) == ("suicide_item", "urgent", clinic.site.on_call_id)


def test_no_crisis_words_are_put_above_harmless_answers(clinic: Clinic, client: Client) -> None:
    page = words(client.post(path(make_follow_up(clinic)), form(phq9_1="3")).content.decode())
    assert "urgent" not in page
    assert "Call or text 988" in page
    assert not Alert.objects.exists()


def test_a_severe_side_effect_names_the_emergency_number(clinic: Clinic, client: Client) -> None:
    follow_up = make_follow_up(clinic, "side-effects")
    page = words(client.post(path(follow_up), form("side-effects", palpitations="3")).content.decode())
    assert "Your answers are marked urgent" in page
    assert "cannot be woken: call 911 now" in page
    assert Alert.objects.get().kind == "severe_side_effect"


@pytest.mark.parametrize(
    "changes",
    [
        {"phq9_4": None},
        {"phq9_4": ""},
        {"phq9_4": "4"},
        {"phq9_4": "-1"},
        {"phq9_4": "01"},
        {"phq9_4": "1.0"},
        {"phq9_4": "٣"},
        {"phq9_4": "9" * 4000},
        {"phq9_4": "a\x00b"},
        {"phq9_4": ["0", "3"]},
        {"phq9_function": "4"},
    ],
)
def test_a_faulty_answer_is_asked_again_and_the_rest_kept(
    clinic: Clinic, client: Client, changes: dict[str, Any]
) -> None:
    follow_up = make_follow_up(clinic)
    sent = {name: value for name, value in form(phq9_1="2", **changes).items() if value is not None}
    page = client.post(path(follow_up), sent)
    assert page.status_code == 400
    html = page.content.decode()
    [faulty] = changes
    assert html.count("Choose one answer here.") == 1
    assert f'id="why-{faulty}"' in html
    assert re.search(rf'id="{faulty}-[0-9]"[^>]* autofocus', html)
    assert re.search(r'id="phq9_1-2"[^>]* checked', html)
    assert "Nothing has been sent yet" in html
    follow_up.refresh_from_db()
    assert follow_up.answered_at is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"phq9_1=%FF%FE&phq9_1=%00", "application/x-www-form-urlencoded"),
        (b"a=1&b=2&" * 50, "application/x-www-form-urlencoded; charset=no-such"),
        (b"&".join(b"x%d=1" % number for number in range(5000)), "application/x-www-form-urlencoded"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"broken", "multipart/form-data"),
        (b'{"answers": {}}', "application/json"),
        (b"\xed\xa0\x80", "text/plain"),
    ],
)
def test_no_body_whatever_breaks_the_page(clinic: Clinic, client: Client, body: bytes, kind: str) -> None:
    follow_up = make_follow_up(clinic)
    assert client.generic("POST", path(follow_up), body, content_type=kind).status_code == 400
    follow_up.refresh_from_db()
    assert follow_up.answered_at is None


def test_the_same_answers_again_are_thanked_again_and_others_are_not_taken(clinic: Clinic, client: Client) -> None:
    follow_up = make_follow_up(clinic)
    link = path(follow_up)
    first = client.post(link, form(phq9_9="1"))
    again = client.post(link, form(phq9_9="1"))
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    for other in (form(phq9_9="0"), {}, form(phq9_9="x")):
        page = client.post(path(follow_up), other)
        assert page.status_code == 410
        assert "cannot be changed here" in page.content.decode()
    follow_up.refresh_from_db()
    assert (follow_up.answers or {})["phq9_9"] == 1
    assert Alert.objects.count() == 1


def test_a_closed_check_in_still_shows_the_sites_own_lines(clinic: Clinic, client: Client) -> None:
    Site.objects.filter(id=clinic.site.id).update(crisis_line="116 123")
    expired = make_follow_up(clinic, expires_at=clock.now())
    for page in (client.get(path(expired)), client.post(path(expired), form())):
        assert page.status_code == 410
        assert "This check-in is closed" in page.content.decode()
        assert "116 123" in page.content.decode()
    expired.refresh_from_db()
    assert expired.answered_at is None


def test_a_session_that_is_not_asked_about_asks_nothing(clinic: Clinic, client: Client) -> None:
    follow_up = make_follow_up(clinic, status=SessionStatus.NO_SHOW)
    assert client.get(path(follow_up)).status_code == 409
    assert client.post(path(follow_up), form()).status_code == 409


def test_a_false_link_is_not_found_and_names_no_clinic(clinic: Clinic, client: Client) -> None:
    true = path(make_follow_up(clinic)).split("/")[2]
    changed = ("A" if true[0] != "A" else "B") + true[1:]
    for token in (changed, true[:-1], true + "=", true.upper(), "x", "%00", "é", "a" * 4000):
        for page in (client.get(f"/check-in/{token}/"), client.post(f"/check-in/{token}/", form())):
            assert page.status_code == 404
            assert clinic.site.name not in page.content.decode()
            assert "Call a crisis line or your local emergency number now." in page.content.decode()


def test_answers_arrive_from_a_phone_that_refuses_cookies(clinic: Clinic) -> None:
    follow_up = make_follow_up(clinic)
    assert Client(enforce_csrf_checks=True).post(path(follow_up), form()).status_code == 200


def test_what_is_filled_in_is_saved_without_scripts_and_shown_again(clinic: Clinic, client: Client) -> None:
    follow_up = make_follow_up(clinic)
    page = client.post(path(follow_up), {"phq9_1": "2", "save": "1"})
    assert page.status_code == 200
    assert "Saved, and not sent yet." in words(page.content.decode())
    again = client.get(path(follow_up)).content.decode()
    assert re.search(r'id="phq9_1-2"[^>]* checked', again)
    assert "It has not been sent yet." in words(again)
    follow_up.refresh_from_db()
    assert follow_up.answered_at is None
    assert client.post(path(follow_up), {"phq9_1": "7", "save": "1"}).status_code == 400
    assert client.post(path(follow_up), form(save="1")).status_code == 200
    follow_up.refresh_from_db()
    assert follow_up.answered_at is None
    assert client.post(path(follow_up), form()).status_code == 200
    assert client.post(path(follow_up), {"phq9_1": "2", "save": "1"}).status_code == 410


def test_a_form_of_before_is_not_taken_for_the_present_one(clinic: Clinic, client: Client) -> None:
    follow_up = make_follow_up(clinic)
    page = client.get(path(follow_up)).content.decode()
    shown = re.search(r'name="form" value="([0-9a-f]{12})"', page)
    assert shown
    changed = client.post(path(follow_up), form(form="0" * 12))
    assert changed.status_code == 409
    assert "The questions have changed" in words(changed.content.decode())
    assert client.post(path(follow_up), form(form=shown[1])).status_code == 200


def test_a_scanner_that_sends_the_form_as_it_is_answers_nothing(clinic: Clinic, client: Client) -> None:
    follow_up = make_follow_up(clinic)
    page = client.get(path(follow_up)).content.decode()
    sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert client.post(path(follow_up), sent).status_code == 400
    follow_up.refresh_from_db()
    assert follow_up.answered_at is None


def test_a_page_around_the_questions_is_in_the_patients_language(clinic: Clinic, client: Client) -> None:
    follow_up = make_follow_up(clinic)
    Patient.objects.update(language="es")
    page = client.get(path(follow_up))
    html = page.content.decode()
    assert page["Content-Language"] == "es"
    assert '<html lang="es"' in html
    assert "¿Cómo está?" in html
    assert 'class="part" lang="en"' in html
    assert INSTRUMENTS["PHQ-9"].items[0].text in html
    sent = client.post(path(follow_up), form(phq9_9="1"))
    closed = client.get(path(follow_up))
    for each, english in (
        (html, ("Send my answers", "Save for later", "Thinking of harming", "Question 1")),
        (sent.content.decode(), ("Thank you", "Talk to someone", "What happens next", "Call 988", "You can")),
        (closed.content.decode(), ("This check-in", "Thank you", "You can also")),
    ):
        for phrase in english:
            assert phrase not in words(each), phrase


def test_home_leads_to_the_documentation(client: Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert 'href="/api/v1/docs/"' in page.content.decode()


def test_both_colour_schemes_give_a_value_to_the_same_roles() -> None:
    from django.contrib.staticfiles import finders

    found = finders.find("web/tokens.css")
    assert isinstance(found, str)
    with open(found) as file:
        light, dark = file.read().split("@media screen and (prefers-color-scheme: dark)")
    coloured = set(re.findall(r"(--[a-z-]+): (?:#|0 )", light))
    assert coloured == set(re.findall(r"(--[a-z-]+): (?:#|0 )", dark.split("@media")[0]))


def choose(page: Page, **values: int) -> None:
    """Tap the label of one answer for each item."""
    for item, value in values.items():
        page.locator(f"label:has(#{item}-{value})").click()


def test_on_a_phone_without_scripts_from_question_to_crisis_line(
    live_server: LiveServer, clinic: Clinic, browser: Browser
) -> None:
    follow_up = make_follow_up(clinic)
    page = browser.new_page(viewport=PHONE, java_script_enabled=False, has_touch=True, is_mobile=True)  # type: ignore[arg-type]
    page.goto(live_server.url + path(follow_up))
    assert page.title() == f"Check-in · {clinic.site.name}"
    assert page.get_by_text("Thinking of harming yourself, or not safe?").count() == 2
    assert page.get_by_role("link", name="911").first.is_visible()
    labels = [label.bounding_box() for label in page.locator(".choices label").all()]
    assert len(labels) == 40
    assert all(box and box["height"] >= TAP and box["width"] >= TAP for box in labels)

    choose(page, **{f"phq9_{number}": 0 for number in range(1, 9)})
    page.get_by_role("button", name="Send my answers").click()
    assert page.get_by_role("heading", name="How are you doing?").is_visible()  # the browser itself asks for the ninth
    choose(page, phq9_9=1)
    page.get_by_role("button", name="Send my answers").click()

    page.get_by_role("heading", name="Thank you for telling us").wait_for()
    assert page.get_by_role("link", name="Call 988").get_attribute("href") == "tel:988"
    assert page.get_by_role("link", name="Text 988").get_attribute("href") == "sms:988"
    follow_up.refresh_from_db()
    assert follow_up.answers == {f"phq9_{number}": int(number == 9) for number in range(1, 10)}
    assert (follow_up.score, follow_up.band) == (Decimal(1), "minimal")
    assert Alert.objects.get().kind == "suicide_item"
    page.close()


def test_each_answer_is_kept_as_it_is_given(live_server: LiveServer, clinic: Clinic, browser: Browser) -> None:
    follow_up = make_follow_up(clinic)
    page = browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.goto(live_server.url + path(follow_up))
    address = page.url
    with page.expect_response(lambda answer: answer.request.method == "POST") as saved:
        choose(page, phq9_1=3)
    assert saved.value.status == 200
    page.get_by_text("Saved, and not sent yet.").wait_for()
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        choose(page, phq9_2=1)
    page.close()

    other = browser.new_page(viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    other.goto(address)
    assert other.locator("#phq9_1-3").is_checked()
    assert other.locator("#phq9_2-1").is_checked()
    choose(other, **{f"phq9_{number}": 0 for number in range(3, 10)})
    other.get_by_role("button", name="Send my answers").click()
    other.get_by_role("heading", name="Thank you. Your answers are sent.").wait_for()
    other.reload()  # the same form once more
    other.get_by_role("heading", name="Thank you. Your answers are sent.").wait_for()
    other.goto(address)
    assert other.get_by_role("heading", name="This check-in has been sent").is_visible()
    follow_up.refresh_from_db()
    assert (follow_up.score, FollowUp.objects.count(), complaints) == (Decimal(4), 1, [])
    other.close()


def test_with_the_keyboard_alone(live_server: LiveServer, clinic: Clinic, browser: Browser) -> None:
    follow_up = make_follow_up(clinic, "PEG")
    page = browser.new_page(viewport=DESK)  # type: ignore[arg-type]
    page.goto(live_server.url + path(follow_up))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#peg_pain-0").focus()
    for steps in (3, 4, 5):
        page.keyboard.press("Space")
        for _ in range(steps):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Tab")
    page.get_by_role("button", name="Send my answers").press("Enter")
    page.get_by_role("heading", name="Thank you. Your answers are sent.").wait_for()
    follow_up.refresh_from_db()
    assert follow_up.answers == {"peg_pain": 3, "peg_enjoyment": 4, "peg_activity": 5}
    assert follow_up.score == Decimal(4)
    page.close()


def test_what_is_missing_takes_the_focus(live_server: LiveServer, clinic: Clinic, browser: Browser) -> None:
    page = browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
    page.goto(live_server.url + path(make_follow_up(clinic)))
    page.evaluate("document.querySelector('form').noValidate = true")  # as a browser without its own checks
    choose(page, **{f"phq9_{number}": 2 for number in (1, 2, 3, 5, 6, 7, 8, 9)})
    page.get_by_role("button", name="Send my answers").click()
    page.get_by_text("Choose one answer here.").wait_for()
    assert page.evaluate("document.activeElement.id") == "phq9_4-0"
    assert page.locator("#phq9_8-2").is_checked()
    page.get_by_role("link", name="question 4").click()
    stem, question = page.locator("#stem").bounding_box(), page.locator(".wrong .why").bounding_box()
    assert stem
    assert question
    assert stem["y"] == 0
    assert stem["height"] <= question["y"]  # what sticks to the top does not cover what is to be answered
    page.close()


# Of every shape one: scales of words, of numbers, a question that only some are asked, faults, the end. The other forms
# differ in their words alone; they are held to the width.
SHAPES = ("PHQ-9", "NRS", "ASQ", "errors", "thanks", "closed", "home")
LAID_OUT_ANEW = ("PHQ-9", "thanks")


def test_no_page_shuts_anybody_out(live_server: LiveServer, clinic: Clinic, browser: Browser) -> None:
    """On a phone and at a desk, in light and in the dark: each page is opened once and looked at in every way."""
    page = browser.new_page(viewport=PHONE, color_scheme="light")  # type: ignore[arg-type]
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if "Security Policy" in said.text else None)
    for name, address in addresses(clinic).items():
        page.goto(live_server.url + address)
        go_on(page, name)
        if name in SHAPES:
            assert Axe().run(page).response["violations"] == [], name
        for size in (PHONE, DESK):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], name
        if name in LAID_OUT_ANEW:
            assert Axe().run(page).response["violations"] == [], f"{name} at a desk"
        if name in SHAPES:
            page.emulate_media(color_scheme="dark")
            dark = Axe().run(page, options={"runOnly": ["color-contrast"]}).response
            assert (dark["violations"], bool(dark["passes"])) == ([], True), f"{name} in the dark"
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert complaints == []
    page.close()


def go_on(page: Page, name: str) -> None:
    """To the faults of an empty form, or past the last question."""
    if name == "errors":
        page.evaluate("document.querySelector('form').noValidate = true")
        page.get_by_role("button", name="Send my answers").click()
        page.get_by_text("Nothing has been sent yet").wait_for()
    if name == "thanks":
        choose(page, **{f"phq9_{number}": 3 for number in range(1, 10)})
        page.get_by_role("button", name="Send my answers").click()
        page.get_by_role("heading", name="Thank you for telling us").wait_for()


def addresses(clinic: Clinic) -> dict[str, str]:
    """Paths of pages of every kind; each follow-up comes after a session on a day of its own, to share no chair."""
    asked = {code: path(make_follow_up(clinic, code, days_ago=day)) for day, code in enumerate(INSTRUMENTS, start=1)}
    return asked | {
        "errors": path(make_follow_up(clinic, days_ago=11)),
        "thanks": path(make_follow_up(clinic, days_ago=12)),
        "closed": path(make_follow_up(clinic, days_ago=13, expires_at=clock.now())),
        "unknown": "/check-in/none/",
        "home": "/",
    }
