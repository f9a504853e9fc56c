"""A new course by page: phases added and taken away, each fault at its field, a copy of another, nothing lost."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.http import QueryDict
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from scheduler import catalogue
from scheduler.api.serializers import ProtocolSerializer
from scheduler.models import Protocol
from scheduler.treatment import TreatmentError, parse_phases
from tests.factories import make_protocol, phase
from tests.web.conftest import DESK, PHONE, Visitor
from web.fault_words import plain
from web.phase_fields import ANCHORS, MOST_PHASES
from web.protocol_form import ProtocolForm, with_phase, without_phase

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Clinic

NEW = "/clinic/protocols/new/"
FIRST = {"name": "induction", "sessions": "6", "spacing.target_days": "3", "spacing.min_days": "2",
         "spacing.max_days": "5", "minutes.prepare": "30", "minutes.infuse": "60, 45", "minutes.recover": "60",
         "minutes.turnover": "15"}  # fmt: skip


def phase_at(number: int, anchor: str, **figures: str) -> dict[str, str]:
    return {f"phases.{number}.{path}": value for path, value in ({"anchor": anchor, "was": ""} | figures).items()}


def course(**change: Any) -> dict[str, Any]:
    return {"name": "Magnesium", "code": "MG-1", **phase_at(0, "previous", **FIRST), **change}


def test_a_prescriber_writes_a_course_of_two_phases(clinic: Clinic, visitor: Visitor) -> None:
    page = visitor.as_user(clinic.users["prescriber"], PHONE)
    page.goto(visitor.url + "/clinic/protocols/")
    page.get_by_role("link", name="Write a new one").click()
    page.get_by_label("Name", exact=True).fill("Magnesium")
    page.get_by_label("Short code").fill("MG-1")
    page.get_by_label("Name of this phase").fill("induction")
    page.get_by_label("Its visits come").select_option(label="On days of a cycle that comes again")
    page.get_by_role("button", name="Add the phase").click()
    second = page.get_by_role("region", name="Phase 2")
    second.get_by_label("Days of a cycle", exact=True).fill("28")
    assert page.get_by_label("Name", exact=True).input_value() == "Magnesium", "what was written stays"
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_label("Short code").press("Enter")
    page.get_by_text("Please look at it once more").wait_for()
    assert page.get_by_role("region", name="Phase 2").get_by_text("This is needed.").count() == 6
    page.get_by_role("region", name="Phase 2").get_by_role("button", name="Remove this phase").click()
    page.get_by_role("region", name="Phase 2").wait_for(state="detached")
    for path, value in FIRST.items():
        page.locator(f'[name="phases.0.{path}"]').fill(value)
    page.get_by_role("button", name="Save the draft").click()
    page.get_by_text("Saved as a draft.").wait_for()
    page.get_by_text("30 to prepare, 60, 45 of infusion, 60 of recovery, 15 to tidy").wait_for()
    made = Protocol.objects.get(code="MG-1")
    assert (made.status, made.version, made.organization) == ("draft", 1, clinic.organization)
    expected = phase(minutes={"prepare": 30, "infuse": [60, 45], "recover": 60, "turnover": 15})
    assert made.phases == [{name: expected[name] for name in ("name", "sessions", "spacing", "minutes")}]
    assert visitor.complaints == []
    page.close()


def test_a_course_begins_as_a_copy_in_spanish(clinic: Clinic, visitor: Visitor) -> None:
    home = {"minimum_recovery_minutes": [60], "escort": True, "scores": [{"instrument": "padss", "minimum": 9}],
            "vitals_within_minutes": 30, "override_roles": []}  # fmt: skip
    like = make_protocol(clinic.organization, clinic.users["prescriber"], phase(), discharge=home, gates=["consent"])
    page = visitor.as_user(clinic.users["manager"], DESK, locale="es-US")
    page.goto(visitor.url + NEW)
    page.get_by_label("Empezar como copia de").select_option(label=f"{like.name}, versión 1")
    page.get_by_role("button", name="Rellenar").click()
    page.get_by_label("Nombre", exact=True).fill("Otro")
    page.get_by_label("Código corto").fill(like.code)
    page.get_by_role("button", name="Guardar el borrador").click()
    page.get_by_text("Ya hay un protocolo con este código").wait_for()
    assert Axe().run(page).response["violations"] == []
    page.get_by_label("Código corto").fill("NEW")
    page.get_by_label("Minutos como mínimo antes de ir a casa").fill("45")
    page.get_by_role("button", name="Guardar el borrador").click()
    page.get_by_text("Guardado como borrador.").wait_for()
    made = Protocol.objects.get(code="NEW")
    assert (made.phases, made.gates) == (like.phases, like.gates)
    assert made.discharge == home | {"minimum_recovery_minutes": [45]}
    page.close()


# What is said beside a course without a fault, and the field at which it is marked; None where it is none.
FAULTS: Final[tuple[tuple[dict[str, str], str | None], ...]] = (
    ({"code": ""}, "code"), ({"name": ""}, "name"), ({"phases.0.sessions": ""}, None),
    ({"phases.0.spacing.min_days": ""}, "phases.0.spacing.min_days"), ({"phases.0.name": ""}, "phases.0.name"),
    ({"phases.0.minutes.infuse": "61"}, "phases.0.minutes.infuse"),
    ({"phases.0.chair.features": "a\x07"}, "phases.0.chair.features"),
    (phase_at(1, "series_start", **FIRST | {"spacing.target_days": "0"}), "phases.1.spacing.target_days"),
    (phase_at(1, "once", **FIRST), "phases.1.sessions"), ({"phases.0.anchor": "moon"}, "__all__"),
    ({"observation.vitals.0.every": "5"}, "observation.vitals.0.during"),
    ({"observation.limits.0.measure": "spo2", "observation.limits.0.action": "warn"}, "observation.limits.0.at_least"),
    ({"discharge.scores.0.instrument": "padss"}, "discharge.scores.0.minimum"),
    ({"discharge.vitals_within_minutes": "0"}, "discharge.vitals_within_minutes"),
    ({f"reminders.{number}.hours_before": "1" for number in range(60)}, "reminders.0.channels"),
)  # fmt: skip


def test_a_bad_value_is_marked_at_its_field(clinic: Clinic, client: Client) -> None:
    client.force_login(clinic.users["prescriber"])
    for number, (said, field) in enumerate(FAULTS):
        answer = client.post(NEW, course(code=f"MG-{number}") | said)
        assert answer.status_code == (302 if field is None else 400), said
        if field is not None:
            assert next(iter(answer.context["form"].errors)) == field, said
            assert not Protocol.objects.filter(code=f"MG-{number}").exists()


def test_every_fault_of_a_phase_is_told_in_plain_words() -> None:
    """In both languages, none in the API's own words; numbers stay."""
    spacing = {"anchor": "previous", "min_days": 9, "target_days": 3, "max_days": 5}
    bad: tuple[list[dict[str, Any]], ...] = (
        [], [phase(sessions=None), phase()], [phase(sessions=0)], [phase(sessions=999)], [phase(name=" ")],
        [phase(spacing=spacing)], [phase(spacing=spacing | {"min_days": 2, "target_days": 9})],
        [phase(hands_on_minutes=95)], [phase(spacing=None)], [phase(spacing={"anchor": "previous"})],
        [phase(minutes={"prepare": 7, "infuse": 60, "recover": 1440, "turnover": "x"})],
        [phase(spacing={"anchor": "series_start", "target_days": [1, 1]})],
        [phase(spacing={"anchor": "cycle_start", "cycle_days": 5, "target_days": [1, 7]})],
        [phase(), phase(spacing={"anchor": "series_start", "target_days": [0]})],
        [phase(minutes={"prepare": 700, "infuse": 700, "recover": 700, "turnover": 0})],
        [phase(spacing={"anchor": "previous", "min_days": 5, "target_days": 5, "max_days": 5, "max_span_days": 1})],
    )  # fmt: skip
    for phases in bad:
        with pytest.raises(TreatmentError) as refused:
            parse_phases(phases)
        for problem in refused.value.problems:
            with override("en"):
                english = plain(problem.detail)
            with override("es"):
                assert plain(problem.detail) not in (english, problem.detail), problem
            assert set(re.findall(r"\d+", english)) <= set(re.findall(r"\d+", problem.detail)) | {"0", "1", "100"}


