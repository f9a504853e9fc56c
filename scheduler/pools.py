"""Chairs, nurses and prescribers of one day as pools: who has what, what may change hands, and where there is room.

The three pools of a day are alike: a resource is free in some slots and takes a number of sessions at once (a chair
one), perhaps so many points, and one pair of hands. Starts being given, no rule joins two pools, so each stands alone.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduler.slots import add, at_most, peak, total

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable


class Resource(NamedTuple):
    """A chair, a nurse or a prescriber; `alike` is what else a claim may look at (kind and features of a chair)."""

    id: str
    free: int
    capacity: int
    max_points: int | None
    alike: Any


class Claim(NamedTuple):
    """What one session asks of one pool: its slots, of these the hands-on ones, its points, and whom it may have.

    `at` is who has it now. `asks` is compared by the pool's `fits`. `pinned` says that it stays where it is.
    """

    id: str
    during: int
    hands: int
    points: int
    at: str | None
    asks: Hashable
    pinned: bool = False


class Use:
    """What is taken of one resource: sessions and points in each slot as planes, and the hands-on slots.

    `twice` holds the slots in which more than one session asks for its hands.
    """

    __slots__ = ("busy", "count", "hands", "points", "twice")

    def __init__(self, besides: Use | None = None) -> None:
        self.count: list[int] = list(besides.count) if besides else []
        self.points: list[int] = list(besides.points) if besides else []
        self.hands: int = besides.hands if besides else 0
        self.busy: int = besides.busy if besides else 0
        self.twice: int = besides.twice if besides else 0

    @classmethod
    def of(cls, claims: Iterable[Claim], besides: Use | None = None) -> Use:
        """What these claims take together, and what is taken besides."""
        use = cls(besides)
        count, points, hands, busy, twice = use.count, use.points, use.hands, use.busy, use.twice
        for _, during, held, weight, _, _, _ in claims:
            # Mostly nobody else is there: asked for every session of a day, so without a call.
            if count and not during & busy:
                count[0] |= during
            else:
                add(count, 1, during)
            if weight:
                add(points, weight, during)
            twice |= hands & held
            hands |= held
            busy |= during
        use.hands, use.busy, use.twice = hands, busy, twice
        return use

    def plus(self, claim: Claim) -> Use:
        """The same and one more claim."""
        return Use.of([claim], self)

    def room(self, resource: Resource, points: int, within: int) -> int:
        """The slots of `within` in which one more session of so many points fits, hands not looked at."""
        if resource.capacity == 1 or not within & self.busy:
            within = within & ~self.busy if resource.capacity else 0
        else:
            within = at_most(self.count, resource.capacity - 1, within)
        if resource.max_points is not None:
            within = at_most(self.points, resource.max_points - points, within)
        return within

    def takes(self, resource: Resource, claim: Claim) -> bool:
        """Whether one more claim fits."""
        _, during, hands, points, _, _, _ = claim
        _, _, capacity, limit, _ = resource
        if not during & self.busy:
            return capacity > 0 and (limit is None or points <= limit)
        if capacity == 1 or hands & self.hands or peak(self.count, during) >= capacity:
            return False
        return limit is None or points + peak(self.points, during) <= limit


NOTHING = Use()
NOBODY: frozenset[str] = frozenset()


class Pool:
    """One pool of one day and the claims that stand on it.

    A claim that breaks a rule where it stands (its nurse was called away, its chair closed) is `firm`: planning mends
    nothing and makes nothing worse. Firm too are pinned ones and those with nowhere else to go. All others may be laid
    anew.
    """

    def __init__(
        self,
        resources: Iterable[Resource],
        claims: Iterable[Claim],
        everywhere: int,
        fits: Callable[[Resource, Hashable], bool],
    ) -> None:
        self.resources = {each.id: each for each in sorted(resources)}
        self.everywhere, self.fits = everywhere, fits
        self.claims: dict[str, list[Claim]] = {name: [] for name in self.resources}
        self.nowhere: list[Claim] = []
        self._fitting: dict[Hashable, tuple[Resource, ...]] = {}
        self._fitting_ids: dict[Hashable, frozenset[str]] = {}
        self.asked, self.any_pinned = self._sort(claims)
        self.picky = {asks for asks in self.asked if len(self.fitting_ids(asks)) < len(self.resources)}
        self.full = {name: Use.of(claims) if claims else NOTHING for name, claims in self.claims.items()}
        self.astray = {name: _astray(self, name) if some else NOBODY for name, some in self.claims.items()}
        self.any_astray = any(self.astray.values())
        self._options: dict[tuple[int, Hashable], tuple[Resource, ...]] = {}
        self._elsewhere: dict[str, bool] = {}

    def _sort(self, claims: Iterable[Claim]) -> tuple[set[Hashable], bool]:
        """Put each claim where it stands; what any of them asks for, and whether one is pinned."""
        standing: dict[str | None, list[Claim]] = dict(self.claims.items())
        any_pinned, asked, last = False, set(), object()
        for claim in claims:
            _, _, _, _, at, asks, pinned = claim
            standing.get(at, self.nowhere).append(claim)
            any_pinned = any_pinned or pinned
            if asks is not last:
                asked.add(asks)
                last = asks
        return asked, any_pinned

    def fitting(self, asks: Hashable) -> tuple[Resource, ...]:
        """The resources that a claim may have by what it asks for, lowest id first."""
        found = self._fitting.get(asks)
        if found is None:
            everybody = self.resources.values()
            found = tuple(everybody if asks is None else (each for each in everybody if self.fits(each, asks)))
            self._fitting[asks] = found
        return found

    def fitting_ids(self, asks: Hashable) -> frozenset[str]:
        """Ids of the same."""
        found = self._fitting_ids.get(asks)
        if found is None:
            found = self._fitting_ids[asks] = frozenset(each.id for each in self.fitting(asks))
        return found

    def options(self, claim: Claim) -> tuple[Resource, ...]:
        """Those of them that are free for all of it, were nobody else there."""
        key = (claim.during, claim.asks)
        found = self._options.get(key)
        if found is None:
            found = tuple(each for each in self.fitting(claim.asks) if not claim.during & ~each.free)
            self._options[key] = found
        return found

    def has_another(self, claim: Claim) -> bool:
        """Whether a standing claim could go to somebody else as things lie."""
        found = self._elsewhere.get(claim.id)
        if found is None:
            others = (each for each in self.options(claim) if each.id != claim.at)
            found = not claim.during & ~self._spare and any(self.full[each.id].takes(each, claim) for each in others)
            self._elsewhere[claim.id] = found
        return found

    def is_firm(self, claim: Claim) -> bool:
        """Whether a standing claim stays where it is."""
        return (
            claim.pinned
            or len(self.fitting_ids(claim.asks)) == 1
            or (claim.at is not None and claim.id in self.astray[claim.at])
        )

    @cached_property
    def firm(self) -> dict[str, Use]:
        """What of each resource no new laying can free."""
        moving, firm = self.movable, {}
        for name, claims in self.claims.items():
            if len(moving[name]) == len(claims):
                firm[name] = NOTHING
            elif moving[name]:
                firm[name] = Use.of(claim for claim in claims if self.is_firm(claim))
            else:
                firm[name] = self.full[name]
        return firm

    @cached_property
    def movable(self) -> dict[str, list[Claim]]:
        """The claims on each resource that may be laid anew."""
        bound = any(len(self.fitting_ids(asks)) == 1 for asks in self.asked)
        return {
            name: [one for one in claims if not self.is_firm(one)]
            if bound or self.any_pinned or self.astray[name]
            else claims
            for name, claims in self.claims.items()
        }

    @cached_property
    def count(self) -> list[int]:
        """All sessions there in each slot, as planes."""
        return total([self._standing, Use.of(self.nowhere).count])

    @cached_property
    def _standing(self) -> list[int]:
        """The sessions that somebody has."""
        return total(use.count for use in self.full.values() if use.count)

    def _counted(self, name: str) -> Use:
        """What counts against the pool's sums: all but claims astray, which take nothing that another could have."""
        astray = self.astray[name]
        return Use.of(claim for claim in self.claims[name] if claim.id not in astray) if astray else self.full[name]

    @cached_property
    def crowd(self) -> tuple[list[int], list[int], list[int]]:
        """Sessions, points and hands taken in each slot, as planes; a resource that is not free counts as full."""
        counted = [self._counted(name) if self.astray[name] else use for name, use in self.full.items() if use.count]
        # Whoever is away in the same slots is counted in one go: shifts are few, people many.
        away: dict[int, tuple[int, int, int]] = {}
        for each in self.resources.values():
            off = self.everywhere & ~each.free
            if off:
                room, limit, people = away.get(off, (0, 0, 0))
                away[off] = room + each.capacity, limit + (each.max_points or 0), people + 1
        off_count, off_points, off_hands = (
            [_times(numbers[place], off) for off, numbers in away.items()] for place in range(3)
        )
        count = [use.count for use in counted if use.count] if self.any_astray else [self._standing]
        points = [use.points for use in counted if use.points]
        hands = [[use.hands] for use in counted if use.hands]
        return total(count + off_count), total(points + off_points), total(hands + off_hands)

    @cached_property
    def _spare(self) -> int:
        return self.has_room(0)

    def has_room(self, points: int) -> int:
        """The slots in which the sums leave room for one more session of so many points."""
        count, weights, _ = self.crowd
        room = at_most(count, sum(each.capacity for each in self.resources.values()) - 1, self.everywhere)
        limits = [each.max_points for each in self.resources.values()]
        if points and None not in limits:
            room = at_most(weights, sum(limit or 0 for limit in limits) - points, room)
        return room

    def could_take(self, claim: Claim) -> bool:
        """A bound on packing: of claims with as many points as some of this one's, each resource takes only so many."""
        for least in sorted({each.points for claims in self.claims.values() for each in claims} | {claim.points}):
            if not 0 < least <= claim.points:
                continue
            most = {name: _at_once(each, least) for name, each in self.resources.items()}
            taken = [
                _times(1, each.during)
                for name, claims in self.claims.items()
                for each in claims
                if each.points >= least and each.id not in self.astray[name]
            ]
            off = [_times(most[name], claim.during & ~each.free) for name, each in self.resources.items()]
            if at_most(total(taken + off), sum(most.values()) - 1, claim.during) != claim.during:
                return False
        return True

    def has_hands(self) -> int:
        """The slots in which not everybody has both hands full."""
        return at_most(self.crowd[2], len(self.resources) - 1, self.everywhere)

    def has_room_among(self, asks: Hashable) -> int:
        """For a pool of chairs: the slots in which the fitting ones are not all needed by claims that fit no others."""
        fitting = self.fitting_ids(asks)
        taken = []
        for name, resource in self.resources.items():
            astray, mine = self.astray[name], name in fitting
            slots = self.everywhere & ~resource.free if mine else 0
            for claim in self.claims[name]:
                bound = mine if self.is_firm(claim) else self.fitting_ids(claim.asks) <= fitting
                if bound and claim.id not in astray:
                    slots |= claim.during
            taken.append([slots])
        return at_most(total(taken), len(fitting) - 1, self.everywhere)


