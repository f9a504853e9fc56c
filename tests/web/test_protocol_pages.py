"""Protocols on pages: a manager finds the course, a prescriber sees what changed and approves it; nobody else does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from scheduler import protocols
from scheduler.models import Protocol
from tests.factories import make_protocol, phase
from tests.web.conftest import PHONE, Visitor
from web.protocol_words import pairs

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Clinic


@pytest.fixture
def draft(clinic: Clinic) -> Protocol:
    """The next version of the clinic's protocol: longer recovery, one gate more, one reminder less."""
    found = clinic.protocol
    found.reminders = [{"hours_before": 24, "channels": ["email"]}]
    found.save()
    longer = phase(minutes={"prepare": 30, "infuse": 60, "recover": 75, "turnover": 15})
    values = {"phases": [longer], "gates": ["escort"], "reminders": []}
    return protocols.change_protocol(clinic.users["prescriber"], found.pk, values)


def test_a_prescriber_sees_what_changed_and_approves_it(clinic: Clinic, visitor: Visitor, draft: Protocol) -> None:
    page = visitor.as_user(clinic.users["prescriber"], PHONE)
    page.goto(visitor.url + "/clinic/")
    page.get_by_role("link", name="Protocols").click()
    page.get_by_text("One draft waits for an approval.").wait_for()
    page.get_by_role("link", name=draft.name).click()
    page.get_by_role("link", name="Compare with version 1").click()
    table = page.get_by_role("table", name="What changed")
    assert table.get_by_role("cell", name="75 of recovery").count() == 1
    assert page.get_by_role("heading", name="What stays").count() == 0
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("link", name="The protocol").click()
    page.get_by_role("link", name="Change the draft").click()
    assert Axe().run(page).response["violations"] == []
    page.get_by_label("Minutes of recovery").fill("7")
    page.get_by_role("button", name="Save the draft").click()
    page.get_by_text("Please look at it once more").wait_for()
    assert page.locator(".field.wrong label").all_inner_texts() == ["Minutes of recovery"]
    page.get_by_label("Minutes of recovery").fill("75, 60")
    page.get_by_role("button", name="Save the draft").click()
    page.get_by_text("75, 60 of recovery").wait_for()
    page.get_by_role("link", name="Approve it").click()
    page.get_by_text("Version 1 stays approved too").wait_for()
    assert page.get_by_role("table", name="What changed").get_by_role("row").count() == 7
    page.get_by_role("button", name="Approve version 2").click()
    page.get_by_text("Approved. It can be booked now.").wait_for()
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.close()
    draft.refresh_from_db()
    assert (draft.status, draft.approved_by) == ("approved", clinic.users["prescriber"])
    assert visitor.complaints == []


def test_both_versions_stand_side_by_side(clinic: Clinic, draft: Protocol) -> None:
    clinic.protocol.refresh_from_db()
    found = {pair.label: pair for pair in pairs(clinic.protocol, draft) if pair.what != "same"}
    assert {label: pair.what for label, pair in found.items()} == {
        "Minutes": "other",
        "Escort": "new",
        "Reminder": "gone",
    }
    assert found["Minutes"].before == "30 to prepare, 60 of infusion, 60 of recovery, 15 to tidy"
    assert found["Minutes"].after == "30 to prepare, 60 of infusion, 75 of recovery, 15 to tidy"
    assert (found["Reminder"].before, found["Reminder"].after) == ("24 h before: mail", "")


