"""Running late: whom a session that ends later than planned will reach, and what can be done about it.

Pure but for the values it is given: sessions with their expected instants, and the day's supply.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scheduler.day import Placement, can_keep, place
from scheduler.facts import Day, Need, Taken
from sessions.facts import SLOT
from sessions.models import GONE, TO_COME, Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from scheduler.facts import ChairFacts
    from sessions.expected import Expected


@dataclass(frozen=True)
class Visit:
    """A session beside its expected instants."""

    session: Session
    expected: Expected

    @property
    def hands_on_until(self) -> datetime:
        """When the nurse's minutes alone with this patient will end."""
        return self.expected.start + (self.session.hands_on_until - self.session.start)


@dataclass(frozen=True)
class Offer:
    """One thing that can be done for a session that is reached: `chair`, `nurse`, `chair_and_nurse` or `later`."""

    kind: str
    chair: str
    nurse: str
    start: datetime


@dataclass(frozen=True)
class Reached:
    """What a late session reaches: another session's `chair` or `nurse`, or `closing` (then `session` is None)."""

    kind: str
    minutes: int
    session: Session | None
    offers: tuple[Offer, ...] = ()


def reaches(late: Visit, visits: Sequence[Visit], day: Day) -> list[Reached]:
    """Everything that a session reaches which ends, or begins, later than it was planned."""
    found = []
    for other in visits:
        kind, begin = _clash(late, other)
        if kind is not None:
            minutes = _minutes(begin, other.session.start)
            found.append(Reached(kind, minutes, other.session, tuple(offers(other, visits, day))))
    closes = _closes(late, day)
    if closes is not None and late.expected.turnover_end > closes:
        found.append(Reached("closing", _minutes(late.expected.turnover_end, closes), None))
    return found


def _minutes(later: datetime, earlier: datetime) -> int:
    return int((later - earlier).total_seconds()) // 60


def _clash(late: Visit, other: Visit) -> tuple[str | None, datetime]:
    """Which of its resources a session keeps from another one that is to come, and until when."""
    mine, theirs = late.session, other.session
    none = (None, theirs.start)
    if theirs.pk == mine.pk or theirs.status not in TO_COME or theirs.start < mine.start:
        return none
    if theirs.chair_id == mine.chair_id and late.expected.turnover_end > other.expected.start:
        return "chair", late.expected.turnover_end
    starting = mine.status not in ("infusing", "recovering") and late.expected.start > mine.start
    if starting and theirs.nurse_id == mine.nurse_id and late.expected.start <= theirs.start < late.hands_on_until:
        return "nurse", late.hands_on_until
    return none


def _closes(visit: Visit, day: Day) -> datetime | None:
    """When the site closes after the session's start, None where it is not open then."""
    slot = (visit.session.start - day.first_instant) // SLOT
    if not 0 <= slot < day.slots or not day.open >> slot & 1:
        return None
    run = ~(day.open >> slot)
    return day.first_instant + (slot + (run & -run).bit_length() - 1) * SLOT


def offers(reached: Visit, visits: Iterable[Visit], day: Day) -> Iterator[Offer]:
    """Another chair, another nurse, both, or a later start, each as the day's predicate lets it be."""
    session = reached.session
    free = replace(day, taken=tuple(_taken(each, day) for each in visits if each.session.pk != session.pk))
    need = _need(session, free)
    slot = (session.start - day.first_instant) // SLOT
    chair, nurse, prescriber = str(session.chair_id), str(session.nurse_id), str(session.prescriber_id)

    def fits(at: int, seat: str, person: str) -> bool:
        return can_keep(free, need, at, seat, person, prescriber) is None

    seat = next((each.id for each in free.chairs if each.id != chair and fits(slot, each.id, nurse)), None)
    if seat is not None:
        yield Offer("chair", seat, nurse, session.start)
    person = next((each.id for each in free.nurses if each.id != nurse and fits(slot, chair, each.id)), None)
    if person is not None:
        yield Offer("nurse", chair, person, session.start)
    if seat is None and person is None:
        placed = place(free, need, slot)
        if isinstance(placed, Placement):
            yield Offer("chair_and_nurse", placed.chair, placed.nurse, session.start)
    later = next((at for at in range(slot + 1, free.slots) if fits(at, chair, nurse)), None)
    if later is not None:
        yield Offer("later", chair, nurse, day.first_instant + later * SLOT)


def _need(session: Session, day: Day) -> Need:
    """What the session asks of the day; of chairs, one as good as its own: the same kind, with all of its features."""
    own: ChairFacts | None = next((each for each in day.chairs if each.id == str(session.chair_id)), None)
    return Need(
        prepare=(session.infuse_start - session.start) // SLOT,
        infuse=(session.recover_start - session.infuse_start) // SLOT,
        recover=(session.end - session.recover_start) // SLOT,
        turnover=(session.turnover_end - session.end) // SLOT,
        hands_on=(session.hands_on_until - session.start) // SLOT,
        acuity=session.acuity,
        kinds=frozenset() if own is None else frozenset({own.kind}),
        features=frozenset() if own is None else own.features,
    )


def _taken(visit: Visit, day: Day) -> Taken:
    """What a session will take, rounded outward to the grid."""
    session, when = visit.session, visit.expected

    def floor(at: datetime) -> int:
        return (at - day.first_instant) // SLOT

    def ceil(at: datetime) -> int:
        return -((day.first_instant - at) // SLOT)

    return Taken(
        id=str(session.pk),
        start=floor(when.start),
        infuse_start=floor(when.infuse_start),
        end=ceil(when.end),
        turnover_end=ceil(when.turnover_end),
        hands_on_until=ceil(visit.hands_on_until),
        acuity=session.acuity,
        chair=str(session.chair_id),
        nurse=str(session.nurse_id),
        prescriber=str(session.prescriber_id),
        pinned=True,
    )


def live(visits: Iterable[Visit]) -> list[Visit]:
    """Those that take something."""
    return [visit for visit in visits if visit.session.status not in GONE]
