"""The catalogue of protocols: every row is there with its figures and sources, can be planned, and loads as a draft."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from accounts.refusals import NotFound
from scheduler import catalogue
from scheduler.api.serializers import ProtocolSerializer
from scheduler.models import Protocol
from scheduler.planner import Wishes, check_spacing, plan
from scheduler.treatment import parse_phases, visits
from tests.factories import make_organization, make_protocol
from tests.scheduler.clinic import MONDAY, chair, day, staff

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.factories import Clinic

ROWS = (
    "KET-TRD-3W",
    "KET-TRD-2W",
    "KET-TRD-100",
    "KET-TRD-M",
    "KET-PTSD",
    "KET-PTSD-8",
    "KET-CRPS",
    "KET-CRPS-T1",
    "KET-CRPS-T2",
    "KET-CRPS-T3",
    "KET-CRPS-M",
    "KET-NEURO",
    "KET-TN",
    "KET-FIBRO-L",
    "KET-FIBRO-H",
    "KET-MIGR",
    "KET-CANCER",
    "KET-PAIN-M",
    "ESK-IND",
    "ESK-W",
    "ESK-M",
    "IFX-IND",
    "IFX-M",
    "VDZ-IND",
    "VDZ-M",
    "FE-NDD",
    "FE-PDD",
    "IVIG-CIDP-L",
    "IVIG-CIDP-M",
    "IVIG-PI",
    "IVIG-ITP",
    "NTZ",
    "OCR-1",
    "OCR-M",
    "ZOL-OP",
    "ZOL-ONC",
    "CHEMO-28-3",
    "CHEMO-21-2",
    "RTX-1",
    "RTX-2",
)
CODES = sorted({*ROWS, *catalogue.treatments()})
PAGE = Path(__file__).parents[2] / "docs" / "catalogue.md"


def phase_of(row: str) -> dict[str, Any]:
    (phase,) = catalogue.entry(row)["phases"]
    return phase


# -- What it holds -----------------------------------------------------------------------------------------------------


def test_every_row_is_there_and_part_of_a_treatment() -> None:
    assert sorted(catalogue.book()["rows"]) == sorted(ROWS)
    parts = {row for treatment in catalogue.book()["treatments"] for row in treatment["rows"]}
    assert parts == set(ROWS)


@pytest.mark.parametrize("code", CODES)
def test_the_api_would_take_it(code: str) -> None:
    values = catalogue.entry(code)
    serializer = ProtocolSerializer(data=values)
    assert serializer.is_valid(), serializer.errors
    assert values["indications"]
    assert values["gates"][:2] == ["consent", "order"]
    assert {reminder["hours_before"] for reminder in values["reminders"]} >= {24, 72}
    assert values["follow_ups"]


@pytest.mark.parametrize("code", CODES)
def test_every_source_that_a_line_names_is_spelled_out(code: str) -> None:
    sources = catalogue.entry(code)["sources"]
    known = catalogue.book()["sources"]
    named = {key for line in sources for found in re.findall(r"\(([^()]*)\)", line) for key in found.split(", ")}
    assert {catalogue.publication(key) for key in named & set(known)} <= set(sources)
    assert sum("clinic default, no published figure" in line for line in sources) >= 3


@pytest.mark.parametrize("row", ROWS)
def test_each_row_is_found_by_its_code_in_its_treatment(row: str) -> None:
    (holder, *_) = [t["code"] for t in catalogue.book()["treatments"] if row in t["rows"]]
    sources = catalogue.entry(holder)["sources"]
    assert any(line.startswith(f"{row}: ") for line in sources)
    assert any(line.startswith(f"{row}, clinic default, no published figure: ") for line in sources)


@pytest.mark.parametrize(
    ("row", "sessions", "spacing", "minutes", "kinds", "acuity"),
    [
        ("KET-TRD-3W", 6, (1, 2, 4), (30, 40, 60, 15), ["private_room"], 4),
        ("KET-TRD-2W", 6, (2, 3, 5), (30, 40, 60, 15), ["private_room"], 4),
        ("KET-TRD-100", 4, (2, 3, 5), (30, 100, 60, 15), ["private_room"], 4),
        ("KET-TRD-M", None, (7, 28, 84), (30, 40, 60, 15), ["private_room"], 4),
        ("KET-PTSD", 6, (1, 2, 4), (30, 40, 60, 15), ["private_room"], 4),
        ("KET-PTSD-8", 8, (2, 3, 5), (30, 40, 60, 15), ["private_room"], 4),
        ("KET-CRPS", 10, (1, 1, 3), (30, 240, 60, 15), ["recliner", "bed"], 4),
        ("KET-CRPS-T2", 2, (10, 14, 18), (30, 240, 60, 15), ["recliner", "bed"], 4),
        ("KET-CRPS-T3", 3, (21, 28, 35), (30, 240, 60, 15), ["recliner", "bed"], 4),
        ("KET-CRPS-M", None, (60, 90, 120), (30, 240, 60, 15), ["recliner", "bed"], 4),
        ("KET-NEURO", 3, (1, 1, 4), (30, 240, 60, 15), ["recliner", "bed"], 4),
        ("KET-FIBRO-L", 6, (2, 3, 5), (30, 60, 60, 15), ["recliner"], 4),
        ("KET-FIBRO-H", 4, (7, 14, 28), (30, 210, 60, 15), ["recliner", "bed"], 4),
        ("KET-MIGR", 3, (1, 1, 3), (30, 240, 60, 15), ["private_room"], 4),
        ("KET-PAIN-M", None, (21, 30, 90), (30, 240, 60, 15), ["recliner", "bed"], 4),
        ("ESK-IND", 8, (2, 3, 5), (30, 15, 120, 15), ["private_room"], 4),
        ("ESK-W", 4, (5, 7, 9), (30, 15, 120, 15), ["private_room"], 4),
        ("ESK-M", None, (7, 14, 21), (30, 15, 120, 15), ["private_room"], 4),
        ("IFX-M", None, (49, 56, 70), (30, [90, 60], 30, 15), ["recliner"], 2),
        ("VDZ-M", None, (49, 56, 70), (15, 30, 60, 15), ["recliner"], 2),
        ("FE-NDD", 5, (1, 3, 4), (15, 15, 30, 15), ["recliner"], 1),
        ("IVIG-CIDP-L", 5, (1, 1, 1), (30, [300, 180], 30, 15), ["recliner"], 3),
        ("IVIG-ITP", 2, (1, 1, 1), (30, [300, 240], 30, 15), ["recliner"], 3),
        ("NTZ", None, (25, 28, 35), (15, 60, 60, 15), ["recliner"], 3),
        ("OCR-M", None, (140, 168, 196), (60, 210, 60, 15), ["recliner"], 2),
        ("ZOL-OP", None, (365, 365, 455), (15, 15, 15, 15), ["recliner"], 2),
    ],
)
def test_gaps_minutes_seat_and_acuity(
    row: str, sessions: int | None, spacing: tuple[int, ...], minutes: tuple[Any, ...], kinds: list[str], acuity: int
) -> None:
    phase = phase_of(row)
    assert phase["sessions"] == sessions
    assert phase["spacing"]["anchor"] == "previous"
    assert tuple(phase["spacing"][name] for name in ("min_days", "target_days", "max_days")) == spacing
    assert tuple(phase["minutes"][name] for name in ("prepare", "infuse", "recover", "turnover")) == minutes
    assert (phase["chair"]["kinds"], phase["acuity"]) == (kinds, acuity)


@pytest.mark.parametrize(
    ("row", "targets", "early", "late", "infuse", "recover"),
    [
        ("IFX-IND", [0, 14, 42], 3, 3, 120, 60),
        ("VDZ-IND", [0, 14, 42], 3, 3, 30, [120, 120, 60]),
        ("FE-PDD", [0, 14, 28], 2, 2, [90, 90, 150], 30),
        ("OCR-1", [0, 14], 2, 7, 150, 60),
    ],
)
def test_days_from_the_start_of_the_series(
    row: str, targets: list[int], early: int, late: int, infuse: Any, recover: Any
) -> None:
    phase, spacing = phase_of(row), phase_of(row)["spacing"]
    assert (spacing["anchor"], spacing["target_days"]) == ("series_start", targets)
    assert (spacing["early_days"], spacing["late_days"]) == (early, late)
    assert (phase["minutes"]["infuse"], phase["minutes"]["recover"]) == (infuse, recover)


def test_chemotherapy_keeps_its_cycles() -> None:
    three, two = phase_of("CHEMO-28-3"), phase_of("CHEMO-21-2")
    slack = {"early_days": 1, "late_days": 2, "cycle_early_days": 0, "cycle_late_days": 7}
    assert three["spacing"].items() >= {"cycle_days": 28, "target_days": [0, 7, 14], **slack}.items()
    assert two["spacing"].items() >= {"cycle_days": 21, "target_days": [0, 7], **slack}.items()
    assert three["sessions"] % 3 == two["sessions"] % 2 == 0


def test_one_nurse_for_one_patient_is_eight_points() -> None:
    assert phase_of("KET-CANCER")["acuity"] == 8
    assert "spacing" not in phase_of("KET-CANCER")


def test_iron_keeps_its_fourteen_days_and_the_last_peritoneal_dose_is_never_late() -> None:
    assert phase_of("FE-NDD")["spacing"]["max_span_days"] == 14
    assert phase_of("FE-PDD")["spacing"]["max_span_days"] == 28


def test_ocrelizumab_is_never_given_within_twenty_weeks() -> None:
    """The first maintenance dose counts from infusion 1; whatever the day of infusion 2, 140 days lie after it."""
    phases = parse_phases(catalogue.entry("OCR")["phases"])
    third = visits(phases, 1)[2]
    assert third.gap is not None
    assert (third.gap.after, third.gap.target_days) == (1, 168)
    latest_second = 14 + phase_of("OCR-1")["spacing"]["late_days"]
    assert third.gap.min_days - latest_second >= 140


def test_a_row_alone_has_no_rule_about_phases_before_it() -> None:
    assert "first" in catalogue.entry("KET-CRPS-FULL")["phases"][1]["spacing"]
    assert "first" not in phase_of("KET-CRPS-T1")["spacing"]
    assert "first" in catalogue.entry("KET-CRPS-FULL")["phases"][1]["spacing"]


def test_a_message_a_week_ahead_only_where_sessions_lie_a_week_apart() -> None:
    hours = {code: [each["hours_before"] for each in catalogue.entry(code)["reminders"]] for code in CODES}
    assert hours["IFX"] == hours["OCR"] == hours["ZOL-OP"] == [168, 72, 24]
    assert hours["KET-CRPS"] == hours["KET-CRPS-FULL"] == hours["FE-NDD"] == [72, 24]


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(NotFound):
        catalogue.entry("KET-NOTHING")


# -- It can be planned -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODES)
def test_it_can_be_planned_in_a_clinic_where_all_is_free(code: str) -> None:
    phases = parse_phases(catalogue.entry(code)["phases"])
    to_place = visits(phases, None if phases[-1].sessions else 3)
    wanted: dict[int, int] = {1: 0}
    for visit in to_place[1:]:
        assert visit.gap is not None
        wanted[visit.sequence] = wanted[visit.gap.after] + visit.gap.target_days
    slots = 8 * 12 + 3
    chairs = (chair("r"), chair("b", kind="bed"), chair("p", kind="private_room", features=("bed",)))
    days = [
        day(
            MONDAY + timedelta(days=number),
            slots,
            chairs=chairs,
            nurses=(staff("n", max_acuity=8),),
            prescribers=(staff("p", role="prescriber"),),
        )
        for number in range(wanted[len(to_place)] + 1)
    ]
    (found,) = plan(to_place, days, Wishes(days[0].date, days[-1].date))
    assert len(found.sessions) == len(to_place)
    assert found.cost.deviation == 0
    assert check_spacing(phases, [session.date for session in found.sessions]) == []


# -- It is loaded ------------------------------------------------------------------------------------------------------


def run(**options: Any) -> str:
    out = StringIO()
    call_command("catalogue", stdout=out, **options)
    return out.getvalue()


def test_loading_makes_drafts_that_nobody_approved(db: None) -> None:
    organization = make_organization()
    said = run(organization=str(organization.pk))
    made = Protocol.objects.filter(organization=organization)
    assert {protocol.code for protocol in made} == set(catalogue.treatments())
    assert {(p.status, p.approved_by, p.approved_at, p.version) for p in made} == {("draft", None, None, 1)}
    assert all(protocol.code in said for protocol in made)
    assert Protocol.objects.count() == made.count()


def test_loading_again_changes_nothing_and_says_so(db: None) -> None:
    organization = make_organization(name="Twice")
    run(organization="Twice")
    before = list(Protocol.objects.values())
    said = run(organization="Twice")
    assert list(Protocol.objects.values()) == before
    assert said.count("left alone: there is version 1, draft") == len(catalogue.treatments())
    assert not any(loaded.made for loaded in catalogue.load(organization))


def test_what_the_clinic_has_under_a_code_is_left_alone(clinic: Clinic) -> None:
    own = make_protocol(clinic.organization, clinic.users["prescriber"], code="NTZ", indications=["ours"])
    loaded = {each.protocol.code: each for each in catalogue.load(clinic.organization)}
    assert (loaded["NTZ"].made, loaded["NTZ"].protocol) == (False, own)
    assert [p.indications for p in Protocol.objects.filter(organization=clinic.organization, code="NTZ")] == [["ours"]]
    assert loaded["OCR"].made


def test_rows_can_be_loaded_as_courses_of_their_own(db: None) -> None:
    organization = make_organization()
    loaded = catalogue.load(organization, ["KET-CRPS", "IFX-IND", "KET-CRPS"])
    assert [(each.protocol.code, len(each.protocol.phases)) for each in loaded] == [("KET-CRPS", 1), ("IFX-IND", 1)]


def test_an_unknown_code_loads_nothing(db: None) -> None:
    make_organization(name="Careful")
    with pytest.raises(CommandError, match="KET-CRPS-T1"):
        run(organization="Careful", only=["NTZ", "KET-NOTHING"])
    assert not Protocol.objects.exists()


def test_whose_protocols_they_become_must_be_clear(db: None) -> None:
    make_organization(name="Same")
    make_organization(name="Same")
    with pytest.raises(CommandError, match="give the id"):
        run(organization="Same")
    with pytest.raises(CommandError, match="no organization"):
        run(organization="Nobody")
    with pytest.raises(CommandError):
        run()


def test_a_clinician_reads_the_evidence_and_approves(clinic: Clinic, api: Callable[..., APIClient]) -> None:
    catalogue.load(clinic.organization, ["KET-CRPS-FULL"])
    prescriber = api(clinic.users["prescriber"])
    (shown,) = prescriber.get("/api/v1/protocols/?code=KET-CRPS-FULL").json()["results"]
    assert shown["sources"] == catalogue.entry("KET-CRPS-FULL")["sources"]
    answer = prescriber.patch(f"/api/v1/protocols/{shown['id']}/", {"status": "approved"}, format="json")
    assert (answer.status_code, answer.json()["status"]) == (200, "approved")
    assert answer.json()["approved_by"] == str(clinic.users["prescriber"].pk)


def test_the_page_is_in_step() -> None:
    assert PAGE.read_text(encoding="utf-8") == run(docs=True)
