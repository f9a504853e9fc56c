"""Parts that pages are made of: `{% load parts %}`. What each is for stands in docs/pages.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import template
from django.contrib.staticfiles.storage import staticfiles_storage
from django.utils.dates import WEEKDAYS
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, pgettext

from accounts import webauthn
from accounts.rights import is_staff
from web import wording
from web.navigation import places
from web.words import PLACES, STATES, board_words

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime, time

    from django.utils.safestring import SafeString

register = template.Library()


@register.inclusion_tag("web/parts/navigation.html", takes_context=True)
def navigation(context: dict[str, Any]) -> dict[str, Any]:
    """The header's entries and who is signed in; nothing for a page without a request or a reader without a name."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if request is None or user is None or not user.is_authenticated:
        return {}
    found = {"user": user, "staff": is_staff(user), "places": places(user, request.path)}
    return {**found, "csrf_token": context.get("csrf_token")}


@register.simple_tag(takes_context=True)
def passkeys_at(context: dict[str, Any]) -> str:
    """Where passkeys work: `here`, or the address of this page where they do; "" where this clinic has none."""
    party, request = webauthn.party(), context["request"]
    if party is None:
        return ""
    return "here" if party.origin == f"{request.scheme}://{request.get_host()}" else party.origin + request.path


@register.inclusion_tag("web/parts/icon.html")
def icon(name: str) -> dict[str, str]:
    """One of static/web/icons.svg. It only repeats what a word beside it says."""
    return {"name": name}


@register.simple_tag
def styles() -> tuple[str, ...]:
    """The addresses of the stylesheets that every page begins with: one where static files are collected."""
    return cast("tuple[str, ...]", staticfiles_storage.styles())  # type: ignore[attr-defined]


@register.inclusion_tag("web/parts/pill.html")
def pill(state: str, word: str = "") -> dict[str, str]:
    """A state by icon, word and colour; `word` says it in other words ("25 min late")."""
    return {"state": state, "word": word or gettext(STATES[state])}


@register.simple_tag
def clock(instant: datetime, zone: str) -> SafeString:
    """A time on the clinic's clock; the reader's own is put beside it where it differs."""
    shown = wording.clock(wording.local(instant, zone))
    return format_html('<time datetime="{}" data-zone="{}">{}</time>', instant.isoformat(), zone, shown)


@register.simple_tag
def hours(start: datetime, end: datetime, zone: str) -> SafeString:
    """ "9:00 am – 11:10 am" on the clinic's clock; the reader's own start is put beside it where it differs."""
    shown = " – ".join(wording.clock(wording.local(at, zone)) for at in (start, end))
    return format_html('<time datetime="{}" data-zone="{}">{}</time>', start.isoformat(), zone, shown)


@register.simple_tag
def clock_alone(instant: datetime, zone: str) -> str:
    """A time on the clinic's clock, where the reader's own stands beside another one already."""
    return wording.clock(wording.local(instant, zone))


@register.simple_tag
def day(instant: datetime, zone: str) -> str:
    """ "Thu, Feb 18": the clinic's day of an instant."""
    return wording.short_day(wording.local(instant, zone))


@register.simple_tag
def long_day(instant: datetime, zone: str) -> str:
    """ "Thursday, February 18": the clinic's day of an instant."""
    return wording.long_day(wording.local(instant, zone))


@register.simple_tag
def zone_name(zone: str) -> str:
    """ "Chicago time", once a page."""
    return pgettext("zone", "%(city)s time") % {"city": wording.zone_city(zone)}


@register.simple_tag
def zone_note(*zones: str) -> str:
    """The zone of a page's times, as a sentence; "" where the page has none."""
    cities = sorted({wording.zone_city(zone) for zone in zones})
    if len(cities) > 1:
        return gettext("Times are each clinic's own: %(cities)s.") % {"cities": ", ".join(cities)}
    return gettext("Times are %(city)s time.") % {"city": cities[0]} if cities else ""


@register.simple_tag
def zones_note(rows: Iterable[Any]) -> str:
    """The same for the zones of records that belong to a site."""
    return zone_note(*(row.site.time_zone for row in rows))


@register.simple_tag
def weekday_heads() -> SafeString:
    """The seven heads of a week's table, Monday first: short for the eye, whole for the ear."""
    return format_html_join(
        "",
        '<th scope="col"><span aria-hidden="true">{}</span><span class="unseen">{}</span></th>',
        ((str(WEEKDAYS[number])[:2], WEEKDAYS[number]) for number in range(7)),
    )


@register.filter
def wall(at: time) -> str:
    """ "9:00 am", of a time that is already on the clinic's clock."""
    return wording.clock(at)


@register.filter
def date_only(day: date) -> str:
    """ "Feb 8"."""
    return wording.date_only(day)


@register.filter
def said(alert: Any) -> str:
    """What an alert of the board says."""
    return board_words(alert)


@register.filter
def kind_of_place(kind: str) -> str:
    """ "Recliner"."""
    return gettext(PLACES[kind])
