"""How long a new patient takes from the printed address to the first booking: the machine's part, a model of hers.

The machine's is measured on the slow phone of `pages`, from each click to the next page, the mail by a real SMTP server
and a whole tick of beat before it. The person's is stated: what stands above what they press is read once, 238 words a
minute (silent reading of English non-fiction, Brysbaert 2019), a calendar's days without a visit aside; keys, taps and
what comes before each are those of the keystroke-level model (Card, Moran and Newell 1980).
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
# Words in sight of a page's main part: all, and those from its top to what is pressed. A day of a calendar counts only
# where a visit is on it.
WORDS: Final = """pressed => {
  const main = document.querySelector('main');
  const count = () => main.innerText.split(/\\s+/).filter(word => /[\\p{L}\\p{N}]/u.test(word)).length;
  const hide = found => found.filter(each => !each.hidden).map(each => { each.hidden = true; return each; });
  const left = hide([...main.querySelectorAll('.unseen, .weeks .day')]), all = count();
  const below = each => pressed.compareDocumentPosition(each) === Node.DOCUMENT_POSITION_FOLLOWING;
  left.push(...hide([...main.querySelectorAll('*')].filter(below)));
  const above = count();
  for (const each of left) each.hidden = false;
  return [all, above];
}"""


@dataclass
class Step:
    """What was read before a click, what was typed, and how long the machine took afterwards."""

    name: str
    words: tuple[int, int]
    keys: int
    seconds: float

    @property
    def hands(self) -> float:
        """Seconds of deciding and tapping, before it of going to a field and typing; an address ends with a key."""
        tap = MIND + POINT + PRESS
        typing = tap + HOME + self.keys * PRESS if self.keys else 0.0
        return typing + (tap if self.words[0] else PRESS)

    @property
    def reading(self) -> float:
        """Seconds of reading what stands above."""
        return self.words[1] / WORDS_A_MINUTE * 60


def prepare(clinic: Clinic) -> None:
    """Save the patient, with an order for six visits and none booked."""
    user = factories.make_user(None, Role.PATIENT, email=ADDRESS)
    doctor = clinic.protocol.approved_by
    assert doctor is not None
    factories.make_order(factories.make_patient(clinic.site, user=user, email=ADDRESS), clinic.protocol, doctor)


def measure(browser: Any, url: str, zone: str, slow: Callable[[Any], None]) -> None:
    """Walk it once on a phone in the clinic's zone that `slow` has slowed down, and tell each step and the sum."""
    settings.PUBLIC_URL = url
    tab = browser.new_page(viewport=PHONE, timezone_id=zone)
    slow(tab)
    with Catcher() as box:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
        steps = _walk(tab, url, box)
    tab.context.close()
    for step in steps:
        words = f"{step.words[1]:4} of {step.words[0]:3} words, {step.keys:2} keys"
        say(f"  {step.name:22}{words}: {step.reading:5.1f} s + {step.hands:4.1f} s, then {step.seconds:4.1f} s")
    person, machine = sum(step.reading + step.hands for step in steps), sum(step.seconds for step in steps)
    rest = sum(step.words[0] - step.words[1] for step in steps) / WORDS_A_MINUTE * 60
    say(
        f"first booking from the printed address: {person:.0f} s of a person by the model and {machine:.1f} s of the"
        f" machine, {person + machine:.0f} s, {len(steps) - 1} clicks   target: {TARGET_SECONDS} s, {CLICKS} clicks"
    )
    say(f"  who also reads all that stands below what they press: {rest:.0f} s more")


def _walk(tab: Any, url: str, box: Catcher) -> list[Step]:
    """The steps, the typed address first."""
    steps = [Step("the address", (0, 0), len(url), _until(tab, lambda: tab.goto(url), "Send me a link"))]

    def press(role: str, name: str, then: str, keys: int = 0) -> None:
        wanted = tab.get_by_role("main").get_by_role(role, name=name).first
        words = tuple(wanted.evaluate(WORDS))
        steps.append(Step(name, words, keys, _until(tab, wanted.click, then)))

    tab.get_by_label("Your email address").fill(ADDRESS)
    press("button", "Send me a link", "Look in your mail", len(ADDRESS))
    begin = time.perf_counter()
    # The browser's driver runs an event loop in this thread, which Django would take for async code of ours.
    with ThreadPoolExecutor(1) as aside:
        aside.submit(sign_in_mail.send_due, clock.now()).result()
    mail = box.mails[-1]
    sent = time.perf_counter() - begin + settings.TICK_SECONDS
    found = re.search(r"\S+/sign-in/link/\S+/", mail.text)
    assert found
    link, above = found[0], mail.text[: found.start()]
    words = len(f"{mail.subject} {mail.text}".split()), len(f"{mail.subject} {above}".split())
    steps.append(Step("the link in the mail", words, 0, sent + _until(tab, lambda: tab.goto(link), "One more tap")))
    press("button", "Sign me in", "When can you come?")
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
