"""Who works here: invited by a link that opens once, changed by those who may, out at once when sent away."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test import Client
from rest_framework.test import APIClient

from accounts import clock, invitations, letters, staff
from accounts.models import AuditEntry, Invitation, Letter, Patient, Role, SecondFactor, Site, User
from accounts.queries import visible_staff
from accounts.refusals import Conflict, Refusal
from accounts.sign_in_links import new_token
from notifications import staff_mail
from tests.at_once import together
from tests.factories import PASSWORD, Clinic, make_patient, make_site, make_token, make_user, noon

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper  # type: ignore[attr-defined]

    from tests.catcher import Catcher

BASE = "/api/v1/"
FRESH = "a new word for tests"
# Django's own hashing is slow by design; of what it makes nothing is shown here.
pytestmark = pytest.mark.usefixtures("quick_passwords")


@pytest.fixture
def mailbox(catcher: Catcher, settings: SettingsWrapper) -> Catcher:
    """A real SMTP server that our mails go to."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", catcher.port
    settings.PUBLIC_URL = "http://testserver"
    return catcher


def link_of(letter: Letter) -> str:
    """The token of a link as a worker makes it, without the mail."""
    token, letter.token_hash = new_token()
    letter.save(update_fields=["token_hash"])
    return token


def invited(clinic: Clinic, by: str = "manager", email: str = "new@example.org", *roles: str) -> Invitation:
    values = {"email": email, "name": "R. Moss", "roles": list(roles) or [Role.NURSE], "sites": [clinic.site]}
    return invitations.invite(clinic.users[by], values, clock.now())


def token_for(clinic: Clinic, **how: Any) -> str:
    return link_of(invited(clinic, **how).letters.get())


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# ---- invited --------------------------------------------------------------------------------------------------------


def test_from_an_invitation_to_somebody_at_work(clinic: Clinic, api: Any, mailbox: Catcher) -> None:
    manager = api(clinic.users["manager"])
    body = {"email": "R.Moss@Example.org", "name": "R. Moss", "roles": ["nurse"], "sites": [str(clinic.site.pk)]}
    made = manager.post(f"{BASE}invitations/", body)
    assert (made.status_code, made.json()["status"]) == (201, "open")
    assert staff_mail.send_due(clock.now()) == 1
    assert staff_mail.send_due(clock.now()) == 0, "told once"
    mail = mailbox.mails[-1]
    assert mail.subject == f"You are invited to work with {clinic.organization.name}"
    found = re.search(r"http://testserver(/join/\S+/)", mail.text)
    assert found
    assert found[1].split("/")[2] not in str(Letter.objects.values()), "the database holds no link"
    visitor = Client(enforce_csrf_checks=True)
    assert visitor.get(found[1])["Location"] == "/join/"
    page = visitor.get("/join/")
    assert "r.moss@example.org" in page.content.decode()
    form = {"csrfmiddlewaretoken": visitor.cookies["csrftoken"].value, "password": "1q2w3e4r5t6y"}
    assert "too common" in visitor.post("/join/", form).content.decode()
    assert not User.objects.filter(email="r.moss@example.org").exists()
    joined = visitor.post("/join/", form | {"password": FRESH})
    assert joined.status_code == 302
    assert visitor.get("/patients/").status_code == 200, "and is in"
    person = User.objects.get(email="r.moss@example.org")
    assert (person.roles, list(person.sites.all()), person.organization) == (
        ["nurse"], [clinic.site], clinic.organization,
    )  # fmt: skip
    again = Client()
    again.get(found[1])
    assert again.get("/join/").status_code == 410, "good once"
    assert again.post("/join/", {"password": FRESH}).status_code == 410
    shown = manager.get(f"{BASE}invitations/{made.json()['id']}/").json()
    assert (shown["status"], shown["user"]) == ("accepted", str(person.pk))
    kinds = AuditEntry.objects.filter(record_type="accounts_invitation").values_list("action", "actor")
    assert set(kinds) == {("insert", clinic.users["manager"].pk), ("update", person.pk)}


