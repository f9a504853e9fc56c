"""What the gallery walks through: who comes, and each page on the way by a name. A new page gets its line here."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page


@dataclass(frozen=True)
class Scene:
    """One person's way. `steps` goes from page to page and gives the name of each as it stands there.

    `opens` is a private link out of a mail, by its name in `__main__.LINKS`, which the way begins with.
    """

    who: str
    steps: Callable[[Page, str], Iterator[str]]
    opens: str = ""
    language: str = "en-US"


def outside(page: Page, url: str) -> Iterator[str]:
    """Before signing in."""
    page.goto(url)
    yield "home"
    page.get_by_label("Your email address").fill("nobody@demo.example")
    page.get_by_role("button", name="Send me a link").click()
    yield "link-sent"
    page.goto(f"{url}/sign-in/link/none/")
    yield "link"
    page.get_by_role("button", name="Sign me in").click()
    yield "link-spent"
    page.goto(f"{url}/sign-in/")
    yield "sign-in"
    page.goto(f"{url}/nowhere/")
    yield "not-found"


def booking(page: Page, url: str) -> Iterator[str]:
    """A patient looks at plans and holds one."""
    page.goto(f"{url}/book/")
    yield "wishes"
    page.get_by_label("Sunday").check()
    page.get_by_role("button", name="Find plans").click()
    yield "no-plan"
    page.goto(f"{url}/book/")
    page.get_by_role("button", name="Find plans").click()
    yield "plans"
    page.get_by_role("button", name="Hold this plan").first.click()
    yield "plan"
    page.goto(f"{url}/visits/")
    yield "visits"
    page.get_by_role("link", name="Move or cancel").first.click()
    yield "move-near"


def own(page: Page, url: str) -> Iterator[str]:
    """What is the patient's own: the questions before a visit, the calendar's address."""
    page.goto(f"{url}/visits/")
    page.get_by_role("link", name="Answer").click()
    yield "prepare"
    page.get_by_role("button", name="Send").click()
    yield "prepare-wrong"
    page.goto(f"{url}/calendar/")
    page.get_by_role("button", name="Make an address").click()
    yield "calendar"
    page.goto(f"{url}/messages/")
    yield "messages"
    page.goto(f"{url}/my-data/")
    yield "my-data"


def desk(page: Page, url: str) -> Iterator[str]:
    """The front desk finds a patient with visits to come, and moves one."""
    page.goto(f"{url}/patients/")
    page.get_by_label("Name or birth date").fill("sam pru")
    page.get_by_role("button", name="Find").click()
    yield "found"
    page.get_by_role("link", name="Pruitt, Sam").click()
    yield "patient"
    page.locator(".links a[href*='/series/']").first.click()
    yield "series"
    page.locator("a[href$='/history/']").first.click()
    yield "history"
    page.go_back()
    page.get_by_role("link", name="Move or cancel").first.click()
    yield "move"
    page.get_by_role("button", name="Show other times").click()
    yield "places"
    page.get_by_label("Day", exact=True).fill(time.strftime("%Y-%m-%d", time.localtime(time.time() + 14 * 86_400)))
    page.get_by_role("button", name="Look at this day").click()
    yield "move-along"
    page.get_by_role("link", name="Wait for another time").click()
    yield "wait"
    page.get_by_role("link", name="Keep it as it is").click()
    page.get_by_role("link", name="Move or cancel").first.click()
    page.get_by_role("link", name="Cancel this visit").click()
    yield "cancel"
    page.goto(f"{url}/patients/")
    page.get_by_label("Name or birth date").fill("sam pru")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="Pruitt, Sam").click()
    page.get_by_role("link", name="How to reach them").click()
    yield "reach"


def asked(page: Page, _url: str) -> Iterator[str]:
    """Somebody answers a check-in out of the mail: with nothing, then with all."""
    yield "check-in"
    page.locator("form .button.go").click()
    yield "check-in-wrong"
    for question in page.locator("fieldset").all():
        question.locator("input").first.check(force=True)
    page.locator("form .button.go").click()
    yield "thanks"


def stopped(page: Page, _url: str) -> Iterator[str]:
    """Somebody ends the mails."""
    yield "stop-mails"
    page.locator("form .button").first.click()
    yield "mails-stopped"


def spanish(page: Page, url: str) -> Iterator[str]:
    """A patient who reads Spanish, whose words are longer."""
    for name in ("visits", "book", "calendar", "messages", "my-data"):
        page.goto(f"{url}/{name}/")
        yield f"es-{name}"
    page.goto(f"{url}/book/")
    page.locator("form[data-working] .button.go").click()
    page.locator(".plan").first.wait_for()
    yield "es-plans"


def spanish_staff(page: Page, url: str) -> Iterator[str]:
    """Whoever works in Spanish: the header's pages, and the pages of the clinic."""
    for name in header(page, url):
        yield f"es-{name}"
    for name in ("protocols", "utilisation", "messages", "templates", "supply"):
        page.goto(f"{url}/clinic/{name}/")
        yield f"es-clinic-{name}"


