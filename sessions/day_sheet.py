"""The day sheet: a site's day as rows, to be printed or opened in a spreadsheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sessions.models import GONE

if TYPE_CHECKING:
    from datetime import datetime

    from sessions.board import Board

HEADER: Final = ("start", "end", "chair", "patient", "visit", "nurse", "state", "open before the start or the way home")


@dataclass(frozen=True)
class Line:
    """One visit; `open` holds names of gates. Given name and initial only: a sheet may lie about."""

    start: datetime
    end: datetime
    chair: str
    patient: str
    visit: str
    nurse: str
    state: str
    open: tuple[str, ...]


def lines(board: Board) -> list[Line]:
    """The day's visits by start, without those that do not take place."""
    names = {chair.pk: chair.name for chair in board.chairs}
    rows = [each for each in board.shown if each.session.status not in GONE]
    return [
        Line(
            start=each.session.start,
            end=each.visit.expected.end,
            chair=names.get(each.session.chair_id, ""),
            patient=f"{each.session.patient.given_name} {each.session.patient.family_name[:1]}.",
            visit=f"{each.session.sequence}/{each.of}",
            nurse=each.session.nurse.name,
            state=each.session.status,
            open=each.open_gates,
        )
        for each in sorted(rows, key=lambda each: (each.session.start, each.session.pk))
    ]
