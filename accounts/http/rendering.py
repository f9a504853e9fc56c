"""Answers as JSON, written by orjson: what a page of records costs is mostly its writing."""

from __future__ import annotations

from typing import Any

import orjson
from rest_framework import renderers
from rest_framework.utils.encoders import JSONEncoder

OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
other = JSONEncoder().default


class JSONRenderer(renderers.JSONRenderer):
    """Django REST framework's, but for who writes. What orjson does not know is turned by the framework's rules."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        """The body; nothing for None. A wish for indentation is passed over."""
        return b"" if data is None else orjson.dumps(data, default=other, option=OPTIONS)