def placing(page: Page, url: str) -> Iterator[str]:
    """The front desk prints a day, and puts a visit of the next day that has one elsewhere, by the form."""
    page.goto(f"{url}/day-sheet/")
    yield "day-sheet"
    page.goto(f"{url}/board/")
    while not page.locator("a.visit").count():
        page.get_by_role("link", name="Day after").click()
    yield "board-to-come"
    page.locator("a.visit").first.click()
    yield "seat"


def care(page: Page, url: str) -> Iterator[str]:
    """A nurse looks at how a patient is doing."""
    page.goto(f"{url}/patients/")
    page.get_by_label("Name or birth date").fill("rosa")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="Whitfield, Rosa").click()
    yield "progress"


def protocols(page: Page, url: str) -> Iterator[str]:
    """A prescriber looks at what is given."""
    page.goto(f"{url}/clinic/")
    page.get_by_role("link", name="Protocols").click()
    yield "protocols"
    page.get_by_role("link", name="Ketamine for fibromyalgia").first.click()
    yield "protocol"
    # The first look makes the next version, every later one finds it as a draft.
    page.locator("a", has_text=re.compile("Make the next version|Change the draft")).click()
    yield "protocol-change"
    for minutes in ("7", "75"):
        page.get_by_label("Minutes of recovery").first.fill(minutes)
        page.locator("form .button.go").click()
        if minutes == "7":
            yield "protocol-wrong"
    page.goto(f"{url}/clinic/protocols/")
    page.get_by_role("link", name="Ketamine for fibromyalgia").first.click()
    page.get_by_role("link", name="Compare").first.click()
    yield "compare"
    page.get_by_role("link", name="The protocol").click()
    page.get_by_role("link", name="Approve it").click()
    yield "approve"


def new_protocol(page: Page, url: str) -> Iterator[str]:
    """A prescriber writes a course of two phases; nothing is kept."""
    page.goto(f"{url}/clinic/protocols/new/")
    page.get_by_role("button", name="Add the phase").click()
    page.locator("#phase1").wait_for()
    yield "protocol-new"


def closing(page: Page, url: str) -> Iterator[str]:
    """A manager closes a chair for a night, looks at what a week would do, and takes the closure back."""
    page.goto(f"{url}/disruptions/")
    page.get_by_label("Who or what is missing").select_option(label="Recliner 1")
    first, last = page.evaluate("[1, 8].map(n => new Date(Date.now() + n * 864e5).toISOString().slice(0, 10))")
    for name, value in (("First day", first), ("From", "00:00"), ("Last day", first), ("Until", "00:30")):
        page.get_by_label(name, exact=True).fill(value)
    page.get_by_role("button", name="Draft it").click()
    page.get_by_role("button", name="Apply to").click()
    page.get_by_text("Applied.").first.wait_for()
    page.goto(f"{url}/clinic/supply/")
    page.get_by_role("region", name="Closures to come").get_by_role("link", name="Recliner 1").first.click()
    yield "closure"
    page.get_by_label("Last day").fill(last)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Nothing is saved yet.").wait_for()
    yield "closure-effect"
    page.get_by_role("link", name="The closure").click()
    page.get_by_role("link", name="Take it back").click()
    yield "closure-reopen"
    page.get_by_role("button", name="Take it back").click()
    page.get_by_text("That time can be booked again.").wait_for()


