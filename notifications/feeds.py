"""Private calendars by address: a patient's, a provider's or a chair's visits, for whoever has the address.

Of a patient's visit a provider's and a chair's calendar show that it is one, and no more.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Q

from accounts.models import Role
from accounts.queries import seen_patients, staffed_sites
from accounts.refusals import Forbidden, NotFound
from accounts.rights import holds
from notifications import follow_links, ics, texts
from notifications.models import CalendarFeed
from sessions.models import Session, SessionStatus

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from accounts.models import Patient, User
    from scheduler.models import Chair, Provider

PAST = timedelta(days=60)


def visible_feeds(user: User) -> QuerySet[CalendarFeed]:
    """Calendars of patients whom the person may see, of providers and chairs where they work."""
    sites = staffed_sites(user).values("id")
    return CalendarFeed.objects.filter(
        (Q(patient__isnull=False) & seen_patients(user, "patient__"))
        | Q(provider__site__in=sites)
        | Q(chair__site__in=sites)
    )


def check_may_give(user: User, patient: Patient | None, provider: Provider | None, chair: Chair | None) -> None:
    """Forbidden, unless it is the person's own calendar, or one that they may give away.

    Front desk and managers give patients theirs; managers give those of providers and chairs.
    """
    own = (patient is not None and patient.user_id == user.pk) or (provider is not None and provider.user_id == user.pk)
    for_patients = patient is not None and holds(user, Role.FRONT_DESK, Role.MANAGER)
    if not own and not for_patients and not (patient is None and holds(user, Role.MANAGER)):
        raise Forbidden


def give(user: User, whose: dict[str, Any]) -> tuple[CalendarFeed, str]:
    """A new calendar and its address, which nobody can be told again. `whose` has one of patient, provider, chair."""
    check_may_give(user, whose.get("patient"), whose.get("provider"), whose.get("chair"))
    token = follow_links.new_token()
    feed = CalendarFeed.objects.create(created_by=user, token_hash=follow_links.hash_of(token), **whose)
    return feed, f"{settings.PUBLIC_URL}/api/v1/calendar/{token}.ics"


def take_back(user: User, feed: CalendarFeed) -> None:
    """The calendar's address opens nothing from here on. Whoever may give a calendar may take it back."""
    check_may_give(user, feed.patient, feed.provider, feed.chair)
    feed.delete()


def read(token: str, now: datetime) -> str:
    """The calendar behind an address, as it stands; NotFound for a false address or one that was taken back."""
    feed = CalendarFeed.objects.filter(token_hash=follow_links.hash_of(token)).first()
    if feed is None:
        raise NotFound
    sessions = _sessions(feed).filter(end__gt=now - PAST).select_related("site", "chair").order_by("start", "id")
    events = [texts.event_of(session, place=_place(feed, session)) for session in sessions]
    # Written at the last change and not now, so that a calendar that has not changed is the same to the byte.
    return ics.calendar(events, "PUBLISH", feed.created_at, _name(feed))


def _sessions(feed: CalendarFeed) -> QuerySet[Session]:
    if feed.patient_id:
        return Session.objects.filter(patient=feed.patient_id)
    given = Session.objects.exclude(status__in=(SessionStatus.CANCELLED, SessionStatus.NO_SHOW))
    if feed.provider_id:
        return given.filter(Q(nurse=feed.provider_id) | Q(prescriber=feed.provider_id))
    return given.filter(chair=feed.chair_id)


def _place(feed: CalendarFeed, session: Session) -> str:
    return "" if feed.patient_id else session.chair.name


def _name(feed: CalendarFeed) -> str:
    if feed.provider_id and feed.provider:
        return feed.provider.name
    return feed.chair.name if feed.chair_id and feed.chair else "Visits"
