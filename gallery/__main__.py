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
from playwright.sync_api import Browser, Page, sync_playwright

from config.embedded import Postgres, Valkey
from gallery.scenes import SCENES, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 8079
URL = f"http://127.0.0.1:{PORT}"
SIZES = {"phone": (390, 844), "desk": (1440, 900)}
SCHEMES = ("light", "dark")
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
GRAVE = {"serious", "critical"}


def main(folder: Path) -> int:
    """Walk all scenes; how many faults there were, at most 1."""
    folder.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    with clinic(), sync_playwright() as started:
        browser = started.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        for size in SIZES:
            for scheme in SCHEMES:
                for scene in SCENES:
                    faults += walk(browser, scene, size, scheme, folder)
        browser.close()
    sys.stdout.write(
        f"{len(list(folder.glob('*.png')))} pictures in {folder}\n" + "".join(f"{each}\n" for each in faults)
    )
    return 1 if faults else 0


@contextmanager
def clinic() -> Iterator[None]:
    """A demo clinic of its own behind URL, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="infusion-gallery-") as name:
        postgres, valkey = Postgres(Path(name), fast=True), Valkey(Path(name), fast=True)
        environment = {**os.environ, "ENVIRONMENT": "development", "SECRET_KEY": "for-pictures-only-" + "x" * 50}
        try:
            environment |= {"DATABASE_URL": postgres.start(), "REDIS_URL": valkey.start(), "PUBLIC_URL": URL}
            for command in (["migrate", "-v0"], ["demo"]):
                subprocess.run([sys.executable, "manage.py", *command], env=environment, check=True)
            server = subprocess.Popen(
                [sys.executable, "manage.py", "runserver", "--noreload", "--insecure", str(PORT)],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                wait()
                yield
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


def walk(browser: Browser, scene: Scene, size: str, scheme: str, folder: Path) -> list[str]:
    """Take a scene's pictures, and tell what is wrong with its pages."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        timezone_id="America/Chicago",
    )
    page = context.new_page()
    faults = []
    if scene.who:
        sign_in(page, scene.who)
    for name in scene.steps(page, URL):
        picture = f"{scene.who or 'anybody'}-{name}-{size}-{scheme}"
        page.wait_for_load_state("networkidle")
        page.screenshot(path=folder / f"{picture}.png", full_page=True)
        found = Axe().run(page).response["violations"]
        faults += [f"{picture}: {each['id']} ({each['impact']})" for each in found if each["impact"] in GRAVE]
        if page.evaluate("document.documentElement.scrollWidth") > width:
            faults.append(f"{picture}: wider than the window")
    context.close()
    return faults


def sign_in(page: Page, who: str) -> None:
    """Sign in as one of the demo's people."""
    page.goto(f"{URL}/sign-in/")
    page.get_by_label("Email address", exact=True).fill(f"{who}@demo.example")
    page.get_by_label("Password").fill("demo-demo-demo")
    page.get_by_role("button", name="Sign in", exact=True).click()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
