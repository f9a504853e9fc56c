"""Scores with which a patient may go home: their items, as published. Each item is 0, 1 or 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from accounts.refusals import RuleBroken

if TYPE_CHECKING:
    from collections.abc import Mapping

# Modified Aldrete, five items (StatPearls 155763); post-anaesthetic discharge (clinmedjournals ijodh-2-036, table 4).
ITEMS: Final = {
    "aldrete": ("activity", "respiration", "circulation", "consciousness", "spo2"),
    "padss": ("vital_signs", "activity_and_mental_state", "pain_nausea_vomiting", "bleeding", "intake_output"),
}


def total(instrument: str | None, items: Mapping[str, int] | None, score: int | None) -> int | None:
    """The score; where items are given, their sum.

    Raises:
        RuleBroken: `score_items` where they are not the instrument's, `score_sum` where they come to another score.
    """
    if items is None:
        return score
    if set(items) != set(ITEMS.get(instrument or "", ())):
        raise RuleBroken("score_items", "These are not the items of the instrument.")
    found = sum(items.values())
    if score is not None and score != found:
        raise RuleBroken("score_sum", "The items come to another score.", sum=found)
    return found
