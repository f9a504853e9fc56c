"""Spanish: every word of a page is there, and a patient books from the first page to the last in it."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.template import loader
from django.utils import translation
from django.utils.translation.template import templatize

from sessions.models import Series
from tests.factories import Clinic, make_order
from tests.web.conftest import PHONE, Visitor
from web.charts import Chart, Dot, Mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

WEB = Path(__file__).resolve().parents[2] / "web"
CALL = re.compile(
    r"\b(?:gettext|_)\((u?'(?:[^'\\]|\\.)*'|u?\"(?:[^\"\\]|\\.)*\")|ngettext\((u?'.*?')\s*,\s*(u?'.*?')\s*,"
)
NAMES = {"_", "gettext", "gettext_noop", "gettext_lazy"}
# Words that are the same in both languages.
ALIKE = {"Español", "English", "No", "PADSS", "hepatitis B", "tuberculosis"}


def in_templates() -> Iterator[str]:
    """The words of all templates, as Django hands them to whoever collects them."""
    for file in sorted((WEB / "templates").rglob("*.html")):
        for one, singular, _ in CALL.findall(templatize(file.read_text(), origin=str(file))):
            yield ast.literal_eval((one or singular).removeprefix("u"))


def in_code() -> Iterator[str]:
    """The words of all modules."""
    for file in sorted(WEB.rglob("*.py")):
        calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
        for call in calls:
            if isinstance(call.func, ast.Name) and call.func.id in NAMES and isinstance(call.args[0], ast.Constant):
                yield str(call.args[0].value)


@pytest.mark.parametrize("where", [in_templates, in_code])
def test_every_word_has_its_spanish(where: object) -> None:
    assert callable(where)
    words = [word for word in where() if word.strip()]
    assert len(words) > 50
    with translation.override("es"):
        missing = [word for word in words if translation.gettext(word) == word and word not in ALIKE]
        plural = [word for word in missing if translation.ngettext(word, "", 1) == word]
    assert plural == []


def test_a_patient_books_in_spanish(clinic: Clinic, visitor: Visitor) -> None:
    make_order(clinic.patient, clinic.protocol, clinic.users["prescriber"])
    page = visitor.as_user(clinic.users["patient"], PHONE, locale="es-US")
    page.goto(visitor.url + "/book/")
    assert page.evaluate("document.documentElement.lang") == "es"
    page.get_by_label("Domingo").check()
    page.get_by_role("button", name="Buscar planes").click()
    page.get_by_role("heading", name="Ningún plan encaja con estos deseos").wait_for()
    page.locator("section[aria-labelledby=retry] button").first.click()
    page.get_by_role("heading", name=re.compile("maneras? de encajar las 6 visitas")).wait_for()
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("button", name="Guardar este plan").first.click()
    page.get_by_role("button", name="Reservar estas 6 visitas").click()
    page.get_by_text("Reservado. Todas las visitas de abajo son suyas.").wait_for()
    assert Series.objects.count() == 1
    page.get_by_role("button", name="English").click()
    page.get_by_role("heading", name="All 6 visits").wait_for()
    page.close()


def test_the_language_is_chosen_and_kept(clinic: Clinic, client: Client) -> None:
    assert 'lang="es"' in client.get("/").content.decode()
    client.post("/language/", {"language": "es", "next": "/sign-in/"})
    assert "Vea y reserve sus visitas" in client.get("/").content.decode()
    wrong = client.post("/sign-in/", {"email": "a@example.org", "password": "x"}).content.decode()
    assert "Este correo y esta contraseña no van juntos." in wrong
    assert client.post("/language/", {"language": "xx", "next": "//example.org"})["Location"] == "/"


def test_a_drawing_keeps_its_decimal_points() -> None:
    dots = tuple(Dot(40.5 + n, 60.25, datetime(2027, 3, 1 + n, 18, tzinfo=UTC), "4.5") for n in range(2))
    context = {"chart": Chart("NRS", 10, dots, (Mark(41.5, 1),)), "number": 1, "site": {"time_zone": "America/Chicago"}}
    with translation.override("es"):
        drawn = loader.get_template("web/parts/chart.html").render(context).partition("<svg")[2].partition("</svg>")[0]
    assert 'cx="40.5"' in drawn
    assert not re.search(r"\d,\d", drawn), "a comma is no decimal point to a drawing"
