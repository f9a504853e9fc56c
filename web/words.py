"""What staff read for the codes that records hold."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

ALERTS: Final = {
    "suicide_item": _("A check-in answer needs a call today"),
    "severe_side_effect": _("A severe side effect was reported"),
}


def alert_words(kind: str) -> str:
    """What an alert of this kind says; a kind without words of its own says its name."""
    return gettext(ALERTS[kind]) if kind in ALERTS else kind.replace("_", " ").capitalize()
