"""The day sheet: a page to print, and the same as a table for a spreadsheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.utils import translation

from accounts import clock
from accounts.http.sheets import as_csv
from sessions.board import board
from sessions.day_sheet import HEADER, lines
from web import wording
from web.board import asked, seen
from web.pages import page, page_for
from web.words import gate_words, state_words

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest


@page_for("board.list")
def page_of(request: HttpRequest) -> HttpResponse:
    """One site's day to be printed: `?site=&date=`, by default the reader's first site, today."""
    site, day = asked(request)
    found = board(site, day, clock.now())
    seen(request, found)
    return page(
        request,
        "day_sheet",
        site=site,
        date=day,
        title=wording.long_day(day),
        now=found.now,
        lines=[(line, state_words(line.state), gate_words(line.open)) for line in lines(found)],
    )


@page_for("board.list")
def table_of(request: HttpRequest) -> HttpResponse:
    """The same as CSV, times on the clinic's clock."""
    site, day = asked(request)
    found = board(site, day, clock.now())
    seen(request, found)

    def wall(at: datetime) -> str:
        return f"{wording.local(at, site.time_zone):%H:%M}"

    # A spreadsheet's heads and words are those of the API, whoever opens it.
    with translation.override("en"):
        said = [(line, state_words(line.state), gate_words(line.open)) for line in lines(found)]
    rows = [
        (wall(row.start), wall(row.end), row.chair, row.patient, row.visit, row.nurse, state, waits)
        for row, state, waits in said
    ]
    response = HttpResponse(as_csv(HEADER, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="day-{day:%Y-%m-%d}.csv"'
    return response