def test_every_kind_of_rule_has_words(clinic: Clinic) -> None:
    """Every shape that the contract knows is said, and none falls out of a comparison."""
    anchors = [
        {"anchor": "series_start", "target_days": [0, 14, 42], "early_days": 2, "late_days": 3, "max_span_days": 60},
        {"anchor": "cycle_start", "cycle_days": 28, "target_days": [0, 7, 14], "late_policy": "keep_anchor",
         "first": {"anchor": "previous", "min_days": 20, "target_days": 21, "max_days": 22}},
    ]  # fmt: skip
    phases = [phase(name=f"p{n}", sessions=3, spacing=spacing) for n, spacing in enumerate(anchors)]
    observation = {
        "vitals": [{"during": "infuse", "from": 5, "until": 30, "every": 10}],
        "limits": [{"measure": "spo2", "at_most": 89, "action": "stop_and_call"}],
    }
    discharge = {"minimum_recovery_minutes": [60, 30], "escort": True, "vitals_within_minutes": 30,
                 "scores": [{"instrument": "padss", "minimum": 9}]}  # fmt: skip
    said: dict[str, Any] = {
        "observation": observation,
        "discharge": discharge,
        "reminders": [{"days_before": 2, "at": "09:00", "channels": ["sms"]}],
        "follow_ups": [{"instrument": "NRS", "hours_after": 24, "anchor": "series_end"}],
    }
    rich = make_protocol(clinic.organization, clinic.users["prescriber"], *phases, **said)
    words = {(pair.group, pair.label): pair.after for pair in pairs(clinic.protocol, rich)}
    assert words["Phase 1: p0", "When"] == "on day 0, 14, 42, up to 2 sooner or 3 later; all within 60 days"
    assert words["Phase 2: p1", "When"] == (
        "on day 0, 7, 14 of each 28 days, up to 0 sooner or 0 later; the first one after 21 days (20 to 22); "
        "what comes late moves nothing"
    )
    assert words["Watching", "Vital signs"] == "every 10 min during the infusion, from minute 5 to minute 30"
    assert words["Watching", "Oxygen saturation, %"] == "89 or less: stop, and call"
    assert words["Going home", "Recovery"] == "60, 30 minutes at least"
    assert words["Going home", "PADSS"] == "9 or more"
    assert words["Messages", "Reminder"] == "2 days before at 09:00: text message"
    assert words["Messages", "Check-in"] == "NRS, 24 h after the last visit"


def form_of(client: Client, address: str) -> dict[str, Any]:
    """What a browser would send of the form as it stands."""
    form = client.get(address).context["form"]
    found = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in found.items() if value not in (None, "")}


def test_a_change_of_what_is_in_force_is_the_next_version(clinic: Clinic, client: Client) -> None:
    spacing = {"anchor": "series_start", "target_days": [0, 14, 42], "early_days": 2, "late_days": 3}
    rich = make_protocol(
        clinic.organization,
        clinic.users["prescriber"],
        phase(sessions=3, spacing=spacing),
        gates=[{"gate": "escort", "severity": "warn"}, "consent"],
        reminders=[{"hours_before": 72, "channels": ["email"]}, {"days_before": 1, "at": "09:00", "channels": ["sms"]}],
        follow_ups=[{"instrument": "NRS", "hours_after": 24}, {"instrument": "PEG", "hours_after": 168}],
        discharge={"escort": True},
    )  # fmt: skip
    client.force_login(clinic.users["manager"])
    address = f"/clinic/protocols/{rich.pk}/change/"
    whole = form_of(client, address)
    assert whole["phases.0.spacing.target_days"] == "0, 14, 42"
    assert client.post(address, whole)["Location"] == f"/clinic/protocols/{rich.pk}/", "nothing changed: no version"
    assert Protocol.objects.filter(code=rich.code).count() == 1
    without_first = {name: value for name, value in whole.items() if not name.startswith("reminders.0.")}
    more = {"reminders.2.hours_before": "2", "reminders.2.channels": ["sms"], "phases.0.acuity": "3"}
    answer = client.post(
        address, without_first | more | {"follow_ups.1.instrument": ""} | {"follow_ups.1.hours_after": ""}
    )
    made = Protocol.objects.get(code=rich.code, version=2)
    assert answer["Location"] == f"/clinic/protocols/{made.pk}/compare/"
    assert (made.status, made.phases[0]["acuity"], made.phases[0]["spacing"]) == ("draft", 3, rich.phases[0]["spacing"])
    assert made.reminders == [rich.reminders[1], {"hours_before": 2, "channels": ["sms"]}]
    assert made.follow_ups == rich.follow_ups[:1]
    assert (made.gates, made.discharge) == (rich.gates, rich.discharge), "what the form does not say stays"


