"""The smallest changes that would make a plan possible where there is none, each checked by planning again with it.

One field of the request or one supply at a time, and of each the smallest step that does; two together only where no
single change helps. First what asks least of the patient: another chair, another time, another weekday, other dates,
another person; then what the clinic would have to find; last the spacing, which is for a clinician to decide. Least
gaps and a nurse's limits are never among them: they are matters of safety.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

from scheduler.facts import Need
from scheduler.phases import KINDS
from scheduler.suppose import More, Question, Supposition, serves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scheduler.plans import Wishes
    from scheduler.treatment import Visit

MOST = 5
STEP_MINUTES = 5
LAST_MINUTE = 24 * 60 - 1


@dataclass(frozen=True)
class Said:
    """One change for whoever puts it into words: which sentence, and its values."""

    words: str
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Relaxation:
    """A change that would do, by its `codes`; `said` is what there is to say of each.

    `wishes` are the request's with the change in it; None where no request can say it.
    """

    codes: tuple[str, ...]
    said: tuple[Said, ...]
    wishes: Wishes | None


@dataclass(frozen=True)
class Step:
    """One change: to wishes, to what there is besides, or so many days to a kind of spacing of a phase."""

    code: str
    said: Said
    wishes: Mapping[str, Any] | None = None
    more: More | None = None
    stretch: tuple[str, str, int] | None = None

    def applied(self, supposed: Supposition) -> Supposition:
        """The supposition with this change too."""
        if self.wishes is not None:
            return replace(supposed, wishes=replace(supposed.wishes, **self.wishes))
        if self.more is not None:
            return replace(supposed, more=(*supposed.more, self.more))
        if self.stretch is not None:
            visits = tuple(stretched(visit, *self.stretch) for visit in supposed.visits)
            return replace(supposed, visits=visits)
        return supposed


@dataclass(frozen=True)
class Kind:
    """One kind of change: its steps by layers, smallest first; the steps of a layer are alike in size.

    The last layer is one step, which does wherever another one does. In a ladder a layer holds a step that does
    wherever a smaller layer holds one.
    """

    layers: Sequence[Sequence[Step]]
    is_ladder: bool = False

    def smallest(self, does: Callable[[Step], bool]) -> Step | None:
        """The first step that does of the smallest layer that holds one; None where there is none."""
        if not does(self.layers[-1][0]):
            return None
        layers = self.layers[self._lowest(does) :] if self.is_ladder else self.layers
        return next(step for layer in layers for step in layer if does(step))

    def _lowest(self, does: Callable[[Step], bool]) -> int:
        """The first layer of a ladder that holds a step that does: looked for near the start, then by halves."""

        def holds(number: int) -> bool:
            return any(does(step) for step in self.layers[number])

        low, high, last = -1, 0, len(self.layers) - 1
        while high < last and not holds(high):
            low, high = high, min(2 * high + 1, last)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if holds(middle) else (middle, high)
        return high


def relaxations(question: Question) -> tuple[Relaxation, ...]:
    """At most five changes, each enough by itself; those that ask least of the patient first. () where none is."""
    found = smallest_steps(question)[:MOST]
    return tuple(checked for steps in found if (checked := _checked(question, steps)))


def smallest_steps(question: Question) -> list[tuple[Step, ...]]:
    """Of each kind of change the smallest step that does; where no kind does, pairs, each as small as the other lets
    it be, at most five."""

    def does(*steps: Step) -> bool:
        return question.possible(_with(question, steps))

    kinds = kinds_of_change(question)
    found: list[tuple[Step, ...]] = [(step,) for kind in kinds if (step := kind.smallest(does))]
    for one, other in () if found else combinations(kinds, 2):
        first = one.smallest(partial(does, other.layers[-1][0]))
        second = first and other.smallest(partial(does, first))
        found += [(first, second)] if first and second else []
        if len(found) == MOST:
            break
    return found


def kinds_of_change(question: Question) -> list[Kind]:
    """Every kind of change that there is for a request, in the order in which they are told."""
    return [kind for kind in (*_wished(question), *_supplied(question), *_spaced(question)) if kind.layers]


def _with(question: Question, steps: Sequence[Step]) -> Supposition:
    supposed = question.asked
    for step in steps:
        supposed = step.applied(supposed)
    return supposed


def _checked(question: Question, steps: Sequence[Step]) -> Relaxation | None:
    """A relaxation, if planning again with it succeeds."""
    supposed = _with(question, steps)
    if not question.planned(supposed):
        return None
    asks = all(step.wishes is not None for step in steps)
    codes, said = tuple(step.code for step in steps), tuple(step.said for step in steps)
    return Relaxation(codes, said, supposed.wishes if asks else None)


def _wished(question: Question) -> Iterator[Kind]:
    """Changes that a request can say, least for the patient first."""
    wishes = question.asked.wishes
    if wishes.chair_kind is not None:
        said = Said("chair_kind", {"kind": wishes.chair_kind})
        yield Kind([[Step("chair_kind", said, {"chair_kind": None})]])
    if wishes.time_windows:
        yield _times(wishes.time_windows)
    if wishes.weekdays is not None:
        yield _weekdays(wishes.weekdays)
    yield _later(question)
    yield _sooner(question)
    if wishes.provider is not None:
        yield Kind([[Step("provider", Said("provider"), {"provider": None})]])


def _times(windows: tuple[tuple[int, int], ...]) -> Kind:
    """Windows that begin sooner or end later, each five minutes more; at last any time of day."""
    layers = []
    latest, soonest = max(until for _, until in windows), min(since for since, _ in windows)
    for minutes in range(STEP_MINUTES, max(LAST_MINUTE - latest, soonest) + STEP_MINUTES, STEP_MINUTES):
        later = tuple((since, min(until + minutes, LAST_MINUTE)) for since, until in windows)
        sooner = tuple((max(since - minutes, 0), until) for since, until in windows)
        until, since = max(until for _, until in later), min(since for since, _ in sooner)
        longer = (
            Said("until_time", {"at": until, "minutes": minutes}),
            Said("from_time", {"at": since, "minutes": minutes}),
        )
        layers.append(
            [
                Step("time_windows", said, {"time_windows": windows})
                for said, windows in zip(longer, (later, sooner), strict=True)
            ]
        )
    return Kind([*layers, [Step("time_windows", Said("any_time"), {"time_windows": ()})]], is_ladder=True)


def _weekdays(weekdays: frozenset[int]) -> Kind:
    """One weekday more, else two, and so on."""
    missing = [weekday for weekday in range(7) if weekday not in weekdays]
    return Kind(
        [
            [
                Step("weekdays", Said("weekdays", {"weekdays": more}), {"weekdays": weekdays | set(more)})
                for more in combinations(missing, size)
            ]
            for size in range(1, len(missing) + 1)
        ]
    )


def _later(question: Question) -> Kind:
    latest = question.asked.wishes.latest
    ends = max((day.date for day in question.days.values()), default=latest)
    dates = [latest + timedelta(days=n) for n in range(1, (ends - latest).days + 1)]
    steps = [
        Step("latest_date", Said("latest_date", {"on": on, "days": (on - latest).days}), {"latest": on}) for on in dates
    ]
    return Kind([[step] for step in steps], is_ladder=True)


def _sooner(question: Question) -> Kind:
    earliest = question.asked.wishes.earliest
    begins = min((day.date for day in question.days.values()), default=earliest)
    dates = [earliest - timedelta(days=n) for n in range(1, (earliest - begins).days + 1)]
    steps = [
        Step("earliest_date", Said("earliest_date", {"on": on, "days": (earliest - on).days}), {"earliest": on})
        for on in dates
    ]
    return Kind([[step] for step in steps], is_ladder=True)


def _supplied(question: Question) -> Iterator[Kind]:
    """What the clinic would have to find: a nurse, a chair, a prescriber, a day that it would not close."""
    yield _besides(question, "one_nurse")
    for kind in _useful_chairs(question):
        yield _besides(question, "one_chair", kind)
    yield _besides(question, "one_prescriber")
    closed = sum(1 << question.number(on) for on, opening in question.openings.items() if opening.closed)
    if closed:
        yield _besides(question, "no_closure", within=closed)


def _useful_chairs(question: Question) -> Iterator[str]:
    """Kinds of chairs that would do for some session; of those that would do for the same ones, the first."""
    needs, known = [Need.of(visit, question.asked.wishes.chair_kind) for visit in question.asked.visits], set()
    for kind in KINDS:
        sessions = tuple(serves(need, kind) for need in needs)
        if any(sessions) and sessions not in known:
            known.add(sessions)
            yield kind


def _besides(question: Question, code: str, kind: str | None = None, within: int = -1) -> Kind:
    """Something more on one day, else on one weekday, else on every day of the window."""
    window = question.window(question.asked.wishes) & within
    numbers = [number for number in sorted(question.days) if window >> number & 1]
    about = {} if kind is None else {"kind": kind}

    def step(sort: str, days: int, **values: Any) -> Step:
        return Step(code, Said(f"{code}_{sort}", about | values), more=More(code, days, kind))

    dates = [step("on", 1 << number, on=question.days[number].date) for number in numbers]
    weekdays = [
        step("weekday", window & days, weekdays=(weekday,))
        for weekday, days in enumerate(question.by_weekday)
        if window & days
    ]
    every = [step("every", window)]
    return Kind([dates, weekdays, every] if numbers else [])


def _spaced(question: Question) -> Iterator[Kind]:
    """Longer gaps, later windows, longer phases: up to the length of the request's window."""
    wishes = question.asked.wishes
    most = max(1, (wishes.latest - wishes.earliest).days)
    phases = dict.fromkeys(visit.phase for visit in question.asked.visits)
    for phase in phases:
        for code in ("max_gap", "window", "span"):
            if any(stretched(visit, code, phase, 1) != visit for visit in question.asked.visits):
                steps = [
                    Step(code, Said(code, {"phase": phase, "days": n}), stretch=(code, phase, n))
                    for n in range(1, most + 1)
                ]
                yield Kind([[step] for step in steps], is_ladder=True)


def stretched(visit: Visit, code: str, phase: str, days: int) -> Visit:
    """A visit of the phase with so many days more in the rule."""
    if visit.phase != phase:
        return visit
    if code == "span" and visit.span is not None:
        return replace(visit, span=replace(visit.span, max_days=visit.span.max_days + days))
    from_previous = visit.gap is not None and visit.gap.after == visit.sequence - 1
    if visit.gap is not None and code == ("max_gap" if from_previous else "window"):
        return replace(visit, gap=replace(visit.gap, max_days=visit.gap.max_days + days))
    return visit
