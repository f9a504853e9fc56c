"""Whether the service lives, and whether it can do its work. For probes: without sign-in, never throttled."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from notifications import delivery
from notifications.tasks import BEAT

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

PING_SECONDS = 2
BEAT_SILENT_SECONDS = 60
MESSAGES_LATE_SECONDS = 120
ALERTS_LATE_SECONDS = 60


@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """200 as long as this process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """200 where every part answers, else 503; `checks` names each with "ok" or what is wrong, in plain words."""
    checks = {"database": _asked(_database)}
    below = checks["database"] == "ok"
    checks["broker"] = _asked(_broker)
    checks["migrations"] = _asked(_migrations) if below else "not asked"
    checks["beat"] = _asked(_beat) if below else "not asked"
    checks["messages"] = _asked(_messages) if below else "not asked"
    well = all(said == "ok" for said in checks.values())
    return JsonResponse({"status": "ok" if well else "unavailable", "checks": checks}, status=200 if well else 503)


def _asked(check: Callable[[], str]) -> str:
    try:
        return check()
    except (DatabaseError, redis.RedisError, OSError) as error:
        # Errors of servers name hosts and users, which a probe that anybody may call does not tell.
        logger.warning("not ready: %s: %s", check.__name__.strip("_"), type(error).__name__)
        return "does not answer"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _broker() -> str:
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=PING_SECONDS, socket_timeout=PING_SECONDS
    ) as client:
        client.ping()
    return "ok"


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    return "not all applied" if executor.migration_plan(executor.loader.graph.leaf_nodes()) else "ok"


def _beat() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() - at FROM notifications_heartbeat WHERE name = %s", [BEAT])
        row = cursor.fetchone()
    if row is None:
        return "not seen yet"
    return "ok" if row[0] < timedelta(seconds=BEAT_SILENT_SECONDS) else "not seen lately"


def _messages() -> str:
    late = delivery.oldest_waiting_seconds(urgent=True)
    if late >= ALERTS_LATE_SECONDS:
        return f"the oldest alert has been due for {int(late)} s"
    late = delivery.oldest_waiting_seconds()
    return "ok" if late < MESSAGES_LATE_SECONDS else f"the oldest has been due for {int(late)} s"
