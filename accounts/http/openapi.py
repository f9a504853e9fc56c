"""What every operation of the OpenAPI 3.1 document shares, so that rooms describe only their own."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter

PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A problem as RFC 9457 has it. Further members say more: `plans`, `allowed`, `by`, `at`.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable; decide by this."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "RFC 6901 into the body; empty for the whole."},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "parameter": {"type": "string", "description": "The query parameter or header at fault."},
                },
            },
        },
    },
    "examples": [
        {
            "type": "/problems/unknown_field",
            "title": "The request is not valid",
            "status": 400,
            "detail": "There is no such field.",
            "code": "unknown_field",
            "errors": [{"pointer": "/colour", "code": "unknown_field", "detail": "There is no such field."}],
        }
    ],
}

MEANINGS: Final = {
    "400": "Bad input; `errors` says where.",
    "401": "Not signed in.",
    "403": "Signed in, but not allowed.",
    "404": "Not there, or not yours to see; or no such `format`.",
    "409": "The world stands in the way: a race lost, or a state that forbids it.",
    "410": "No longer there.",
    "412": "`If-Match` names another version.",
    "413": "Over 64 KiB.",
    "415": "Not JSON.",
    "422": "Well-formed, but it breaks the rule that `code` names.",
    "429": "Too often; see `Retry-After`.",
    "default": "Any other problem.",
}
# Where a `format` is asked for that there is not, any of them answers 404.
READ: Final = ("400", "404", "429", "default")
WRITE: Final = ("400", "404", "409", "413", "415", "422", "429", "default")

IDEMPOTENCY_KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!-+\--~]{1,255}$"},
    OpenApiParameter.HEADER,
    description="With the same key and body the same answer again, and nothing done twice. Kept 24 hours.",
)
IF_MATCH: Final = OpenApiParameter(
    "If-Match",
    {"type": "string", "examples": ['"3"']},
    OpenApiParameter.HEADER,
    description="The ETag of the version that is to change; 412 if there is a newer one.",
)
ETAG: Final = OpenApiParameter(
    "ETag",
    {"type": "string", "examples": ['"3"']},
    OpenApiParameter.HEADER,
    response=["200", "201"],
    description="The version shown.",
)


class HouseSchema(AutoSchema):
    """Adds problems, `Idempotency-Key`, `If-Match` and `ETag` to each operation that knows them."""

    def get_override_parameters(self) -> list[Any]:
        parameters: list[Any] = []
        if self.method == "POST" and getattr(self.view, "replayable", False):
            parameters.append(IDEMPOTENCY_KEY)
        if getattr(self.view, "versioned", False):
            if not self._is_list_view():
                parameters.append(ETAG)
            if self._has_record() and self.method != "GET":
                parameters.append(IF_MATCH)
        return parameters

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            for status in self._statuses():
                operation["responses"].setdefault(status, self._problem(status).ref)
        return operation

    def _has_record(self) -> bool:
        return "{" in self.path

    def _statuses(self) -> list[str]:
        statuses = list(READ if self.method == "GET" else WRITE)
        if not getattr(self.view, "public", False):
            statuses += ["401", "403"]
        if self._has_record() and self.method != "GET" and getattr(self.view, "versioned", False):
            statuses.append("412")
        return sorted({*statuses, *getattr(self.view, "also_answers", ())})

    def _problem(self, status: str) -> ResolvedComponent:
        schema = ResolvedComponent("Problem", ResolvedComponent.SCHEMA, PROBLEM, "Problem")
        self.registry.register_on_missing(schema)
        answer = ResolvedComponent(
            f"Problem{status.capitalize()}",
            ResolvedComponent.RESPONSE,
            {"description": MEANINGS[status], "content": {"application/problem+json": {"schema": schema.ref}}},
            f"Problem{status}",
        )
        self.registry.register_on_missing(answer)
        return answer
