"""A real browser for the pages, and somebody who sits before it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import ConsoleMessage, Page
    from pytest_django.live_server_helper import LiveServer

    from accounts.models import User

CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium. Its driver runs an event loop in this thread, which Django would take for async code of ours."""
    had = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as started:
            made = started.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
            yield made
            made.close()
    finally:
        os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")
        if had is not None:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = had


class Visitor:
    """Somebody before the browser. `complaints` are breaches of the security policy that any page caused."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser = browser
        self.url = url
        self.complaints: list[str] = []

    def as_user(self, user: User, size: dict[str, int], **options: Any) -> Page:
        """A page of somebody who is signed in already."""
        client = Client()
        client.force_login(user)
        page = self.browser.new_page(viewport=size, **options)  # type: ignore[arg-type]
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": self.url}
        page.context.add_cookies([cookie])  # type: ignore[list-item]
        page.on("console", self._hear)
        return page

    def _hear(self, said: ConsoleMessage) -> None:
        """A breach of the security policy; what axe itself puts into a page has no address."""
        if "Security Policy" in said.text and said.location["url"]:
            self.complaints.append(said.text)

    def count_clicks(self, page: Page) -> Callable[[], list[str]]:
        """Count each click from here on, over all pages; the call gives what was clicked."""
        clicked: list[str] = []
        page.expose_function("clicked", lambda what: clicked.append(what))
        page.add_init_script("addEventListener('click', e => { if (e.isTrusted) clicked(e.target.outerHTML) }, true)")
        return lambda: clicked

    def tab_to(self, page: Page, name: str) -> None:
        """Press Tab until the button of this name has the focus."""
        wanted = page.get_by_role("button", name=name).first
        wanted.wait_for()
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.locator(":focus").count() and page.locator(":focus").inner_text().startswith(name):
                return
        raise AssertionError(f"no Tab leads to {name}")


@pytest.fixture
def visitor(live_server: LiveServer, browser: Browser) -> Visitor:
    """Somebody before the browser."""
    return Visitor(browser, live_server.url)
