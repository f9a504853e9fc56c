"""The one place that asks the clock, so that a test can move it and nothing else reads another one."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251  (the one allowed reading)
