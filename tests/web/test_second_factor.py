"""A second factor for staff: set up once, asked for each time, good once, on pages and by the API; no way around it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyotp
import pytest
import time_machine
from axe_playwright_python.sync_playwright import Axe
from django.test import Client

from accounts import clock, sealing, second_factor
from accounts.models import AuditEntry, Organization, Role, SecondFactor, User
from accounts.refusals import Conflict, Forbidden, NotSignedIn, Refusal
from tests.at_once import together
from tests.factories import PASSWORD, Clinic, make_token
from tests.web.conftest import PHONE, Visitor

if TYPE_CHECKING:
    from django.http import HttpResponse

pytestmark = pytest.mark.usefixtures("quick_passwords")
LATER = timedelta(minutes=5)


@pytest.fixture
def strict(clinic: Clinic) -> Clinic:
    """A clinic that lets its staff in only with a second factor."""
    Organization.objects.filter(pk=clinic.organization.pk).update(demands_second_factor=True)
    return clinic


def set_up(user: User) -> tuple[str, list[str]]:
    """A secret that is set up since five minutes, and its recovery codes."""
    secret = second_factor.new_secret()
    then = clock.now() - LATER
    return secret, second_factor.set_up(user, secret, pyotp.TOTP(secret).at(then), then)


def now_code(secret: str, off: int = 0) -> str:
    return pyotp.TOTP(secret).at(clock.now() + off * timedelta(seconds=30))


def knock(client: Client, user: User) -> HttpResponse:
    """The right password."""
    return client.post("/sign-in/", {"email": user.email, "password": PASSWORD})  # type: ignore[return-value]


def token(client: Client, user: User, **code: str) -> Any:
    form = {"email": user.email, "password": PASSWORD, **code}
    return client.post("/api/v1/auth/login/", form, content_type="application/json")


def test_staff_set_it_up_at_the_door_and_are_asked_each_time(strict: Clinic, visitor: Visitor) -> None:
    nurse = strict.users["nurse"]
    page = visitor.browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
    page.on("console", lambda said: visitor.complaints.append(said.text) if "Security Policy" in said.text else None)
    page.goto(f"{visitor.url}/sign-in/?next=/patients/")
    page.get_by_label("Email address", exact=True).fill(nurse.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="Codes from your telephone").wait_for()
    assert page.evaluate("document.querySelector('.qr').naturalWidth") > 100, "the picture is there"
    page.get_by_text("I cannot read a picture").click()
    assert Axe().run(page).response["violations"] == []
    secret = page.locator(".key").inner_text().replace(" ", "")
    page.get_by_label("Type the code").fill("000 000")
    page.get_by_role("button", name="Use these codes").click()
    page.get_by_text("This code is not right").wait_for()
    page.get_by_label("Type the code").fill(now_code(secret, -1))
    page.get_by_role("button", name="Use these codes").click()
    page.get_by_role("heading", name="Ten codes").wait_for()
    codes = page.locator(".codes code").all_inner_texts()
    assert len(set(codes)) == 10
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("link", name="I have kept them").click()
    assert page.url == f"{visitor.url}/patients/"
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{visitor.url}/sign-in/")
    page.get_by_label("Email address", exact=True).fill(nurse.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Code").fill(now_code(secret))
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("banner").get_by_text(nurse.name).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert visitor.complaints == []
    page.close()
    row = SecondFactor.objects.get()
    assert secret not in row.secret, "sealed"
    trail = str(list(AuditEntry.objects.filter(record_type="accounts_secondfactor").values()))
    assert str(row.pk) in trail
    assert row.secret not in trail
    assert row.recovery_hashes[0] not in trail


def test_the_password_alone_lets_nobody_in(strict: Clinic) -> None:
    nurse = strict.users["nurse"]
    client = Client()
    assert knock(client, nurse)["Location"] == "/sign-in/set-up/"
    assert client.get("/patients/").status_code == 302
    assert client.get("/api/v1/auth/me/").status_code == 401
    secret, _ = set_up(nurse)
    assert client.get("/sign-in/set-up/")["Location"] == "/sign-in/code/", "nobody sets up a second one at the door"
    assert client.post("/sign-in/set-up/", {"code": now_code(secret)})["Location"] == "/sign-in/code/"
    assert client.get("/patients/").status_code == 302
    other = Client()
    other.post("/sign-in/code/", {"code": now_code(secret)})
    assert other.get("/patients/").status_code == 302, "a code without the password"
    assert client.post("/sign-in/code/", {"code": now_code(secret)}).status_code == 302
    assert client.get("/patients/").status_code == 200


def test_the_door_stays_open_for_ten_minutes(strict: Clinic, client: Client) -> None:
    secret, _ = set_up(strict.users["nurse"])
    knock(client, strict.users["nurse"])
    with time_machine.travel(clock.now() + timedelta(minutes=10, seconds=1), tick=False):
        assert client.post("/sign-in/code/", {"code": now_code(secret)})["Location"] == "/sign-in/"


def test_a_code_is_good_once(strict: Clinic, client: Client) -> None:
    nurse = strict.users["nurse"]
    secret, _ = set_up(nurse)
    with time_machine.travel(clock.now(), tick=False):
        code = now_code(secret)
        assert token(client, nurse, code=code).status_code == 200
        again = token(client, nurse, code=code)
        assert (again.status_code, again.json()["code"]) == (401, "wrong_code")
        assert token(client, nurse, code=now_code(secret, -1)).status_code == 401, "nor one from before it"
        knock(client, nurse)
        assert client.post("/sign-in/code/", {"code": code}).status_code == 401, "nor on the pages"
    with time_machine.travel(clock.now() + timedelta(seconds=31), tick=False):
        assert token(client, nurse, code=now_code(secret)).status_code == 200


def test_of_many_at_once_with_one_code_one_is_let_in(committed: None, clinic: Clinic) -> None:
    nurse = clinic.users["nurse"]
    secret, _ = set_up(nurse)
    code = now_code(secret)

    def use() -> str:
        try:
            second_factor.check(nurse, code, clock.now())
        except NotSignedIn as refusal:
            return refusal.code
        return "in"

    assert sorted(together([use] * 6)) == ["in", *["wrong_code"] * 5]


def test_recovery_codes_open_once_each(strict: Clinic, client: Client) -> None:
    nurse = strict.users["nurse"]
    _, codes = set_up(nurse)
    assert token(client, nurse, code=codes[3].upper().replace("-", " ")).status_code == 200
    assert token(client, nurse, code=codes[3]).status_code == 401
    assert token(client, nurse, code=codes[4]).status_code == 200
    fresh = second_factor.renew_codes(nurse)
    assert token(client, nurse, code=codes[5]).status_code == 401, "replaced"
    assert token(client, nurse, code=fresh[0]).status_code == 200
    assert codes[0].replace("-", "") not in str(SecondFactor.objects.values()), "only hashes are kept"


def test_wrong_codes_are_counted_wherever_they_come_from(strict: Clinic) -> None:
    nurse = strict.users["nurse"]
    secret, _ = set_up(nurse)
    start = clock.now()
    for n in range(5):
        assert token(Client(REMOTE_ADDR=f"192.0.2.{n}"), nurse, code="000000").status_code == 401
    shut = token(Client(), nurse, code=now_code(secret))
    assert (shut.status_code, shut.json()["code"]) == (429, "too_many_codes")
    assert 0 < int(shut["Retry-After"]) <= 900
    with time_machine.travel(start + timedelta(minutes=16), tick=False):
        assert token(Client(), nurse, code=now_code(secret)).status_code == 200
    SecondFactor.objects.update(failures=100)
    with time_machine.travel(start + timedelta(days=1), tick=False):
        shut = token(Client(), nurse, code=now_code(secret))
        assert (shut.status_code, shut.json()["code"]) == (401, "second_factor_closed")


def test_the_api_asks_for_it_too(strict: Clinic, client: Client) -> None:
    nurse = strict.users["nurse"]
    bare = token(client, nurse)
    assert (bare.status_code, bare.json()["code"]) == (401, "second_factor_required")
    assert token(client, nurse, code="123456").json()["code"] == "second_factor_required", "none is set up"
    secret, _ = set_up(nurse)
    assert token(client, nurse).json()["code"] == "second_factor_required"
    wrong = {"email": nurse.email, "password": "wrong", "code": now_code(secret)}
    answer = client.post("/api/v1/auth/login/", wrong, content_type="application/json")
    assert answer.json()["code"] == "wrong_credentials", "the password comes first"
    assert token(client, nurse, code=now_code(secret)).status_code == 200
    assert token(client, strict.users["patient"]).status_code == 200, "patients are not staff"


def test_where_the_demand_begins_nobody_stays_in_without(clinic: Clinic) -> None:
    admin, nurse = clinic.users["admin"], clinic.users["nurse"]
    page, api = Client(), Client()
    assert knock(page, nurse).status_code == 302
    assert page.get("/patients/").status_code == 200
    bearer = {"Authorization": f"Bearer {make_token(nurse)}"}
    patients = {"Authorization": f"Bearer {make_token(clinic.users['patient'])}"}
    assert api.get("/api/v1/auth/me/", headers=bearer).status_code == 200
    with pytest.raises(Conflict):
        second_factor.demand(admin, on=True)
    set_up(admin)
    with pytest.raises(Forbidden):
        second_factor.demand(nurse, on=True)
    second_factor.demand(admin, on=True)
    assert page.get("/patients/").status_code == 302
    assert page.get("/api/v1/auth/me/").status_code == 401
    assert api.get("/api/v1/auth/me/", headers=bearer).status_code == 401
    assert api.get("/api/v1/auth/me/", headers=patients).status_code == 200
    assert clinic.other
    assert not Organization.objects.get(pk=clinic.other.organization.pk).demands_second_factor


def test_who_becomes_staff_begins_anew(strict: Clinic, client: Client) -> None:
    user = strict.users["patient"]
    bearer = {"Authorization": f"Bearer {make_token(user)}"}
    client.force_login(user)
    assert client.get("/visits/").status_code == 200
    user.roles, user.organization = [Role.PATIENT, Role.NURSE], strict.organization
    user.save()
    assert client.get("/api/v1/auth/me/", headers=bearer).status_code == 401
    assert client.get("/visits/").status_code == 302


def test_what_changes_it_asks_for_a_code(clinic: Clinic, client: Client) -> None:
    admin = clinic.users["admin"]
    secret, _ = set_up(admin)
    knock(client, admin)
    client.post("/sign-in/code/", {"code": now_code(secret, -1)})
    assert "New recovery codes" in client.get("/security/").content.decode()
    assert client.post("/security/off/", {"code": "000000"}).status_code == 401
    assert client.post("/security/codes/", {"code": now_code(secret)}).content.decode().count("<code>") == 10
    assert client.post("/security/demand/", {"demand": "yes"}, follow=True).status_code == 200
    assert second_factor.is_demanded(User.objects.get(pk=admin.pk))
    assert client.post("/security/off/", {"code": now_code(secret, 1)}).status_code == 409, "it is demanded"
    with time_machine.travel(clock.now() + timedelta(minutes=16), tick=False):
        assert client.post("/security/demand/", {"demand": "no"})["Location"].startswith("/sign-in/?next=")
    assert second_factor.is_demanded(User.objects.get(pk=admin.pk)), "a screen left alone changes nothing"


def test_who_has_one_is_asked_though_nobody_demands_it(clinic: Clinic, client: Client) -> None:
    nurse = clinic.users["nurse"]
    knock(client, nurse)
    for address in ("codes", "off"):
        assert client.post(f"/security/{address}/", {"code": "123456"}).status_code == 409, "there is none"
    client.get("/sign-in/set-up/")
    secret = str(sealing.unseal(client.session["factor_to_be"]))
    assert client.post("/sign-in/set-up/", {"code": now_code(secret, -1)}).content.decode().count("<code>") == 10
    client.logout()
    assert knock(client, nurse)["Location"] == "/sign-in/code/"
    assert token(client, nurse).status_code == 401
    second_factor.take_off(nurse)
    assert knock(client, nurse)["Location"] != "/sign-in/code/"


@pytest.mark.parametrize("code", ["", " ", "x" * 41, "١٢٣٤٥٦", "a\0b", "12345", "1234567", "\ud800"])
def test_strange_codes_are_wrong_codes(strict: Clinic, client: Client, code: str) -> None:
    nurse = strict.users["nurse"]
    set_up(nurse)
    with pytest.raises(Refusal):
        second_factor.require(nurse, code, clock.now())
    knock(client, nurse)
    if code != "\ud800":
        assert client.post("/sign-in/code/", {"code": code}).status_code == 401
    assert client.get("/patients/").status_code == 302


def test_secrets_are_read_after_the_key_has_changed(clinic: Clinic, settings: Any) -> None:
    secret, _ = set_up(clinic.users["nurse"])
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another-key" * 6, [settings.SECRET_KEY]
    second_factor.check(clinic.users["nurse"], now_code(secret), clock.now())
    assert second_factor.reseal() == 1
    settings.SECRET_KEY_FALLBACKS = []
    with time_machine.travel(clock.now() + timedelta(minutes=1)):
        second_factor.check(clinic.users["nurse"], now_code(secret), clock.now())
    settings.SECRET_KEY = "a third one" * 6
    with time_machine.travel(clock.now() + timedelta(minutes=2)), pytest.raises(NotSignedIn):
        second_factor.check(clinic.users["nurse"], now_code(secret), clock.now())


def test_the_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B: the seconds and the last six digits of SHA-1's codes."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for seconds, digits in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        assert second_factor._step_of(secret, digits, datetime.fromtimestamp(seconds, UTC)) == seconds // 30


def test_staff_who_leave_their_screen_are_signed_out(clinic: Clinic, client: Client, settings: Any) -> None:
    settings.STAFF_IDLE_MINUTES = 15
    start = clock.now()
    client.force_login(clinic.users["nurse"])
    for minute in (0, 14, 28):
        with time_machine.travel(start + timedelta(minutes=minute), tick=False):
            assert client.get("/patients/").status_code == 200
    by_script = {"Sec-Fetch-Dest": "empty"}
    for minute, status in ((35, 200), (42, 200), (43, 302)):
        with time_machine.travel(start + timedelta(minutes=minute), tick=False):
            assert client.get("/board/now/", headers=by_script).status_code == status, "a page by itself is nobody"
    patient = Client()
    patient.force_login(clinic.users["patient"])
    assert patient.get("/visits/").status_code == 200
    with time_machine.travel(clock.now() + timedelta(hours=11), tick=False):
        assert patient.get("/visits/").status_code == 200
    with time_machine.travel(clock.now() + timedelta(hours=12, seconds=1), tick=False):
        assert patient.get("/visits/").status_code == 302


def test_a_shift_ends_after_twelve_hours_whatever_is_done(clinic: Clinic, client: Client, settings: Any) -> None:
    settings.STAFF_IDLE_MINUTES = 60
    start = clock.now()
    knock(client, clinic.users["nurse"])
    for half_hour in range(25):
        with time_machine.travel(start + timedelta(minutes=30 * half_hour + 1), tick=False):
            assert client.get("/api/v1/auth/me/").status_code == (200 if half_hour < 24 else 401)
