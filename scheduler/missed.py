"""What a protocol says of a session that is lost: cancelled, or the patient did not come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.phases import _Reader

# `continue`: the course goes on without it. `replace`: it is given again, if that is possible within its window.
# `review`: a clinician decides; the default (domain.md 1.4: no course is planned anew silently).
RULES = ("continue", "replace", "review")


@dataclass(frozen=True)
class Missed:
    """A phase's rule for lost sessions, and where it comes from."""

    rule: str = "review"
    source: str = ""


REVIEW = Missed()


def read_missed(reader: _Reader, data: object, pointer: str) -> Missed:
    """The rule from its JSON shape `{rule, source}`; faults go to the reader."""
    if data is None:
        return REVIEW
    given = reader.fields(data, pointer, ("rule", "source"))
    rule = reader.one_of(given.get("rule", "review"), f"{pointer}/rule", RULES)
    return Missed(rule, reader.text(given["source"], f"{pointer}/source") if "source" in given else "")
