"""Whether an address and a password belong together: one check and one count of failures, for API and page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import authenticate

from accounts.http.throttles import SignInGuard
from accounts.refusals import NotSignedIn

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User


def check_credentials(request: HttpRequest, email: str, password: str) -> User:
    """Return the active user whom the two belong to.

    Raises:
        NotSignedIn: `wrong_credentials`, whichever of the two is wrong. TooMany: too many failures lately.
    """
    guard = SignInGuard(request, email.lower())
    guard.begin()
    # Django's backend hashes for unknown addresses too, so both failures take the same time.
    user = authenticate(request, username=email, password=password)
    if user is None:
        raise NotSignedIn("wrong_credentials", "This e-mail address and password do not belong together.")
    guard.succeeded()
    return user
