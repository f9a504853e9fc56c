"""What staff read for the codes that records hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

if TYPE_CHECKING:
    from accounts.refusals import Refusal

ALERTS: Final = {
    "suicide_item": _("A check-in answer needs a call today"),
    "severe_side_effect": _("A severe side effect was reported"),
}

# Refusals that patients meet, in their language; the others speak the API's English.
REFUSALS: Final = {
    "wrong_credentials": _("This e-mail address and password do not belong together."),
    "too_many_sign_ins": _("Too many failed sign-ins. Wait a little."),
    "too_many_links": _("Too many links were asked for. Wait a little."),
    "too_many_holds": _("You hold too many plans at once. Book one, or wait until one is free again."),
    "no_order": _("A prescriber has to order this treatment before you can plan or book it."),
}


def refusal_words(refusal: Refusal) -> str:
    """What a refusal says to the reader."""
    return gettext(REFUSALS[refusal.code]) if refusal.code in REFUSALS else refusal.detail


def alert_words(kind: str) -> str:
    """What an alert of this kind says; a kind without words of its own says its name."""
    return gettext(ALERTS[kind]) if kind in ALERTS else kind.replace("_", " ").capitalize()
