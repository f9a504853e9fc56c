"""`Idempotency-Key`: a POST that is sent again is answered again, and done once.

The claim on a key, the effect and the stored answer are one transaction, so a crash leaves all of them or none.
The claim is a row with a unique (caller, key). A second request with that key waits at the insert until the first has
ended: then it finds the answer, or, where the first was refused and left nothing, it runs itself. The claim is the
first lock that a request takes and nobody who holds another lock ever waits for it, so it adds no deadlock.

Refusals are not stored: a retry is judged by the world as it then is. What a handler committed by itself before it
refused (fresh plans beside a lost race, say) stays, just as it does without a key.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, OperationalError, connection, transaction
from django.http import Http404, HttpResponse
from rest_framework.exceptions import APIException
from rest_framework.response import Response

from accounts import clock
from accounts.http.query import bad_parameter
from accounts.http.rendering import JSONRenderer
from accounts.models import IdempotencyKey
from accounts.refusals import Conflict, Refusal, RuleBroken, sql_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

LIFE: Final = timedelta(hours=24)
LONGEST_WAIT: Final = "5s"
KEPT_HEADERS: Final = ("Location", "ETag")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_RUNNING: Final = 0


def key_of(request: Request) -> str | None:
    """The request's key, None without one; 400 unless it is one header of 1 to 255 visible ASCII characters."""
    raw = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if raw is None:
        return None
    # WSGI joins two headers of one name with a comma; a key has none, or two keys could pass for one.
    if not _KEY.fullmatch(raw) or "," in raw:
        raise bad_parameter("Idempotency-Key", "bad_idempotency_key", "A key is 1 to 255 visible ASCII characters.")
    return raw


def once(request: Request, key: str, body: dict[str, Any], act: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Run `act` and keep its answer under `key`, or give the kept one. 422 for another request, 409 while one runs."""
    refused: Exception | None = None
    fingerprint = _fingerprint(request, body)
    try:
        with transaction.atomic():
            mine, row = _claim(_caller(request), key, fingerprint)
            if not mine:
                return _replay(row, fingerprint)
            try:
                response = act()
            except (Refusal, APIException, Http404, PermissionDenied) as error:
                refused = error
            if refused is None and _keep(row, response):
                return response
            row.delete()
    except DatabaseError:
        if refused is None:
            raise
    if refused is not None:
        raise refused
    return response


def forget_expired() -> int:
    """Delete keys past their life; how many there were. For a periodic task."""
    return IdempotencyKey.objects.filter(created_at__lt=clock.now() - LIFE).delete()[0]


def _claim(caller: str, key: str, fingerprint: str) -> tuple[bool, IdempotencyKey]:
    """Whether the key is ours to run, and its row."""
    IdempotencyKey.objects.filter(caller=caller, key=key, created_at__lt=clock.now() - LIFE).delete()
    try:
        inserted = _insert(caller, key, fingerprint)
    except OperationalError as error:
        if sql_state(error)[0] != "55P03":
            raise
        raise Conflict("still_running", "The first request with this key still runs.", retry_after=1) from None
    row = IdempotencyKey.objects.filter(caller=caller, key=key).first()
    if row is None:
        # The other one was refused or expired between the two statements.
        raise Conflict("still_running", "The first request with this key has just ended.", retry_after=1)
    return inserted, row


def _insert(caller: str, key: str, fingerprint: str) -> bool:
    """Insert the claim unless there is one; waits for a claim that is not committed yet. Whether it was ours."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        before = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LONGEST_WAIT])
        cursor.execute(
            f"INSERT INTO {IdempotencyKey._meta.db_table}"  # noqa: S608  (a table name of ours)
            " (caller, key, fingerprint, status, headers, body, created_at) VALUES (%s, %s, %s, %s, '{}', '', %s)"
            " ON CONFLICT (caller, key) DO NOTHING",
            [caller, key, fingerprint, _RUNNING, clock.now()],
        )
        inserted = cursor.rowcount == 1
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [before])
    return inserted


def _caller(request: Request) -> str:
    """Whose key it is: the user's; without sign-in, that of the address called, which then carries a token."""
    if request.user.is_authenticated:
        return str(request.user.pk)
    return hashlib.sha256(request.path.encode()).hexdigest()


def _fingerprint(request: Request, body: dict[str, Any]) -> str:
    said = json.dumps([request.method, request.get_full_path(), body], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _replay(row: IdempotencyKey, fingerprint: str) -> HttpResponseBase:
    if row.fingerprint != fingerprint:
        raise RuleBroken("idempotency_key_reused", "This key was used for another request.")
    return HttpResponse(row.body.encode(), status=row.status, headers={**row.headers, "Idempotency-Replayed": "true"})


def _keep(row: IdempotencyKey, response: HttpResponseBase) -> bool:
    """Store an answer that tells of something done; whether it was one."""
    if response.status_code >= 400 or not isinstance(response, Response | HttpResponse):
        return False
    row.status = response.status_code
    row.body = _text(response)
    row.headers = {name: response[name] for name in KEPT_HEADERS if response.has_header(name)}
    if row.body:
        row.headers["Content-Type"] = "application/json" if isinstance(response, Response) else response["Content-Type"]
    row.save(update_fields=["status", "body", "headers"])
    return True


def _text(response: Response | HttpResponse) -> str:
    if not isinstance(response, Response):
        return response.content.decode()
    if response.data is None:
        return ""
    return JSONRenderer().render(response.data).decode()
