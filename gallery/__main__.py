"""`bin/gallery [FOLDER]`: a picture of every page of a fresh demo clinic, at both sizes, light and dark, read by axe.

Exit status 1 where axe finds something serious or critical, or a page is wider than its window.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, sync_playwright

from config.embedded import Postgres, Valkey
from gallery.scenes import SCENES, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 8079
URL = f"http://localhost:{PORT}"
SIZES = {"phone": (390, 844), "desk": (1440, 900)}
SCHEMES = ("light", "dark")
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
GRAVE = {"serious", "critical"}
# A step that is not there is a fault; the walk goes on with the next person.
PATIENCE_MS = 10_000
# Private links that a mail would bring, one for each walk: what `manage.py shell` is told to print.
LINKS = """
from notifications import follow_ups, stopping
from notifications.models import FollowUp
from accounts import clock
from accounts.models import Patient
now = clock.now()
asked = FollowUp.objects.filter(answered_at=None, expires_at__gt=now, session__status="completed").order_by("due_at")
print(*("check-in " + follow_ups.new_link(each) for each in asked[:4]), sep="\\n")
print(*("stop-mails " + stopping.address(each) for each in Patient.objects.order_by("-family_name")[1:5]), sep="\\n")
"""


def main(folder: Path) -> int:
    """Walk all scenes; how many faults there were, at most 1."""
    folder.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    with clinic() as links, sync_playwright() as started:
        browser = started.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        for size in SIZES:
            for scheme in SCHEMES:
                for scene in SCENES:
                    faults += walk(browser, scene, (size, scheme), folder, links)
        browser.close()
    sys.stdout.write(
        f"{len(list(folder.glob('*.png')))} pictures in {folder}\n" + "".join(f"{each}\n" for each in faults)
    )
    return 1 if faults else 0


@contextmanager
def clinic() -> Iterator[dict[str, list[str]]]:
    """A demo clinic of its own behind URL, gone afterwards; gives its private links by name."""
    with tempfile.TemporaryDirectory(prefix="infusion-gallery-") as name:
        postgres, valkey = Postgres(Path(name), fast=True), Valkey(Path(name), fast=True)
        environment = {**os.environ, "ENVIRONMENT": "development", "SECRET_KEY": "for-pictures-only-" + "x" * 50}
        try:
            environment |= {"DATABASE_URL": postgres.start(), "REDIS_URL": valkey.start(), "PUBLIC_URL": URL}
            for command in (["migrate", "-v0"], ["demo"]):
                subprocess.run([sys.executable, "manage.py", *command], env=environment, check=True)
            asked = [sys.executable, "manage.py", "shell", "-v0", "-c", LINKS]
            told = subprocess.run(asked, env=environment, check=True, capture_output=True, text=True).stdout
            server = subprocess.Popen(
                [sys.executable, "manage.py", "runserver", "--noreload", "--insecure", str(PORT)],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                wait()
                yield by_name(told)
            finally:
                server.terminate()
                server.wait()
        finally:
            postgres.stop()
            valkey.stop()


def wait() -> None:
    """Until the server answers; an error after half a minute."""
    until = time.monotonic() + 30
    while True:
        try:
            urlopen(f"{URL}/healthz/live", timeout=2).close()  # noqa: S310  (our own address)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return


def by_name(told: str) -> dict[str, list[str]]:
    """Lines of "name address" as addresses by name."""
    found: dict[str, list[str]] = {}
    for name, address in (line.split() for line in told.splitlines() if "://" in line):
        found.setdefault(name, []).append(address)
    return found


def walk(
    browser: Browser, scene: Scene, window: tuple[str, str], folder: Path, links: dict[str, list[str]]
) -> list[str]:
    """Take a scene's pictures in a window of a size and a scheme, and tell what is wrong with its pages."""
    size, scheme = window
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        timezone_id="America/Chicago",
        locale=scene.language,
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    faults, picture = [], f"{scene.who}-{size}-{scheme}"
    try:
        if scene.who:
            sign_in(page, scene.who)
        if scene.opens:
            page.goto(links[scene.opens].pop())
        for name in scene.steps(page, URL):
            picture = f"{scene.who or 'anybody'}-{name}-{size}-{scheme}"
            faults += [f"{picture}: {each}" for each in look(page, folder / f"{picture}.png", width)]
    except Error as error:
        faults.append(f"after {picture}: {error.message.splitlines()[0]}")
    context.close()
    return faults


def look(page: Page, picture: Path, width: int) -> list[str]:
    """Take one picture, and tell what is wrong."""
    page.wait_for_load_state("networkidle")
    page.screenshot(path=picture, full_page=True)
    found = Axe().run(page).response["violations"]
    faults = [f"{each['id']} ({each['impact']})" for each in found if each["impact"] in GRAVE]
    return faults + ["wider than the window"] * (page.evaluate("document.documentElement.scrollWidth") > width)


def sign_in(page: Page, who: str) -> None:
    """Sign in as one of the demo's people."""
    page.goto(f"{URL}/sign-in/")
    page.locator("[name=email][autocomplete~=username]").fill(f"{who}@demo.example")
    page.locator("[name=password]").fill("demo-demo-demo")
    page.locator("form:has([name=password]) .button").first.click()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
