"""How a wording looks once its fields are filled in, for a visit that is made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts import clock
from accounts.models import Channel
from notifications import gsm, texts, wordings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from accounts.models import Site


def preview(
    site: Site, kind: str, channel: str, language: str, said: wordings.Wording, found: Iterable[wordings.Problem]
) -> dict[str, str | int]:
    """`subject`, `body`, `html` and the `parts` of a text message (0 for a mail); empty where fields are at fault."""
    nothing: dict[str, str | int] = {"subject": "", "body": "", "html": "", "parts": 0}
    if any(problem.code in {"unknown_field", "brace"} for problem in found):
        return nothing
    longest = wordings.longest(kind)
    values = {name: value or longest[name] for name, value in texts.values_of(site, language, clock.now()).items()}
    asked = {name for text in (said.subject, said.body) for name in wordings.FIELD.findall(text)}
    values |= dict.fromkeys({"until", "minutes"} - asked, "")
    if channel == Channel.SMS:
        body = texts.short(said.body, values)
        return nothing | {"body": body, "parts": gsm.length(body).parts}
    mail = texts.mail(said, values, language)
    return nothing | {"subject": mail.subject, "body": mail.body, "html": mail.html}