def test_mails_are_in_the_persons_language(clinic: Clinic, api: Any, mailbox: Catcher) -> None:
    manager, patient = api(clinic.users["manager"]), clinic.users["patient"]
    body = {"email": "moss@example.org", "name": "R. Moss", "roles": ["nurse"], "sites": [str(clinic.site.pk)]}
    assert manager.post(f"{BASE}invitations/", {**body, "language": "es"}).json()["language"] == "es"
    joined = invitations.use(link_of(Letter.objects.latest("id")), FRESH, clock.now())
    assert joined.language == "es", "as invited"
    assert manager.patch(f"{BASE}users/{joined.pk}/", {"language": "fr"}).status_code == 400
    shown = manager.patch(f"{BASE}users/{clinic.users['nurse'].pk}/", {"language": "es"})
    assert shown.json()["language"] == "es"
    Patient.objects.filter(user=patient).update(language="es")
    staff.send_password_link(clinic.users["manager"], clinic.users["nurse"], clock.now())
    letters.write(Letter.Kind.PASSKEY_ADDED, patient, clock.now())
    letters.write(Letter.Kind.PASSKEY_ADDED, clinic.users["admin"], clock.now())
    assert staff_mail.send_due(clock.now()) == 3
    assert {(mail.to, mail.subject.split()[0]) for mail in mailbox.mails} == {
        (clinic.users["nurse"].email, "Una"), (patient.email, "Se"), (clinic.users["admin"].email, "A"),
    }  # fmt: skip
    for mail in mailbox.mails:
        assert clinic.organization.name in mail.subject
        assert re.search(r"http://testserver/(join/\S+|security)/", mail.text)


def test_a_link_is_open_for_three_days_and_until_it_is_replaced_or_taken_back(clinic: Clinic) -> None:
    manager, now = clinic.users["manager"], clock.now()
    invitation = invited(clinic)
    first = link_of(invitation.letters.get())
    assert invitations.look(first, now + timedelta(days=3, seconds=-5))
    later = now + timedelta(days=3, seconds=5)
    with time_machine.travel(later, tick=False):
        assert Invitation.objects.get().status == "expired"
        assert spent(first) == "link_spent"
        invitations.resend(manager, invitation, later)
        assert Invitation.objects.get().status == "open"
        second = link_of(letters.due(later).get())
        invitations.resend(manager, invitation, later)
        assert spent(second) == "link_spent", "a newer one was sent"
        third = link_of(letters.due(later).get())
        invitations.withdraw(manager, invitation, later)
        assert spent(third) == "link_spent"
        assert not letters.due(later).exists(), "nor is it sent any more"
        with pytest.raises(Conflict):
            invitations.resend(manager, invitation, later)
        assert invited(clinic).status == "open", "who was uninvited is invited anew"


def spent(token: str) -> str:
    with pytest.raises(Refusal) as refusal:
        invitations.use(token, FRESH, clock.now())
    return refusal.value.code


@pytest.mark.parametrize("change", [{"is_active": False}, {"roles": ["nurse"]}])
def test_an_invitation_is_worth_what_who_sent_it_may_do(clinic: Clinic, change: dict[str, Any]) -> None:
    token = token_for(clinic)
    User.objects.filter(pk=clinic.users["manager"].pk).update(**change)
    assert spent(token) == "link_spent"
    assert not User.objects.filter(email="new@example.org").exists()


def test_who_signs_in_elsewhere_is_told_so_and_nobody_else(clinic: Clinic, api: Any) -> None:
    assert clinic.other
    theirs = clinic.other.users["nurse"]
    body = {"name": "R. Moss", "roles": ["nurse"], "sites": [str(clinic.site.pk)]}
    manager = api(clinic.users["manager"])
    known = manager.post(f"{BASE}invitations/", {**body, "email": theirs.email})
    unknown = manager.post(f"{BASE}invitations/", {**body, "email": "nobody@example.org"})
    differ = {"id", "email", "invited_at", "expires_at"}
    assert known.status_code == unknown.status_code == 201
    assert {n: v for n, v in known.json().items() if n not in differ} == {
        n: v for n, v in unknown.json().items() if n not in differ
    }
    token = link_of(Invitation.objects.get(email=theirs.email).letters.get())
    assert spent(token) == "address_taken"
    theirs.refresh_from_db()
    assert theirs.check_password(PASSWORD)
    assert theirs.organization == clinic.other.organization
    assert manager.get(f"{BASE}invitations/{known.json()['id']}/").json()["status"] == "open"


