"""What a protocol says, as values: phases, their spacing and minutes, and the visits that they come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice

SLOT_MINUTES = 5
MAX_SESSIONS = 200


@dataclass(frozen=True)
class Problem:
    """One fault in a protocol's data; `pointer` is a JSON pointer within the list of phases, such as /0/spacing/max_days/1."""

    pointer: str
    code: str
    detail: str


class TreatmentError(ValueError):
    """The phases do not make a treatment; `problems` holds every fault found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.pointer}: {p.detail}" for p in problems))
        self.problems = problems


@dataclass(frozen=True)
class First:
    """When the first session of a later phase falls: days from the last session, the first one or the latest day 0 of a cycle."""

    anchor: str
    min_days: int
    target_days: int
    max_days: int


@dataclass(frozen=True)
class Previous:
    """Gaps from the session before, in calendar days, by ordinal of the session that the gap leads to."""

    min_days: tuple[int, ...]
    target_days: tuple[int, ...]
    max_days: tuple[int, ...]


@dataclass(frozen=True)
class SeriesStart:
    """Days from the series' first session, by ordinal."""

    target_days: tuple[int, ...]
    early_days: int
    late_days: int


@dataclass(frozen=True)
class CycleStart:
    """Days from the cycle's day 0, by place in the cycle; day 0 of a later cycle counts from the actual day 0 before."""

    cycle_days: int
    target_days: tuple[int, ...]
    early_days: int
    late_days: int
    cycle_early_days: int
    cycle_late_days: int


Spacing = Previous | SeriesStart | CycleStart


@dataclass(frozen=True)
class ChairNeed:
    """Chair kinds that will do (empty: any) and features that must be there."""

    kinds: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Minutes:
    """Lengths in minutes; infuse and recover by ordinal."""

    prepare: int
    infuse: tuple[int, ...]
    recover: tuple[int, ...]
    turnover: int


@dataclass(frozen=True)
class Phase:
    """A phase. `sessions` None is open-ended; `spacing` None only in a phase of one session."""

    name: str
    sessions: int | None
    spacing: Spacing | None
    minutes: Minutes
    hands_on_minutes: int = 15
    chair: ChairNeed = ChairNeed()
    acuity: int = 1
    first: First | None = None
    max_span_days: int | None = None
    late_policy: str | None = None


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
    """One session to be placed: `sequence` from 1 over the series, `ordinal` from 1 in its phase, lengths in slots of 5 minutes."""

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


def by_ordinal(values: Sequence[int], ordinal: int) -> int:
    """The entry for an ordinal from 1; the last one repeats."""
    return values[min(ordinal, len(values)) - 1]


def visits(phases: Sequence[Phase], sessions: int | None = None) -> tuple[Visit, ...]:
    """All visits of a series; `sessions` is how many of an open-ended last phase to plan.

    Raises ValueError where the last phase is open-ended and `sessions` is missing or outside 1..200.
    """
    return visits_from(phases, 0, sessions)


def visits_from(phases: Sequence[Phase], done: int, sessions: int | None = None) -> tuple[Visit, ...]:
    """The visits after the first `done` sessions. For an open-ended phase `sessions` counts those still to plan of it.

    Raises ValueError as `visits` does, and for a negative `done`.
    """
    if done < 0:
        raise ValueError("done must not be negative")
    closed = sum(phase.sessions or 0 for phase in phases)
    if phases[-1].sessions is not None:
        return tuple(islice(every_visit(phases), done, closed))
    if sessions is None or not 1 <= sessions <= MAX_SESSIONS:
        raise ValueError(f"an open-ended phase needs a number of sessions from 1 to {MAX_SESSIONS}")
    return tuple(islice(every_visit(phases), done, max(done, closed) + sessions))


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
