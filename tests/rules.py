"""An independent reading of the rules: what is wrong with a set of sessions, looked at minute by minute.

Shares nothing with the planner or the database's constraints; works on what the API shows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GONE = {"cancelled", "no_show"}
STEP = timedelta(minutes=5)


@dataclass(frozen=True)
class Limits:
    """What a provider can bear: patients at once, points at once (None: any)."""

    capacity: int
    max_acuity: int | None


def broken(sessions: Iterable[dict[str, Any]], limits: dict[str, Limits]) -> list[str]:
    """Every rule that these sessions (as the API shows them) break together; [] where all is well."""
    live = [session for session in sessions if session["status"] not in GONE]
    return [
        *_shared("chair", live, lambda s: (at(s["start"]), block_end(s, "turnover"))),
        *_shared("patient", live, lambda s: (at(s["start"]), at(s["end"]))),
        *_shared("nurse", live, lambda s: (at(s["start"]), at(s["hands_on_until"])), "hands-on minutes of "),
        *_beyond("nurse", live, limits, lambda s: at(s["start"])),
        *_beyond("prescriber", live, limits, lambda s: block_end(s, "prepare")),
    ]


def at(text: str) -> datetime:
    """An instant as the API writes it."""
    return datetime.fromisoformat(text)


def block_end(session: dict[str, Any], kind: str) -> datetime:
    """Where the block of this kind ends."""
    return next(at(block["end"]) for block in session["blocks"] if block["kind"] == kind)


def _shared(who: str, live: list[dict[str, Any]], span: Any, what: str = "") -> Iterator[str]:
    """Pairs of sessions that have the same chair, patient or nurse in the same minutes."""
    groups = defaultdict(list)
    for session in live:
        groups[session[who]].append(span(session))
    for key, spans in groups.items():
        for (a, b), (c, d) in combinations(spans, 2):
            if a < d and c < b:
                yield f"{what}{who} {key} is taken twice at {max(a, c)}"


def _beyond(role: str, live: list[dict[str, Any]], limits: dict[str, Limits], begin: Any) -> Iterator[str]:
    """Five-minute steps in which a provider has more patients or points than allowed."""
    patients: Counter[tuple[str, datetime]] = Counter()
    points: Counter[tuple[str, datetime]] = Counter()
    for session in live:
        moment, end = begin(session), at(session["end"])
        while moment < end:
            patients[session[role], moment] += 1
            points[session[role], moment] += session["acuity"]
            moment += STEP
    for (provider, moment), number in patients.items():
        limit = limits[provider]
        if number > limit.capacity:
            yield f"{role} {provider} has {number} patients at {moment}"
        if role == "nurse" and limit.max_acuity is not None and points[provider, moment] > limit.max_acuity:
            yield f"{role} {provider} has {points[provider, moment]} points at {moment}"