def test_the_same_address_twice(clinic: Clinic, api: Any) -> None:
    manager = api(clinic.users["manager"])
    body = {"email": "twice@example.org", "name": "R.", "roles": ["nurse"], "sites": [str(clinic.site.pk)]}
    assert manager.post(f"{BASE}invitations/", body).status_code == 201
    assert refused(manager.post(f"{BASE}invitations/", body | {"email": "TWICE@example.org"})) == (
        409,
        "already_invited",
    )
    here = manager.post(f"{BASE}invitations/", body | {"email": clinic.users["nurse"].email})
    assert refused(here) == (409, "already_here")
    assert clinic.other
    assert invited(clinic.other, email="twice@example.org"), "of another organization nobody knows"


def test_of_two_links_for_one_address_one_makes_the_person(committed: None, clinic: Clinic) -> None:
    assert clinic.other
    tokens = [token_for(each, email="both@example.org") for each in (clinic, clinic.other)]

    def take(token: str) -> str:
        try:
            return str(invitations.use(token, FRESH, clock.now()).email)
        except Refusal as refusal:
            return refusal.code

    outcomes = together([partial(take, token) for token in tokens])
    assert sorted(outcomes) == ["address_taken", "both@example.org"]


def test_a_patient_of_ours_comes_to_work_here(clinic: Clinic) -> None:
    patient = clinic.users["patient"]
    bearer = make_token(patient)
    user = invitations.use(token_for(clinic, email=patient.email), FRESH, clock.now())
    assert user == patient
    assert user.roles == ["patient", "nurse"]
    answer = APIClient().get(f"{BASE}auth/me/", headers={"Authorization": f"Bearer {bearer}"})
    assert answer.status_code == 401, "staff begin anew"


def test_one_of_nobodys_organization_is_no_stranger_where_they_are_treated(clinic: Clinic) -> None:
    free = make_user(None, Role.PATIENT)
    assert spent(token_for(clinic, email=free.email)) == "address_taken"
    make_patient(clinic.site, user=free)
    invitation = Invitation.objects.get()
    invitations.withdraw(clinic.users["manager"], invitation, clock.now())
    assert invitations.use(token_for(clinic, email=free.email), FRESH, clock.now()).organization == clinic.organization


@pytest.mark.parametrize("token", ["", "x", "x" * 200, "a\0b", "\ud800"])
def test_strange_links_open_nothing(clinic: Clinic, token: str) -> None:
    assert spent(token) == "link_spent"
    client = Client()
    client.cookies["join"] = "x"
    assert client.get("/join/").status_code == 410


# ---- changed --------------------------------------------------------------------------------------------------------


def test_a_manager_gives_roles_and_they_count_at_once(clinic: Clinic, api: Any) -> None:
    nurse, manager = clinic.users["nurse"], api(clinic.users["manager"])
    as_nurse = api(nurse)
    address = f"{BASE}users/{nurse.pk}/"
    assert as_nurse.post(f"{BASE}chairs/", {}).status_code == 403
    assert manager.patch(address, {"roles": ["manager", "nurse"]}).json()["roles"] == ["nurse", "manager"]
    assert as_nurse.post(f"{BASE}chairs/", {}).status_code == 400, "the next request"
    assert manager.patch(address, {"roles": ["front_desk"]}).status_code == 200
    assert as_nurse.post(f"{BASE}chairs/", {}).status_code == 403
    last = AuditEntry.objects.filter(record_type="accounts_user", record_id=str(nurse.pk), action="update").last()
    assert last
    assert (last.actor, last.after) == (clinic.users["manager"].pk, {"roles": ["front_desk"]})


