"""A treatment as values: the phases of a protocol, checked, and the visits that they come to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING

from scheduler.phases import (
    MAX_SESSIONS,
    SLOT_MINUTES,
    ChairNeed,
    CycleStart,
    First,
    Minutes,
    Phase,
    Previous,
    Problem,
    SeriesStart,
    Spacing,
    by_ordinal,
    read_phases,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "ChairNeed",
    "CycleStart",
    "First",
    "Gap",
    "Minutes",
    "Phase",
    "Previous",
    "Problem",
    "SeriesStart",
    "Spacing",
    "Span",
    "TreatmentError",
    "Visit",
    "by_ordinal",
    "every_visit",
    "parse_phases",
    "visits",
    "visits_from",
]


class TreatmentError(ValueError):
    """The phases do not make a treatment; `problems` holds every fault found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.pointer}: {p.detail}" for p in problems))
        self.problems = problems


@dataclass(frozen=True)
class Gap:
    """Days from session number `after` of the series: least, wanted, most."""

    after: int
    min_days: int
    target_days: int
    max_days: int


@dataclass(frozen=True)
class Span:
    """At most `max_days` from session number `since` of the series."""

    since: int
    max_days: int


@dataclass(frozen=True)
class Visit:
    """One session to be placed: `sequence` from 1 over the series, `ordinal` from 1 in its phase.

    `prepare`, `infuse`, `recover`, `turnover` and `hands_on` are in slots of five minutes.
    """

    sequence: int
    phase: str
    ordinal: int
    prepare: int
    infuse: int
    recover: int
    turnover: int
    hands_on: int
    chair: ChairNeed
    acuity: int
    gap: Gap | None
    span: Span | None


def parse_phases(data: object) -> tuple[Phase, ...]:
    """The phases of a protocol from the contract's JSON shape.

    Raises TreatmentError with every fault: of form, and contradictions (no days whatever could keep the spacing).
    """
    phases, problems = read_phases(data)
    problems = problems or _contradictions(phases)
    if problems:
        raise TreatmentError(problems)
    return phases


def _contradictions(phases: tuple[Phase, ...]) -> list[Problem]:
    problems = []
    for place, phase in enumerate(phases):
        cycles = any(isinstance(earlier.spacing, CycleStart) for earlier in phases[:place])
        if phase.first is not None and phase.first.anchor == "cycle_start" and not cycles:
            problems.append(Problem(f"/{place}/spacing/first/anchor", "invalid", "no earlier phase has cycles"))
    if problems:
        return problems
    for place in range(len(phases)):
        upto = phases[: place + 1]
        if not _possible(upto, spans=False):
            problems.append(Problem(f"/{place}/spacing", "targets_out_of_order", "no ascending days keep this spacing"))
            break
        if phases[place].max_span_days is not None and not _possible(upto, spans=True):
            detail = "the sessions cannot all fall within so few days"
            problems.append(Problem(f"/{place}/spacing/max_span_days", "span_too_short", detail))
            break
    return problems


def _possible(phases: tuple[Phase, ...], spans: bool) -> bool:
    """Whether any days keep every rule, were each day free: longest paths over the rules as differences of days."""
    closed = sum(phase.sessions or 0 for phase in phases)
    if phases[-1].sessions is None:
        # Two sessions are the least that a span can hold; eight show each entry of a list as long as any in use.
        closed += 2 if spans else 8
    chain = tuple(islice(every_visit(phases), closed))
    day = [0] * (len(chain) + 1)
    # A binding chain of rules turns back at most a few times a phase; one that keeps growing closes on itself.
    for _ in range(4 * len(phases) + 8):
        old = list(day)
        for visit in chain:
            day[visit.sequence] = max([day[visit.sequence], *_lower_bounds(visit, day)])
        for visit in reversed(chain):
            for number, most in _most(visit, spans):
                day[number] = max(day[number], day[visit.sequence] - most)
        if day == old:
            return True
    return False


def _lower_bounds(visit: Visit, day: Sequence[int]) -> list[int]:
    gap = visit.gap
    previous = [] if visit.sequence == 1 else [day[visit.sequence - 1] + 1]
    return previous if gap is None else [*previous, day[gap.after] + gap.min_days]


