"""Bodies that the API's description shows."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample


def _body(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


A_SITE = "01890a5d-ac96-774b-bcce-b302099a8057"
A_CHAIR = "01890a5d-ac96-774b-bcce-b302099a8058"
A_NURSE = "01890a5d-ac96-774b-bcce-b302099a8059"

SITE = _body(
    "A clinic in Chicago",
    {
        "name": "Lakeside Infusion",
        "time_zone": "America/Chicago",
        "opening_hours": [{"weekday": day, "opens": "08:00", "closes": "18:00"} for day in range(5)],
    },
)
SITE_CLOSURE = _body(
    "A holiday",
    {
        "site": A_SITE,
        "start": "2027-07-05T00:00:00-05:00",
        "end": "2027-07-06T00:00:00-05:00",
        "reason": "Independence Day, observed",
    },
)
CHAIR = _body("A bed", {"site": A_SITE, "name": "Bed 1", "kind": "bed", "features": ["cardiac_monitor"]})
CHAIR_CLOSURE = _body(
    "A repair",
    {
        "chair": A_CHAIR,
        "start": "2027-01-04T08:00:00-06:00",
        "end": "2027-01-04T12:00:00-06:00",
        "reason": "Pump is being repaired",
    },
)
PROVIDER = _body("A nurse", {"site": A_SITE, "name": "R. Moss, RN", "role": "nurse", "capacity": 3, "max_acuity": 8})
AVAILABILITY_RULE = _body(
    "Mondays",
    {"provider": A_NURSE, "weekday": 0, "start_time": "07:00", "end_time": "19:00", "effective_from": "2027-01-01"},
)
TIME_OFF = _body(
    "A day off",
    {
        "provider": A_NURSE,
        "start": "2027-01-04T00:00:00-06:00",
        "end": "2027-01-05T00:00:00-06:00",
        "reason": "Course",
    },
)
PROTOCOL = _body(
    "Six infusions two to five days apart",
    {
        "code": "six-over-three-weeks",
        "name": "Six infusions over three weeks",
        "indications": ["neuropathic pain"],
        "phases": [
            {
                "name": "induction",
                "sessions": 6,
                "spacing": {"anchor": "previous", "min_days": 2, "target_days": 3, "max_days": 5},
                "minutes": {"prepare": 30, "infuse": 60, "recover": 60, "turnover": 15},
                "hands_on_minutes": 15,
                "chair": {"kinds": ["recliner", "bed"], "features": []},
                "acuity": 2,
            }
        ],
        "gates": ["consent", "escort"],
        "reminders": [{"hours_before": 24, "channels": ["email"]}],
        "follow_ups": [{"instrument": "PEG", "hours_after": 24}],
    },
)

SITE_CHANGE = _body(
    "Saturdays too",
    {"opening_hours": [{"weekday": day, "opens": "08:00", "closes": "18:00"} for day in range(6)]},
)
SITE_CLOSURE_CHANGE = _body("Half a day", {"start": "2027-07-05T00:00:00-05:00", "end": "2027-07-05T13:00:00-05:00"})
CHAIR_CHANGE = _body("A monitor was added", {"features": ["cardiac_monitor", "near_window"]})
CHAIR_CLOSURE_CHANGE = _body(
    "It takes longer", {"start": "2027-01-04T08:00:00-06:00", "end": "2027-01-04T16:00:00-06:00"}
)
PROVIDER_CHANGE = _body("One patient more at once", {"capacity": 4})
AVAILABILITY_RULE_CHANGE = _body("An hour longer", {"end_time": "20:00"})
TIME_OFF_CHANGE = _body("Back at noon", {"start": "2027-01-04T00:00:00-06:00", "end": "2027-01-04T12:00:00-06:00"})
PROTOCOL_CHANGE = _body(
    "A reminder two days before", {"reminders": [{"hours_before": 48, "channels": ["email", "sms"]}]}
)

GATE_DEFINITION = _body(
    "A gate of our own",
    {
        "gate": "port_checked",
        "rule": "The port was flushed and draws back.",
        "severity": "block",
        "at": ["start"],
        "scope": "session",
        "override_roles": ["prescriber"],
    },
)
GATE_DEFINITION_CHANGE = _body(
    "A stricter limit",
    {"limits": [{"measure": "systolic", "at_least": 150, "action": "repeat"}]},
)