def test_who_writes_one_and_what_is_not_there(clinic: Clinic, client: Client) -> None:
    assert clinic.other
    for who, status in (("nurse", 403), ("front_desk", 403), ("auditor", 403), ("patient", 403)):
        client.force_login(clinic.users[who])
        assert client.post(NEW, course()).status_code == status
    client.force_login(clinic.users["manager"])
    assert client.get(NEW, {"like": str(clinic.other.protocol.pk)}).status_code == 404
    assert client.get(NEW, {"like": "x"}).status_code == 200
    assert client.post(NEW, course()).status_code == 302
    taken = client.post(NEW, course())
    assert list(taken.context["form"].errors) == ["code"]
    assert Protocol.objects.filter(code="MG-1").count() == 1


def test_a_phase_goes_and_what_the_form_does_not_show_stays(clinic: Clinic, client: Client) -> None:
    """What a missed visit means is not on the form: it goes with its phase, wherever that comes to stand."""
    missed = {"rule": "review", "source": "ours"}
    rich = make_protocol(clinic.organization, None, phase(name="a"), phase(name="b", missed=missed), phase(name="c"))
    client.force_login(clinic.users["prescriber"])
    address = f"/clinic/protocols/{rich.pk}/change/"
    fewer = client.post(address, as_sent(client.get(address).context["form"]) | {"remove": "0"})
    assert fewer.status_code == 200
    assert Protocol.objects.get(pk=rich.pk).phases == rich.phases, "nothing is saved yet"
    more = client.post(address, as_sent(fewer.context["form"]) | {"add": "1", "spaced": "once"})
    names = {"phases.2.name": "d", "phases.2.sessions": "1"} | {
        f"phases.2.minutes.{name}": "10" for name in ("prepare", "infuse", "recover", "turnover")
    }
    assert client.post(address, as_sent(more.context["form"]) | names).status_code == 302
    rich.refresh_from_db()
    minutes = {"prepare": 10, "infuse": 10, "recover": 10, "turnover": 10}
    last = {"name": "d", "sessions": 1, "minutes": minutes}
    assert rich.phases == [phase(name="b", missed=missed), phase(name="c"), last]


