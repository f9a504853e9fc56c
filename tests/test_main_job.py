"""The main job: forty patients of a pain practice are planned and booked, and one is lived through to the trend.

All parts run as they are shipped and are spoken to from outside only. The rules are worked out anew from the answers.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from accounts import clock
from tests.catcher import Catcher
from tests.pain_clinic import open_clinic, window
from tests.readings import ZONE, Record, day_of, expected, local, outside_hours, wrong_gaps, wrong_shape
from tests.rules import Limits, at, broken
from tests.service import Client, Form, eventually, link_in, open_page, running
from tests.synthea import people

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.catcher import Mail

pytestmark = pytest.mark.timeout(900)


class Practice:
    """The practice after everybody is booked."""

    def __init__(self, address: str, catcher: Catcher) -> None:
        self.client = Client(address, "admin@demo.example", "demo-demo-demo")
        self.catcher = catcher
        clinic = open_clinic(self.client)
        self.site: Record = clinic["site"]
        self.protocols: dict[str, Record] = clinic["protocols"]
        self.window = window(clock.now().astimezone(ZONE).date())
        self.patients: list[Record] = []
        self.series: list[Record] = []
        codes = list(self.protocols)
        for number, person in enumerate(people()):
            self.admit(person, self.protocols[codes[number % len(codes)]])

    def admit(self, person: Any, protocol: Record) -> None:
        """Register one patient, ask for plans and book the best."""
        patient = self.client.post(
            "patients/",
            site=self.site["id"],
            given_name=person.given_name,
            family_name=person.family_name,
            birth_date=person.birth_date.isoformat(),
            email=person.email,
        )
        wanted = {"protocol": protocol["id"], "site": self.site["id"], "patient": patient["id"], **self.window}
        answer = self.client.post("plans/", limit=1, **wanted)
        assert answer["plans"], answer["infeasible"]
        plan = answer["plans"][0]
        series = self.client.post("series/", patient=patient["id"], protocol=protocol["id"], plan=plan["id"])
        # A plan promises its times; who is there may be laid anew (ADR 7) and is judged by the rules below.
        shown = ("sequence", "phase", "start", "end")
        times = [{name: session[name] for name in shown} for session in plan["sessions"]]
        assert [{name: session[name] for name in shown} for session in series["sessions"]] == times
        self.patients.append(patient)
        self.series.append(series)

    def mail_to(self, patient: Record, subject: str) -> Mail:
        """Wait for a mail to the patient whose subject has these words."""
        return self.catcher.wait_for(
            1, timeout=120, where=lambda mail: mail.to == patient["email"] and subject in mail.subject
        )[-1]


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """The service, running, with forty patients booked."""
    with Catcher() as catcher, running(tmp_path_factory.mktemp("job") / "data", catcher.url) as address:
        yield Practice(address, catcher)


def everything_wrong(practice: Practice, sessions: list[Record]) -> list[str]:
    """All that these sessions of the site do against the rules."""
    client, here = practice.client, {"site": practice.site["id"], "page_size": "200"}
    site = client.get(f"sites/{practice.site['id']}/")
    chairs = {chair["id"]: chair for chair in client.list("chairs/", **here)}
    providers = {provider["id"]: provider for provider in client.list("providers/", **here)}
    rules = [rule for rule in client.list("availability-rules/", page_size="200") if rule["provider"] in providers]
    protocols = {each["id"]: each for each in client.list("protocols/", page_size="200")}
    limits = {key: Limits(each["capacity"], each["max_acuity"]) for key, each in providers.items()}
    wrong = broken(sessions, limits)
    by_series = defaultdict(list)
    for session in sorted(sessions, key=lambda each: each["sequence"]):
        by_series[session["series"]].append(session)
        wrong += outside_hours(site, rules, session)
        roles = [providers[session[role]]["role"] for role in ("nurse", "prescriber")]
        wrong += [] if roles == ["nurse", "prescriber"] else [f"{roles} at {session['start']}"]
        earliest, latest = practice.window["earliest_date"], practice.window["latest_date"]
        wrong += [] if earliest <= day_of(session).isoformat() <= latest else [f"{session['start']} not asked for"]
    for series in practice.series:
        protocol, mine = protocols[series["protocol"]], by_series[series["id"]]
        assert [session["sequence"] for session in mine] == list(range(1, len(expected(protocol)) + 1))
        assert {session["patient"] for session in mine} == {series["patient"]}
        wrong += wrong_gaps(protocol, mine)
        wrong += [fault for session in mine for fault in wrong_shape(protocol, session, chairs)]
    return wrong


def sessions_of(practice: Practice) -> list[Record]:
    """All sessions of the site, as the list shows them."""
    return practice.client.list("sessions/", site=practice.site["id"], page_size="200")


def test_forty_series_are_booked_and_keep_every_rule(practice: Practice) -> None:
    sessions = sessions_of(practice)
    assert len(practice.series) == 40
    assert len(sessions) == 5 * (3 + 3 + 14 + 6 + 10 + 1 + 6 + 6)
    assert everything_wrong(practice, sessions) == []


def moved(session: Record, by: timedelta) -> Record:
    """The same session at another time."""

    def later(text: str) -> str:
        return (at(text) + by).isoformat()

    blocks = [block | {"start": later(block["start"]), "end": later(block["end"])} for block in session["blocks"]]
    return session | {name: later(session[name]) for name in ("start", "end", "hands_on_until")} | {"blocks": blocks}


# What is done to a session, given another one and a room that it may not have; and a word of what must be said then.
FAULTS: dict[str, tuple[Callable[[Record, Record], Record], str]] = {
    "gap": (lambda one, other: moved(one, timedelta(days=7)), "days before session"),
    "closed": (lambda one, other: moved(one, timedelta(hours=-8)), "open not at"),
    "off-duty": (lambda one, other: moved(one, timedelta(hours=-8)), "nurse not at"),
    "grid": (lambda one, other: moved(one, timedelta(minutes=1)), "grid"),
    "not-asked-for": (lambda one, other: moved(one, timedelta(days=700)), "not asked for"),
    "length": (lambda one, other: one | {"blocks": other["blocks"]}, "lengths"),
    "points": (lambda one, other: one | {"acuity": one["acuity"] + 1}, "points"),
    "chair-kind": (lambda one, other: one | {"chair": other["private_room"]}, "2: chair"),
    "chair-twice": (
        lambda one, other: moved(one, at(other["start"]) - at(one["start"])) | {"chair": other["chair"]},
        "is taken twice",
    ),
    "hands-twice": (
        lambda one, other: moved(one, at(other["start"]) - at(one["start"])) | {"nurse": other["nurse"]},
        "hands-on minutes",
    ),
}


def second_session(practice: Practice, sessions: list[Record], code: str) -> Record:
    """The second session of a series under the protocol of this code."""
    protocol = practice.protocols[code]["id"]
    series = {each["id"] for each in practice.series if each["protocol"] == protocol}
    return next(each for each in sessions if each["sequence"] == 2 and each["series"] in series)


@pytest.mark.parametrize(("change", "word"), FAULTS.values(), ids=FAULTS)
def test_the_reading_of_the_rules_sees_what_is_wrong(
    practice: Practice, change: Callable[[Record, Record], Record], word: str
) -> None:
    """Without this, the test above could pass because it looks at nothing."""
    sessions = sessions_of(practice)
    one, other = second_session(practice, sessions, "CRPS"), second_session(practice, sessions, "TRD")
    # A room that CRPS does not take, whichever chair the planner gave to TRD.
    rooms = practice.client.list("chairs/", site=practice.site["id"], kind="private_room")
    other = other | {"private_room": rooms[0]["id"]}
    others = [each for each in sessions if each["id"] != one["id"]]
    assert any(word in fault for fault in everything_wrong(practice, [*others, change(one, other)]))


LIFE = ["booked", "confirmed", "arrived", "gate", "gate", "started", "infusion_finished", "discharged"]


def live_through(client: Client, session: Record) -> Record:
    """Arrive, meet the gates, infuse, recover and go home; the session afterwards."""
    address = f"sessions/{session['id']}/"
    for verb, body in (
        ("confirm", {}),
        ("arrive", {}),
        ("gates", {"gate": "consent", "outcome": "met"}),
        ("gates", {"gate": "escort", "outcome": "met"}),
        ("start", {}),
        ("finish-infusion", {}),
        ("discharge", {"escort_name": "A friend", "score": 10}),
    ):
        client.post(address + verb + "/", **body)
    ended: Record = client.get(address)
    return ended


def answer(mail: Mail, values: list[int]) -> None:
    """Fill in the page behind the mail's link and send it, then find it closed."""
    link = link_in(mail.text)
    status, page = open_page(link)
    form = Form(page)
    assert status == 200
    assert len(form.required) == len(values)
    status, page = open_page(link, form.hidden)
    assert status == 400, "a form without answers is not taken"
    chosen = {name: str(value) for name, value in zip(form.choices, values, strict=True)}
    assert all(value in form.choices[name] for name, value in chosen.items())
    status, page = open_page(link, form.hidden | chosen)
    assert status == 200
    assert not Form(page).choices
    assert open_page(link)[0] == 410


