"""How long a new patient takes from the printed address to the first booking: the machine's part, a model of hers.

The machine's is measured on the slow phone of `pages`, from each click to the next page, the mail by a real SMTP server
and a whole tick of beat before it. The person's is stated: all words of each page are read once, 238 a minute (silent
reading of English non-fiction, Brysbaert 2019), a calendar's days without a visit aside; keys, taps and what comes
before each are those of the keystroke-level model (Card, Moran and Newell 1980).
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from accounts import clock
from accounts.models import Role
from benchmarks.common import say
from notifications import sign_in_mail
from tests import factories
from tests.catcher import Catcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.clinic import Clinic

WORDS_A_MINUTE: Final = 238
# Seconds of the keystroke-level model: to make up one's mind, to point at something, to press, to go over to the keys.
MIND, POINT, PRESS, HOME = 1.35, 1.1, 0.28, 0.4
PHONE: Final = {"width": 390, "height": 844}
TARGET_SECONDS: Final = 120
CLICKS: Final = 8
ADDRESS: Final = "new.patient@example.org"
# Words of a page's main part that are in sight; a day of a calendar counts only where a visit is on it.
WORDS: Final = """() => {
  const main = document.querySelector('main');
  const left = [...main.querySelectorAll('.unseen:not([hidden]), .weeks .day:not([hidden])')];
  for (const each of left) each.hidden = true;
  const read = main.innerText.split(/\\s+/).filter(word => /[\\p{L}\\p{N}]/u.test(word)).length;
  for (const each of left) each.hidden = false;
  return read;
}"""


@dataclass
class Step:
    """What was read before a click, what was typed, and how long the machine took afterwards."""

    name: str
    words: int
    keys: int
    seconds: float

    @property
    def person(self) -> float:
        """Seconds of reading, deciding, typing and tapping."""
        typing = MIND + POINT + PRESS + HOME + self.keys * PRESS if self.keys else 0.0
        return self.words / WORDS_A_MINUTE * 60 + typing + MIND + POINT + PRESS


def prepare(clinic: Clinic) -> None:
    """Save the patient, with an order for six visits and none booked."""
    user = factories.make_user(None, Role.PATIENT, email=ADDRESS)
    doctor = clinic.protocol.approved_by
    assert doctor is not None
    factories.make_order(factories.make_patient(clinic.site, user=user, email=ADDRESS), clinic.protocol, doctor)


def measure(browser: Any, url: str, slow: Callable[[Any], None]) -> None:
    """Walk it once on a phone that `slow` has slowed down, and tell each step and the sum."""
    settings.PUBLIC_URL = url
    tab = browser.new_page(viewport=PHONE)
    slow(tab)
    with Catcher() as box:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
        steps = _walk(tab, url, box)
    tab.context.close()
    for step in steps:
        say(f"  {step.name:22}{step.words:4} words {step.keys:3} keys {step.person:6.1f} s, then {step.seconds:5.1f} s")
    person, machine = sum(step.person for step in steps), sum(step.seconds for step in steps)
    say(
        f"first booking from the printed address: {person:.0f} s of a person by the model, {machine:.1f} s of"
        f" the machine, {person + machine:.0f} s in all, {len(steps) - 1} clicks"
        f"   target: {TARGET_SECONDS} s, {CLICKS} clicks"
    )


def _walk(tab: Any, url: str, box: Catcher) -> list[Step]:
    """The steps, the typed address first."""
    steps = [Step("the address", 0, len(url), _until(tab, lambda: tab.goto(url), "Send me a link"))]

    def press(role: str, name: str, then: str, keys: int = 0) -> None:
        words = tab.evaluate(WORDS)
        wanted = tab.get_by_role("main").get_by_role(role, name=name).first
        steps.append(Step(name, words, keys, _until(tab, wanted.click, then)))

    tab.get_by_label("Your email address").fill(ADDRESS)
    press("button", "Send me a link", "Look in your mail", len(ADDRESS))
    begin = time.perf_counter()
    # The browser's driver runs an event loop in this thread, which Django would take for async code of ours.
    with ThreadPoolExecutor(1) as aside:
        aside.submit(sign_in_mail.send_due, clock.now()).result()
    mail = box.mails[-1].text
    sent, words = time.perf_counter() - begin + settings.TICK_SECONDS, len(mail.split())
    found = re.search(r"\S+/sign-in/link/\S+/", mail)
    assert found
    steps.append(Step("the link in the mail", words, 0, sent + _until(tab, lambda: tab.goto(found[0]), "One more tap")))
    press("button", "Sign me in", "No visits are booked")
    press("link", "Book visits", "When can you come?")
    press("button", "Find plans", "to fit all 6 visits")
    press("button", "Hold this plan", "Kept for you until")
    press("button", "Book these 6 visits", "Booked. Every visit below is yours.")
    return steps


def _until(tab: Any, act: Callable[[], object], shown: str) -> float:
    """Seconds from this act to the words that tell that the next page stands."""
    begin = time.perf_counter()
    act()
    tab.get_by_text(shown).first.wait_for()
    return time.perf_counter() - begin
