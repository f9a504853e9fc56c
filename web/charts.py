"""Scores over time as a drawing that people read: the range, the answers, and the visits between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from notifications.instruments import INSTRUMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from notifications.instruments import Instrument
    from notifications.models import FollowUp

LEFT, RIGHT, TOP, BOTTOM = 34, 330, 16, 128
LABELS_AT_LEAST: Final = 44


@dataclass(frozen=True)
class Dot:
    """One answer: where it is drawn, when it was given, what it came to."""

    x: float
    y: float
    at: datetime
    score: str


@dataclass(frozen=True)
class Mark:
    """One visit: where its line stands; `number` is empty where the line before is too near for words."""

    x: float
    number: int | None


@dataclass(frozen=True)
class Chart:
    """The answers to one instrument, oldest first. `top` is the worst score there is; 0 is the best."""

    title: str
    top: int
    dots: tuple[Dot, ...]
    marks: tuple[Mark, ...]

    @property
    def first(self) -> Dot:
        """The oldest answer."""
        return self.dots[0]

    @property
    def last(self) -> Dot:
        """The latest answer."""
        return self.dots[-1]

    @property
    def curve(self) -> str:
        """The line through the answers, as SVG writes a path."""
        return "M" + " L".join(f"{dot.x} {dot.y}" for dot in self.dots)


def chart(code: str, answers: Sequence[FollowUp], visits: Sequence[tuple[int, datetime]]) -> Chart | None:
    """Draw the answers to one instrument between the visits (number, start); None where there are fewer than two."""
    known = [(each.answered_at, each.score) for each in answers if each.answered_at and each.score is not None]
    if len(known) < 2:
        return None
    instrument = INSTRUMENTS[code]
    top = worst(instrument)
    begin, end = known[0][0], known[-1][0]

    def across(at: datetime) -> float:
        whole = (end - begin).total_seconds() or 1
        return round(LEFT + 6 + (at - begin).total_seconds() / whole * (RIGHT - LEFT - 40), 1)

    dots = tuple(
        Dot(across(at), round(BOTTOM - float(score) / top * (BOTTOM - TOP), 1), at, f"{score.normalize():f}")
        for at, score in known
    )
    return Chart(instrument.title, top, dots, _marks([(n, across(at)) for n, at in visits if begin <= at <= end]))


def _marks(places: Sequence[tuple[int, float]]) -> tuple[Mark, ...]:
    marks, named_at = [], float("-inf")
    for number, x in places:
        roomy = x - named_at >= LABELS_AT_LEAST
        named_at = x if roomy else named_at
        marks.append(Mark(x, number if roomy else None))
    return tuple(marks)


def worst(instrument: Instrument) -> int:
    """The highest score that the instrument can come to."""
    tops = [max(option.value for option in item.options) for item in instrument.items if item.scored]
    return sum(tops) if instrument.rule == "sum" else max(tops)
