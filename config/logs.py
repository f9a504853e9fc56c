"""What must not reach a log: a link's token is a key to a questionnaire, and addresses of pages are logged."""

from __future__ import annotations

import logging
import re

TOKEN = re.compile(r"(/(?:check-in|follow-ups)/)[A-Za-z0-9_-]{40,}")


class HideTokens(logging.Filter):
    """Replaces the tokens of links in a record's text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record where it holds a token; never drops one."""
        text = record.getMessage()
        hidden = TOKEN.sub(r"\1...", text)
        if hidden != text:
            record.msg, record.args = hidden, ()
        return True
