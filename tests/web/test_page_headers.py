"""What holds of every page: its headers, that nobody keeps a copy, that a look changes nothing, and its templates."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.urls import URLPattern, get_resolver

from accounts import clock
from accounts.models import AuditEntry
from sessions.models import Plan
from tests.factories import PASSWORD, Clinic, make_order
from web import urls

if TYPE_CHECKING:
    from django.test import Client

ROOT = Path(__file__).resolve().parents[2]
# What a look may leave behind: that it was had, and that somebody signed in.
LEFT_BY_A_LOOK = {"accounts.AuditEntry", "sessions.Session"}
# Parts of an address that are words of ours: a move on the board, which template.
SAY_NOTHING_OF_ANYBODY = {"verb", "kind", "channel", "language"}
WHO = ("patient", "nurse", None)


@pytest.fixture
def ids(clinic: Clinic, client: Client) -> dict[str, str]:
    """One of each record that an address can name, all of the clinic's patient."""
    make_order(clinic.patient, clinic.protocol, clinic.users["prescriber"])
    client.force_login(clinic.users["patient"])
    form = {"course": clinic.protocol.pk, "earliest": clock.now().date() + timedelta(days=2), "times": "any"}
    client.post(f"/patients/{clinic.patient.pk}/book/", form)
    client.logout()
    session = clinic.session(clock.now() + timedelta(days=40), series=clinic.series(clinic.patient))
    plan = Plan.objects.order_by("score")[0]
    nobody = "01890a5d-ac96-774b-bcce-b302099a8057"
    found = {"patient": clinic.patient.pk, "plan": plan.pk, "session": session.pk, "series": session.series_id}
    found |= {"protocol": clinic.protocol.pk}
    return {name: str(pk) for name, pk in found.items()} | {"alert": nobody, "token": "x" * 43}


def addresses(ids: dict[str, str]) -> list[str]:
    """Every address of ours with a record in it. Another room's records are those that nobody has."""
    routes = [str(each.pattern) for each in urls.urlpatterns if isinstance(each, URLPattern)]
    return ["/" + re.sub(r"<\w+:(\w+)>", lambda found: ids.get(found[1], ids["alert"]), route) for route in routes]


def digest() -> dict[str, int]:
    """How many rows each table has."""
    models = [each for each in apps.get_models() if each._meta.label not in LEFT_BY_A_LOOK]
    return {each._meta.label: each._default_manager.count() for each in models}


@pytest.mark.parametrize("who", WHO)
def test_every_page_has_its_headers_and_a_look_changes_nothing(
    clinic: Clinic, client: Client, ids: dict[str, str], who: str | None
) -> None:
    if who:
        client.force_login(clinic.users[who])
    before = digest()
    for address in addresses(ids):
        page = client.get(address)
        assert page.status_code < 500, address
        policy = page["Content-Security-Policy"]
        assert "unsafe" not in policy, address
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert page["X-Content-Type-Options"] == "nosniff"
        assert page["X-Frame-Options"] == "DENY"
        assert page["Referrer-Policy"] == "no-referrer"
        assert page["Cross-Origin-Opener-Policy"] == "same-origin"
        if page.status_code == 200:
            assert "no-store" in page["Cache-Control"], address
            html = page.content.decode()
            if "<html" not in html:
                continue
            title = re.search(r"<title>(.*?)</title>", html, re.DOTALL)
            assert title, address
            assert clinic.protocol.code not in title[1]
            assert clinic.patient.family_name not in title[1], "no name of a patient in a title"
        assert client.head(address).status_code == page.status_code or page.status_code == 405
    assert digest() == before


def test_each_form_carries_its_token_against_forgery(clinic: Clinic, client: Client, ids: dict[str, str]) -> None:
    client.force_login(clinic.users["patient"])
    for address in addresses(ids):
        if address.startswith("/check-in/"):
            continue
        page = client.get(address)
        forms = re.findall(r'<form[^>]*method="post".*?</form>', page.content.decode(), re.DOTALL)
        assert all('name="csrfmiddlewaretoken"' in form for form in forms), address


def test_a_session_begins_anew_at_sign_in(clinic: Clinic, client: Client) -> None:
    client.force_login(clinic.users["patient"])
    first = client.cookies["sessionid"].value
    client.post("/sign-in/", {"email": clinic.users["nurse"].email, "password": PASSWORD})
    second = client.cookies["sessionid"]
    assert second.value != first
    assert len(second.value) >= 32
    assert (second["httponly"], second["samesite"]) == (True, "Lax")


def test_somebody_who_is_switched_off_is_out_at_once(clinic: Clinic, client: Client) -> None:
    client.force_login(clinic.users["nurse"])
    assert client.get("/patients/").status_code == 200
    clinic.users["nurse"].is_active = False
    clinic.users["nurse"].save()
    assert client.get("/patients/").status_code == 302


def test_templates_hold_no_style_and_no_script_of_their_own() -> None:
    found = [*(ROOT / "web" / "templates").rglob("*.html")]
    assert len(found) > 30
    for file in found:
        text = file.read_text()
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", text), file
        assert re.findall(r"<script(?![^>]*\ssrc=)", text) == [], file


def test_every_page_of_a_patients_records_leaves_a_trace(clinic: Clinic, client: Client, ids: dict[str, str]) -> None:
    client.force_login(clinic.users["front_desk"])
    for name in (f"/patients/{ids['patient']}/", f"/series/{ids['series']}/", f"/plans/{ids['plan']}/choices/"):
        before = AuditEntry.objects.filter(action="read", patient_id=ids["patient"]).count()
        assert client.get(name).status_code == 200
        assert AuditEntry.objects.filter(action="read", patient_id=ids["patient"]).count() > before, name


def test_the_addresses_of_pages_name_records_by_id_only() -> None:
    assert get_resolver().url_patterns
    for each in urls.urlpatterns:
        for kind, name in re.findall(r"<(\w+):(\w+)>", str(each.pattern)):
            assert kind == "record_id" or name == "token" or name in SAY_NOTHING_OF_ANYBODY, each
