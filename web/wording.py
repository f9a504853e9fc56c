"""Days and times as people say them, in the language of the page and the zone of the clinic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from django.utils import dateformat, translation

if TYPE_CHECKING:
    from datetime import date, datetime

# Short day, long day, time: Django's format letters. `{half}` is the half of the day, as the language writes it.
FORMATS: Final = {"en": ("D, M j", "l, F j", "g:i {half}"), "es": ("D j \\d\\e M", "l j \\d\\e F", "g:i {half}")}
HALVES: Final = {"en": (r"\a\m", r"\p\m"), "es": (r"\a. \m.", r"\p. \m.")}


def _language() -> str:
    language = (translation.get_language() or "en")[:2]
    return language if language in FORMATS else "en"


def local(instant: datetime, zone: str) -> datetime:
    """The instant on the clinic's clock."""
    return instant.astimezone(ZoneInfo(zone))


def short_day(day: date) -> str:
    """ "Thu, Feb 18"."""
    return dateformat.format(day, FORMATS[_language()][0])


def long_day(day: date) -> str:
    """ "Thursday, February 18"."""
    return dateformat.format(day, FORMATS[_language()][1])


def clock(at: datetime) -> str:
    """ "9:00 am", of a time that is already on the clinic's clock."""
    half = HALVES[_language()][at.hour >= 12]
    return dateformat.format(at, FORMATS[_language()][2].format(half=half))


def zone_city(zone: str) -> str:
    """The place that a zone is named after: "America/Argentina/Buenos_Aires" gives "Buenos Aires"."""
    return zone.rpartition("/")[2].replace("_", " ")
