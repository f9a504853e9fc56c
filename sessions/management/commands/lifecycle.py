"""`manage.py lifecycle`: the table of moves as a page with a diagram (docs/lifecycle.md); `--check` compares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import BaseCommand, CommandError

from accounts.rights import RIGHTS
from sessions.lifecycle import MOVES
from sessions.models import SessionStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.management.base import CommandParser

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "lifecycle.md"
HEAD: Final = """# A session's life

Written by `manage.py lifecycle > docs/lifecycle.md` from `sessions/lifecycle.py: MOVES` and `accounts/rights.py:
RIGHTS`; `bin/check` compares. The database keeps the same moves (`sessions_move()`), so that no path can skip a state.
"""


class Command(BaseCommand):
    """Print the page, or compare it with the one in the docs."""

    help = "Print a session's life as a page with a diagram, from the table of moves."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--check`."""
        parser.add_argument("--check", action="store_true", help="fail where docs/lifecycle.md is another")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print, or compare."""
        if not options["check"]:
            self.stdout.write(page(), ending="")
        elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page():
            raise CommandError("docs/lifecycle.md is out of step: manage.py lifecycle > docs/lifecycle.md")


def page() -> str:
    """The whole page in Markdown."""
    return "\n".join([HEAD, "```mermaid", *_diagram(), "```", "", *_table()]) + "\n"


def _diagram() -> Iterator[str]:
    """Arrows between states by verb; what stays in its state is in the table."""
    yield "stateDiagram-v2"
    yield f"    [*] --> {SessionStatus.BOOKED.value}"
    for verb, move in MOVES.items():
        for source in _in_order(move.sources):
            for target in _in_order(move.targets):
                yield f"    {source} --> {target}: {verb}"
    for status in SessionStatus.values:
        if not any(status in move.sources and move.targets for move in MOVES.values()):
            yield f"    {status} --> [*]"


def _table() -> Iterator[str]:
    yield "| verb | from | to | event | who may, beside an admin |"
    yield "| --- | --- | --- | --- | --- |"
    for verb, move in MOVES.items():
        targets = ", ".join(_in_order(move.targets)) or "stays"
        roles = ", ".join(sorted(RIGHTS[f"sessions.{verb}"]))
        yield f"| `{verb}` | {', '.join(_in_order(move.sources))} | {targets} | `{move.event}` | {roles} |"


def _in_order(states: frozenset[SessionStatus]) -> list[str]:
    return [status for status in SessionStatus.values if status in states]
