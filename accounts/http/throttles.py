"""How often one may call, counted in the cache: `settings.CALLS_PER_MINUTE`, `settings.SIGN_IN_FAILURES`.

A window opens with the first call and lasts its length. The counter is one atomic step, so a burst of parallel calls
cannot slip past it. Where the cache does not answer, calls are let through: a lost counter must not close a clinic.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.throttling import BaseThrottle

from accounts import clock
from accounts.refusals import TooMany

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request
    from rest_framework.views import APIView

log = logging.getLogger(__name__)

MINUTE: Final = 60


class Window:
    """A counter that forgets after `seconds`; `name` is what is counted, kept only as its hash."""

    def __init__(self, name: str, limit: int, seconds: int) -> None:
        self.key = "calls:" + hashlib.sha256(name.encode()).hexdigest()
        self.limit = limit
        self.seconds = seconds

    def take(self) -> int | None:
        """Count one; None where it is within the limit, else the seconds until the window closes."""
        try:
            count = self._count()
            return None if count <= self.limit else self._wait()
        except RedisError:
            log.warning("the cache does not answer: calls are not counted")
            return None

    def give_back(self) -> None:
        """Count one less: what was taken turned out not to count."""
        try:
            cache.decr(self.key)
        except (RedisError, ValueError):
            return

    def clear(self) -> None:
        """Forget what was counted."""
        try:
            cache.delete(self.key)
        except RedisError:
            return

    def _count(self) -> int:
        try:
            return int(cache.incr(self.key))
        except ValueError:
            # No window is open. `add` lets one of several callers open it; all then count in the same one.
            cache.add(self.key, 0, self.seconds)
            cache.set(self.key + ":until", clock.now().timestamp() + self.seconds, self.seconds)
        try:
            return int(cache.incr(self.key))
        except ValueError:
            # The cache was emptied just now: this call is the first of whatever window comes next.
            return 1

    def _wait(self) -> int:
        until = cache.get(self.key + ":until") or clock.now().timestamp() + 1
        return max(1, min(self.seconds, round(until - clock.now().timestamp())))


class CallerThrottle(BaseThrottle):
    """Calls a minute: of a signed-in user, else of an address."""

    seconds: int | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        limits = settings.CALLS_PER_MINUTE
        if request.user.is_authenticated:
            window = Window(f"user {request.user.pk}", limits["user"], MINUTE)
        else:
            window = Window(f"address {address(request)}", limits["anonymous"], MINUTE)
        self.seconds = window.take()
        return self.seconds is None

    def wait(self) -> float | None:
        return self.seconds


class SignInGuard:
    """Counts failed sign-ins of one account from one address, and of one address over all accounts.

    A try is counted before the password is looked at and given back if it was right: so of many tries at once no
    more are looked at than the limit allows.
    """

    def __init__(self, request: HttpRequest, account: str) -> None:
        limits = settings.SIGN_IN_FAILURES
        place = address(request)
        self.account = Window(f"sign-in {account} {place}", limits["account"], limits["seconds"])
        self.place = Window(f"sign-in {place}", limits["address"], limits["seconds"])

    def begin(self) -> None:
        """Count a try, or raise `TooMany`."""
        wait = max(self.account.take() or 0, self.place.take() or 0)
        if wait:
            raise TooMany("too_many_sign_ins", "Too many failed sign-ins. Wait a little.", retry_after=wait)

    def succeeded(self) -> None:
        """The password was right: the account starts anew."""
        self.account.clear()
        self.place.give_back()


def address(request: Any) -> str:
    """Where the call comes from; a /64 counts as one, since whoever has one address of it has them all."""
    text = BaseThrottle().get_ident(request) or ""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return text[:64]
    if found.version == 6:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return text