def _most(visit: Visit, spans: bool) -> list[tuple[int, int]]:
    """For each upper bound on a visit's day: the session that it counts from, and the most days."""
    upper = [] if visit.gap is None else [(visit.gap.after, visit.gap.max_days)]
    return [*upper, (visit.span.since, visit.span.max_days)] if spans and visit.span else upper


def visits(phases: Sequence[Phase], sessions: int | None = None) -> tuple[Visit, ...]:
    """All visits of a series; `sessions` is how many of an open-ended last phase to plan.

    Raises ValueError where the last phase is open-ended and `sessions` is missing or outside 1..200.
    """
    return visits_from(phases, 0, sessions)


def visits_from(phases: Sequence[Phase], done: int, sessions: int | None = None) -> tuple[Visit, ...]:
    """The visits after the first `done` sessions; `sessions` means what it means for `visits`, done ones counted.

    Raises ValueError as `visits` does, and for a negative `done`.
    """
    if done < 0:
        raise ValueError("done must not be negative")
    closed = sum(phase.sessions or 0 for phase in phases)
    if phases[-1].sessions is None:
        if sessions is None or not 1 <= sessions <= MAX_SESSIONS:
            raise ValueError(f"an open-ended phase needs a number of sessions from 1 to {MAX_SESSIONS}")
        closed += sessions
    return tuple(islice(every_visit(phases), done, max(done, closed)))


def every_visit(phases: Sequence[Phase]) -> Iterator[Visit]:
    """The visits of a series in order, without end where the last phase is open-ended."""
    sequence, cycle = 1, None
    for phase in phases:
        opened = sequence
        for ordinal in count(1) if phase.sessions is None else range(1, phase.sessions + 1):
            yield _visit(phase, sequence, ordinal, opened, cycle)
            if isinstance(phase.spacing, CycleStart) and (ordinal - 1) % len(phase.spacing.target_days) == 0:
                cycle = sequence
            sequence += 1


def _visit(phase: Phase, sequence: int, ordinal: int, opened: int, cycle: int | None) -> Visit:
    span = phase.max_span_days
    return Visit(
        sequence=sequence,
        phase=phase.name,
        ordinal=ordinal,
        prepare=phase.minutes.prepare // SLOT_MINUTES,
        infuse=by_ordinal(phase.minutes.infuse, ordinal) // SLOT_MINUTES,
        recover=by_ordinal(phase.minutes.recover, ordinal) // SLOT_MINUTES,
        turnover=phase.minutes.turnover // SLOT_MINUTES,
        hands_on=phase.hands_on_minutes // SLOT_MINUTES,
        chair=phase.chair,
        acuity=phase.acuity,
        gap=_gap(phase, sequence, ordinal, cycle),
        span=None if span is None or ordinal == 1 else Span(opened, span),
    )


def _gap(phase: Phase, sequence: int, ordinal: int, cycle: int | None) -> Gap | None:
    """The rule for a session's day: None for the series' first, and for a lone session that no rule speaks of."""
    first, spacing = phase.first, phase.spacing
    if sequence == 1:
        return None
    if ordinal == 1 and first is not None:
        after = {"previous": sequence - 1, "series_start": 1, "cycle_start": cycle or 1}[first.anchor]
        return Gap(after, first.min_days, first.target_days, first.max_days)
    match spacing:
        case Previous():
            lists = (spacing.min_days, spacing.target_days, spacing.max_days)
            return Gap(sequence - 1, *(by_ordinal(values, ordinal) for values in lists))
        case SeriesStart():
            target = by_ordinal(spacing.target_days, ordinal)
            return Gap(1, target - spacing.early_days, target, target + spacing.late_days)
        case CycleStart():
            return _cycle_gap(spacing, sequence, ordinal, cycle)
        case None:
            return None


def _cycle_gap(spacing: CycleStart, sequence: int, ordinal: int, cycle: int | None) -> Gap:
    place = (ordinal - 1) % len(spacing.target_days)
    if place:
        target = spacing.target_days[place]
        return Gap(sequence - place, target - spacing.early_days, target, target + spacing.late_days)
    # A later phase that says nothing of its first session goes on from the session before.
    after = sequence - 1 if ordinal == 1 or cycle is None else cycle
    days = spacing.cycle_days
    return Gap(after, days - spacing.cycle_early_days, days, days + spacing.cycle_late_days)
