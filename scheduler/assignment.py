"""Who sits where and who cares for whom on one day: an exact search that disturbs as little as it can.

    assign(day, added) -> {session id: Place} of the sessions added and of those that change for them, or None

`added` are sessions that are to be on the day too (`Need.at(start, name)` makes one); the chair, nurse and prescriber
that they carry are kept where they can be, None means anybody. All sessions already there keep their time. Sessions to
come may change chair, nurse and prescriber; pinned ones, those with a stated wish for the person in question, and those
that already break a rule where they stand do not (see `pools.Pool`). The answer is None exactly when no assignment of
all of them exists, up to MOST_STEPS.

Chairs, nurses and prescribers are searched apart. In each pool few sessions change hands: first none, then at most one,
two, four, eight and sixteen are tried, each for STEPS_COUNTED steps; on small days one or two are so the fewest that
will do. Only then whatever a search finds that prefers to let stand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from scheduler.exchange import make_room, push_out
from scheduler.pools import Claim, Pool, Resource, Use
from scheduler.slots import peak

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scheduler.facts import Day, Taken

# A search that goes on for longer is given up as if there were no assignment: a request must end (docs/planner.md).
MOST_STEPS = 3_000
# At most so many changes are tried first, each limit for so many steps.
COUNTED = (1, 2, 4, 8, 16)
STEPS_COUNTED = 100


class Place(NamedTuple):
    """Who has a session: ids."""

    chair: str
    nurse: str
    prescriber: str


def assign(day: Day, added: Sequence[Taken]) -> dict[str, Place] | None:
    """Places for the sessions added and for those already there that change for them; None where there are none."""
    laid = []
    for which in range(3):
        found = lay_pool(day, which, added)
        if found is None:
            return None
        laid.append(found)
    return joined(day, added, laid)


def with_held(day: Day, held: Sequence[Taken]) -> Day:
    """The day with what is held on it too, laid as if the holds were booked; one that has no place takes nothing.

    A hold keeps times, not chairs: who had been thought of for it may have been given away since.
    """
    for some in [held, *([item] for item in held)]:
        found = assign(day, some)
        if found is not None:
            known = (*day.taken, *some)
            day = replace(day, taken=tuple(_moved(item, found) for item in known), numbers=None)
            if some is held:
                break
    return day


def _moved(item: Taken, found: Mapping[str, Place]) -> Taken:
    place = found.get(item.id)
    return item if place is None else replace(item, **place._asdict())


@dataclass
class Effort:
    """How many steps are left to somebody who asks for many layings; where none are, only quick ways are tried."""

    left: int


def lay_pool(
    day: Day, which: int, added: Sequence[Taken], fewest: bool = True, effort: Effort | None = None
) -> dict[str, str] | None:
    """`assign` for one pool: chairs 0, nurses 1, prescribers 2; ids of sessions and of whom they get.

    Without `fewest` it is only asked whether there is room, and the first laying found will do. None may then mean too
    that the `effort` is used up.
    """
    load = day.load
    pool = (load.seats, load.carers, load.doctors)[which]
    claim_of = (load.seat, load.carer, load.doctor)[which]
    return lay(pool, [claim_of(item) for item in added], fewest, effort)


def joined(day: Day, added: Sequence[Taken], laid: Sequence[dict[str, str]]) -> dict[str, Place]:
    """What the three pools say together, of every session that one of them speaks of."""
    names = {name for pool in laid for name in pool}
    # Mostly nobody moves: then it is not looked who does.
    some = added if len(names) == len(added) else (*day.taken, *added)
    stood = {item.id: item for item in some if item.id in names}
    return {
        name: Place(*(pool.get(name, before or "") for pool, before in zip(laid, _people(stood[name]), strict=True)))
        for name in sorted(names)
    }


def _people(item: Taken) -> tuple[str | None, str | None, str | None]:
    return item.chair, item.nurse, item.prescriber


def lay(
    pool: Pool, waiting: Sequence[Claim], fewest: bool = True, effort: Effort | None = None
) -> dict[str, str] | None:
    """Who takes the waiting claims, and whom the claims that must change for them go to; None where nobody can."""
    if len(waiting) == 1 and (name := _beside(pool, waiting[0])) is not None:
        return {waiting[0].id: name}
    new = {claim.id for claim in waiting}
    for most in (0, *COUNTED, None) if fewest else (0, None):
        if most is None and len(waiting) == 1 and (laid := make_room(pool, waiting[0])) is not None:
            return laid
        if most is None and effort is not None and (laid := push_out(pool, waiting[0])) is not None:
            return laid
        search = _Search(pool, new, most)
        if effort is not None and most != 0:
            search.steps = min(search.steps, effort.left)
        allowed = search.steps
        found = search.run(waiting)
        if effort is not None and most != 0:
            effort.left -= allowed - max(search.steps, 0)
        if found is not None:
            return {claim.id: name for claim, name in found.items() if claim.id in new or claim.at != name}
        if not search.cut or (most == 0 and not all(map(pool.could_take, waiting))):
            return None
    return None


def _beside(pool: Pool, claim: Claim) -> str | None:
    """Who can take a new claim beside all that they have: whom it names, else whom it suits best; None where nobody."""
    free = [one for one in pool.options(claim) if pool.full[one.id].takes(one, claim)]
    if not free or any(one.id == claim.at for one in free):
        return claim.at if free else None
    return min((fit(one, pool.full[one.id], claim), one.id) for one in free)[1]


_Waiting = tuple[Claim, list[Resource]]


class _State(NamedTuple):
    """Half a laying: what is decided of each resource (`firm`), who still stands there, and who got what."""

    firm: dict[str, Use]
    movable: dict[str, list[Claim]]
    full: dict[str, Use]
    placed: dict[Claim, str]

    @classmethod
    def of(cls, pool: Pool) -> _State:
        return cls(pool.firm, pool.movable, pool.full, {})

    def with_(self, claim: Claim, name: str, out: Sequence[Claim]) -> _State:
        """Decide for a claim, with those `out` who stood there before."""
        firm, stay = self.firm[name].plus(claim), [each for each in self.movable[name] if each not in out]
        full = self.full[name].plus(claim)
        if out:
            full = Use.of(stay, firm)
        return _State(
            {**self.firm, name: firm},
            {**self.movable, name: stay},
            {**self.full, name: full},
            {**self.placed, claim: name},
        )


class _Search:
    """Backtracking over the claims that wait for a decision, the one with the fewest choices first.

    A claim that stands and is in nobody's way is never looked at. Placing one may push others out, who then wait too.
    `cut` tells whether a limit ever stopped a branch: if not, the search was complete.
    """

    def __init__(self, pool: Pool, new: set[str], most: int | None) -> None:
        self.pool, self.new, self.most = pool, new, most
        self.steps, self.cut = MOST_STEPS if most in (0, None) else STEPS_COUNTED, False

    def run(self, waiting: Sequence[Claim]) -> dict[Claim, str] | None:
        state = _State.of(self.pool)
        return self._settle([self._choices(claim, state) for claim in waiting], state, 0)

    def _choices(self, claim: Claim, state: _State) -> _Waiting:
        """A claim with the resources that what is decided leaves to it."""
        return claim, [one for one in self.pool.options(claim) if state.firm[one.id].takes(one, claim)]

    def _settle(self, waiting: list[_Waiting], state: _State, changed: int) -> dict[Claim, str] | None:
        if not waiting:
            return state.placed
        self.steps -= 1
        if self.steps < 0:
            self.cut = True
            return None
        narrowest = min(waiting, key=lambda item: (len(item[1]), item[0].during & -item[0].during, item[0].id))
        claim, rest = narrowest[0], [each for each in waiting if each is not narrowest]
        tried = set()
        for resource, out in self._in_order(*narrowest, state):
            count = changed + (claim.id not in self.new and claim.at != resource.id)
            twin = (resource[1:], _key(state.firm[resource.id]))
            if self.most is None and twin in tried:
                continue
            # Of those pushed out at least one ends up elsewhere; of a chair, all.
            if self.most is not None and count + (len(out) if resource.capacity == 1 else bool(out)) > self.most:
                self.cut = True
                continue
            tried.add(twin)
            found = self._settle(*self._with(rest, state, claim, resource, out), count)
            if found is not None:
                return found
        return None

    def _with(
        self, waiting: list[_Waiting], state: _State, claim: Claim, resource: Resource, out: list[Claim]
    ) -> tuple[list[_Waiting], _State]:
        """What waits once a claim has a resource, with those pushed out, and how things stand then."""
        then = state.with_(claim, resource.id, out)
        firm, name = then.firm[resource.id], resource.id
        left = [
            (each, options if firm.takes(resource, each) else [one for one in options if one.id != name])
            for each, options in waiting
        ]
        return left + [self._choices(each, then) for each in out], then

    def _in_order(self, claim: Claim, options: list[Resource], state: _State) -> Iterator[tuple[Resource, list[Claim]]]:
        """The options with whom each would push out: where it stands, then nobody, then those who can go elsewhere."""
        stands = [one for one in options if one.id == claim.at]
        free = [one for one in options if one.id != claim.at and state.full[one.id].takes(one, claim)]
        if stands and claim.id in self.new and not state.full[stands[0].id].takes(stands[0], claim):
            stands = []
        if stands:
            yield stands[0], self._out(claim, stands[0], state)
        free.sort(key=lambda one: (fit(one, state.full[one.id], claim), one.id))
        yield from ((one, []) for one in free)
        if self.most == 0:
            # Each of the others would push somebody out.
            self.cut = self.cut or len(options) > len(free) + len(stands)
            return
        tried = {one.id for one in (*stands, *free)}
        others = [one for one in options if one.id not in tried]
        pushing = [(one, self._out(claim, one, state)) for one in others]
        pushing.sort(
            key=lambda item: (sum(not self.pool.has_another(one) for one in item[1]), len(item[1]), item[0].id)
        )
        yield from pushing

    def _out(self, claim: Claim, resource: Resource, state: _State) -> list[Claim]:
        """Those to be pushed out of a resource so that a claim has room; nobody where there is room."""
        if state.full[resource.id].takes(resource, claim):
            return []
        return [one for one in state.movable[resource.id] if one.during & claim.during]


def _key(use: Use) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    return tuple(use.count), tuple(use.points), use.hands


def fit(resource: Resource, use: Use, claim: Claim) -> tuple[int, int]:
    """How well a free resource suits a claim, less is better: the peak beside it, then the slots idle around it."""
    if resource.capacity > 1:
        return peak(use.count, claim.during), 0
    idle = resource.free & ~use.busy & ~claim.during
    first, end = (claim.during & -claim.during).bit_length() - 1, claim.during.bit_length()
    below, above = ~idle & ((1 << first) - 1), ~idle >> end
    return 0, first - below.bit_length() + (above & -above).bit_length() - 1
