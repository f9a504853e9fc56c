"""The catalogue of protocols: published courses as drafts, each figure with its source or marked as a clinic's default.

`catalogue.json` holds it as data. A *row* is one phase of treatment as the sources tell it, with a code of its own; a
*treatment* is a protocol made of one or more rows. Nothing in it is approved: that is for a clinician of each clinic.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from django.db import transaction

from accounts.models import Channel, Organization
from accounts.refusals import NotFound
from scheduler.models import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Fewer visits are missed with reminders 3 days and 1 day ahead than with either alone (Am J Manag Care 2018;24:377).
REMINDERS: Final = (
    {"hours_before": 72, "channels": [Channel.EMAIL.value]},
    {"hours_before": 24, "channels": [Channel.EMAIL.value, Channel.SMS.value]},
)
WEEK_AHEAD: Final = {"hours_before": 168, "channels": [Channel.EMAIL.value]}
GRADES: Final = {"A": "primary", "B": "professional or secondary", "C": "clinic's site, vendor or machine-written"}

Entry: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """A protocol of an organization after loading; `made` is False where its code was there and was left alone."""

    protocol: Protocol
    made: bool


@cache
def book() -> Entry:
    """The catalogue as it stands in its file: rows, treatments, gates, follow-up plans, sources. Not to be changed."""
    found: Entry = json.loads(Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8"))
    return found


def treatments() -> tuple[str, ...]:
    """Codes of all protocols that `load` saves, in the catalogue's order."""
    return tuple(treatment["code"] for treatment in book()["treatments"])


def entry(code: str) -> Entry:
    """The content of a protocol as `scheduler.protocols.create_protocol` takes it, without a status.

    `code` is that of a treatment, or of a single row: then that phase stands alone, as a course of its own. `sources`
    hold evidence, defaults and what cannot be expressed, line by line, then the publications.
    Raises NotFound `not_in_catalogue`.
    """
    for treatment in book()["treatments"]:
        if treatment["code"] == code:
            return _protocol(code, treatment["name"], treatment["rows"], treatment["not_sayable"])
    if code in book()["rows"]:
        return _protocol(code, book()["rows"][code]["name"], [code], [])
    raise NotFound("not_in_catalogue", "The catalogue has no such code.")


@transaction.atomic
def load(organization: Organization, codes: Iterable[str] | None = None) -> list[Loaded]:
    """Save the entries with these codes (None: every treatment) as drafts of the organization, all or none.

    A code that the organization has in any version is left alone, so that loading twice changes nothing.
    Raises NotFound `not_in_catalogue` for an unknown code.
    """
    # Locked, so that two loads at once do not save the same code twice.
    organization = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    present = {found.code: found for found in Protocol.objects.filter(organization=organization).order_by("version")}
    loaded = []
    for values in map(entry, treatments() if codes is None else dict.fromkeys(codes)):
        made = values["code"] not in present
        protocol = Protocol(organization=organization, **values) if made else present[values["code"]]
        if made:
            protocol.save(force_insert=True)
        loaded.append(Loaded(protocol, made))
    return loaded


def _protocol(code: str, name: str, codes: Sequence[str], not_sayable: Sequence[str]) -> Entry:
    rows = {row: book()["rows"][row] for row in codes}
    plans = [book()["follow_up_plans"][plan] for plan in _unique(row["follow_up_plan"] for row in rows.values())]
    gates = _unique(gate for row in rows.values() for gate in row["gates"])
    week_ahead = all(row["week_ahead"] for row in rows.values())
    day = book()["day_plans"][next(iter(rows.values()))["day_plan"]]
    return {
        "code": code,
        "name": name,
        "indications": _unique(indication for row in rows.values() for indication in row["indications"]),
        "sources": _evidence(code, rows, not_sayable, [*plans, day]) + _publications(rows, [*plans, day], gates),
        "phases": _phases(list(rows.values())),
        "gates": gates,
        "observation": json.loads(json.dumps(day["observation"])),
        "discharge": json.loads(json.dumps(day["discharge"])),
        "reminders": [dict(reminder) for reminder in ((WEEK_AHEAD,) if week_ahead else ()) + REMINDERS],
        "follow_ups": [dict(follow_up) for plan in plans for follow_up in plan["follow_ups"]],
    }


def _phases(rows: Sequence[Entry]) -> list[Entry]:
    """The rows' phases; a rule for a phase's first session speaks of the phases before, so the first phase loses it."""
    phases = [json.loads(json.dumps(row["phase"])) for row in rows]
    phases[0].get("spacing", {}).pop("first", None)
    return phases


def _evidence(code: str, rows: Entry, not_sayable: Sequence[str], plans: Sequence[dict[str, Any]]) -> list[str]:
    """What stands behind the figures, each line with the code of its row."""
    lines = []
    for row, said in rows.items():
        lines += [f"{row}: {basis}" for basis in said["basis"]]
        lines.append(f"{row}, clinic default, no published figure: {said['clinic_default']}")
        lines += [f"{row}, cannot be expressed: {item}" for item in said["not_sayable"]]
    lines += [f"{code}, cannot be expressed: {item}" for item in not_sayable]
    for plan in plans:
        lines += (
            [f"Follow-up: {plan['evidence']}", plan["missing"]]
            if "missing" in plan
            else [f"Watching: {plan['evidence']}"]
        )
    return [*lines, *book()["general"]["evidence"], *book()["general"]["not_sayable"]]


def _publications(rows: Entry, plans: Sequence[Entry], gates: Sequence[str]) -> list[str]:
    """Every source that the lines, the gates and the follow-ups lean on: key, author or organization, year, address."""
    asked = [*rows.values(), *plans, *(book()["gates"][gate] for gate in gates), book()["general"]]
    return [publication(key) for key in _unique(key for each in asked for key in each["sources"])]


def publication(key: str) -> str:
    """One source spelled out, with how much it weighs."""
    source = book()["sources"][key]
    grades = ", ".join(GRADES[grade] for grade in source["grade"].split("/"))
    return f"{key}: {source['text']}. Grade {source['grade']} ({grades})."


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