def running(page: Page, url: str) -> Iterator[str]:
    """A manager looks how the clinic runs and what it says."""
    page.goto(f"{url}/clinic/utilisation/")
    yield "utilisation"
    page.goto(f"{url}/clinic/messages/?status=due")
    yield "ledger"
    page.goto(f"{url}/clinic/templates/")
    yield "templates"
    page.get_by_role("link", name="Reminder: mail, English").click()
    page.get_by_role("textbox", name="Words").fill("See you on {day} for your ketamine, {clinic}.")
    page.get_by_role("button", name="Look at it").click()
    yield "template"
    page.goto(f"{url}/clinic/supply/")
    yield "supply"
    page.get_by_role("link", name="Recliner 1").first.click()
    yield "chair"
    page.goto(f"{url}/clinic/supply/")
    page.get_by_role("link", name="Change the clinic").click()
    yield "site"
    for name in ("Add a clinic", "Add a chair", "Add a person"):
        page.goto(f"{url}/clinic/supply/")
        page.get_by_role("link", name=name).first.click()
        yield name.lower().replace(" ", "-")
    page.goto(f"{url}/availability/")
    page.get_by_role("link", name="Week after").click()
    page.locator(".week .works").first.click()
    yield "availability-drawn"
    page.get_by_role("button", name="See what it does").click()
    yield "time-off"
    page.goto(f"{url}/availability/")
    page.locator("a[href*='/availability/shifts/']").first.click()
    yield "shift"
    page.get_by_role("button", name="Remove this shift").click()
    page.get_by_text("Nothing is saved yet.").wait_for()
    yield "shift-effect"


def chairside(page: Page, url: str) -> Iterator[str]:
    """A nurse goes from the board to a chair."""
    page.goto(f"{url}/board/")
    page.locator("a.visit").first.click()
    yield "chairside"


def header(page: Page, url: str) -> Iterator[str]:
    """Every page of the header, whoever added it."""
    page.goto(url)
    links = page.locator(".tabs a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    for link in links:
        page.goto(url + link)
        yield link.strip("/").replace("/", "-") or "first"


def security(page: Page, url: str) -> Iterator[str]:
    """An admin looks at how people sign in, adds a passkey and removes it, and sets up codes; nothing is kept."""
    page.goto(f"{url}/security/")
    yield "security-bare"
    passkeys = page.context.new_cdp_session(page)
    passkeys.send("WebAuthn.enable")
    device = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    passkeys.send("WebAuthn.addVirtualAuthenticator", {"options": {**device, "isUserVerified": True}})
    page.get_by_label("A name for it").fill("Office telephone")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_text("Your passkey is added").wait_for()
    yield "security"
    page.get_by_role("listitem").filter(has_text="Office telephone").get_by_role("button", name="Remove").click()
    page.get_by_text("Removed.").wait_for()
    page.goto(f"{url}/sign-in/set-up/")
    page.get_by_text("I cannot read a picture").click()
    yield "set-up-factor"


def staff(page: Page, url: str) -> Iterator[str]:
    """A manager looks who works here, invites somebody, and is about to send a nurse away."""
    page.goto(f"{url}/clinic/users/invite/")
    page.get_by_role("button", name="Send the invitation").click()
    yield "invite-wrong"
    page.get_by_label("Name").fill("Robin Moss, RN")
    page.get_by_label("Email address").fill(f"robin{time.monotonic_ns()}@demo.example")
    page.get_by_label("Nurse", exact=True).check()
    page.get_by_role("button", name="Send the invitation").click()
    yield "users"
    page.locator("table.list a", has_text="Demo nurse").click()
    yield "user"
    page.get_by_role("link", name="End access").click()
    yield "user-send-away"
    page.goto(f"{url}/join/none/")
    yield "join-spent"


SCENES = (
    Scene("", outside),
    Scene("patient", booking),
    Scene("patient", own),
    Scene("patient", spanish, language="es-US"),
    Scene("admin", spanish_staff, language="es-US"),
    Scene("", asked, opens="check-in"),
    Scene("", stopped, opens="stop-mails"),
    Scene("frontdesk", header),
    Scene("frontdesk", desk),
    Scene("frontdesk", placing),
    Scene("nurse", header),
    Scene("nurse", care),
    Scene("nurse", chairside),
    Scene("manager", header),
    Scene("admin", security),
    Scene("prescriber", protocols),
    Scene("prescriber", new_protocol),
    Scene("manager", running),
    Scene("manager", closing),
    Scene("manager", staff),
)
