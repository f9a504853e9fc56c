"""The words of a message: visit, day, time with its zone, clinic, phone; never a drug, diagnosis or questionnaire."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.utils import formats, translation
from django.utils.translation import gettext as _

from accounts.models import Channel, Site
from notifications.channels import Text
from notifications.follow_ups import new_link

if TYPE_CHECKING:
    from datetime import datetime

    from notifications.models import Message

# The messages exist in English only; half a message in another language would be worse than none.
LANGUAGE = "en"
SMS_LENGTH = 160
TEMPLATES = ("follow_up", "reminder", "receipt", "preparation", "change", "cancellation", "no_show")


def compose(message: Message) -> Text:
    """What `message` says, in the words of its channel (with its session, site and follow-up loaded)."""
    site = message.session.site
    with translation.override(LANGUAGE):
        words = {
            "site": site,
            "day": day(message.speaks_of, site),
            "time": time_of_day(message.speaks_of, site),
            "link": new_link(message.follow_up) if message.follow_up else "",
        }
        name = template_of(message.kind)
        if message.channel == Channel.SMS:
            return Text("", _short(name, words))
        body = render_to_string(f"notifications/{name}_email.txt", words).strip() + "\n"
        return Text(_subject(message, words), body)


def day(at: datetime, site: Site) -> str:
    """The site's day of an instant, such as "Thu, Feb 18"."""
    return formats.date_format(at.astimezone(ZoneInfo(site.time_zone)), "D, M j")


def time_of_day(at: datetime, site: Site) -> str:
    """The site's wall time of an instant with its zone, such as "9:00 am CST"."""
    local = at.astimezone(ZoneInfo(site.time_zone))
    zone = local.strftime("%Z")
    # Zones without letters of their own are named by their offset: "+03" alone would not be understood.
    named = zone if zone.isalpha() else f"UTC{zone}"
    return f"{local.hour % 12 or 12}:{local:%M} {'am' if local.hour < 12 else 'pm'} {named}"


def _subject(message: Message, words: dict[str, object]) -> str:
    subjects = {
        "follow_up": _("A few questions after your visit · %(site)s"),
        "reminder": _("Your visit on %(day)s · %(site)s"),
        "receipt": _("Your visit on %(day)s is booked · %(site)s"),
        "preparation": _("Before your visit on %(day)s · %(site)s"),
        "change": _("New time for your visit: %(day)s · %(site)s"),
        "cancellation": _("Your visit on %(day)s is cancelled · %(site)s"),
        "no_show": _("We missed you on %(day)s · %(site)s"),
    }
    return subjects[template_of(message.kind)] % {"day": words["day"], "site": message.session.site.name}


def template_of(kind: str) -> str:
    """The name of the words for a kind of message: `reminder` for `reminder_24h`, `change` for `change_2`."""
    return next(name for name in TEMPLATES if kind.startswith(name))


def _short(name: str, words: dict[str, object]) -> str:
    """The text message in one part: letters that every phone has, the clinic's name shortened where it must be."""
    site = words["site"]
    assert isinstance(site, Site)
    rest = len(_plain(render_to_string(f"notifications/{name}_sms.txt", words | {"clinic": "-"}))) - 1
    clinic = _plain(site.name)[: max(0, SMS_LENGTH - rest)].strip()
    return _plain(render_to_string(f"notifications/{name}_sms.txt", words | {"clinic": clinic}))


def _plain(text: str) -> str:
    """One line of ASCII letters: any other would halve what fits, and cost a second part."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    # These are in ASCII and not in the basic GSM alphabet, where each counts twice.
    return " ".join(letters.translate(dict.fromkeys(map(ord, "^{}\\[~]|`"), None)).split())
