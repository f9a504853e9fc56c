"""Signing in to the pages: a session that the API takes too, with its CSRF token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

from tests.factories import PASSWORD, Clinic

if TYPE_CHECKING:
    from django.http import HttpResponse

pytestmark = pytest.mark.usefixtures("quick_passwords")


def sign_in(client: Client, email: str, password: str) -> HttpResponse:
    return client.post("/sign-in/", {"email": email, "password": password})  # type: ignore[return-value]


def test_a_session_is_good_for_pages_and_api(clinic: Clinic) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.get("/api/v1/auth/me/").status_code == 401
    client.get("/sign-in/")
    token = client.cookies["csrftoken"].value
    user = clinic.users["nurse"]
    form = {"email": user.email.upper(), "password": PASSWORD, "csrfmiddlewaretoken": token}
    assert client.post("/sign-in/", form).status_code == 302
    assert client.get("/api/v1/auth/me/").json()["email"] == user.email
    assert user.name in client.get("/sign-in/").content.decode()
    url = "/api/v1/auth/logout/"
    assert client.post(url, {}, content_type="application/json").status_code == 403
    headers = {"X-CSRFToken": client.cookies["csrftoken"].value}
    assert client.post(url, {}, content_type="application/json", headers=headers).status_code == 204
    assert client.get("/api/v1/auth/me/").status_code == 401


def test_a_wrong_password_says_nothing_about_the_address(clinic: Clinic, client: Client) -> None:
    answers = [sign_in(client, clinic.users["nurse"].email, "wrong"), sign_in(client, "nobody@example.org", "wrong")]
    assert [answer.status_code for answer in answers] == [401, 401]
    texts = [answer.content.decode().split("<form")[0] for answer in answers]
    assert texts[0] == texts[1]
    assert client.get("/api/v1/auth/me/").status_code == 401


def test_failures_are_counted_and_strange_input_is_refused(clinic: Clinic, client: Client) -> None:
    email = clinic.users["nurse"].email
    assert [sign_in(client, email, "wrong").status_code for _ in range(11)] == [401] * 10 + [429]
    assert sign_in(client, email, PASSWORD).status_code == 429
    assert sign_in(client, "a\0b@example.org", "x").status_code == 400
    assert sign_in(client, "b@example.org", "x" * 4097).status_code == 400


def test_signing_out_ends_the_session(clinic: Clinic, client: Client) -> None:
    sign_in(client, clinic.users["manager"].email, PASSWORD)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").status_code == 302
    assert client.get("/api/v1/auth/me/").status_code == 401


def test_somebody_who_left_is_not_let_in(clinic: Clinic, client: Client) -> None:
    user = clinic.users["nurse"]
    user.is_active = False
    user.save()
    assert sign_in(client, user.email, PASSWORD).status_code == 401
