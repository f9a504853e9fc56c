"""Passkeys: added, named, used and removed; what does not open anything; and that they are both factors at once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from axe_playwright_python.sync_playwright import Axe
from django.db import IntegrityError, transaction
from django.test import Client
from fido2.utils import websafe_encode
from hypothesis import given
from hypothesis import strategies as st

from accounts import clock, passkeys, second_factor, staff, webauthn
from accounts.models import AuditEntry, Organization, Passkey, SpentChallenge, User
from accounts.refusals import Conflict, Gone, NotSignedIn
from tests.at_once import together
from tests.authenticator import PRESENT, VERIFIED, Authenticator
from tests.factories import PASSWORD, Clinic
from tests.web.conftest import PHONE, Visitor

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = pytest.mark.usefixtures("quick_passwords")
HOST, ORIGIN = "testserver", "http://testserver"


@pytest.fixture
def clinic(clinic: Clinic, settings: Any) -> Clinic:
    """A clinic at the address that Django's client comes to."""
    settings.PUBLIC_URL = ORIGIN
    return clinic


def device(**wrong: Any) -> Authenticator:
    return Authenticator(**{"origin": ORIGIN, "host": HOST, **wrong})


def added(user: User, **wrong: Any) -> Authenticator:
    """A device with a passkey of the person."""
    made, challenge = device(**wrong), passkeys.new_challenge()
    passkeys.add(user, challenge, made.make(passkeys.to_make(user, challenge)), "Telephone", clock.now())
    return made


def sign_in(client: Client, with_device: Authenticator, **form: str) -> Any:
    """The button on the sign-in page."""
    asked = client.post("/sign-in/passkey/ask/").json()
    return client.post("/sign-in/passkey/", {"credential": with_device.sign(asked), **form})


def knock(client: Client, user: User) -> Any:
    """The right password."""
    return client.post("/sign-in/", {"email": user.email, "password": PASSWORD})


# ---- in the browser -------------------------------------------------------------------------------------------------


