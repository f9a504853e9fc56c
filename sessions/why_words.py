"""Why there is no plan and what would help, in words: for patients and for staff, in English and in Spanish.

The planner says codes and values; every sentence stands here. A sentence is a template whose fields are values already
in the reader's words (`Speech`), so that counts and dates agree in each language.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scheduler.wording import clock
from sessions.why_sentences import CHANGES, FOR_STAFF, JOINED, REASONS, Speech

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scheduler.reasons import Reason
    from scheduler.relaxations import Relaxation

LANGUAGES: Final = ("en", "es")


def spoken(language: str | None) -> str:
    """The language to answer in: the one asked for where there are words for it, else English."""
    short = (language or "").partition("-")[0]
    return short if short in LANGUAGES else LANGUAGES[0]


def reason(found: Reason, language: str) -> str:
    """A rule that stands in the way, told to a patient."""
    return REASONS[language][found.code].format_map(_said(found.values, language))


def reason_for_staff(found: Reason, language: str) -> str:
    """The same told to those who run the clinic."""
    return FOR_STAFF[language][found.code].format_map(_said(found.values, language))


def change(found: Relaxation, language: str) -> str:
    """A change that would do, as one sentence."""
    parts = [CHANGES[language][said.words].format_map(_said(said.values, language)) for said in found.said]
    detail = JOINED[language].join(parts)
    return f"{detail[0].upper()}{detail[1:]}."


def _said(values: Mapping[str, Any], language: str) -> dict[str, str]:
    """Values in words; how each is said goes by its name."""
    speech = Speech(language)
    ways: dict[str, Callable[[Any], str]] = {
        "on": speech.date,
        "days": speech.days,
        "least": speech.days,
        "minutes": speech.minutes,
        "length": speech.length,
        "weekdays": speech.weekdays,
        "windows": speech.windows,
        "kind": speech.chair,
        "chair": lambda chair: speech.chair_need(*chair),
        "at": clock,
    }
    return {name: ways.get(name, str)(value) for name, value in values.items()}
