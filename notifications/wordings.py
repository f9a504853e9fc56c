"""The words of messages as data: defaults in English and Spanish, fields to fill in, what no wording may hold. Pure.

A wording is a subject (mails only) and a body with fields in braces: `Your visit is on {day}.` Nothing in it is code,
so a clinic may write its own. `wordings.json` holds the defaults, the fields, and the words that tell of health.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from notifications import gsm

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DATA: Final = json.loads(Path(__file__).with_name("wordings.json").read_text(encoding="utf-8"))
FIELDS: Final[Mapping[str, str]] = DATA["fields"]
LANGUAGES: Final = ("en", "es")
KINDS: Final = tuple(DATA["kinds"])
FIELD: Final = re.compile(r"\{([^{}]*)\}")
SUBJECT_LENGTH, BODY_LENGTH, SMS_LENGTH = 120, 4000, gsm.ONE_PART["gsm"]
# As long as these come, with a name of a clinic cut as short as it may be.
LONGEST: Final = {
    "clinic": "Clinic 123", "day": "Wed, Sep 30", "time": "12:30 pm UTC+0530", "phone": "+123456789012345",
    "link": "https://visits.clinic.example/check-in/" + "x" * 43 + "/", "emergency": "911", "crisis": "988",
    "until": "Wed, Sep 30, 12:30 pm UTC+0530", "count": "12", "minutes": "15",
    "visits": "Wed, Sep 30 at 12:30 pm UTC+0530: your visit.", "links": "https://visits.clinic.example/check-in/",
}  # fmt: skip
LONGEST_LINKS: Final = {
    "offer": "https://visits.clinic.example/waitlist/",
    "sign_in": "https://visits.clinic.example/sign-in/link/" + "x" * 43 + "/",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """`subject` is empty for texts. Both hold fields in braces."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a wording is not taken. `part` is `subject` or `body`."""

    part: str
    code: str
    detail: str


@lru_cache(1000)
def kind_of(name: str) -> str:
    """The kind whose wording a message named so has: `reminder_24h` has that of `reminder`; KeyError without one."""
    found = [kind for kind in KINDS if name == kind or name.startswith(f"{kind}_")]
    if not found:
        raise KeyError(name)
    return max(found, key=len)


def default(kind: str, channel: str, language: str) -> Wording:
    """The wording that is shipped; in English for a language that there is none in. KeyError for a kind unknown."""
    by_language = DATA["kinds"][kind][channel]
    return Wording(**by_language.get(language, by_language["en"]))


def longest(kind: str) -> dict[str, str]:
    """The values of the fields of a kind, each as long as it comes."""
    return {**LONGEST, "link": LONGEST_LINKS.get(kind, LONGEST["link"])}


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its fields filled in; a value is never read as a field. KeyError for an unknown field."""
    return FIELD.sub(lambda found: values[found[1]], text)


def line(kind: str, language: str) -> str:
    """How one visit is named in a message about several; in English for a language that there is none in."""
    return str(DATA["lines"].get(language, DATA["lines"]["en"])[kind])


def problems(kind: str, channel: str, wording: Wording) -> list[Problem]:
    """Everything that is wrong with a wording; none for one that may be used."""
    found = [*_fields(wording), *_health(wording), *_subject(channel, wording)]
    if not wording.body.strip():
        found.append(Problem("body", "blank", "A message says something."))
    if len(wording.body) > BODY_LENGTH:
        found.append(Problem("body", "max_length", f"At most {BODY_LENGTH} characters."))
    needed = [field for field in DATA["kinds"][kind]["needs"] if f"{{{field}}}" not in wording.body]
    found += [Problem("body", "missing_field", f"This message needs {{{field}}}.") for field in needed]
    if channel == "sms" and not any(problem.code in {"unknown_field", "brace"} for problem in found):
        found.extend(_length(kind, wording))
    return found


def _fields(wording: Wording) -> Iterator[Problem]:
    for part, text in (("subject", wording.subject), ("body", wording.body)):
        for name in FIELD.findall(text):
            if name not in FIELDS:
                yield Problem(
                    part, "unknown_field", f"There is no field {{{name[:40]}}}. There are: {', '.join(FIELDS)}."
                )
        if any(brace in FIELD.sub("", text) for brace in "{}"):
            yield Problem(part, "brace", "Braces hold the name of a field, one pair for each.")


def _health(wording: Wording) -> Iterator[Problem]:
    for part, text in (("subject", wording.subject), ("body", wording.body)):
        for word in (word for words in DATA["health_words"].values() for word in words):
            if re.search(rf"(?<!\w){re.escape(word)}(?:e?s)?(?!\w)", FIELD.sub(" ", text), re.IGNORECASE):
                yield Problem(part, "health_word", f"“{word}” tells of somebody's health. Say “visit” instead.")


def _subject(channel: str, wording: Wording) -> Iterator[Problem]:
    if channel == "sms":
        if wording.subject:
            yield Problem("subject", "no_subject", "A text message has no subject.")
        return
    if not wording.subject.strip():
        yield Problem("subject", "blank", "A mail has a subject.")
    if len(wording.subject) > SUBJECT_LENGTH:
        yield Problem("subject", "max_length", f"At most {SUBJECT_LENGTH} characters.")
    if wording.subject.splitlines() not in ([], [wording.subject]):
        yield Problem("subject", "line_break", "A subject is one line.")
    if "{link}" in wording.subject:
        yield Problem("subject", "link_in_subject", "A subject is shown to whoever sees the phone: no link in it.")


def _length(kind: str, wording: Wording) -> Iterator[Problem]:
    length = gsm.length(gsm.plain(filled(wording.body, longest(kind))))
    if length.parts > 1:
        detail = f"It may take {length.units} letters, and one text message holds {SMS_LENGTH}."
        yield Problem("body", "too_long", detail)
