"""What people wish of us: by which way, at which hours, how often, and what they say by a text. Pure.

Quiet hours and caps hold for texts; e-mail goes when it is due. Answers to a text, and what a clinician must hear at
once, pass by both.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from scheduler.walltime import DAY, instant, local_date

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

WEEK: Final = 7 * DAY
# Words as carriers know them (Twilio's advanced opt-out, AWS), those of the FCC's rule on revocation of 2025, and their
# Spanish. CANCEL and YES are the carriers': the one ends texts, the other begins them; neither tells of a visit.
WORDS: Final = {
    "stop": (
        "stop", "stopall", "stop all", "unsubscribe", "end", "quit", "revoke", "optout", "opt-out", "opt out", "cancel",
        "remove", "arret", "td", "alto", "parar", "pare", "detener", "cancelar", "baja", "no mas", "fin", "terminar",
    ),
    "start": ("start", "unstop", "yes", "empezar", "iniciar", "comenzar", "reanudar"),
    "help": ("help", "info", "ayuda", "informacion"),
    "confirm": ("c", "1"),
    "other_time": ("r", "2"),
}  # fmt: skip
MEANINGS: Final = {word: kind for kind, words in WORDS.items() for word in words}


@dataclass(frozen=True, slots=True)
class Reach:
    """How a person may be reached. `consent` to texts: None where nobody asked."""

    addressed: frozenset[str]
    stopped: frozenset[str]
    dead: frozenset[str]
    consent: bool | None


@dataclass(frozen=True, slots=True)
class Hours:
    """Between `begin` and `end`, by the person's clock in `zone`, nobody is texted. It may pass midnight."""

    begin: time
    end: time
    zone: ZoneInfo


def hindrance(channel: str, reach: Reach) -> str:
    """Why nothing is said by this channel; "" where it is open."""
    if channel not in reach.addressed:
        return "no_address"
    if channel in reach.stopped:
        return "stopped"
    if channel in reach.dead:
        return "dead_address"
    return "no_consent" if channel == "sms" and reach.consent is False else ""


def meaning(text: str) -> str:
    """What a text from a patient means: a key of `WORDS`, or `other`. Case, accents and punctuation do not matter."""
    return MEANINGS.get(folded(text), "other")


def folded(text: str) -> str:
    """A text in small letters without accents and points, one space between words."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return " ".join(re.sub(r"[^\w-]+", " ", letters).split()).strip("-")


def is_quiet(at: datetime, hours: Hours) -> bool:
    """Whether an instant lies in the quiet hours; their end does not."""
    clock = at.astimezone(hours.zone).time()
    if hours.begin < hours.end:
        return hours.begin <= clock < hours.end
    return clock >= hours.begin or clock < hours.end


def after_quiet(at: datetime, hours: Hours) -> datetime:
    """The instant itself, or the end of the quiet hours that it lies in."""
    if not is_quiet(at, hours):
        return at
    day = local_date(at, hours.zone)
    ends = [instant(day + number * DAY, hours.end, hours.zone) for number in (0, 1)]
    return next(end for end in ends if end > at)


def before_quiet(at: datetime, hours: Hours) -> datetime:
    """The last minute before the quiet hours that an instant lies in."""
    day = local_date(at, hours.zone)
    begins = [instant(day - number * DAY, hours.begin, hours.zone) for number in (0, 1)]
    return next(begin for begin in begins if begin <= at) - timedelta(minutes=1)


def text_at(due_at: datetime, not_after: datetime, since: datetime, hours: Hours) -> datetime | None:
    """When a text that is due then is sent: at once, after the quiet hours, or where that is too late, before them.

    Not before `since`, when it first could be said. None where there is no such time: it is dropped.
    """
    later = after_quiet(due_at, hours)
    if later < not_after:
        return later
    early = before_quiet(due_at, hours)
    return early if early >= since else None


def after_caps(at: datetime, sent: Sequence[datetime], zone: ZoneInfo, a_day: int, a_week: int) -> datetime:
    """The first instant from `at` on at which one more text keeps to both caps: a local day, and seven days on end."""
    for _ in range(len(sent) + 1):
        same_day = [one for one in sent if local_date(one, zone) == local_date(at, zone) and one <= at]
        if len(same_day) >= a_day:
            at = instant(local_date(at, zone) + DAY, time(0), zone)
            continue
        week = sorted(one for one in sent if at - WEEK < one <= at)
        if len(week) < a_week:
            return at
        at = (week[len(week) - a_week] + WEEK).astimezone(UTC)
    return at