@pytest.mark.parametrize(
    ("by", "whom", "body", "answer"),
    [
        ("manager", "manager", {"roles": ["manager", "nurse"]}, (403, "not_yourself")),
        ("manager", "manager", {"name": "Me"}, (403, "not_yourself")),
        ("admin", "admin", {"roles": ["admin", "nurse"]}, (403, "not_yourself")),
        ("manager", "nurse", {"roles": ["admin"]}, (403, "admins_only")),
        ("manager", "admin", {"roles": ["nurse"]}, (403, "admins_only")),
        ("manager", "admin", {"name": "Other"}, (403, "admins_only")),
        ("nurse", "front_desk", {"roles": ["nurse"]}, (403, "forbidden")),
        ("auditor", "front_desk", {"name": "Other"}, (403, "forbidden")),
        ("manager", "nurse", {"roles": ["nurse", "patient"]}, (422, "patient_role")),
        ("manager", "nurse", {"sites": []}, (422, "no_site")),
        ("manager", "nurse", {"roles": []}, (400, "empty")),
        ("manager", "nurse", {"roles": ["chief"]}, (400, "invalid_choice")),
        ("manager", "nurse", {"roles": ["nurse", "nurse"]}, (400, "duplicate")),
        ("manager", "nurse", {"roles": "nurse"}, (400, "type")),
        ("manager", "nurse", {"email": "x@example.org"}, (400, "read_only")),
        ("manager", "nurse", {"is_active": False}, (400, "read_only")),
        ("manager", "nurse", {"is_superuser": True}, (400, "unknown_field")),
        ("manager", "nurse", {"password": "x"}, (400, "unknown_field")),
    ],
)
def test_what_may_not_be_changed(clinic: Clinic, api: Any, by: str, whom: str, body: Any, answer: Any) -> None:
    User.objects.filter(pk=clinic.users["front_desk"].pk).update(roles=["front_desk"])
    before = list(User.objects.order_by("pk").values("roles", "name", "is_active", "is_superuser", "password"))
    sent = api(clinic.users[by]).patch(f"{BASE}users/{clinic.users[whom].pk}/", body)
    told = sent.json()
    assert (sent.status_code, told["errors"][0]["code"] if told.get("errors") else told["code"]) == answer
    assert list(User.objects.order_by("pk").values("roles", "name", "is_active", "is_superuser", "password")) == before


def test_over_who_works_at_two_sites_decides_who_manages_both(clinic: Clinic, api: Any) -> None:
    nurse = clinic.users["nurse"]
    second = make_site(clinic.organization, clinic.users["admin"])
    nurse.sites.add(second)
    address = f"{BASE}users/{nurse.pk}/"
    assert refused(api(clinic.users["manager"]).patch(address, {"roles": ["manager"]})) == (403, "works_elsewhere")
    assert refused(api(clinic.users["manager"]).post(f"{address}deactivate/")) == (403, "works_elsewhere")
    foreign = {"sites": [str(second.pk)]}
    assert api(clinic.users["manager"]).patch(address, foreign).status_code == 403
    assert api(clinic.users["admin"]).patch(address, foreign).json()["sites"] == [str(second.pk)]
    assert nurse not in visible_staff(clinic.users["manager"])
    assert api(clinic.users["manager"]).get(address).status_code == 404
    desk = clinic.users["front_desk"]
    strange = api(clinic.users["manager"]).patch(f"{BASE}users/{desk.pk}/", foreign)
    assert strange.json()["errors"][0]["code"] == "unknown_reference"


def test_a_list_by_site_role_state_and_name(clinic: Clinic, api: Any) -> None:
    manager = api(clinic.users["manager"])
    User.objects.filter(pk=clinic.users["front_desk"].pk).update(is_active=False)
    clinic.session(noon(5))

    def names(query: str) -> set[str]:
        return {each["email"] for each in manager.get(f"{BASE}users/?{query}").json()["results"]}

    emails = {role: user.email for role, user in clinic.users.items()}
    assert names("") == set(emails.values()) - {emails["patient"]}, "patients are no staff"
    assert names("role=nurse,auditor") == {emails["nurse"], emails["auditor"]}
    assert names("is_active=false") == {emails["front_desk"]}
    assert names(f"site={clinic.site.pk}&role=manager") == {emails["manager"]}
    assert names(f"search={clinic.users['nurse'].name[2:]}") >= {emails["nurse"]}
    shown = manager.get(f"{BASE}users/{clinic.users['nurse'].pk}/").json()
    assert (shown["visits_to_come"], shown["has_second_factor"]) == (1, False)
    assert "password" not in shown


