"""What a protocol, opening hours and shifts ask for, read anew from what the API shows. See also `rules`."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from tests.rules import at, block_end

ZONE = ZoneInfo("America/Chicago")
Record = dict[str, Any]


def local(instant: datetime) -> datetime:
    """The site's wall time."""
    return instant.astimezone(ZONE)


def day_of(session: Record) -> date:
    """The site's day of a session."""
    return local(at(session["start"])).date()


def listed(value: Any, ordinal: int) -> int:
    """A number, or the entry for an ordinal of a list whose last entry repeats."""
    return value if isinstance(value, int) else value[min(ordinal, len(value)) - 1]


def expected(protocol: Record) -> list[tuple[Record, int]]:
    """The phase and the ordinal of each session that the protocol asks for."""
    return [(phase, ordinal) for phase in protocol["phases"] for ordinal in range(1, phase["sessions"] + 1)]


def wrong_gaps(protocol: Record, sessions: list[Record]) -> list[str]:
    """Days between neighbours that the protocol does not allow."""
    found = []
    for (phase, ordinal), (before, after) in zip(expected(protocol)[1:], pairwise(sessions), strict=True):
        days = (day_of(after) - day_of(before)).days
        spacing = phase["spacing"]
        if not listed(spacing["min_days"], ordinal) <= days <= listed(spacing["max_days"], ordinal):
            found.append(f"{protocol['code']}: {days} days before session {after['sequence']}")
    return found


def wrong_shape(protocol: Record, session: Record, chairs: dict[str, Record]) -> list[str]:
    """What a session does not have as its protocol says: lengths, hands-on minutes, points, chair."""
    phase, ordinal = expected(protocol)[session["sequence"] - 1]
    minutes = [listed(phase["minutes"][kind], ordinal) for kind in ("prepare", "infuse", "recover", "turnover")]
    lengths = [(at(block["end"]) - at(block["start"])) / timedelta(minutes=1) for block in session["blocks"]]
    hands_on = (at(session["hands_on_until"]) - at(session["start"])) / timedelta(minutes=1)
    chair = chairs[session["chair"]]
    fits = {
        "phase": session["phase"] == phase["name"],
        "lengths": lengths == minutes,
        "whole": all(one["end"] == two["start"] for one, two in pairwise(session["blocks"])),
        "edges": (session["blocks"][0]["start"], session["blocks"][2]["end"]) == (session["start"], session["end"]),
        "hands-on": hands_on == phase["hands_on_minutes"],
        "points": session["acuity"] == phase["acuity"],
        "chair": not phase["chair"]["kinds"] or chair["kind"] in phase["chair"]["kinds"],
        "features": set(phase["chair"]["features"]) <= set(chair["features"]),
        "grid": local(at(session["start"])).minute % 5 == 0 and at(session["start"]).second == 0,
    }
    return [f"{protocol['code']} {session['sequence']}: {name}" for name, right in fits.items() if not right]


def wall(text: str) -> time:
    """A wall time as the API writes it."""
    return time.fromisoformat(text)


def within(spans: list[tuple[int, time, time]], start: datetime, end: datetime) -> bool:
    """Whether a time lies in one of these weekly spans (none past midnight here)."""
    first, last = local(start), local(end)
    return any(
        first.weekday() == weekday and first.date() == last.date() and opens <= first.time() and last.time() <= closes
        for weekday, opens, closes in spans
    )


def outside_hours(site: Record, rules: list[Record], session: Record) -> list[str]:
    """Times of a session at which the site is closed, or its nurse or prescriber is off duty."""
    opening = [(span["weekday"], wall(span["opens"]), wall(span["closes"])) for span in site["opening_hours"]]
    shifts = defaultdict(list)
    for rule in rules:
        shifts[rule["provider"]].append((rule["weekday"], wall(rule["start_time"]), wall(rule["end_time"])))
    start, end = at(session["start"]), at(session["end"])
    spans = {
        "open": (opening, start, block_end(session, "turnover")),
        "nurse": (shifts[session["nurse"]], start, end),
        "prescriber": (shifts[session["prescriber"]], block_end(session, "prepare"), end),
    }
    return [f"{name} not at {session['start']}" for name, span in spans.items() if not within(*span)]
