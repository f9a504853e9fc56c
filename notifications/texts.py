"""What a message says: a wording, the clinic's own or ours, filled in for one visit. Never a drug or a diagnosis."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import formats, translation
from django.utils.translation import gettext, gettext_noop

from accounts import clock
from accounts.models import Channel, Site
from notifications import gsm, ics, stopping, wordings
from notifications.channels import Text
from notifications.channels.email import mailbox
from notifications.follow_ups import new_link
from notifications.models import Wording
from sessions.models import SessionStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from notifications.models import Message
    from sessions.models import Session

# (site, kind, channel, language) -> what the clinic says there.
OwnWordings = dict[tuple["UUID", str, str, str], wordings.Wording]
IN_THE_CALENDAR = frozenset({"receipt", "preparation", "reminder", "change"})
# The order of day and month differs; names of days and months are Django's own.
DAY_FORMAT = {"en": "D, M j", "es": "D j M"}
FEWEST_LETTERS_OF_A_NAME = 10
NAME = re.compile("\ue000(\\w+)\ue001")


def compose(message: Message, own: OwnWordings | None = None, along: Sequence[Message] = ()) -> Text:
    """What `message` says, in the words of its channel (with its session, site, patient and follow-up loaded).

    `own` are the clinic's wordings where they were read for many at once; `along` is what it says beside itself.
    """
    if along:
        return _several((message, *along), own)
    kind, patient, site = wordings.kind_of(message.kind), message.patient, message.site
    values = values_of(site, patient.language, message.speaks_of) | _of_its_own(message)
    wording = wording_for(site, kind, message.channel, patient.language, own)
    if message.channel == Channel.SMS:
        return Text("", short(wording.body, values))
    return mail(wording, values, patient.language, _calendar(message, kind), stopping.address(patient))


def _several(messages: Sequence[Message], own: OwnWordings | None) -> Text:
    """What messages of one family say as one, in the order of the visits."""
    lead = messages[0]
    kind, patient, site = wordings.kind_of(lead.kind), lead.patient, lead.site
    in_order = sorted(messages, key=lambda each: (each.speaks_of, each.due_at, each.id))
    values = values_of(site, patient.language, in_order[0].speaks_of)
    values["count"] = str(len({each.session_id for each in messages}))
    if lead.channel == Channel.SMS:
        return Text("", short(wording_for(site, f"several_{kind}", Channel.SMS, patient.language, own).body, values))
    if lead.follow_up is not None:
        links = [new_link(each.follow_up) for each in in_order if each.follow_up]
        values["links"], name = "\n\n".join(links), "several_follow_up"
    else:
        values["visits"], name = _lines(in_order, site, patient.language), "several"
    wording = wording_for(site, name, Channel.EMAIL, patient.language, own)
    whole = mail(wording, values, patient.language, stop=stopping.address(patient))
    files = [_calendar(each, wordings.kind_of(each.kind)) for each in in_order]
    return replace(whole, calendars=tuple(dict.fromkeys(filter(None, files))))


def _lines(messages: Sequence[Message], site: Site, language: str) -> str:
    """A line for each news; a reminder adds nothing to other news of the same visit."""
    kinds = [(each, wordings.kind_of(each.kind)) for each in messages]
    news = {each.session_id for each, kind in kinds if kind != "reminder"}
    told = [(each, kind) for each, kind in kinds if kind != "reminder" or each.session_id not in news]
    lines = [
        wordings.filled(wordings.line(kind, language), values_of(site, language, each.speaks_of)) for each, kind in told
    ]
    return "\n".join(dict.fromkeys(lines))


def _of_its_own(message: Message) -> dict[str, str]:
    """The fields that only some kinds have."""
    if message.offer is not None:
        until = when(message.offer.expires_at, message.site, message.patient.language)
        return {"link": f"{settings.PUBLIC_URL}/waitlist/", "until": until}
    return {"link": new_link(message.follow_up)} if message.follow_up else {}


def _calendar(message: Message, kind: str) -> str:
    """The visit for the patient's calendar, where the message speaks of it as it stands."""
    session = message.session
    if session is None or (session.start != message.speaks_of and kind != "cancellation"):
        return ""
    return invitation(session, kind, message.patient.email)


def own_wordings(sites: Collection[UUID]) -> OwnWordings:
    """The wordings that these sites have written."""
    return {
        (each.site_id, each.kind, each.channel, each.language): wordings.Wording(each.subject, each.body)
        for each in Wording.objects.filter(site__in=sites)
    }


def wording_for(site: Site, kind: str, channel: str, language: str, own: OwnWordings | None = None) -> wordings.Wording:
    """The clinic's own wording, or the one that is shipped."""
    own = own_wordings({site.id}) if own is None else own
    found = own.get((site.id, kind, channel, language))
    return found or wordings.default(kind, channel, language)


def values_of(site: Site, language: str, speaks_of: datetime | None = None) -> dict[str, str]:
    """The fields of a wording, those that only some kinds have empty; names in one line, whatever they hold."""
    return {
        "clinic": " ".join(site.name.split()),
        "day": day(speaks_of, site, language) if speaks_of else "",
        "time": time_of_day(speaks_of, site) if speaks_of else "",
        "phone": site.phone or wordings.DATA["fallback_phone"][language],
        "emergency": site.emergency_number,
        "crisis": site.crisis_line,
        **dict.fromkeys(("link", "until", "links", "visits", "count", "minutes"), ""),
    }


