"""What patients read is whole in each language, and what is compiled is what was written."""

from __future__ import annotations

import gettext
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SPANISH = ROOT / "notifications/locale/es/LC_MESSAGES"
CHECK_IN = ("base", "check_in", "stop_mails", "closed", "thanks", "_question", "_crisis", "_crisis_call", "_clinic")
SAID = re.compile(r'{% translate "([^"]+)" %}')


def written() -> dict[str, str]:
    """msgid -> msgstr of the catalogue as it is written; of a plural the first form."""
    text = (SPANISH / "django.po").read_text()
    pairs = re.findall(r'^msgid "(.+)"\n(?:msgid_plural ".*"\n)?msgstr(?:\[0\])? "(.*)"$', text, re.MULTILINE)
    return {one.replace('\\"', '"'): other.replace('\\"', '"') for one, other in pairs}


def test_the_compiled_catalogue_is_the_written_one() -> None:
    with (SPANISH / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for english, spanish in written().items():
        assert spanish
        assert spanish in {compiled.gettext(english), compiled.ngettext(english, "", 1)}, english


@pytest.mark.parametrize("name", CHECK_IN)
def test_every_sentence_of_the_check_in_is_there_in_spanish(name: str) -> None:
    said = set(SAID.findall((ROOT / f"web/templates/web/{name}.html").read_text()))
    assert said - written().keys() == set()