def put_authenticator(page: Page) -> Callable[..., Any]:
    """Give the browser a telephone that says yes; the call speaks to it."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    known = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
    return lambda what, **said: session.send(f"WebAuthn.{what}", {"authenticatorId": known, **said})


def test_a_patient_adds_one_signs_in_with_it_and_removes_it(clinic: Clinic, visitor: Visitor, settings: Any) -> None:
    settings.PUBLIC_URL = visitor.url
    page = visitor.as_user(clinic.users["patient"], PHONE)
    tell = put_authenticator(page)
    page.goto(f"{visitor.url}/visits/")
    page.get_by_role("link", name="How I sign in").click()
    page.get_by_label("A name for it").fill("My telephone")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_text("Your passkey is added").wait_for()
    assert page.get_by_text("My telephone", exact=True).is_visible()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_text("This device holds a passkey of yours already").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{visitor.url}/sign-in/?next=/my-data/")
    assert Axe().run(page).response["violations"] == []
    tell("setUserVerified", isUserVerified=False)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_text("No passkey was used").wait_for()
    tell("setUserVerified", isUserVerified=True)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_role("heading", name="Everything we hold about you").wait_for()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the file").click()
    assert saved.value.suggested_filename == "my-data.zip", "who signs in by it has shown who they are a moment ago"
    page.goto(f"{visitor.url}/security/")
    page.get_by_text("Another name").click()
    page.get_by_label("Name", exact=True).fill("Old telephone")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("listitem").filter(has_text="Old telephone").get_by_role("button", name="Remove").click()
    page.get_by_text("Removed.").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{visitor.url}/sign-in/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_text("This passkey does not open this").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert visitor.complaints == []
    page.close()


def test_staff_set_one_up_at_the_door_in_spanish(clinic: Clinic, visitor: Visitor, settings: Any) -> None:
    settings.PUBLIC_URL = visitor.url
    Organization.objects.filter(pk=clinic.organization.pk).update(demands_second_factor=True)
    nurse = clinic.users["nurse"]
    page = visitor.browser.new_page(viewport=PHONE, locale="es-US")  # type: ignore[arg-type]
    put_authenticator(page)
    for step in ("Añadir una llave de acceso", "Entrar con una llave de acceso"):
        page.goto(f"{visitor.url}/sign-in/?next=/patients/")
        page.locator("#email").fill(nurse.email)
        page.locator("#password").fill(PASSWORD)
        page.get_by_role("button", name="Entrar", exact=True).click()
        page.get_by_role("button", name=step).wait_for()
        assert Axe().run(page).response["violations"] == []
        page.get_by_role("button", name=step).click()
        page.wait_for_url(f"{visitor.url}/patients/")
        page.locator("form[action='/sign-out/'] button").click()
    page.close()


# ---- what it opens --------------------------------------------------------------------------------------------------


def test_a_passkey_is_both_factors(clinic: Clinic) -> None:
    Organization.objects.filter(pk=clinic.organization.pk).update(demands_second_factor=True)
    nurse, client = clinic.users["nurse"], Client()
    telephone = added(nurse)
    assert sign_in(client, telephone, next="/alerts/")["Location"] == "/alerts/"
    assert client.get("/patients/").status_code == 200
    assert knock(Client(), nurse)["Location"] == "/sign-in/code/", "the password alone leads to the passkey"
    at_the_door = Client()
    knock(at_the_door, nurse)
    assert at_the_door.get("/sign-in/set-up/")["Location"] == "/sign-in/code/", "nobody sets up codes in their place"
    assert at_the_door.post("/security/passkeys/ask/").status_code == 403, "nor a passkey of their own"
    assert at_the_door.post("/sign-in/code/", {"code": "123456"}).status_code == 401
    assert at_the_door.get("/patients/").status_code == 302
    form = {"email": nurse.email, "password": PASSWORD}
    assert client.post("/api/v1/auth/login/", form, content_type="application/json").status_code == 401


def test_what_it_shows_is_in_the_trail_and_its_key_is_public(clinic: Clinic, client: Client) -> None:
    nurse = clinic.users["nurse"]
    telephone = added(nurse)
    assert sign_in(client, telephone).status_code == 302
    row = Passkey.objects.get()
    assert (row.sign_count, row.used_at is not None) == (1, True)
    used = AuditEntry.objects.filter(record_type="accounts_passkey", action="update").get()
    assert used.actor == nurse.pk
    secret = telephone.key.private_numbers().private_value.to_bytes(32, "big")
    assert secret not in bytes(row.public_key)


def test_a_key_of_a_kind_that_was_not_asked_for_is_refused(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webauthn, "ALGORITHMS", (-8,))
    with pytest.raises(NotSignedIn):
        added(clinic.users["patient"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "http://testserver.evil.example"},
        {"origin": "https://testserver"},
        {"host": "evil.example"},
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"cross_origin": True},
    ],
    ids=str,
)
def test_what_was_signed_for_another_place_or_by_nobody_opens_nothing(
    clinic: Clinic, client: Client, wrong: dict[str, Any]
) -> None:
    user = clinic.users["patient"]
    challenge = passkeys.new_challenge()
    with pytest.raises(NotSignedIn):
        passkeys.add(user, challenge, device(**wrong).make(passkeys.to_make(user, challenge)), "", clock.now())
    telephone = added(user)
    for name, value in wrong.items():
        setattr(telephone, name, value)
    assert sign_in(client, telephone).status_code == 401
    assert client.get("/visits/").status_code == 302


def test_a_challenge_is_good_once_for_its_session_and_five_minutes(clinic: Clinic, client: Client) -> None:
    telephone = added(clinic.users["patient"])
    answer = telephone.sign(client.post("/sign-in/passkey/ask/").json())
    assert Client().post("/sign-in/passkey/", {"credential": answer}).status_code == 410, "of another session"
    assert client.post("/sign-in/passkey/", {"credential": answer}).status_code == 302
    client.logout()
    assert client.post("/sign-in/passkey/", {"credential": answer}).status_code == 410, "sent again"
    client.post("/sign-in/passkey/ask/")
    assert client.post("/sign-in/passkey/", {"credential": answer}).status_code == 401, "for another challenge"
    answer = telephone.sign(client.post("/sign-in/passkey/ask/").json())
    with time_machine.travel(clock.now() + timedelta(minutes=5, seconds=1), tick=False):
        assert client.post("/sign-in/passkey/", {"credential": answer}).status_code == 410, "too late"
    client.force_login(clinic.users["patient"])
    answer = telephone.sign(client.post("/security/passkeys/ask/").json())
    assert client.post("/sign-in/passkey/", {"credential": answer}).status_code == 410, "asked for something else"
    client.logout()
    assert client.get("/visits/").status_code == 302
    assert passkeys.forget(clock.now() + timedelta(hours=1)) > 0
    assert not SpentChallenge.objects.exists()


def test_of_many_at_once_with_one_challenge_one_is_let_in(committed: None, clinic: Clinic) -> None:
    telephone, challenge = added(clinic.users["patient"], counter=None), passkeys.new_challenge()
    answer = telephone.sign(webauthn.to_use(passkeys.party(), challenge))

    def use() -> str:
        try:
            passkeys.sign_in(challenge, answer, clock.now())
        except Gone as refusal:
            return refusal.code
        return "in"

    assert sorted(together([use] * 6)) == [*["challenge_over"] * 5, "in"]


def test_a_counter_that_goes_back_stops_the_passkey(clinic: Clinic, client: Client) -> None:
    nurse = clinic.users["nurse"]
    telephone = added(nurse)
    telephone.counter = 7
    assert sign_in(client, telephone).status_code == 302
    for counter in (8, 3, 20):
        telephone.counter = counter - 1
        other = Client()
        refused = sign_in(other, telephone)
        assert refused.status_code == 401, counter
        assert "somebody may have a copy" in refused.content.decode()
        assert other.get("/patients/").status_code == 302
    row = Passkey.objects.get()
    assert (row.sign_count, row.stopped_at is None) == (8, False)
    stopped = AuditEntry.objects.get(record_type="accounts_passkey", action="update", after__has_key="stopped_at")
    assert (stopped.actor, stopped.before) == (nurse.pk, {"stopped_at": None})
    for change in ({"sign_count": 2}, {"stopped_at": None}, {"user_id": clinic.users["patient"].pk}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Passkey.objects.update(**change)
    uncounted = added(nurse, counter=None)
    assert [sign_in(Client(), uncounted).status_code for _ in range(2)] == [302, 302], "one that counts nothing"


def test_it_opens_for_its_holder_alone_and_while_they_are_here(clinic: Clinic, client: Client) -> None:
    nurse, patient = clinic.users["nurse"], clinic.users["patient"]
    telephone = added(nurse)
    telephone.handle = patient.pk.bytes
    assert sign_in(client, telephone).status_code == 401, "with the handle of another person"
    telephone.handle = nurse.pk.bytes
    forged = device(credential_id=telephone.credential_id, handle=nurse.pk.bytes)
    assert sign_in(client, forged).status_code == 401, "with the id of another passkey"
    row = Passkey.objects.get()
    client.force_login(patient)
    assert client.post(f"/security/passkeys/{row.pk}/rename/", {"name": "Mine"}).status_code == 404
    assert client.post(f"/security/passkeys/{row.pk}/remove/").status_code == 404
    challenge = passkeys.new_challenge()
    with pytest.raises(Conflict):
        passkeys.add(patient, challenge, telephone.make(passkeys.to_make(patient, challenge)), "", clock.now())
    User.objects.filter(pk=nurse.pk).update(is_active=False)
    telephone.handle = nurse.pk.bytes
    assert sign_in(Client(), telephone).status_code == 401, "who is not here any more"


def test_the_last_factor_stays_where_one_is_demanded(clinic: Clinic, client: Client) -> None:
    admin = clinic.users["admin"]
    telephone = added(admin)
    sign_in(client, telephone)
    assert client.post("/security/demand/", {"demand": "yes"}).status_code == 302, "a passkey is a second factor"
    first = Passkey.objects.get()
    assert client.post(f"/security/passkeys/{first.pk}/remove/").status_code == 409
    added(admin)
    assert client.post(f"/security/passkeys/{first.pk}/remove/").status_code == 302
    assert Passkey.objects.count() == 1
    assert sign_in(Client(), telephone).status_code == 401, "removed"


def test_who_signed_in_a_while_ago_or_by_half_adds_none(clinic: Clinic, client: Client) -> None:
    nurse = clinic.users["nurse"]
    knock(client, nurse)
    before = Client()
    knock(before, nurse)
    with time_machine.travel(clock.now() + timedelta(minutes=14, seconds=50)):
        assert client.post("/security/passkeys/ask/").status_code == 200
    added(nurse)
    assert before.post("/security/passkeys/ask/").status_code == 403, "in by the password alone, before there was one"
    assert before.post(f"/security/passkeys/{Passkey.objects.get().pk}/remove/")["Location"].startswith("/sign-in/")
    with time_machine.travel(clock.now() + timedelta(minutes=16), tick=False):
        assert client.post("/security/passkeys/")["Location"].startswith("/sign-in/?next="), "a screen left alone"
    assert Passkey.objects.count() == 1


def test_a_lost_one_is_taken_off_with_all_that_it_let_in(clinic: Clinic, client: Client) -> None:
    nurse = clinic.users["nurse"]
    telephone = added(nurse)
    sign_in(client, telephone)
    staff.reset_second_factor(clinic.users["manager"], nurse, clock.now())
    assert not second_factor.has_one(User.objects.get(pk=nurse.pk))
    assert client.get("/patients/").status_code == 302
    assert sign_in(Client(), telephone).status_code == 401


def test_nobody_has_more_than_twenty_and_too_many_tries_wait(clinic: Clinic, client: Client, settings: Any) -> None:
    user = clinic.users["patient"]
    for _ in range(passkeys.AT_MOST):
        telephone = added(user)
    with pytest.raises(Conflict):
        added(user)
    settings.SIGN_IN_FAILURES = {"account": 1, "address": 2, "seconds": 300}
    settings.PASSKEY_CHALLENGES = {"address": 3, "seconds": 300}
    assert sign_in(client, telephone).status_code == 302, "what is right does not count"
    assert [client.post("/sign-in/passkey/").status_code for _ in range(3)] == [410, 410, 429]
    assert [client.post("/sign-in/passkey/ask/").status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(
    ("address", "there"),
    [("http://127.0.0.1:8000", "http://localhost:8000/security/"), ("https://192.0.2.1", None)],
)
def test_an_address_of_numbers_has_none(
    clinic: Clinic, client: Client, settings: Any, address: str, there: str | None
) -> None:
    settings.PUBLIC_URL = address
    client.force_login(clinic.users["patient"])
    page = client.get("/security/").content.decode()
    assert "data-passkey" not in page
    assert ("Passkeys belong to one address" in page) == (there is not None)
    assert (there or "<h1>") in page
    assert client.post("/security/passkeys/ask/").status_code == (200 if there else 409)


# ---- strange answers ------------------------------------------------------------------------------------------------


STRANGE = ["", "null", "[]", "{}", "5", "{", "[" * 5000, '{"id": 5}', "x" * 30_000, '{"id": "é", "response": {}}', "\0"]


@pytest.mark.parametrize("answer", STRANGE, ids=range(len(STRANGE)))
def test_strange_answers_are_refused(clinic: Clinic, client: Client, answer: str) -> None:
    client.post("/sign-in/passkey/ask/")
    assert client.post("/sign-in/passkey/", {"credential": answer}).status_code == 401
    client.force_login(clinic.users["patient"])
    client.post("/security/passkeys/ask/")
    assert client.post("/security/passkeys/", {"credential": answer, "name": "a\0b"}).status_code == 401
    assert not Passkey.objects.exists()


@given(
    parts=st.fixed_dictionaries({}, optional=dict.fromkeys(("attestationObject", "clientDataJSON"), st.binary())),
    cut=st.integers(0, 400),
    flipped=st.integers(0, 3000),
)
def test_any_bytes_are_a_refusal_and_no_error(parts: dict[str, bytes], cut: int, flipped: int) -> None:
    party = webauthn.Party(HOST, ORIGIN)
    challenge = passkeys.new_challenge()
    answer = json.loads(device().make(webauthn.to_make(party, b"1", "a@b.example", "", [], challenge)))
    response = answer["response"]
    response |= {name: websafe_encode(part) for name, part in parts.items()}
    whole = response["attestationObject"]
    at = flipped % max(1, len(whole))
    response["attestationObject"] = (whole[:at] + ("A" if whole[at : at + 1] != "A" else "B") + whole[at + 1 :])[:-cut]
    try:
        made = webauthn.made(party, challenge, json.dumps(answer))
    except NotSignedIn:
        return
    assert made.credential_id, "a bit of what nobody signs may be another: no attestation is asked for"