# ---- sent away ------------------------------------------------------------------------------------------------------


def test_who_is_sent_away_is_out_at_once_and_for_good(clinic: Clinic, api: Any) -> None:
    nurse, manager = clinic.users["nurse"], api(clinic.users["manager"])
    as_nurse, page = api(nurse), Client()
    page.force_login(nurse)
    session = clinic.session(noon(5))
    staff.send_password_link(clinic.users["manager"], nurse, clock.now())
    link = link_of(Letter.objects.get())
    assert page.get("/patients/").status_code == as_nurse.get(f"{BASE}auth/me/").status_code == 200
    gone = manager.post(f"{BASE}users/{nurse.pk}/deactivate/")
    assert (gone.status_code, gone.json()["is_active"], gone.json()["visits_to_come"]) == (200, False, 1)
    session.refresh_from_db()
    assert session.nurse == clinic.nurses[0], "a visit is not moved behind anybody's back"
    assert page.get("/patients/").status_code == 302
    assert as_nurse.get(f"{BASE}auth/me/").status_code == 401
    assert spent(link) == "link_spent"
    assert refused(manager.post(f"{BASE}users/{nurse.pk}/deactivate/")) == (409, "already_done")
    for verb in ("send-password-link", "reset-second-factor"):
        assert refused(manager.post(f"{BASE}users/{nurse.pk}/{verb}/")) == (409, "inactive")
    back = manager.post(f"{BASE}users/{nurse.pk}/reactivate/")
    assert (back.status_code, back.json()["is_active"]) == (200, True)
    assert page.get("/patients/").status_code == 302, "an old session stays over"
    assert as_nurse.get(f"{BASE}auth/me/").status_code == 401, "an old token too"
    assert api(nurse).get(f"{BASE}auth/me/").status_code == 200
    assert refused(manager.post(f"{BASE}users/{nurse.pk}/reactivate/")) == (409, "already_done")


def test_alerts_go_to_somebody_who_is_here(clinic: Clinic, api: Any) -> None:
    prescriber, nurse = clinic.users["prescriber"], clinic.users["nurse"]
    address, manager = f"{BASE}users/{prescriber.pk}/deactivate/", api(clinic.users["manager"])
    alone = manager.post(address)
    assert refused(alone) == (409, "on_call")
    assert alone.json()["sites"] == [str(clinic.site.pk)]
    for strange in (prescriber, clinic.users["front_desk"]):
        assert manager.post(address, {"on_call": str(strange.pk)}).json()["errors"][0]["code"] == "not_care"
    assert clinic.other
    foreign = manager.post(address, {"on_call": str(clinic.other.users["nurse"].pk)})
    assert foreign.json()["errors"][0]["code"] == "unknown_reference"
    assert manager.post(address, {"on_call": str(nurse.pk)}).status_code == 200
    assert Site.objects.get(pk=clinic.site.pk).on_call == nurse
    with pytest.raises(IntegrityError, match="tell nobody"), transaction.atomic():
        User.objects.filter(pk=nurse.pk).update(is_active=False)
    with pytest.raises(IntegrityError, match="somebody who is here"), transaction.atomic():
        Site.objects.filter(pk=clinic.site.pk).update(on_call=prescriber)


