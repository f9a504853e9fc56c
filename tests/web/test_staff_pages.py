"""Users and roles on pages: invited, let in by the link, given a role, sent away with their visits in sight."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

import web.staff
from accounts import rights
from accounts.models import Invitation, Letter, Role, SecondFactor, Site, User
from accounts.sign_in_links import new_token
from tests.factories import Clinic, make_site, make_user, noon
from tests.web.conftest import DESK, PHONE, Visitor
from web.staff import SAID

if TYPE_CHECKING:
    from django.test import Client
    from playwright.sync_api import Page


def check(page: Page, size: dict[str, int]) -> None:
    """Nothing that axe finds, nothing too wide."""
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_a_manager_invites_somebody_who_comes_in(clinic: Clinic, visitor: Visitor) -> None:
    page = visitor.as_user(clinic.users["manager"], PHONE)
    page.goto(visitor.url + "/clinic/")
    page.get_by_role("link", name="Users and roles").click()
    check(page, PHONE)
    page.get_by_role("link", name="Invite somebody").click()
    check(page, PHONE)
    assert not page.get_by_text("Admin", exact=True).count(), "a manager makes no admin"
    page.get_by_label("Name").fill("R. Moss, RN")
    page.get_by_label("Email address").fill(clinic.users["nurse"].email)
    page.get_by_label("Nurse", exact=True).check()
    page.get_by_role("button", name="Send the invitation").click()
    page.get_by_text("works here already, or did").wait_for()
    check(page, PHONE)
    page.get_by_label("Email address").fill("moss@example.org")
    page.get_by_role("button", name="Send the invitation").click()
    page.get_by_text("The link is on its way").wait_for()
    page.get_by_role("button", name="Send again").click()
    page.get_by_text("Sent again").wait_for()
    check(page, PHONE)
    token, hashed = new_token()
    Letter.objects.order_by("-id").filter(pk=Letter.objects.latest("id").pk).update(token_hash=hashed)
    page.context.clear_cookies()
    page.close()
    page = visitor.browser.new_page(viewport=DESK, locale="es-US")  # type: ignore[arg-type]
    page.goto(f"{visitor.url}/join/{token}/")
    assert token not in page.url
    page.get_by_role("heading", name=f"Le damos la bienvenida a {clinic.organization.name}").wait_for()
    check(page, DESK)
    page.get_by_label("Contraseña nueva").fill("1q2w3e4r5t6y")
    page.get_by_role("button", name="Usar esta contraseña").click()
    page.get_by_text("demasiado común").wait_for()
    check(page, DESK)
    page.get_by_label("Contraseña nueva").fill("una frase que nadie adivina")
    page.get_by_role("button", name="Usar esta contraseña").click()
    page.get_by_role("banner").get_by_text("R. Moss, RN").wait_for()
    page.goto(f"{visitor.url}/join/{token}/")
    page.get_by_role("heading", name="Este enlace ya no abre").wait_for()
    check(page, DESK)
    page.close()
    assert User.objects.get(email="moss@example.org").roles == ["nurse"]
    assert visitor.complaints == []


def test_somebody_leaves_and_their_visits_stay_in_sight(clinic: Clinic, visitor: Visitor) -> None:
    nurse = clinic.users["nurse"]
    SecondFactor.objects.create(user=nurse, secret="sealed")
    Site.objects.filter(pk=clinic.site.pk).update(on_call=nurse)
    clinic.session(noon(5))
    page = visitor.as_user(clinic.users["manager"], DESK, locale="es-US")
    page.goto(f"{visitor.url}/clinic/users/?role=nurse")
    page.get_by_role("link", name=nurse.name).click()
    check(page, DESK)
    page.get_by_label("Prescriptor", exact=True).check()
    page.get_by_role("button", name="Guardar").click()
    page.get_by_text("Guardado.").wait_for()
    page.get_by_role("link", name=nurse.name).click()
    page.get_by_role("link", name="Quitar el segundo factor").click()
    check(page, DESK)
    page.get_by_role("button", name="Quitar el segundo factor").click()
    page.get_by_text("Se le avisa por correo").wait_for()
    page.get_by_role("link", name="Cerrar su acceso").click()
    page.get_by_text("Una visita por venir está reservada con esta persona").wait_for()
    check(page, DESK)
    page.get_by_label("Quién recibe las alertas").select_option(label=clinic.users["prescriber"].name)
    page.get_by_role("button", name="Cerrar su acceso").click()
    page.get_by_role("heading", name="Una visita sigue reservada").wait_for()
    check(page, DESK)
    page.get_by_role("link", name=f"La semana de {clinic.nurses[0].name}").click()
    assert f"provider={clinic.nurses[0].pk}" in page.url
    page.goto(f"{visitor.url}/clinic/users/?state=left")
    page.get_by_text("una visita sigue reservada").wait_for()
    check(page, DESK)
    page.close()
    nurse.refresh_from_db()
    assert (nurse.roles, nurse.is_active) == ([Role.NURSE, Role.PRESCRIBER], False)
    assert Site.objects.get(pk=clinic.site.pk).on_call == clinic.users["prescriber"]
    assert visitor.complaints == []


def test_who_may_not_is_told_why(clinic: Clinic, client: Client) -> None:
    manager, nurse, admin = (clinic.users[role] for role in ("manager", "nurse", "admin"))
    client.force_login(manager)
    own = client.get(f"/clinic/users/{manager.pk}/").content.decode()
    assert "Somebody else has to change this for you." in own
    assert 'name="roles"' not in own
    assert client.post(f"/clinic/users/{manager.pk}/", {"name": "M", "roles": ["nurse"]}).status_code == 403
    assert "Only an admin decides over admins." in client.get(f"/clinic/users/{admin.pk}/").content.decode()
    for verb in ("deactivate", "reactivate", "send-password-link", "reset-second-factor"):
        assert client.post(f"/clinic/users/{admin.pk}/{verb}/").status_code == 403
    raised = {"name": "N", "roles": ["admin"], "sites": [str(clinic.site.pk)]}
    assert client.post(f"/clinic/users/{nurse.pk}/", raised).status_code == 400, "no such box on the form"
    assert client.post(f"/clinic/users/{nurse.pk}/reset-second-factor/").status_code == 409
    nurse.sites.add(make_site(clinic.organization, admin))
    assert "not yours, too" in client.get(f"/clinic/users/{nurse.pk}/").content.decode()
    client.force_login(clinic.users["auditor"])
    assert "looks and does not change" in client.get(f"/clinic/users/{admin.pk}/").content.decode()
    assert client.post(f"/clinic/users/{nurse.pk}/", raised).status_code == 403
    assert client.get("/clinic/users/invite/").status_code == 403
    client.force_login(nurse)
    assert client.get("/clinic/users/").status_code == 403
    nurse.refresh_from_db()
    assert (nurse.roles, nurse.is_active) == ([Role.NURSE], True)


@pytest.mark.parametrize("verb", ["again", "withdraw"])
def test_nothing_of_another_organization(clinic: Clinic, client: Client, verb: str) -> None:
    assert clinic.other
    client.force_login(clinic.other.users["admin"])
    nurse = clinic.users["nurse"]
    assert client.get(f"/clinic/users/{nurse.pk}/").status_code == 404
    assert client.post(f"/clinic/users/{nurse.pk}/deactivate/").status_code == 404
    assert nurse.email not in client.get("/clinic/users/?state=all").content.decode()
    client.force_login(clinic.users["admin"])
    form = {"name": "R", "email": "r@example.org", "roles": ["admin"], "sites": []}
    assert client.post("/clinic/users/invite/", form)["Location"] == "/clinic/users/"
    invitation = Invitation.objects.get()
    client.force_login(clinic.other.users["admin"])
    assert client.post(f"/clinic/invitations/{invitation.pk}/{verb}/").status_code == 404
    client.force_login(clinic.users["admin"])
    assert client.post(f"/clinic/invitations/{invitation.pk}/{verb}/")["Location"] == "/clinic/users/"
    invitation.refresh_from_db()
    assert invitation.status == ("open" if verb == "again" else "withdrawn")


def test_what_is_kept_and_what_is_asked_of_a_patient_who_works_here(clinic: Clinic, client: Client) -> None:
    both = make_user(clinic.organization, Role.PATIENT, Role.NURSE, sites=(clinic.site,))
    client.force_login(clinic.users["manager"])
    form = {"name": "Both", "roles": ["front_desk"], "sites": [str(clinic.site.pk)]}
    assert client.post(f"/clinic/users/{both.pk}/", form).status_code == 302
    both.refresh_from_db()
    assert both.roles == [Role.PATIENT, Role.FRONT_DESK]
    assert client.post(f"/clinic/users/{both.pk}/", form | {"roles": []}).status_code == 400
    nowhere = client.post(f"/clinic/users/{both.pk}/", form | {"sites": []})
    assert nowhere.status_code == 400
    assert "works at a site" in nowhere.content.decode()


@pytest.mark.parametrize("what", SAID)
def test_each_question_has_a_right_of_its_own(
    clinic: Clinic, client: Client, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    client.force_login(clinic.users["manager"])
    monkeypatch.setitem(rights.RIGHTS, f"users.{what}", rights.NOBODY)
    person = f"/clinic/users/{clinic.users['nurse'].pk}"
    assert {each for each in SAID if client.get(f"{person}/{each}/").status_code == 403} == {what}
    assert client.post(f"{person}/{what}/").status_code == 403


def test_a_long_list_goes_on(clinic: Clinic, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.staff, "A_PAGE", 3)
    for name in ("Ada", "Ada", "Zoe", "Ada"):
        person = make_user(clinic.organization, Role.NURSE, sites=(clinic.site,))
        User.objects.filter(pk=person.pk).update(name=name)
    client.force_login(clinic.users["manager"])
    seen: list[str] = []
    address = "?state=here"
    while address and len(seen) < 30:
        text = client.get(f"/clinic/users/{address}").content.decode()
        seen += re.findall(r'<a href="/clinic/users/([0-9a-f-]{36})/">', text)
        further = re.search(r'<a href="([^"]*after=[^"]*)">', text)
        address = unescape(further[1]) if further else ""
    everybody = User.objects.filter(sites=clinic.site).order_by("name", "email")
    assert seen == [str(each.pk) for each in everybody]
    assert "Zoe" in client.get("/clinic/users/?name=zo").content.decode()
    assert "Ada" not in client.get("/clinic/users/?name=zo").content.decode()
    assert clinic.other
    for stranger in (str(clinic.other.users["nurse"].pk), "1", "\0"):
        assert client.get("/clinic/users/", {"after": stranger}).status_code == 404
