"""How long a text message is, and which letters it may have. Pure.

A part holds 160 letters of the GSM 7-bit alphabet (3GPP TS 23.038), or 70 of UCS-2 where a single other letter is among
them; of several parts each holds 153 or 67, since they carry a header.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# These count twice.
EXTENDED = frozenset("^{}\\[~]|€\f")
ONE_PART = {"gsm": 160, "ucs2": 70}
EACH_PART = {"gsm": 153, "ucs2": 67}


@dataclass(frozen=True, slots=True)
class Length:
    """`alphabet` is `gsm` or `ucs2`, `units` are counted in it."""

    alphabet: str
    units: int
    parts: int


def length(text: str) -> Length:
    """How many parts a text message takes."""
    if all(letter in BASIC or letter in EXTENDED for letter in text):
        alphabet, units = "gsm", sum(2 if letter in EXTENDED else 1 for letter in text)
    else:
        alphabet, units = "ucs2", len(text.encode("utf-16-be")) // 2
    parts = 1 if units <= ONE_PART[alphabet] else -(-units // EACH_PART[alphabet])
    return Length(alphabet, units, parts)


def plain(text: str) -> str:
    """One line in letters of the basic alphabet: what is not in it loses its accent, or goes."""
    if BASIC.issuperset(text):
        return " ".join(text.split())
    return " ".join("".join(letter if letter in BASIC else _folded(letter) for letter in text).split())


def _folded(letter: str) -> str:
    if letter in "·–—":
        return "-"
    return "".join(each for each in unicodedata.normalize("NFKD", letter) if each in BASIC)
