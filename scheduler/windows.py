"""On which dates one session of a series may lie while the others stay where they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from scheduler.treatment import Phase, Visit, every_visit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FIRST, LAST = date(1900, 1, 1), date(2200, 1, 1)


@dataclass(frozen=True)
class Course:
    """A series as its dates: where each of its sessions stands, by sequence; lost ones stand where they stood."""

    phases: tuple[Phase, ...]
    dates: dict[int, date]

    @cached_property
    def visits(self) -> dict[int, Visit]:
        """What the treatment says of each session that is there."""
        return {visit.sequence: visit for visit in islice(every_visit(self.phases), max(self.dates, default=0))}

    def window(self, sequence: int, dates: Mapping[int, date] | None = None) -> tuple[date, date]:
        """The first and the last date on which a session keeps all rules, the others standing at `dates`.

        A rule that it breaks where it stands now does not bind it. First lies after last where there is no date.
        """
        where, now = dates or self.dates, self.dates[sequence]
        low, high = FIRST, LAST
        for least, most in self._bounds(sequence, where):
            if least <= now <= most or where is not self.dates:
                low, high = max(low, least), min(high, most)
        return low, high

    def _bounds(self, number: int, dates: Mapping[int, date]) -> Iterator[tuple[date, date]]:
        """Each rule that speaks of the session's date, as the least and the most that it allows."""
        yield dates.get(number - 1, FIRST) + timedelta(days=1), LAST
        yield FIRST, dates.get(number + 1, LAST) - timedelta(days=1)
        own = self.visits.get(number)
        if own is not None and own.gap is not None and own.gap.after in dates:
            yield _after(dates[own.gap.after], own.gap.min_days, own.gap.max_days)
        if own is not None and own.span is not None and own.span.since in dates:
            yield FIRST, dates[own.span.since] + timedelta(days=own.span.max_days)
        for other, visit in self.visits.items():
            if other <= number or other not in dates:
                continue
            if visit.gap is not None and visit.gap.after == number:
                yield _after(dates[other], -visit.gap.max_days, -visit.gap.min_days)
            if visit.span is not None and visit.span.since == number:
                yield dates[other] - timedelta(days=visit.span.max_days), LAST


def _after(day: date, least: int, most: int) -> tuple[date, date]:
    return day + timedelta(days=least), day + timedelta(days=most)