def mail(
    wording: wordings.Wording, values: Mapping[str, str], language: str, calendar: str = "", stop: str = ""
) -> Text:
    """The wording as a mail: the same words as plain text and as HTML, with the way to end such mails."""
    subject = " ".join(wordings.filled(wording.subject, values).split())
    body, links = wording.body, frozenset({"{link}"} if values["link"] else ())
    lay_out: Callable[..., tuple[str, str]] = _laid_out
    if values["links"] or values["visits"]:
        # What has paragraphs of its own is there before they are told apart. Nobody else's mail is like it.
        body = body.replace("{links}", values["links"]).replace("{visits}", values["visits"])
        links, lay_out = links | {*values["links"].split()}, _laid_out.__wrapped__
    text, html = lay_out(body, links, _button(values), bool(stop), language)
    given = {**values, "subject": subject, "stop": stop}
    return Text(subject, _given(text, given), _given(html, given, escape), calendar, stop)


# Of all that is due at a time, most has the same words.
@lru_cache(500)
def _laid_out(body: str, links: frozenset[str], button: str, stop: bool, language: str) -> tuple[str, str]:
    """The text and the HTML of a mail, in which values are still to be given, by their names."""
    with translation.override(language):
        context = {
            "paragraphs": [_named(paragraph) for paragraph in body.split("\n\n")],
            "links": {_named(link) for link in links},
            "button": gettext(button),
            "stop": _named("{stop}") if stop else "",
            "language": language,
        }
        text = render_to_string("notifications/mail.txt", context | {"body": _named(body)}).strip() + "\n"
        return text, render_to_string("notifications/mail.html", context | {"subject": _named("{subject}")})


def _named(text: str) -> str:
    """The fields of a text by names that pass through a template as they are."""
    return wordings.FIELD.sub("\ue000\\1\ue001", text)


def _given(text: str, values: Mapping[str, str], written: Callable[[str], str] = str) -> str:
    return NAME.sub(lambda found: written(values[found[1]]) if found[1] in values else found[0], text)


def _button(values: Mapping[str, str]) -> str:
    """What the button of a mail with a link says, in English."""
    if values["until"]:
        return gettext_noop("See the free place")
    return gettext_noop("Sign in") if values["minutes"] else gettext_noop("Answer the questions")


def short(body: str, values: Mapping[str, str]) -> str:
    """A text message in one part: letters that every phone has, the clinic's name shortened where it must be."""
    whole = gsm.plain(wordings.filled(body, values))
    over = len(whole) - wordings.SMS_LENGTH
    clinic = gsm.plain(values["clinic"])
    if not clinic:
        # A name in another alphabet: what stood behind it begins the text.
        return whole.lstrip(" :-,")
    if over <= 0:
        return whole
    kept = clinic[: max(FEWEST_LETTERS_OF_A_NAME, len(clinic) - over)].strip()
    return gsm.plain(wordings.filled(body, {**values, "clinic": kept}))


def invitation(session: Session, kind: str, attendee: str) -> str:
    """The visit for the patient's calendar; "" for a kind that says nothing of when it is."""
    cancelled = session.status == SessionStatus.CANCELLED
    if kind not in IN_THE_CALENDAR and not (kind == "cancellation" and cancelled):
        return ""
    event = event_of(session, attendee=attendee, organizer=mailbox(settings.DEFAULT_FROM_EMAIL))
    return ics.calendar([event], "CANCEL" if cancelled else "REQUEST", clock.now())


def event_of(session: Session, *, attendee: str = "", organizer: str = "", place: str = "") -> ics.Event:
    """A session as a calendar shows it (with its site loaded): a visit, where and when, and nothing of health."""
    site = session.site
    return ics.Event(
        uid=f"{session.id}@{urlsplit(settings.PUBLIC_URL).hostname}",
        version=session.version,
        start=session.start,
        end=session.end,
        summary=f"Visit · {place or site.name}",
        location=site.name,
        description=site.phone,
        cancelled=session.status in (SessionStatus.CANCELLED, SessionStatus.NO_SHOW),
        organizer=organizer,
        attendee=attendee,
    )


def day(at: datetime, site: Site, language: str = "en") -> str:
    """The site's day of an instant, such as "Thu, Feb 18"."""
    return _day(at.astimezone(ZoneInfo(site.time_zone)).date(), language)


# Of all that is due at a time, most is about a few days.
@lru_cache(1000)
def _day(day: date, language: str) -> str:
    with translation.override(language):
        return formats.date_format(day, DAY_FORMAT[language])


def when(at: datetime, site: Site, language: str = "en") -> str:
    """Day and time, such as "Thu, Feb 18, 9:00 am CST"."""
    return f"{day(at, site, language)}, {time_of_day(at, site)}"


def time_of_day(at: datetime, site: Site) -> str:
    """The site's wall time of an instant with its zone, such as "9:00 am CST"."""
    local = at.astimezone(ZoneInfo(site.time_zone))
    zone = local.strftime("%Z")
    # Zones without letters of their own are named by their offset: "+03" alone would not be understood.
    named = zone if zone.isalpha() else f"UTC{zone}"
    return f"{local.hour % 12 or 12}:{local:%M} {'am' if local.hour < 12 else 'pm'} {named}"