def _astray(pool: Pool, name: str) -> frozenset[str]:
    """Ids of the claims on a resource that may not stand there: unfit, not free, or too many at once."""
    resource, claims, use = pool.resources[name], pool.claims[name], pool.full[name]
    capacity, limit = resource.capacity, resource.max_points
    away, crowded = use.busy & ~resource.free, len(claims) > capacity and peak(use.count, use.busy) > capacity
    heavy = limit is not None and peak(use.points, use.busy) > limit
    unfit = {asks for asks in pool.picky if name not in pool.fitting_ids(asks)}
    if not (away or crowded or heavy or use.twice or unfit):
        return NOBODY
    wrong = away | (~at_most(use.count, capacity, use.busy) if crowded else 0)
    wrong |= ~at_most(use.points, limit, use.busy) if heavy and limit is not None else 0
    return frozenset(
        claim.id for claim in claims if claim.during & wrong or claim.hands & use.twice or claim.asks in unfit
    )


def _at_once(resource: Resource, points: int) -> int:
    """How many claims of so many points a resource takes at once."""
    limit = resource.max_points
    return resource.capacity if limit is None else min(resource.capacity, limit // points)


def _times(number: int, slots: int) -> list[int]:
    planes: list[int] = []
    if slots:
        add(planes, number, slots)
    return planes
