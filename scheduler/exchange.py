"""Room on a chair by exchanging what follows between two of them: quick, and with chairs alike it always succeeds.

Resources that take one session at a time are rows of intervals. Where a row is free when a session begins but not until
it ends, some other row is free at the slot where it stops being so, or as many sessions as rows are there. What the two
hold from that slot on changes places, up to the next slot at which neither has a session under way. Then the row is
free for longer, and so on until the session has room. What is bound to its place may stand in the way: then it is left
to the search in assignment.py.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.pools import Claim, Pool

# On how many rows room is looked for: where chairs are alike, the first will do.
ROWS_TRIED = 4
# So many are pushed out in turn before it is given up.
PUSHES = 400


def make_room(pool: Pool, new: Claim) -> dict[str, str] | None:
    """Who takes the new claim and whom each that changes for it goes to, by ids; None where this way found nothing."""
    if any(each.capacity != 1 or each.max_points is not None for each in pool.resources.values()):
        return None
    begin = new.during & -new.during
    there = {name: use.busy for name, use in pool.full.items()}
    free = [each.id for each in pool.options(new) if not there[each.id] & begin]
    rows = [name for name in free if not pool.firm[name].busy & new.during]
    for name in sorted(rows, key=lambda name: (-_first(there[name] & new.during), name))[:ROWS_TRIED]:
        rows_then = _cleared(pool, new, name)
        if rows_then is not None:
            moved = {each.id: row for row, claims in rows_then.items() for each in claims if each.at != row}
            return {**moved, new.id: name}
    return None


def _cleared(pool: Pool, new: Claim, name: str) -> dict[str, list[Claim]] | None:
    """What each row that is touched holds once `name` is free for the new claim."""
    rows: dict[str, list[Claim]] = {name: pool.claims[name]}
    busy = {each: use.busy for each, use in pool.full.items()}
    while clash := busy[name] & new.during:
        at = _first(clash)
        idle = [each for each in busy if not busy[each] >> at & 1]
        for other in sorted(idle, key=lambda each: (-_first(busy[each] >> at & new.during >> at), each)):
            held = rows.get(other, pool.claims[other])
            exchanged = _exchanged(pool, (name, rows[name]), (other, held), at)
            if exchanged is not None:
                rows[name], rows[other] = exchanged
                busy[name], busy[other] = map(_union, exchanged)
                break
        else:
            return None
    return rows


def _exchanged(
    pool: Pool, one: tuple[str, list[Claim]], two: tuple[str, list[Claim]], at: int
) -> tuple[list[Claim], list[Claim]] | None:
    """What two rows hold after changing places from a slot on, at which nothing is under way on either."""
    under_way = _union(one[1], inner=True) | _union(two[1], inner=True)
    end = at + 1 + _first(~under_way >> (at + 1))
    between = (1 << end) - (1 << at)
    given, taken = ([each for each in row if each.during & between] for _, row in (one, two))
    if not (_may_go(pool, given, two[0]) and _may_go(pool, taken, one[0])):
        return None
    return [each for each in one[1] if each not in given] + taken, [
        each for each in two[1] if each not in taken
    ] + given


def _may_go(pool: Pool, claims: list[Claim], name: str) -> bool:
    free = pool.resources[name].free
    return all(
        not pool.is_firm(each) and name in pool.fitting_ids(each.asks) and not each.during & ~free for each in claims
    )


def _union(claims: list[Claim], inner: bool = False) -> int:
    """The slots taken; or those `inner` ones at which a claim is under way already."""
    taken = 0
    for each in claims:
        taken |= each.during & each.during << 1 if inner else each.during
    return taken


def _first(slots: int) -> int:
    """The first slot of a set; later than any where it is empty."""
    return (slots & -slots).bit_length() - 1 if slots else 1 << 20


def push_out(pool: Pool, new: Claim) -> dict[str, str] | None:
    """Room on chairs that are not all alike: whoever is in the way is pushed out and looks for a chair in turn.

    The chair is the one from which those are pushed out who have been least often; so nobody goes round in circles. As
    `make_room`; None after `PUSHES` of them.
    """
    if any(each.capacity != 1 or each.max_points is not None for each in pool.resources.values()):
        return None
    rows = {name: {each.id: each for each in claims} for name, claims in pool.movable.items()}
    busy = {name: use.busy for name, use in pool.full.items()}
    pushed: Counter[str] = Counter()
    fit: dict[str, list[str]] = {}
    waiting = [new]
    for _ in range(PUSHES):
        claim = waiting.pop()
        fitting = fit.get(claim.id)
        if fitting is None:
            fitting = [one.id for one in pool.options(claim) if not pool.firm[one.id].busy & claim.during]
            fit[claim.id] = fitting
        if not fitting:
            return None
        out: list[Claim] = []
        best = next((name for name in fitting if not busy[name] & claim.during), None)
        if best is None:
            best, out = _least_often(fitting, rows, claim, pushed)
        for each in out:
            del rows[best][each.id]
            busy[best] &= ~each.during
            pushed[each.id] += 1
        rows[best][claim.id] = claim
        busy[best] |= claim.during
        waiting += out
        if not waiting:
            there = ((each, name) for name, row in rows.items() for each in row.values())
            return {each.id: name for each, name in there if each is new or each.at != name}
    return None


def _least_often(
    fitting: list[str], rows: dict[str, dict[str, Claim]], claim: Claim, pushed: Counter[str]
) -> tuple[str, list[Claim]]:
    """The row from which those are pushed out who have been least often, and who they are."""
    least, best, during = 1 << 30, "", claim.during
    for name in fitting:
        often = 0
        for each in rows[name].values():
            if each.during & during:
                often += 1 + pushed[each.id]
                if often >= least:
                    break
        else:
            least, best = often, name
    if not best:
        raise AssertionError("somebody fits on no row and was asked about")
    return best, [each for each in rows[best].values() if each.during & during]
