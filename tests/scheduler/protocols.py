"""Phases in the contract's shape: short ways to write them, and the catalogue's forms of spacing."""

from __future__ import annotations

from typing import Any

Days = Any


def phase(spacing: object, sessions: int | None = 6, **more: Any) -> dict[str, Any]:
    minutes = {"prepare": 30, "infuse": 40, "recover": 60, "turnover": 15}
    minutes |= {name: more.pop(name) for name in list(more) if name in minutes}
    found = {"name": "a", "sessions": sessions, "minutes": minutes, **more}
    return found if spacing is None else {**found, "spacing": spacing}


def previous(low: Days, target: Days, high: Days, **more: Any) -> dict[str, Any]:
    return {"anchor": "previous", "min_days": low, "target_days": target, "max_days": high, **more}


def series(targets: Days, early: int, late: int, **more: Any) -> dict[str, Any]:
    return {"anchor": "series_start", "target_days": targets, "early_days": early, "late_days": late, **more}


def cycle(
    days: int, targets: Days, early: int, late: int, cycle_early: int, cycle_late: int, **more: Any
) -> dict[str, Any]:
    tolerances = {"early_days": early, "late_days": late}
    tolerances |= {"cycle_early_days": cycle_early, "cycle_late_days": cycle_late}
    return {"anchor": "cycle_start", "cycle_days": days, "target_days": targets, **tolerances, **more}


CATALOGUE: dict[str, list[dict[str, Any]]] = {
    "ketamine for mood": [phase(previous(1, 2, 4)), phase(previous(7, 28, 84), sessions=None)],
    "ketamine for CRPS": [
        phase(previous(1, 1, 3), sessions=10, infuse=240),
        phase(previous([2, 2, 11, 2], [3, 3, 12, 3], [4, 4, 14, 4]), sessions=4, infuse=240),
        phase(previous(10, 14, 18), sessions=2, infuse=240),
        phase(previous(21, 28, 35), sessions=3, infuse=240),
        phase(previous(60, 90, 120), sessions=None, infuse=240),
    ],
    "esketamine": [
        phase(previous(2, 3, 5), sessions=8, infuse=15, recover=120),
        phase(previous(5, 7, 9), sessions=4, infuse=15, recover=120),
        phase(previous(7, 14, 21), sessions=None, infuse=15, recover=120),
    ],
    "infliximab": [
        phase(series([0, 14, 42], 3, 3), sessions=3, infuse=120),
        phase(previous(49, 56, 70), sessions=None, infuse=[90, 60], recover=30),
    ],
    "vedolizumab": [phase(series([0, 14, 42], 3, 3), sessions=3, infuse=30, recover=[120, 120, 60])],
    "iron sucrose": [phase(previous(1, 3, 4, max_span_days=14), sessions=5, infuse=15, recover=30)],
    "iron sucrose, peritoneal": [phase(series([0, 14, 28], 2, 2, max_span_days=28), sessions=3, infuse=[90, 90, 150])],
    "IVIG loading": [
        phase(previous(1, 1, 1), sessions=5, infuse=[300, 180]),
        phase(cycle(21, [0, 1], 0, 0, 3, 7), sessions=None, infuse=180),
    ],
    "ocrelizumab": [
        phase(series([0, 14], 2, 7), sessions=2, prepare=60, infuse=150),
        phase(
            previous(
                140, 168, 196, first={"anchor": "series_start", "min_days": 140, "target_days": 168, "max_days": 196}
            ),
            sessions=None,
            prepare=60,
            infuse=210,
        ),
    ],
    "zoledronic acid": [phase(previous(365, 365, 455), sessions=None, infuse=15, recover=15)],
    "chemotherapy 1, 8, 15 of 28": [phase(cycle(28, [0, 7, 14], 1, 2, 0, 7), sessions=18, infuse=120, recover=30)],
    "rituximab": [
        phase(cycle(21, [0], 0, 0, 0, 7), sessions=1, infuse=360),
        phase(cycle(21, [0], 0, 0, 0, 7), sessions=5, infuse=90, recover=30),
    ],
    "single infusion": [phase(None, sessions=1, infuse=240)],
}
