"""Bodies that the API's description shows."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample


def _body(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


A_SITE = "01890a5d-ac96-774b-bcce-b302099a8057"
A_NURSE = "01890a5d-ac96-774b-bcce-b302099a8059"
A_PATIENT = "01890a5d-ac96-774b-bcce-b302099a805a"
A_PROTOCOL = "01890a5d-ac96-774b-bcce-b302099a805b"
A_SERIES = "01890a5d-ac96-774b-bcce-b302099a805d"
A_SESSION = "01890a5d-ac96-774b-bcce-b302099a805e"
A_PLAN = "01890a5d-ac96-774b-bcce-b302099a805c"

ORDER = _body(
    "Six sessions within the year",
    {"patient": A_PATIENT, "protocol": A_PROTOCOL, "sessions": 6, "valid_until": "2027-12-31"},
)
PLANS = _body(
    "Mornings from Monday to Thursday with one nurse",
    {
        "protocol": A_PROTOCOL,
        "site": A_SITE,
        "patient": A_PATIENT,
        "earliest_date": "2027-01-04",
        "latest_date": "2027-02-26",
        "preferences": {
            "weekdays": [0, 1, 2, 3],
            "time_windows": [{"from": "08:00", "until": "13:00"}],
            "provider": A_NURSE,
            "chair_kind": "recliner",
            "same_time_of_day": True,
        },
        "limit": 3,
    },
)
PLANS_FOR_THE_REST = _body(
    "The sessions to come of a series",
    {"series": A_SERIES, "earliest_date": "2027-01-04", "latest_date": "2027-03-26", "limit": 3},
)
PLANS_FOR_ONE = _body(
    "Another place for one session",
    {"session": A_SESSION, "earliest_date": "2026-12-07", "latest_date": "2026-12-18", "limit": 5},
)
NO_PLAN = OpenApiExample(
    "No plan: what stands in the way, and what would do",
    value={
        "plans": [],
        "infeasible": {
            "reasons": [
                {
                    "code": "weekdays",
                    "detail": "You asked for Tuesdays only.",
                    "session": None,
                    "for_staff": "Wish: weekdays.",
                },
                {
                    "code": "max_gap",
                    "detail": "Session 2 has to follow session 1 within 4 days.",
                    "session": 2,
                    "for_staff": "Protocol: at most 4 days from session 1 to session 2.",
                },
            ],
            "relaxations": [
                {
                    "codes": ["weekdays"],
                    "change": {"preferences": {"weekdays": [1, 4]}},
                    "detail": "Fridays too.",
                },
                {
                    "codes": ["max_gap"],
                    "change": None,
                    "detail": "If a clinician agrees, in induction: gaps up to 3 days longer.",
                },
            ],
        },
    },
    response_only=True,
    status_codes=["200"],
)
SERIES = _body("Book a plan", {"patient": A_PATIENT, "protocol": A_PROTOCOL, "plan": A_PLAN})
CANCEL_SERIES = _body("The patient moves away", {"reason": "Moves to another city"})
ABSENCE = _body(
    "A nurse is ill on a day",
    {
        "kind": "provider_absence",
        "provider": A_NURSE,
        "start": "2027-01-05T07:00:00-06:00",
        "end": "2027-01-05T19:00:00-06:00",
        "reason": "Ill",
    },
)
CLOSED_DAY = _body(
    "The site is closed for a day",
    {
        "kind": "site_closure",
        "site": A_SITE,
        "start": "2027-01-06T00:00:00-06:00",
        "end": "2027-01-07T00:00:00-06:00",
        "reason": "Snow",
    },
)
SOONER = _body(
    "A visit sooner, in the morning",
    {
        "patient": A_PATIENT,
        "session": A_SESSION,
        "earliest": "2026-12-01",
        "latest": "2026-12-18",
        "time_windows": [{"from": "08:00", "until": "13:00"}],
    },
)
A_COURSE = _body(
    "A whole course as soon as there is room",
    {"patient": A_PATIENT, "protocol": A_PROTOCOL, "earliest": "2027-01-04", "latest": "2027-03-26"},
)
ENTRY_CHANGE = _body("Until later", {"latest": "2027-03-31"})
REPLAN = _body("The rest of the course on other days", {"plan": A_PLAN})
ADJUST = _body(
    "A longer interval from now on",
    {
        "phase": "induction",
        "spacing": {"anchor": "previous", "min_days": 2, "target_days": 4, "max_days": 6},
        "reason": "Side effects with the shorter interval",
    },
)
RELEASE = _body("Seen by a prescriber", {"reason": "Missed one session; the course goes on as planned"})
RESCHEDULE = _body("Another morning", {"start": "2027-01-05T09:30:00-06:00"})
RESEAT = _body("Half an hour later, in the chair that it has", {"start": "2027-01-05T09:30:00-06:00"})
CANCEL = _body("The patient cannot come", {"reason": "Has a cold"})
STOP = _body("The infusion is not borne", {"reason": "Nausea that does not pass"})
GATE = _body("Consent is signed", {"gate": "consent", "outcome": "met", "note": ""})
START = _body("Passed over, by somebody who may", {"override": {"reason": "Signed copy is on its way by courier"}})
PREPARATION = _body(
    "Somebody comes along",
    {
        "answers": [
            {"gate": "escort", "outcome": "met", "note": "Bo Example"},
        ]
    },
)
VITALS = _body("A reading", {"systolic": 128, "diastolic": 82, "heart_rate": 74, "spo2": 98})
SLOW = _body("Half the rate", {"rate_percent": 50, "reason": "Nausea"})
ADVERSE_EVENT = _body(
    "Vomiting, treated",
    {
        "grade": 2,
        "term": "Vomiting",
        "onset": "2026-11-23T15:40:00Z",
        "action": "paused",
        "outcome": "resolved",
        "symptoms": "Twice within ten minutes",
        "drugs_given": "Ondansetron 4 mg",
    },
)
DISCHARGE = _body("Home with an escort", {"escort_name": "Bo Example", "score": 10})
