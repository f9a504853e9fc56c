"""A mail provider's word about a mail that we handed over, as django-anymail reads its webhook: it bounced, it arrived.

Believed only where the provider brings MAIL_WEBHOOK_SECRET (`name:password`); where it signs, and its key is in
EMAIL_URL (`SIGNING_SECRET`, `WEBHOOK_VERIFICATION_KEY` and the like), the signature has to hold too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from anymail.exceptions import AnymailConfigurationError, AnymailWebhookValidationFailure
from anymail.signals import EventType, tracking
from django.conf import settings

from accounts.refusals import Invalid, NotSignedIn
from notifications import bounces, delivery
from notifications.channels import DeadAddress, OptedOut, Permanent
from notifications.models import Message, MessageStatus

if TYPE_CHECKING:
    from django.http import HttpRequest

    from notifications.channels import NotSent

BACKENDS: Final = "anymail.backends."
# What a word says of the address and the message. What is queued, deferred, opened or clicked is no news.
MEANS: Final[dict[str, NotSent]] = {
    EventType.BOUNCED: DeadAddress("the mail bounced"),
    EventType.REJECTED: Permanent("the mail provider would not send it"),
    EventType.FAILED: Permanent("the mail provider could not send it"),
    EventType.COMPLAINED: OptedOut("who has this address called our mail unwanted"),
    EventType.UNSUBSCRIBED: OptedOut("who has this address ended our mails at the provider"),
}
STILL_ARRIVED: Final = frozenset({EventType.COMPLAINED, EventType.UNSUBSCRIBED})


def read(request: HttpRequest) -> list[tuple[str, str]]:
    """(the provider's id of a mail, what became of it) for each word; NotSignedIn where it is not the provider's."""
    view = _view()
    try:
        view.run_validators(request)
    except AnymailWebhookValidationFailure:
        raise NotSignedIn("bad_signature", "The secret or the signature is not the mail provider's.") from None
    try:
        events = view.parse_events(request)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Invalid("", "unreadable", "This is nothing that the mail provider says.") from None
    return [(str(event.message_id), event.event_type) for event in events if event.message_id]


def take(reference: str, said: str) -> bool:
    """Take the provider's word about one mail; whether it changed anything."""
    if said == EventType.DELIVERED:
        return delivery.reconcile_outcome(reference, MessageStatus.DELIVERED)
    meant = MEANS.get(said)
    message = Message.objects.filter(reference=reference).first() if meant else None
    if meant is None or message is None:
        return False
    changed = said in STILL_ARRIVED or delivery.reconcile_outcome(reference, MessageStatus.FAILED, meant.reason)
    if changed:
        bounces.learn(message.id, meant)
    return changed


def _view() -> Any:
    """What reads the webhook of the provider that is set, which must bring the secret that is set."""
    known = settings.EMAIL_BACKEND.startswith(BACKENDS) and getattr(settings, "ANYMAIL", {}).get("WEBHOOK_SECRET")
    if not known:
        raise NotSignedIn("bad_signature", "No mail provider and secret are set.")
    name = settings.EMAIL_BACKEND.removeprefix(BACKENDS).partition(".")[0]
    try:
        module = import_module(f"anymail.webhooks.{name}")
        kinds = [
            each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__
        ]
        return next(kind for kind in kinds if getattr(kind, "signal", None) is tracking)()
    except (ImportError, StopIteration, AnymailConfigurationError):
        raise NotSignedIn("bad_signature", "This mail provider's words cannot be read.") from None
