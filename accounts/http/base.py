"""Base classes of every endpoint. They keep the contract's order of answers, so that no room has to:

unparsable 400, not signed in 401, out of sight 404, not allowed 403, state 409, bad input 400, broken rule 422.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from django.core.exceptions import ImproperlyConfigured
from rest_framework import permissions, serializers
from rest_framework.exceptions import APIException, MethodNotAllowed
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import audit, rights
from accounts.http import conditions, idempotency, parsing, problems
from accounts.http.authentication import CHALLENGE, BearerAuthentication, PageAuthentication
from accounts.http.query import check_parameters
from accounts.http.rendering import JSONRenderer
from accounts.http.throttles import CallerThrottle
from accounts.refusals import Forbidden

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

    from accounts.models import User

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
PRIVATE: Final = "private, no-store"


class ApiView(APIView):
    """What all endpoints share. A view says who may call it by one of `public`, `signed_in_suffices` and `right`.

    An endpoint that is no record names its row of `accounts.rights`: `right = "availability.list"`.
    """

    public: ClassVar[bool] = False
    signed_in_suffices: ClassVar[bool] = False
    # Where answers must not be kept (they hold a secret), a key is checked and then of no effect.
    replayable: ClassVar[bool] = True
    # Query parameters beyond those of paging and filters.
    query_parameters: ClassVar[frozenset[str]] = frozenset()
    # Whether answers carry an ETag and changes take If-Match; for the OpenAPI document.
    versioned: ClassVar[bool] = False
    # Statuses of problems beyond those that every operation of its kind has; for the OpenAPI document.
    also_answers: ClassVar[frozenset[str]] = frozenset()
    # What bodies are.
    media_type: ClassVar[str] = "application/json"

    authentication_classes: Any = (BearerAuthentication, PageAuthentication)
    parser_classes: Any = (parsing.StrictJSONParser,)
    renderer_classes: Any = (JSONRenderer,)
    throttle_classes: Any = (CallerThrottle,)

    request: Request
    record: Any = None
    expected: frozenset[str] | None = None
    idempotency_key: str | None = None
    _body: dict[str, Any]

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Answer one request; every exception becomes a problem."""
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            self.initial(self.request, *args, **kwargs)
            response: HttpResponseBase = self._act(self.request, *args, **kwargs)
        except Exception as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(self.request, response, *args, **kwargs)
        return self.response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Everything up to 403, in the contract's order; throttled before any work is done."""
        self.format_kwarg = None
        self._check_method(request)
        negotiated = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = negotiated
        request.version = request.versioning_scheme = None
        if request.method not in SAFE:
            parsing.check_headers(request, self.media_type)
        trouble = self._authenticate(request)
        self.check_throttles(request)
        if request.method == "OPTIONS":
            return
        self._read(request)
        if trouble is not None:
            raise trouble
        self.check_permissions(request)
        self.find_record()
        self._check_right(request)
        check_parameters(request, self.known_parameters())

    def _check_method(self, request: Request) -> None:
        """405 before anything else, for a method that is not there says nothing about anybody."""
        if "HTTP_X_HTTP_METHOD_OVERRIDE" in request.META or not hasattr(self, (request.method or "").lower()):
            raise MethodNotAllowed(request.method or "")

    def _authenticate(self, request: Request) -> APIException | None:
        try:
            self.perform_authentication(request)
        except APIException as error:
            return error
        return None

    def _read(self, request: Request) -> None:
        """Parse what can be unparsable: body, Idempotency-Key, If-Match."""
        if request.method in SAFE:
            return
        self.expected = conditions.expected_versions(request.META.get("HTTP_IF_MATCH"))
        if request.method == "POST":
            self.idempotency_key = idempotency.key_of(request)
        # DRF gives an empty QueryDict for an empty body; `body_data` is a plain dict in both cases.
        self._body = dict(request.data) if parsing.content_length(request) else {}

    @property
    def body_data(self) -> dict[str, Any]:
        """The body as a dict; `{}` where there is none."""
        return self._body

    def get_permissions(self) -> list[permissions.BasePermission]:
        """Sign-in only; what a role may do is asked of `accounts.rights`, after sight."""
        return [permissions.AllowAny() if self.public else permissions.IsAuthenticated()]

    def get_authenticate_header(self, request: Request) -> str:
        """The challenge of every 401, so that DRF never turns one into a 403."""
        return CHALLENGE

    def get_exception_handler(self) -> Callable[..., Response]:
        """All exceptions become problems."""
        return problems.handle

    @property
    def user(self) -> User:
        """Who calls. Of a public endpoint it may be Django's AnonymousUser, which has no rights."""
        return cast("User", self.request.user)

    def find_record(self) -> None:
        """Set `record`, or raise `NotFound`. Views with a record in their path do."""

    @property
    def right(self) -> str:
        """The action's name in `accounts.rights`."""
        raise ImproperlyConfigured(f"{type(self).__name__} says neither its right nor that it is open")

    def _check_right(self, request: Request) -> None:
        if self.public or self.signed_in_suffices:
            return
        if not rights.may(self.user, self.right):
            raise Forbidden

    def known_parameters(self) -> frozenset[str]:
        """Query parameters that this call takes."""
        return self.query_parameters | {"format"}

    def check_state(self) -> None:
        """Hook: raise `Conflict` where the state of `record` forbids the action, before the body is judged.

        A first look without a lock; the use case looks again under it.
        """

    def _act(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        handler = getattr(self, (request.method or "").lower())
        if request.method in SAFE:
            return handler(request, *args, **kwargs)

        def act() -> HttpResponseBase:
            self.check_state()
            return handler(request, *args, **kwargs)

        with audit.acting(request.user.pk if request.user.is_authenticated else None):
            if self.idempotency_key is None or not self.replayable:
                return act()
            return idempotency.once(request, self.idempotency_key, self.body_data, act)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Which methods there are, in `Allow`."""
        return Response(status=204)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        """No answer is kept by a cache on the way: nearly all tell of a patient."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response.setdefault("Cache-Control", PRIVATE)
        return response

    def body(self, serializer_class: type[serializers.BaseSerializer], **kwargs: Any) -> dict[str, Any]:
        """The request's body as `serializer_class` understands it; 400 with every fault otherwise."""
        serializer = serializer_class(data=self.body_data, context={"request": self.request, "view": self}, **kwargs)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)
