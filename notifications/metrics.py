"""Figures that show whether messages go out and alerts are owned, in Prometheus' text format (version 0.0.4).

They count and name nobody, yet tell how busy a clinic is. So they are given to whoever brings METRICS_TOKEN; where that
is not set, to this machine alone, and to nobody through a proxy.
"""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import clock
from accounts.models import Site
from notifications import delivery
from notifications.models import Alert, AlertLevel, AlertStatus, Message, MessageStatus
from notifications.tasks import BEAT, CLOCK
from scheduler.walltime import DAY, first_instant, local_date
from sessions.models import Session, SessionStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from django.db.models import QuerySet

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LOOPBACK = frozenset({"127.0.0.1", "::1"})
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP")
MESSAGES_OF = timedelta(hours=24)


class Figure(NamedTuple):
    """One gauge: its name, what it says, and its samples as (label with value such as `status="due"`, number)."""

    name: str
    help: str
    samples: list[tuple[str, float]]


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures as they stand now; 404 for whoever may not have them."""
    if not may_read(request):
        raise Http404
    return HttpResponse(as_text(figures(clock.now())), content_type=CONTENT_TYPE)


def may_read(request: HttpRequest) -> bool:
    """Whether the caller brings the token or, where none is set, calls from this machine itself."""
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    # A proxy on this machine calls from it too, but for somebody else.
    return request.META.get("REMOTE_ADDR") in LOOPBACK and not any(name in request.headers for name in FORWARDED)


def figures(now: datetime) -> list[Figure]:
    """All figures; where the database does not answer, that alone."""
    try:
        found = [*_oldest(), _messages(now), _seen(BEAT), _seen(CLOCK), _alerts(), _sessions(now)]
    except DatabaseError:
        found = []
    up = Figure("infusion_database_up", "Whether the database answers.", [("", float(bool(found)))])
    return [up, *found]


def as_text(found: Iterable[Figure]) -> str:
    """The figures in Prometheus' text format."""
    lines: list[str] = []
    for figure in found:
        lines += [f"# HELP {figure.name} {figure.help}", f"# TYPE {figure.name} gauge"]
        lines += [f"{figure.name}{f'{{{label}}}' if label else ''} {number:g}" for label, number in figure.samples]
    return "\n".join(lines) + "\n"


def _oldest() -> list[Figure]:
    every, urgent = delivery.oldest_waiting_seconds(), delivery.oldest_waiting_seconds(urgent=True)
    return [
        Figure("infusion_message_waiting_seconds", "For how long the oldest message has been due.", [("", every)]),
        Figure("infusion_alert_waiting_seconds", "For how long the oldest alert's has been due.", [("", urgent)]),
    ]


def _messages(now: datetime) -> Figure:
    due = Message.objects.filter(due_at__gt=now - MESSAGES_OF, due_at__lte=now)
    counted = _count(due, "status")
    return Figure(
        "infusion_messages", "Messages that fell due in the last 24 hours.", _by("status", counted, MessageStatus)
    )


def _seen(name: str) -> Figure:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM now() - at) FROM notifications_heartbeat WHERE name = %s", [name])
        samples = [("", float(row[0])) for row in cursor.fetchall()]
    return Figure(f"infusion_{name}_age_seconds", "Since when its last tick was; absent before the first.", samples)


def _alerts() -> Figure:
    counted = _count(Alert.objects.filter(status=AlertStatus.OPEN), "level")
    return Figure("infusion_alerts_open", "Alerts that nobody has acknowledged.", _by("level", counted, AlertLevel))


def _sessions(now: datetime) -> Figure:
    today = Q(pk__in=[])
    for name in Site.objects.order_by().values_list("time_zone", flat=True).distinct():
        zone = ZoneInfo(name)
        day = local_date(now, zone)
        begins, ends = first_instant(day, zone), first_instant(day + DAY, zone)
        today |= Q(site__time_zone=name, start__gte=begins, start__lt=ends)
    counted = _count(Session.objects.filter(today), "status")
    return Figure("infusion_sessions_today", "Sessions of the site's today.", _by("status", counted, SessionStatus))


def _count(rows: QuerySet[Any], field: str) -> dict[str, int]:
    return dict(rows.order_by().values_list(field).annotate(Count("pk")))


def _by(label: str, counted: Mapping[str, int], values: Iterable[str]) -> list[tuple[str, float]]:
    # Zeros too: what is missing today cannot be told from what is broken.
    return [(f'{label}="{value}"', float(counted.get(value, 0))) for value in values]