def test_somebody_who_decides_remains(clinic: Clinic, api: Any) -> None:
    admin, manager = clinic.users["admin"], clinic.users["manager"]
    second = make_user(clinic.organization, Role.ADMIN)
    assert api(second).post(f"{BASE}users/{admin.pk}/deactivate/").status_code == 200
    for change in ({"is_active": False}, {"roles": ["nurse"]}, {"organization": None}):
        with pytest.raises(IntegrityError, match="last admin"), transaction.atomic():
            User.objects.filter(pk=second.pk).update(**change)
    with pytest.raises(IntegrityError, match="the last"), transaction.atomic():
        User.objects.filter(pk__in=[second.pk, manager.pk]).update(is_active=False)
    other = make_user(clinic.organization, Role.MANAGER, sites=(clinic.site,))
    assert api(other).post(f"{BASE}users/{manager.pk}/deactivate/").status_code == 200


@pytest.mark.parametrize("role", [Role.ADMIN, Role.MANAGER])
def test_of_two_who_send_each_other_away_one_stays(committed: None, clinic: Clinic, role: str) -> None:
    first, second = (make_user(clinic.organization, role, sites=(clinic.site,)) for _ in range(2))
    others = {"roles": ["auditor"]}
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_user DISABLE TRIGGER somebody_remains")
        User.objects.filter(pk__in=[clinic.users["admin"].pk, clinic.users["manager"].pk]).update(**others)
        cursor.execute("ALTER TABLE accounts_user ENABLE TRIGGER somebody_remains")

    def send(by: User, user: User) -> str:
        try:
            staff.deactivate(by, user)
        except Refusal as refusal:
            return refusal.code
        return "done"

    outcomes = together([partial(send, *pair) for pair in ((first, second), (second, first))])
    last = "last_admin" if role == Role.ADMIN else "last_manager"
    assert sorted(outcomes) == ["done", last]
    assert User.objects.filter(organization=clinic.organization, is_active=True, roles__contains=[role]).count() == 1


# ---- getting in again -----------------------------------------------------------------------------------------------


def test_a_lost_second_factor_is_taken_off_and_the_person_told(clinic: Clinic, api: Any, mailbox: Catcher) -> None:
    nurse, page = clinic.users["nurse"], Client()
    manager, address = api(clinic.users["manager"]), f"{BASE}users/{nurse.pk}/reset-second-factor/"
    assert refused(manager.post(address)) == (409, "no_second_factor")
    SecondFactor.objects.create(user=nurse, secret="sealed", failures=100)
    page.force_login(nurse)
    bearer = api(nurse)
    assert clinic.other
    assert api(clinic.other.users["admin"]).post(address).status_code == 404
    assert api(clinic.users["auditor"]).post(address).status_code == 403
    assert manager.post(address).json()["has_second_factor"] is False
    assert page.get("/patients/").status_code == 302, "whoever had the telephone is out"
    assert bearer.get(f"{BASE}auth/me/").status_code == 401
    staff_mail.send_due(clock.now())
    mail = mailbox.mails[-1]
    assert mail.subject == f"Your second factor for {clinic.organization.name} was taken off"
    assert "http://testserver/sign-in/" in mail.text
    assert nurse.name not in mail.text
    taken = AuditEntry.objects.get(record_type="accounts_secondfactor", action="delete")
    assert taken.actor == clinic.users["manager"].pk


def test_a_new_password_by_link_ends_what_the_old_one_let_in(clinic: Clinic, api: Any, mailbox: Catcher) -> None:
    nurse, page = clinic.users["nurse"], Client()
    page.force_login(nurse)
    bearer = api(nurse)
    assert api(clinic.users["manager"]).post(f"{BASE}users/{nurse.pk}/send-password-link/").status_code == 200
    assert page.get("/patients/").status_code == 200, "nothing ends before the link is used"
    staff_mail.send_due(clock.now())
    found = re.search(r"http://testserver(/join/\S+/)", mailbox.mails[-1].text)
    assert found
    SecondFactor.objects.create(user=nurse, secret="sealed")
    visitor = Client()
    visitor.get(found[1])
    assert visitor.post("/join/", {"password": FRESH})["Location"] == "/sign-in/code/", "a mailbox alone does not do"
    assert visitor.get("/patients/").status_code == 302
    assert page.get("/patients/").status_code == 302
    assert bearer.get(f"{BASE}auth/me/").status_code == 401
    nurse.refresh_from_db()
    assert nurse.check_password(FRESH)
