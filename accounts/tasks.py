"""What the worker is asked to do for this room."""

from __future__ import annotations

from celery import shared_task

from accounts import clock, passkeys
from accounts.http.idempotency import forget_expired


@shared_task(name="accounts.forget_expired_keys")
def forget_expired_keys() -> int:
    """Delete idempotency keys and challenges of passkeys past their life; how many there were."""
    return forget_expired() + passkeys.forget(clock.now())
