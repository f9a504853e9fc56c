"""What a use case raises when it will not do what was asked. Knows nothing of HTTP libraries or Django.

`accounts.http.problems` renders each as `application/problem+json`: `status`, `code` and `detail` as they stand here,
`errors` for single faults in the input, and every key of `extra` as a further member of the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NotRequired, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable


class Fault(TypedDict):
    """One fault in the input. `pointer` is RFC 6901 into the body, "" for the whole of it.

    `parameter` names a query parameter or header where the fault lies outside the body.
    """

    pointer: str
    code: str
    detail: str
    parameter: NotRequired[str]


class Refusal(Exception):  # noqa: N818  (the word of this house)
    """Base of all refusals: `code` is a stable snake_case word, `detail` a plain sentence without personal data."""

    status: ClassVar[int] = 400
    default_code: ClassVar[str] = "refused"
    default_detail: ClassVar[str] = "This was refused."

    def __init__(
        self,
        code: str | None = None,
        detail: str | None = None,
        *,
        errors: Iterable[Fault] = (),
        **extra: Any,
    ) -> None:
        self.code = code or self.default_code
        self.detail = detail or self.default_detail
        self.errors: list[Fault] = list(errors)
        self.extra: dict[str, Any] = extra
        super().__init__(self.code, self.detail)


class Invalid(Refusal):
    """400: the input itself is at fault. `Invalid("/start", "off_grid", "Starts lie on five-minute marks.")`."""

    status = 400
    default_code = "invalid"
    default_detail = "The request is not valid."

    def __init__(self, pointer: str, code: str, detail: str, **extra: Any) -> None:
        super().__init__(code, detail, errors=[Fault(pointer=pointer, code=code, detail=detail)], **extra)

    @classmethod
    def many(cls, faults: Iterable[Fault]) -> Invalid:
        """One refusal for several faults (at least one); its own code is theirs where they agree, else `invalid`."""
        listed = list(faults)
        first = listed[0]
        refusal = cls(first["pointer"], first["code"], first["detail"])
        refusal.errors = listed
        if len({fault["code"] for fault in listed}) > 1:
            refusal.code, refusal.detail = cls.default_code, cls.default_detail
        return refusal


class NotSignedIn(Refusal):
    """401: who asks is not known, or the sign-in did not hold."""

    status = 401
    default_code = "not_signed_in"
    default_detail = "Sign in first."


class Forbidden(Refusal):
    """403: signed in, sees the record, may not do this."""

    status = 403
    default_code = "forbidden"
    default_detail = "You may not do this."


class NotFound(Refusal):
    """404: not there, or not yours to see; the two look alike."""

    status = 404
    default_code = "not_found"
    default_detail = "There is nothing here that you can see."


class Conflict(Refusal):
    """409: the world stands in the way. Extra members say how: `plans=[...]`, `allowed=[...]`, `by=`, `at=`.

    `retry_after` (whole seconds), where given, becomes the header `Retry-After`.
    """

    status = 409
    default_code = "conflict"
    default_detail = "The present state does not allow this."

    def __init__(
        self, code: str | None = None, detail: str | None = None, *, retry_after: int | None = None, **extra: Any
    ) -> None:
        super().__init__(code, detail, **extra)
        self.retry_after = retry_after


class Gone(Refusal):
    """410: it was here once; `code` says what ended it."""

    status = 410
    default_code = "gone"
    default_detail = "This is no longer open."


class Stale(Refusal):
    """412: `If-Match` names another version than the present one."""

    status = 412
    default_code = "stale"
    default_detail = "This has changed since you read it."


class RuleBroken(Refusal):
    """422: well-formed, but it breaks the rule that `code` names."""

    status = 422
    default_code = "rule_broken"
    default_detail = "This breaks a rule."


class TooMany(Refusal):
    """429: too often; `retry_after` in whole seconds."""

    status = 429
    default_code = "too_many"
    default_detail = "Too many requests."

    def __init__(
        self, code: str | None = None, detail: str | None = None, *, retry_after: int = 60, **extra: Any
    ) -> None:
        super().__init__(code, detail, **extra)
        self.retry_after = retry_after


class Unavailable(Refusal):
    """503: a part that this needs does not answer; `retry_after` in whole seconds."""

    status = 503
    default_code = "unavailable"
    default_detail = "A part of the service does not answer just now."

    def __init__(
        self, code: str | None = None, detail: str | None = None, *, retry_after: int = 5, **extra: Any
    ) -> None:
        super().__init__(code, detail, **extra)
        self.retry_after = retry_after


def require_version(expected: frozenset[str] | None, version: int) -> None:
    """Refuse with `Stale` where the caller named versions (`If-Match`) and the present one is not among them.

    Call it under the row's lock. `expected` is what `RecordViewSet.expected` holds: None where nothing was named.
    """
    if expected is not None and str(version) not in expected:
        raise Stale(version=version)


def sql_state(exc: BaseException) -> tuple[str | None, str | None]:
    """SQLSTATE and constraint name of the PostgreSQL error behind a Django database error, where there is one."""
    cause = exc.__cause__
    diagnosis = getattr(cause, "diag", None)
    return getattr(cause, "sqlstate", None), getattr(diagnosis, "constraint_name", None)
