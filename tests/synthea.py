"""Forty synthetic patients; where they come from stands in data/synthea/NOTICE."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

PATIENTS = Path(__file__).with_name("data") / "synthea" / "Patient.ndjson"


@dataclass(frozen=True)
class Person:
    """One patient; `email` is invented here and leads nowhere."""

    given_name: str
    family_name: str
    birth_date: date
    gender: str
    email: str


def people() -> list[Person]:
    """All of them, in the file's order."""
    return [_person(json.loads(line)) for line in PATIENTS.read_text(encoding="utf-8").splitlines()]


def _person(record: dict[str, object]) -> Person:
    name = record["name"][0]  # type: ignore[index]
    return Person(
        given_name=" ".join(name["given"]),
        family_name=name["family"],
        birth_date=date.fromisoformat(str(record["birthDate"])),
        gender=str(record["gender"]),
        email=f"synthea-{str(record['id'])[:8]}@example.org",
    )
