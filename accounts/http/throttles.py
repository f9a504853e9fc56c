"""How often one may call, counted in the cache: `settings.CALLS_PER_MINUTE`, `settings.SIGN_IN_FAILURES`.

A window opens with the first call and lasts its length. The counter is one atomic step, so a burst of parallel calls
cannot slip past it. Where the cache does not answer, calls are let through: a lost counter must not close a clinic.

Calls of everyday are counted ahead, a hundredth of the limit at once: each process then asks the cache for one call in
so many. Never are more let through than the limit; what a process has left when the window closes lapses.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
import time
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError
from rest_framework.throttling import BaseThrottle

from accounts.refusals import TooMany

if TYPE_CHECKING:
    from django.http import HttpRequest
    from redis.commands.core import Script
    from rest_framework.request import Request
    from rest_framework.views import APIView

log = logging.getLogger(__name__)

MINUTE: Final = 60


# Counts so many calls. Gives how many of them are within the limit, and the milliseconds until the window closes. One
# step, so that a burst of parallel calls cannot slip past; one round trip, since it stands before each answer.
TAKE: Final = """
local wanted = tonumber(ARGV[3])
local count = redis.call('INCRBY', KEYS[1], wanted)
if count == wanted then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {wanted - math.max(0, math.min(wanted, count - ARGV[1])), math.max(1, redis.call('PTTL', KEYS[1]))}
"""


# A window that has closed meanwhile stays closed: one without an end would never open again.
GIVE_BACK: Final = "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('DECR', KEYS[1]) end"


@cache
def _server() -> Redis:
    """The connections to Valkey; they outlive a request, and a fork makes its own."""
    return Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


@cache
def _take() -> Script:
    return _server().register_script(TAKE)


@cache
def _give_back() -> Script:
    return _server().register_script(GIVE_BACK)


class Window:
    """A counter that forgets after `seconds`; `name` is what is counted, kept only as its hash."""

    def __init__(self, name: str, limit: int, seconds: int) -> None:
        self.key = "infusion:calls:" + hashlib.sha256(name.encode()).hexdigest()
        self.limit = limit
        self.seconds = seconds

    def take(self) -> int | None:
        """Count one; None where it is within the limit, else the seconds until the window closes."""
        allowed, closes = self.take_some(1)
        return None if allowed else math.ceil(closes)

    def take_some(self, wanted: int) -> tuple[int, float]:
        """Count so many; how many are within the limit, and the seconds until the window closes."""
        try:
            allowed, closes = _take()(keys=[self.key], args=[self.limit, self.seconds * 1000, wanted])
        except RedisError:
            log.warning("the cache does not answer: calls are not counted")
            return 1, 0.0
        return int(allowed), int(closes) / 1000

    def give_back(self) -> None:
        """Count one less: what was taken turned out not to count."""
        try:
            _give_back()(keys=[self.key])
        except RedisError:
            return

    def clear(self) -> None:
        """Forget what was counted."""
        try:
            _server().delete(self.key)
        except RedisError:
            return


class Ahead:
    """Calls that this process has counted already and not let through yet, by window."""

    AT_ONCE: Final = 100
    WINDOWS_AT_MOST: Final = 10_000

    def __init__(self) -> None:
        self.left: dict[tuple[str, int], tuple[int, float]] = {}
        self.lock = Lock()

    def take(self, window: Window) -> int | None:
        """As `Window.take`; mostly without a question."""
        name = (window.key, window.limit)
        with self.lock:
            left, until = self.left.get(name, (0, 0.0))
            if left and time.monotonic() < until:
                self.left[name] = (left - 1, until)
                return None
        begin = time.monotonic()
        allowed, closes = window.take_some(max(1, window.limit // self.AT_ONCE))
        if not allowed:
            return math.ceil(closes)
        if allowed > 1:
            with self.lock:
                if len(self.left) >= self.WINDOWS_AT_MOST:
                    self.left.clear()
                # Another thread may have asked at the same moment.
                left, until = self.left.get(name, (0, 0.0))
                self.left[name] = (allowed - 1 + (left if begin < until else 0), begin + closes)
        return None


ahead = Ahead()


class CallerThrottle(BaseThrottle):
    """Calls a minute: of a signed-in user, else of an address."""

    seconds: int | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        limits = settings.CALLS_PER_MINUTE
        if request.user.is_authenticated:
            window = Window(f"user {request.user.pk}", limits["user"], MINUTE)
        else:
            window = Window(f"address {address(request)}", limits["anonymous"], MINUTE)
        self.seconds = ahead.take(window)
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


class LinkGuard:
    """Counts links asked for: for one account from anywhere, and from one address for whatever account."""

    def __init__(self, request: HttpRequest, account: str) -> None:
        limits = settings.SIGN_IN_LINKS
        self.account = Window(f"link {account}", limits["account"], limits["seconds"])
        self.place = Window(f"link from {address(request)}", limits["address"], limits["seconds"])

    def begin(self) -> None:
        """Count one, or raise `TooMany`; known and unknown accounts are counted alike."""
        wait = max(self.account.take() or 0, self.place.take() or 0)
        if wait:
            raise TooMany("too_many_links", "Too many links were asked for. Wait a little.", retry_after=wait)


class PasskeyGuard:
    """Counts challenges that one address asks for, and among its failed sign-ins passkeys that open nothing."""

    def __init__(self, request: HttpRequest) -> None:
        limits, failures, place = settings.PASSKEY_CHALLENGES, settings.SIGN_IN_FAILURES, address(request)
        self.challenges = Window(f"challenge {place}", limits["address"], limits["seconds"])
        self.place = Window(f"sign-in {place}", failures["address"], failures["seconds"])

    def ask(self) -> None:
        """Count a challenge, or raise `TooMany`."""
        self._take(self.challenges)

    def begin(self) -> None:
        """Count a try, or raise `TooMany`."""
        self._take(self.place)

    def succeeded(self) -> None:
        """The passkey was right."""
        self.place.give_back()

    def _take(self, window: Window) -> None:
        if wait := window.take():
            raise TooMany("too_many_sign_ins", "Too many failed sign-ins. Wait a little.", retry_after=wait)


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
