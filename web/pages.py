"""What every page shares: who may open it, what a refusal looks like, and that nobody keeps a copy."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import audit
from accounts.refusals import Forbidden, NotFound, Refusal
from accounts.rights import may
from web.words import refusal_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    View = Callable[..., HttpResponse]

# The languages that pages have a catalogue for; a reader of any other reads English.
LANGUAGES = ("en", "es")
SAFE = ("GET", "HEAD")


def page(request: HttpRequest, name: str, status: int = 200, *, language: str = "", **context: Any) -> HttpResponse:
    """The page `web/{name}.html`, in this language, else in the reader's. A `site` gives its clinic's name."""
    language = language or spoken()
    with translation.override(language):
        response = render(request, f"web/{name}.html", context, status=status)
    response["Content-Language"] = language
    if name != "home":
        response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def spoken() -> str:
    """The language of this request's reader, as far as pages speak it."""
    language = (translation.get_language() or "en").partition("-")[0]
    return language if language in LANGUAGES else "en"


def page_for(right: str, *methods: str) -> Callable[[View], View]:
    """Make a view a page for the signed-in who hold `right`, a row of `accounts.rights`; GET and HEAD by default.

    "" is for everybody who is signed in: the page is about nobody but the reader.

    Whoever is not signed in comes back to it after signing in. A refusal that the view does not explain itself becomes
    a page that does: what is out of sight is a 404, what is not allowed a 403, everything else keeps its status.
    """

    def make(view: View) -> View:
        @never_cache
        @require_http_methods(methods or ("GET", "HEAD"))
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return redirect(f"{reverse('web:sign-in')}?{urlencode({'next': request.path})}")
            if right and not may(request.user, right):
                raise PermissionDenied
            try:
                # Looking changes nothing, and says itself whom it shows.
                if request.method in SAFE:
                    return view(request, *args, **kwargs)
                with audit.acting(request.user.pk):
                    return view(request, *args, **kwargs)
            except NotFound as refusal:
                raise Http404 from refusal
            except Forbidden as refusal:
                raise PermissionDenied from refusal
            except Refusal as refusal:
                return page(request, "refused", refusal.status, words=refusal_words(refusal))

        return answer

    return make
