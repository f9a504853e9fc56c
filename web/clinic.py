"""The clinic as its managers keep it: one page that leads to what is given, how it runs, who is there, what is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from accounts.queries import staffed_sites
from accounts.rights import may
from web.pages import page, page_for

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import User


@dataclass(frozen=True)
class Way:
    """One page that the index leads to: its address by name, what it is, what one does there, the right it asks for."""

    name: str
    word: str
    what: str
    icon: str
    right: str


GROUPS: Final[tuple[tuple[str, tuple[Way, ...]], ...]] = (
    (
        _("What is given"),
        (
            Way(
                "web:protocols",
                _("Protocols"),
                _("Courses in versions, with their sources; what changed, and who approved it."),
                "heart",
                "protocols.list",
            ),
        ),
    ),
    (
        _("How it runs"),
        (
            Way(
                "web:utilisation",
                _("Utilisation"),
                _("Chairs and nurses, visits missed, delays, in pictures and numbers."),
                "board",
                "reports.utilisation",
            ),
        ),
    ),
    (
        _("Where and who"),
        (
            Way(
                "web:supply",
                _("Chairs, people, hours"),
                _("Who and what there is, when the clinic is open, what is closed."),
                "place",
                "chair-closures.list",
            ),
            Way(
                "web:staff",
                _("Users and roles"),
                _("Who signs in and what they may do; inviting somebody, ending somebody's access."),
                "person",
                "users.list",
            ),
        ),
    ),
    (
        _("What is said"),
        (
            Way(
                "web:ledger",
                _("Message ledger"),
                _("Every message, what became of it and why; saying one again."),
                "mail",
                "notifications.export",
            ),
            Way(
                "web:message-templates",
                _("Templates"),
                _("What messages say, in both languages, with a preview."),
                "pen",
                "wordings.preview",
            ),
        ),
    ),
)


@page_for("board.list")
def index(request: HttpRequest) -> HttpResponse:
    """The index; only what the reader may open stands on it."""
    user = cast("User", request.user)
    groups = []
    for title, ways in GROUPS:
        open_ways = [
            {"url": reverse(way.name), "word": gettext(way.word), "what": gettext(way.what), "icon": way.icon}
            for way in ways
            if may(user, way.right)
        ]
        if open_ways:
            groups.append((gettext(title), open_ways))
    return page(request, "clinic", groups=groups, site=staffed_sites(user).order_by("name", "id").first())