def as_sent(form: ProtocolForm) -> dict[str, Any]:
    """What a browser would send of the form as it stands."""
    found = {name: form[name].value() for name in form.fields}
    shown = {name: form.fields[name].prepare_value(value) for name, value in found.items()}
    return {name: value for name, value in shown.items() if value is not False and value not in (None, "")}


def test_no_course_of_the_catalogue_is_changed_by_being_looked_at(clinic: Clinic) -> None:
    """Each is sent as the form shows it, and comes out as it went in, whatever kinds of rules it has."""
    assert len(catalogue.treatments()) > 10
    for code in catalogue.treatments():
        content = catalogue.entry(code)
        content = {"observation": {}, "discharge": {}, **{name: content[name] for name in content if name != "code"}}
        shown = as_sent(ProtocolForm(deepcopy(content), clinic.users["prescriber"]))
        data = QueryDict(mutable=True)
        for name, value in shown.items():
            data.setlist(name, value if isinstance(value, list) else [str(value)])
        form = ProtocolForm(deepcopy(content), clinic.users["prescriber"], data)
        assert form.is_valid(), (code, form.errors)
        judged = form.judge(ProtocolSerializer, clinic.users["prescriber"], Protocol(**content))
        assert {name: content[name] for name in judged} == judged, code


@given(st.lists(st.one_of(st.sampled_from(list(ANCHORS)), st.integers(0, 5)), max_size=30))
def test_phases_come_and_go_as_in_a_list(acts: list[str | int]) -> None:
    """Adding one and taking one away by number, against a list; each keeps what was typed into it."""
    typed, model = QueryDict("name=x&phases.0.anchor=previous&phases.0.name=n0", mutable=True), [("previous", "n0")]
    for number, act in enumerate(acts, 1):
        if isinstance(act, str):
            typed = with_phase(typed, act)
            if len(model) < MOST_PHASES:
                typed[f"phases.{len(model)}.name"] = f"n{number}"
                model.append((act, f"n{number}"))
        else:
            typed = without_phase(typed, act)
            if act < len(model) and len(model) > 1:
                model.pop(act)
    held = {name: value for name, value in typed.items() if name.startswith("phases.")}
    expected = {f"phases.{n}.{path}": value for n, each in enumerate(model)
                for path, value in zip(("anchor", "name"), each, strict=True)}  # fmt: skip
    assert held == expected