@pytest.mark.parametrize(
    ("said", "field"),
    [({"phases.0.minutes.infuse": "61"}, "phases.0.minutes.infuse"), ({"phases.0.acuity": "x"}, "phases.0.acuity"),
     ({"phases.0.spacing.min_days": "9"}, "phases.0.spacing.max_days"), ({"name": ""}, "name"),
     ({"reminders.1.hours_before": "9999", "reminders.1.channels": ["sms"]}, "reminders.1.hours_before"),
     ({"reminders.1.days_before": "2", "reminders.1.channels": ["sms"]}, "reminders.1.channels"),
     ({"reminders.1.hours_before": "4"}, "reminders.1.channels"), ({"gates": ["nonsense"]}, "gates"),
     ({"follow_ups.0.hours_after": "4"}, "follow_ups.0.instrument"), ({"sources": "a\0b"}, "sources"),
     ({"phases.0.sessions": "99999"}, "phases.0.sessions"),
     ({"phases.0.chair.kinds": ["sofa"]}, "phases.0.chair.kinds")],
    ids=str,
)  # fmt: skip
def test_a_bad_value_is_marked_at_its_field(clinic: Clinic, client: Client, said: dict[str, Any], field: str) -> None:
    """The API's own checks, told where the value stands; rows that are empty do not shift them."""
    Protocol.objects.filter(pk=clinic.protocol.pk).update(reminders=[{"hours_before": 24, "channels": ["email"]}])
    client.force_login(clinic.users["prescriber"])
    address = f"/clinic/protocols/{clinic.protocol.pk}/change/"
    kept = {name: value for name, value in form_of(client, address).items() if not name.startswith("reminders.0.")}
    answer = client.post(address, kept | said)
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    assert Protocol.objects.filter(code=clinic.protocol.code).count() == 1


@pytest.mark.parametrize(("who", "status"), [("manager", 302), ("nurse", 403), ("patient", 404), ("auditor", 403)])
def test_who_decides(clinic: Clinic, client: Client, draft: Protocol, who: str, status: int) -> None:
    """Managers may change protocols; whether they approve is the organization's word, and here it is not theirs."""
    client.force_login(clinic.users[who])
    address = f"/clinic/protocols/{draft.pk}/approve/"
    answer = client.get(address)
    assert answer.status_code == (200 if who == "manager" else 403 if who == "patient" else status)
    assert client.post(address).status_code == 403
    assert client.get(f"/clinic/protocols/{draft.pk}/change/").status_code == (200 if who == "manager" else 403)
    draft.refresh_from_db()
    assert draft.status == "draft"
    assert client.get(f"/clinic/protocols/{draft.pk}/").status_code == (404 if who == "patient" else 200)


def test_what_was_decided_elsewhere_is_told(clinic: Clinic, client: Client, draft: Protocol) -> None:
    client.force_login(clinic.users["prescriber"])
    address = f"/clinic/protocols/{draft.pk}"
    client.post(f"{address}/approve/")
    assert client.get(f"{address}/approve/").status_code == 302, "nothing is left to ask"
    client.post(f"{address}/retire/")
    client.post(f"{address}/approve/")
    assert "Somebody else has decided already" in client.get(f"{address}/").content.decode()
    assert Protocol.objects.get(pk=draft.pk).status == "retired"


@pytest.mark.parametrize("path", ["", "compare/", "change/", "approve/", "retire/"])
def test_a_stranger_finds_no_protocol(clinic: Clinic, client: Client, draft: Protocol, path: str) -> None:
    assert clinic.other
    client.force_login(clinic.other.users["admin"])
    assert client.get(f"/clinic/protocols/{draft.pk}/{path}").status_code == 404
    assert client.post(f"/clinic/protocols/{draft.pk}/{path}").status_code in {404, 405}


@pytest.mark.parametrize("wanted", ["x", "01890a5d-ac96-774b-bcce-b302099a8057", ""])
def test_a_version_that_is_not_there_is_not_compared(
    clinic: Clinic, client: Client, draft: Protocol, wanted: str
) -> None:
    client.force_login(clinic.users["manager"])
    assert client.get(f"/clinic/protocols/{draft.pk}/compare/", {"with": wanted}).status_code == 404
    alone = make_protocol(clinic.organization, clinic.users["prescriber"])
    assert client.get(f"/clinic/protocols/{alone.pk}/compare/").status_code == 404


def test_the_clinic_page_is_for_who_works_there(clinic: Clinic, client: Client) -> None:
    client.force_login(clinic.users["patient"])
    assert client.get("/clinic/").status_code == 403