def test_one_patient_is_lived_through_from_reminder_to_trend(practice: Practice) -> None:
    client = practice.client
    series = next(each for each in practice.series if each["protocol"] == practice.protocols["FIBRO"]["id"])
    patient = next(each for each in practice.patients if each["id"] == series["patient"])
    first, second = series["sessions"][:2]

    reminder = practice.mail_to(patient, "Your visit on")
    assert patient["given_name"] not in reminder.text
    days = [f"{local(at(each['start'])):%a, %b} {local(at(each['start'])).day}" for each in series["sessions"]]
    assert any(day in reminder.text for day in days)
    sent = eventually(
        lambda: client.list("notifications/", session=first["id"], status="sent", kind="reminder"),
        "the reminder's row is sent",
    )
    assert {"reminder" in message["kind"] for message in sent} == {True}

    scores: list[float] = []
    for session, values, score in ((first, [4, 6, 8], 6.0), (second, [2, 3, 4], 3.0)):
        ended = live_through(client, session)
        assert ended["status"] == "completed"
        assert (ended["start"], ended["end"]) == (session["start"], session["end"])
        asked = eventually(
            partial(client.list, "follow-ups/", patient=patient["id"], session=session["id"]), "the follow-up"
        )
        assert [each["score"] for each in asked] == [None]
        number = len(scores) + 1
        mails = practice.catcher.wait_for(
            number, 120, lambda mail: mail.to == patient["email"] and "questions after your visit" in mail.subject
        )
        answer(mails[-1], values)
        answered = client.get(f"follow-ups/{asked[0]['id']}/")
        assert (answered["instrument"], answered["score"]) == ("PEG", score)
        scores.append(score)

    trend = client.get("follow-ups/trend/", patient=patient["id"], instrument="PEG")
    assert [point["score"] for point in trend["points"]] == scores
    assert [point["session"] for point in trend["points"]] == [first["id"], second["id"]]
    events = sorted(client.list(f"sessions/{first['id']}/events/"), key=lambda event: at(event["at"]))
    assert [event["kind"] for event in events] == LIFE
    assert {event["actor"] for event in events} == {client.get("auth/me/")["id"]}
    assert everything_wrong(practice, sessions_of(practice)) == []
