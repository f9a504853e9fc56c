"""What must stand in a message of the month that `clerk.py` reads: days and hours in the words of two languages."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from tests.lives import CHICAGO

if TYPE_CHECKING:
    from datetime import datetime

    from tests.lives import Said

DAYS = ("lun", "mar", "mie", "jue", "vie", "sab", "dom")
MONTHS = ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic")


def words(said: Said, language: str) -> list[str]:
    """What must stand in a message, in small letters without accents: day and hour of visits by the site's clock."""
    starts = sorted({start for _, _, start in said.what})
    kinds = {kind for _, kind, _ in said.what}
    if any(kind.startswith("follow_up") for kind in kinds):
        return ["preguntas" if language == "es" else "questions"]
    if said.channel == "sms" and len(said.what) > 1:
        return [f"{len({visit for visit, _, _ in said.what})} visit", *_day_and_hour(starts[0], language)]
    shown = [_day_and_hour(start, language) for start in starts]
    if said.channel == "sms" and kinds == {"no_show"}:
        return [shown[0][0]]
    return [word for both in shown for word in both]


def plain(text: str) -> str:
    """Small letters without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def _day_and_hour(start: datetime, language: str) -> list[str]:
    local = start.astimezone(CHICAGO)
    if language == "es":
        day = f"{DAYS[local.weekday()]} {local.day} {MONTHS[local.month - 1]}"
    else:
        day = f"{local:%a}, {local:%b} {local.day}".casefold()
    return [day, f"{(local.hour + 11) % 12 + 1}:{local:%M} {local:%p %Z}".casefold()]
