"""Days and times as people say them, in the language of the page and the zone of the clinic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from django.utils import dateformat, translation
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime, time, timedelta

# Short day, long day, time: Django's format letters. `{half}` is the half of the day, as the language writes it.
FORMATS: Final = {"en": ("D, M j", "l, F j", "g:i {half}"), "es": ("D j M", "l j \\d\\e F", "g:i\u00a0{half}")}
HALVES: Final = {"en": (r"\a\m", r"\p\m"), "es": ("\\a.\u00a0\\m.", "\\p.\u00a0\\m.")}


def _language() -> str:
    language = (translation.get_language() or "en")[:2]
    return language if language in FORMATS else "en"


def _written(day: date, shape: str) -> str:
    """A day in this shape; Spanish writes days and months small."""
    text = dateformat.format(day, shape)
    return text.lower() if _language() == "es" else text


def local(instant: datetime, zone: str) -> datetime:
    """The instant on the clinic's clock."""
    return instant.astimezone(ZoneInfo(zone))


def short_day(day: date) -> str:
    """ "Thu, Feb 18"."""
    return _written(day, FORMATS[_language()][0])


def long_day(day: date) -> str:
    """ "Thursday, February 18"."""
    return _written(day, FORMATS[_language()][1])


def clock(at: datetime | time) -> str:
    """ "9:00 am", of a time that is already on the clinic's clock."""
    half = HALVES[_language()][at.hour >= 12]
    return dateformat.format(at, FORMATS[_language()][2].format(half=half))


def zone_city(zone: str) -> str:
    """The place that a zone is named after: "America/Argentina/Buenos_Aires" gives "Buenos Aires"."""
    return zone.rpartition("/")[2].replace("_", " ")


def date_only(day: date) -> str:
    """ "Feb 8"."""
    return _written(day, {"en": "M j", "es": "j M"}[_language()])


def every_weekday(weekday: int) -> str:
    """ "Mondays"; 0 is Monday."""
    return gettext(WEEKLY[weekday])


def joined(words: Sequence[str]) -> str:
    """ "Mondays, Wednesdays and Fridays"."""
    if len(words) < 2:
        return "".join(words)
    return gettext("%(first)s and %(last)s") % {"first": ", ".join(words[:-1]), "last": words[-1]}


def length(span: timedelta) -> str:
    """ "2 h 10 min"."""
    hours, minutes = divmod(round(span.total_seconds() / 60), 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)


WEEKLY: Final = (
    _("Mondays"),
    _("Tuesdays"),
    _("Wednesdays"),
    _("Thursdays"),
    _("Fridays"),
    _("Saturdays"),
    _("Sundays"),
)
