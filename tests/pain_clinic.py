"""A pain practice, made by HTTP: one site, its people, and a protocol for each of its eight indications."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.service import Client

WEEKDAYS = range(5)
LONG = {"prepare": 30, "infuse": 240, "recover": 60, "turnover": 15}
LYING = {"kinds": ["recliner", "bed"], "features": []}
QUIET = {"kinds": ["recliner", "private_room"], "features": []}
BY_MAIL = [{"hours_before": 24, "channels": ["email"]}]
PEG_WEEKLY = [{"instrument": "PEG", "hours_after": 168}]
MOOD = [{"instrument": "PHQ-9", "hours_after": 168}]


def gaps(least: Any, target: Any, most: Any) -> dict[str, Any]:
    """Days from the session before: one number each, or a list by ordinal."""
    return {"anchor": "previous", "min_days": least, "target_days": target, "max_days": most}


def part(
    name: str, sessions: int, spacing: dict[str, Any] | None, minutes: dict[str, int], **more: Any
) -> dict[str, Any]:
    """A phase in the contract's shape; four points a patient is one nurse for two, with eight points."""
    made = {"name": name, "sessions": sessions, "minutes": minutes, "hands_on_minutes": 15, "chair": LYING, "acuity": 4}
    return made | ({} if spacing is None else {"spacing": spacing}) | more


CRPS = part("induction", 10, gaps(1, 1, 3), LONG)
# Pairs two to three days apart with a pause between the pairs.
TAPER = part("taper", 4, gaps([11, 2, 11, 2], [11, 2, 11, 2], [12, 3, 12, 3]), LONG)

PROTOCOLS: list[dict[str, Any]] = [
    {
        "code": "NEURO",
        "indications": ["peripheral neuropathy"],
        "sources": ["ASRA 2017 (outpatient blocks of one or three days)", "Cohen 2018: evidence weak or none"],
        "phases": [part("induction", 3, gaps(1, 1, 4), LONG)],
        "follow_ups": PEG_WEEKLY,
    },
    {
        "code": "TN",
        "indications": ["trigeminal neuralgia"],
        "sources": ["a published series of 12, continuous and in hospital; this schedule is the practice's own"],
        "phases": [part("induction", 3, gaps(1, 1, 4), LONG)],
        "follow_ups": PEG_WEEKLY,
    },
    {
        "code": "CRPS",
        "indications": ["complex regional pain syndrome"],
        "sources": [
            "Schwartzman, Pain 2009 (NCT00579085): 4 h daily for 10 days",
            "taper: two a week every other week",
        ],
        "phases": [CRPS, TAPER],
        "follow_ups": PEG_WEEKLY,
    },
    {
        "code": "FIBRO",
        "indications": ["fibromyalgia"],
        "sources": ["one-hour low-dose series as clinics publish them", "NCT06916403"],
        "phases": [
            part(
                "induction",
                6,
                gaps(2, 3, 5),
                {"prepare": 30, "infuse": 60, "recover": 60, "turnover": 15},
                chair={"kinds": ["recliner"], "features": []},
            )
        ],
        # The longest lead there is and no delay at all, so that both mails are due within a test.
        "reminders": [{"hours_before": 2160, "channels": ["email"]}, *BY_MAIL],
        "follow_ups": [{"instrument": "PEG", "hours_after": 0}],
        "gates": ["consent", "escort"],
    },
    {
        "code": "CAUSALGIA",
        "indications": ["causalgia"],
        "sources": ["Schwartzman, Pain 2009 (NCT00579085): 4 h daily for 10 days; CRPS II is causalgia"],
        "phases": [CRPS],
        "follow_ups": PEG_WEEKLY,
    },
    {
        "code": "CANCER",
        "indications": ["cancer pain"],
        "sources": ["no outpatient schedule is published; this one is the practice's own, one nurse a patient"],
        "phases": [part("single", 1, None, LONG, chair={"kinds": ["bed"], "features": []}, acuity=8)],
        "follow_ups": PEG_WEEKLY,
    },
    {
        "code": "TRD",
        "indications": ["treatment-resistant depression"],
        "sources": ["J Affect Disord 2020, PMID 32871698: twice a week for three weeks", "Singh, Am J Psychiatry 2016"],
        "phases": [
            part(
                "induction",
                6,
                gaps(2, 3, 5),
                {"prepare": 30, "infuse": 40, "recover": 60, "turnover": 15},
                chair=QUIET,
            )
        ],
        "follow_ups": MOOD,
    },
    {
        "code": "PTSD",
        "indications": ["PTSD"],
        "sources": ["Feder, Am J Psychiatry 2021: three times a week for two weeks", "Abdallah 2022: no benefit found"],
        "phases": [
            part(
                "induction",
                6,
                gaps(1, 2, 4),
                {"prepare": 30, "infuse": 40, "recover": 60, "turnover": 15},
                chair=QUIET,
            )
        ],
        "follow_ups": MOOD,
    },
]


def open_clinic(client: Client) -> dict[str, Any]:
    """Make the site with its chairs, people and shifts, and the protocols; returns `site` and `protocols` by code."""
    hours = [{"weekday": day, "opens": "08:00", "closes": "18:00"} for day in WEEKDAYS]
    site = client.post("sites/", name="Pain practice", time_zone="America/Chicago", opening_hours=hours)
    for kind, number in (("recliner", 3), ("bed", 1), ("private_room", 1)):
        for ordinal in range(1, number + 1):
            client.post("chairs/", site=site["id"], name=f"{kind} {ordinal}", kind=kind)
    for name in ("Nurse one", "Nurse two"):
        _person(client, site["id"], name=name, role="nurse", capacity=3, max_acuity=8)
    _person(client, site["id"], name="Prescriber", role="prescriber", capacity=6)
    standard = {"status": "approved", "reminders": BY_MAIL}
    protocols = {
        each["code"]: client.post("protocols/", **(standard | {"name": each["code"]} | each)) for each in PROTOCOLS
    }
    return {"site": site, "protocols": protocols}


def _person(client: Client, site: str, **fields: Any) -> None:
    """Make a provider who works 07:30 to 18:30, nurses on Wednesdays only until 15:00."""
    provider = client.post("providers/", site=site, **fields)
    for day in WEEKDAYS:
        ends = "15:00" if day == 2 and fields["role"] == "nurse" else "18:30"
        client.post(
            "availability-rules/",
            provider=provider["id"],
            weekday=day,
            start_time="07:30",
            end_time=ends,
            effective_from="2026-01-01",
        )


def window(today: date) -> dict[str, str]:
    """From next week on, for three quarters of a year."""
    first = today + timedelta(days=7)
    return {"earliest_date": first.isoformat(), "latest_date": (first + timedelta(days=270)).isoformat()}
