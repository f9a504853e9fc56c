"""Sets of sessions that a rule forbids: all but the last fit together, and so does the last by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.raw import Ground, Row

Rows = Callable[[Ground], list[Row]]


def same_chair(ground: Ground) -> list[Row]:
    """The second begins in the first one's turnover."""
    chair = ground.clinic.chairs[0].id
    return [ground.row(0), ground.row(1, 150, chair_id=chair)]


def same_patient(ground: Ground) -> list[Row]:
    """The second begins in the first one's last minute, elsewhere and under another series."""
    patient, series = ground.series[0].patient_id, ground.second_series.id
    return [ground.row(0), ground.row(1, 149, patient_id=patient, series_id=series)]


def same_hands(ground: Ground) -> list[Row]:
    """The nurse is still with the first alone when the second begins."""
    nurse = ground.clinic.nurses[0].id
    return [ground.row(0), ground.row(1, 10, nurse_id=nurse)]


def too_many_for_nurse(ground: Ground) -> list[Row]:
    """The fourth begins before the first has ended; a nurse has three."""
    nurse = ground.clinic.nurses[0].id
    return [ground.row(number, start, nurse_id=nurse) for number, start in enumerate((0, 15, 30, 149))]


def too_acute_for_nurse(ground: Ground) -> list[Row]:
    """Nine points in two sessions; a nurse has eight."""
    nurse = ground.clinic.nurses[0].id
    return [ground.row(0, 0, nurse_id=nurse, acuity=4), ground.row(1, 30, nurse_id=nurse, acuity=5)]


def too_many_for_prescriber(ground: Ground) -> list[Row]:
    """The third infusion begins before the first patient has left; this prescriber has two."""
    prescriber = ground.small.id
    return [ground.row(number, start, prescriber_id=prescriber) for number, start in enumerate((0, 5, 119))]


CLASHES = [
    pytest.param(same_chair, "chair_taken", id="chair"),
    pytest.param(same_patient, "patient_busy", id="patient"),
    pytest.param(same_hands, "nurse_hands_on", id="hands-on"),
    pytest.param(too_many_for_nurse, "nurse_capacity", id="nurse-capacity"),
    pytest.param(too_acute_for_nurse, "nurse_capacity", id="nurse-acuity"),
    pytest.param(too_many_for_prescriber, "prescriber_capacity", id="prescriber-capacity"),
]
