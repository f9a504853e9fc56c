"""Every error as `application/problem+json` (RFC 9457): one shape, and a `code` to decide by."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.signals import got_request_exception
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from django.views.csrf import csrf_failure
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings

from accounts.http.authentication import CHALLENGE
from accounts.refusals import Conflict, Fault, Forbidden, NotFound, Refusal, Unavailable, sql_state

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
MOST_ERRORS: Final = 100

TITLES: Final = {
    400: "The request is not valid",
    401: "Sign in first",
    403: "You may not do this",
    404: "Not found",
    405: "This cannot be done here",
    406: "Only JSON is given",
    409: "The present state stands in the way",
    410: "No longer there",
    411: "The length is missing",
    412: "This has changed meanwhile",
    413: "The request is too large",
    415: "Only JSON is taken",
    422: "This breaks a rule",
    429: "Too many requests",
    500: "Something went wrong on our side",
    503: "Not available just now",
}

# What a framework calls a fault -> what the contract calls it.
CODES: Final = {
    "not_authenticated": "not_signed_in",
    "authentication_failed": "bad_token",
    "permission_denied": "forbidden",
    "parse_error": "invalid",
    "throttled": "too_many",
    "not_a_list": "type",
    "not_a_dict": "type",
    "error": "internal_error",
}


class Clash(NamedTuple):
    """What to answer where the database refuses: a status, a code and a plain sentence."""

    status: int
    code: str
    detail: str


# Name of a constraint (as PostgreSQL reports it) -> answer. Rooms add theirs with `name_constraint`.
_clashes: dict[str, Clash] = {}

# By SQLSTATE, where the constraint has no name of its own here.
_BY_STATE: Final = {
    "23505": Clash(409, "already_exists", "There is already such a record."),
    "23P01": Clash(409, "taken", "Something that this needs is taken at that time."),
    "23503": Clash(409, "in_use", "Another record depends on this one, or is gone."),
    "23514": Clash(409, "conflict", "The database refuses this in the present state."),
    "P0001": Clash(409, "conflict", "The database refuses this in the present state."),
    "40001": Clash(409, "try_again", "Somebody else changed this at the same moment. Try again."),
    "40P01": Clash(409, "try_again", "Somebody else changed this at the same moment. Try again."),
    "55P03": Clash(409, "busy", "Somebody else is changing this. Try again."),
    "57014": Clash(503, "too_slow", "This took too long. Try again."),
}


def name_constraint(name: str, code: str, detail: str, status: int = 409) -> None:
    """Say what a break of the database constraint `name` means. Call it where the room's API is loaded."""
    _clashes[name] = Clash(status, code, detail)


