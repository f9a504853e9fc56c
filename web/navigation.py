"""The pages that stand in everybody's header, by what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from accounts.rights import is_staff, may

if TYPE_CHECKING:
    from accounts.models import User


@dataclass(frozen=True)
class Place:
    """One entry: the address by its name, the word, the icon, and the row of `accounts.rights` that opens it."""

    name: str
    word: str
    icon: str
    right: str


STAFF: Final[tuple[Place, ...]] = (
    Place("web:desk", _("Arrivals"), "arrived", "sessions.arrive"),
    Place("web:patients", _("Patients"), "person", "patients.list"),
    Place("web:alerts", _("Alerts"), "bell", "alerts.list"),
    Place("web:disruptions", _("Disruptions"), "swap", "disruptions.list"),
    Place("web:waitlist", _("Waitlist"), "clock", "waitlist-entries.list"),
    Place("web:board", _("Today"), "board", "board.list"),
    Place("web:availability", _("Availability"), "calendar", "availability-rules.create"),
    Place("web:clinic", _("Clinic"), "place", "board.list"),
)
PATIENTS: Final[tuple[Place, ...]] = (
    Place("web:visits", _("My visits"), "calendar", "series.list"),
    Place("web:book", _("Book visits"), "plus", "plans.create"),
)


def places(user: User, path: str) -> list[dict[str, object]]:
    """What the person finds in the header; `here` is the longest address that the present one begins with."""
    offered = STAFF if is_staff(user) else PATIENTS
    found = [(reverse(each.name), each) for each in offered if may(user, each.right)]
    here = max((url for url, _ in found if path.startswith(url)), key=len, default="")
    return [{"url": url, "word": gettext(each.word), "icon": each.icon, "here": url == here} for url, each in found]


def first_page(user: User) -> str:
    """The name of the page that the person begins with."""
    return next((each.name for each in (STAFF if is_staff(user) else PATIENTS) if may(user, each.right)), "web:home")
