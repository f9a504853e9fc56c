"""What a rule that stands in the way is called: in words for patients, and in words for those who run the clinic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.phases import SLOT_MINUTES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from scheduler.suppose import Question, Rule
    from scheduler.treatment import Visit

WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
CHAIRS = {"recliner": "a recliner", "bed": "a bed", "private_room": "a private room"}


def told(rule: Rule, question: Question) -> tuple[str, str]:
    """A rule that stands in the way, told to a patient and told to staff."""
    wishes = question.asked.wishes
    visit = next((visit for visit in question.asked.visits if visit.sequence == rule.session), None)
    if visit is not None:
        return _of_session(rule.code, visit)
    match rule.code:
        case "chair_kind":
            return f"You asked for {CHAIRS[wishes.chair_kind or '']}.", "Wish: kind of chair."
        case "provider":
            return "You asked for one particular person.", "Wish: one nurse or prescriber."
        case "time_windows":
            return f"You asked for times {windows_in_words(wishes.time_windows)}.", "Wish: times of day."
        case "weekdays":
            return f"You asked for {weekdays_in_words(wishes.weekdays or ())} only.", "Wish: weekdays."
        case "earliest_date":
            return f"You cannot begin before {date_in_words(wishes.earliest)}.", "The request's earliest date."
        case "latest_date":
            return f"The last session has to be on {date_in_words(wishes.latest)} at the latest.", (
                "The request's latest date."
            )
    return "There are not enough days to choose from.", "Too few days are left that could take a session at all."


def _of_session(code: str, visit: Visit) -> tuple[str, str]:
    """A rule on one session."""
    number, after = visit.sequence, visit.gap.after if visit.gap else 0
    least, most = (visit.gap.min_days, visit.gap.max_days) if visit.gap else (0, 0)
    length = hours_in_words((visit.prepare + visit.infuse + visit.recover) * SLOT_MINUTES)
    features = ", ".join(sorted(feature.replace("_", " ") for feature in visit.chair.features))
    kinds = " or ".join(CHAIRS[kind] for kind in sorted(visit.chair.kinds)) or "a chair"
    chair = f"{kinds} with {features}" if features else kinds
    return {
        "max_gap": (
            f"Session {number} has to follow session {after} within {count(most, 'day')}.",
            f"Protocol: at most {count(most, 'day')} from session {after} to session {number}.",
        ),
        "min_gap": (
            f"There have to be at least {count(least, 'day')} between sessions {after} and {number}.",
            f"Protocol: at least {count(least, 'day')} from session {after} to session {number}.",
        ),
        "window": (
            f"Session {number} has to be {least} to {most} days after session {after}.",
            f"Protocol: session {number} {least} to {most} days after session {after}.",
        ),
        "span": (
            f"Session {number} has to be within {count(visit.span.max_days if visit.span else 0, 'day')} of session "
            f"{visit.span.since if visit.span else 0}.",
            f"Protocol: max_span_days of phase {visit.phase}, for session {number}.",
        ),
        "patient_busy": (
            f"You have another appointment when session {number} could be.",
            f"The patient's own other bookings, for session {number}.",
        ),
        "closures": (
            f"The clinic is closed when session {number} could be.",
            f"Closures of the site, for session {number}.",
        ),
        "opening_hours": (
            f"Session {number} takes {length} and has to be within opening hours.",
            f"Opening hours, for session {number} ({length}, then turnover).",
        ),
        "chair_need": (f"Session {number} needs {chair}.", f"Protocol: {chair} for session {number}."),
        "chairs": (
            f"No suitable chair is free for session {number}.",
            f"Chairs and their closures, for session {number} ({length}, then turnover).",
        ),
        "nurses": (
            f"No nurse has time for session {number}.",
            f"Nurses for session {number}: on duty from start to end, hands-on minutes, capacity, points "
            f"({visit.acuity}).",
        ),
        "prescribers": (
            f"No prescriber is there for session {number}.",
            f"Prescribers on duty with room from infuse to the end of session {number}.",
        ),
        "bookings": (
            f"Other patients have the places that session {number} could have.",
            f"Sessions and holds already there, for session {number}.",
        ),
    }[code]


def count(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def date_in_words(on: date) -> str:
    """Tuesday 2 March 2027."""
    return f"{on:%A} {on.day} {on:%B} {on.year}"


def weekdays_in_words(weekdays: Iterable[int]) -> str:
    """Mondays, Tuesdays and Fridays."""
    return listed([WEEKDAYS[weekday] for weekday in sorted(weekdays)])


def windows_in_words(windows: Iterable[tuple[int, int]]) -> str:
    """From 08:00 to 12:00 and from 14:00 to 16:00."""
    return listed([f"from {clock(opens)} to {clock(closes)}" for opens, closes in windows])


def clock(minute: int) -> str:
    """A minute of the day as the wall clock shows it."""
    return f"{minute // 60:02}:{minute % 60:02}"


def hours_in_words(minutes: int) -> str:
    """2 hours 10 minutes."""
    parts = [count(minutes // 60, "hour")] * (minutes >= 60) + [count(minutes % 60, "minute")] * (minutes % 60 > 0)
    return " ".join(parts)


def listed(words: list[str]) -> str:
    """Words with commas and an `and`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