def handle(exc: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler: the problem that `exc` is. Never None, so nothing leaves as HTML."""
    request = context.get("request")
    body, headers = describe(exc, request=getattr(request, "_request", request))
    return Response(body, status=body["status"], headers=headers, content_type=MEDIA_TYPE)


def describe(exc: BaseException, request: HttpRequest | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    """The body and headers for an exception. One that nobody foresaw is logged, without the values it carries."""
    match exc:
        case Refusal():
            return _from_refusal(exc)
        case exceptions.ValidationError():
            return _from_faults(list(flatten(exc.detail))), {}
        case exceptions.APIException():
            return _from_rest(exc)
        case DjangoValidationError():
            return _from_faults(list(_model_faults(exc))), {}
        case Http404():
            return _from_refusal(NotFound())
        case PermissionDenied():
            return _from_refusal(Forbidden())
        case RequestDataTooBig():
            return problem(413, "too_large", "The request is too large."), {}
        case SuspiciousOperation() | BadRequest():
            return problem(400, "bad_request", "The request is not valid."), {}
        case ProtectedError() | RestrictedError():
            return _from_refusal(Conflict("in_use", "Other records depend on this one."))
        case DatabaseError() | InterfaceError():
            known = _from_database(exc)
            if known is not None:
                return known
    _log_without_values(exc)
    if request is not None:
        got_request_exception.send(sender=None, request=request)
    return problem(500, "internal_error", "Something went wrong on our side. It has been noted."), {}


def problem(status: int, code: str, detail: str, errors: list[Fault] | None = None, **extra: Any) -> dict[str, Any]:
    """One problem body. `type` is stable and belongs to `code`; extras never overwrite a standard member."""
    body: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if errors:
        body["errors"] = errors[:MOST_ERRORS]
    return {**extra, **body}


def _from_refusal(refusal: Refusal) -> tuple[dict[str, Any], dict[str, str]]:
    headers = {"WWW-Authenticate": CHALLENGE} if refusal.status == 401 else {}
    wait = getattr(refusal, "retry_after", None)
    if wait is not None:
        headers["Retry-After"] = str(max(1, int(wait)))
    return problem(refusal.status, refusal.code, refusal.detail, refusal.errors, **refusal.extra), headers


def _from_rest(exc: exceptions.APIException) -> tuple[dict[str, Any], dict[str, str]]:
    headers: dict[str, str] = {}
    code = getattr(exc.detail, "code", None) or exc.default_code
    detail = str(exc.detail)
    if exc.status_code == 401:
        headers["WWW-Authenticate"] = CHALLENGE
    if isinstance(exc, exceptions.Throttled):
        headers["Retry-After"] = str(max(1, int(getattr(exc, "wait", None) or 1)))
    if detail.startswith("CSRF Failed"):
        code = "csrf_failed"
    if exc.status_code == 404:
        detail = NotFound.default_detail
    code = CODES.get(code, code)
    faults = [Fault(pointer="", code=code, detail=detail)] if exc.status_code == 400 else None
    return problem(exc.status_code, code, detail, faults), headers


def _from_faults(faults: list[Fault]) -> dict[str, Any]:
    codes = {fault["code"] for fault in faults}
    if len(codes) == 1:
        return problem(400, faults[0]["code"], faults[0]["detail"], faults)
    return problem(400, "invalid", "Some of what was sent is not valid.", faults)


def flatten(detail: Any, pointer: str = "") -> Iterator[Fault]:
    """The faults in DRF's nested error detail, each with its RFC 6901 pointer."""
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            whole = key == api_settings.NON_FIELD_ERRORS_KEY
            yield from flatten(inner, pointer if whole else f"{pointer}/{_escaped(key)}")
    elif isinstance(detail, list | tuple):
        for index, inner in enumerate(detail):
            leaf = isinstance(inner, str)
            yield from flatten(inner, pointer if leaf else f"{pointer}/{index}")
    else:
        code = getattr(detail, "code", "invalid")
        yield Fault(pointer=pointer, code=CODES.get(code, code), detail=str(detail))


def _escaped(key: Any) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _model_faults(exc: DjangoValidationError) -> Iterator[Fault]:
    by_field = exc.error_dict if hasattr(exc, "error_dict") else {"__all__": exc.error_list}
    for field, errors in by_field.items():
        for error in errors:
            pointer = "" if field == "__all__" else f"/{_escaped(field)}"
            yield Fault(pointer=pointer, code=error.code or "invalid", detail=" ".join(error.messages))


def _from_database(exc: BaseException) -> tuple[dict[str, Any], dict[str, str]] | None:
    """The answer to a refusal by PostgreSQL, or None where it shows a fault of ours (no such column, NULL)."""
    state, constraint = sql_state(exc)
    clash = _clashes.get(constraint or "") or _BY_STATE.get(state or "")
    if clash is None and (isinstance(exc, DataError) or (state or "").startswith("22")):
        clash = Clash(400, "out_of_range", "A value is outside what can be stored.")
    if clash is None and isinstance(exc, OperationalError | InterfaceError):
        _log_without_values(exc)
        return _from_refusal(Unavailable())
    if clash is None:
        return None
    if constraint and constraint not in _clashes and isinstance(exc, IntegrityError):
        log.info("constraint %s refused a change (SQLSTATE %s)", constraint, state)
    headers = {"Retry-After": "1"} if clash.status == 503 or state in {"40001", "40P01", "55P03"} else {}
    return problem(clash.status, clash.code, clash.detail), headers


def _log_without_values(exc: BaseException) -> None:
    """Log where it happened and what kind it is. Messages stay out: PostgreSQL's DETAIL line holds the row."""
    state, constraint = sql_state(exc)
    kinds = " from ".join(type(each).__qualname__ for each in _chain(exc))
    frames = "".join(traceback.format_tb(exc.__traceback__))
    log.error("unforeseen %s (SQLSTATE %s, constraint %s)\n%s", kinds, state, constraint, frames)


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__


def _plain(body: dict[str, Any], headers: Mapping[str, str] | None = None) -> HttpResponse:
    return JsonResponse(
        body, status=body["status"], content_type=MEDIA_TYPE, headers={**(headers or {}), "Cache-Control": "no-store"}
    )


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def handler400(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """What Django refuses before any view runs: a foreign host, a request too big."""
    body, headers = describe(exception)
    if body["status"] not in {400, 413}:
        body, headers = problem(400, "bad_request", "The request is not valid."), {}
    return _plain(body, headers) if _is_api(request) else defaults.bad_request(request, exception)


def handler403(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """A refusal outside of the API's own views."""
    body, headers = _from_refusal(Forbidden())
    return _plain(body, headers) if _is_api(request) else defaults.permission_denied(request, exception)


def handler404(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """An address that leads nowhere."""
    body, headers = _from_refusal(NotFound())
    return _plain(body, headers) if _is_api(request) else defaults.page_not_found(request, exception)


def handler500(request: HttpRequest) -> HttpResponseBase:
    """A fault of ours outside of the API's own views."""
    body = problem(500, "internal_error", "Something went wrong on our side. It has been noted.")
    return _plain(body) if _is_api(request) else defaults.server_error(request)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Django's `CSRF_FAILURE_VIEW`."""
    if not _is_api(request):
        return csrf_failure(request, reason)
    return _plain(problem(403, "csrf_failed", "The CSRF token is missing or not that of this session."))
