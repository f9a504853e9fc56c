"""Twilio as the carrier of texts: its Messages resource (API 2010-04-01), its callbacks, its signature.

Twilio keeps no keys, so what is unclear stays so until its callback says what became of it: the callback's address
holds the message's own id. Errors are read by their number (twilio.com/docs/api/errors), never by their words.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from hashlib import sha1
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2
from django.conf import settings

from notifications.channels import DeadAddress, NotSent, OptedOut, Permanent, Temporary, Text, Unclear, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

# No such number; cannot take texts; not a mobile; unknown or unreachable handset for good; a landline.
DEAD: Final = frozenset({21211, 21217, 21614, 30005, 30006})
OPTED_OUT: Final = 21610
# Too many at once; the queue of the sending number is full.
LATER: Final = frozenset({20429, 21611})
TIMEOUT_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Account:
    """How the carrier is reached; `sender` is our number, or a messaging service (`MG...`)."""

    url: str
    sid: str
    token: str
    sender: str


def account() -> Account | None:
    """The account that SMS_URL names; None where it names another carrier.

    `twilio://` speaks TLS; `twilio+http://` is for a server on this machine.
    """
    parts = urlsplit(settings.SMS_URL)
    if parts.scheme not in {"twilio", "twilio+http"}:
        return None
    scheme = "https" if parts.scheme == "twilio" else "http"
    # A number begins with "+", which a query would read as a space.
    sender = parse_qs(parts.query.replace("+", "%2B")).get("from", [""])[0]
    host = parts.netloc.rpartition("@")[2]
    return Account(f"{scheme}://{host}", unquote(parts.username or ""), unquote(parts.password or ""), sender)


class TwilioChannel:
    """One HTTP client, kept for the batch."""

    keeps_keys = False

    def __init__(self, account: Account) -> None:
        self._account = account
        # Proxies of the environment are not asked: what is sent holds patients' numbers.
        self._client = httpx2.Client(
            base_url=account.url, auth=(account.sid, account.token), timeout=TIMEOUT_SECONDS, trust_env=False
        )

    def prepare(self) -> None:
        """Nothing to get ready: the first request connects."""

    def send(self, text: Text, to: str, reference: UUID) -> str:
        """Hand over one text; Twilio's id of it."""
        sender = "MessagingServiceSid" if self._account.sender.startswith("MG") else "From"
        form = {"To": to, sender: self._account.sender, "Body": text.body, "StatusCallback": callback_url(reference)}
        path = f"/2010-04-01/Accounts/{self._account.sid}/Messages.json"
        try:
            answer = self._client.post(path, data=form)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise Temporary(f"no connection to the carrier ({type(error).__name__})") from None
        except httpx2.HTTPError as error:
            raise Unclear(f"connection lost before the carrier's answer ({type(error).__name__})") from None
        return _accepted(answer)

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()


def callback_url(reference: UUID) -> str:
    """Where the carrier tells what became of a message."""
    return f"{settings.PUBLIC_URL}/api/v1/inbound/sms/{reference}/status/"


def _accepted(answer: httpx2.Response) -> str:
    """Twilio's id of what it accepted; raises what another answer means."""
    if answer.status_code == 201:
        sid = _field(answer, "sid")
        if isinstance(sid, str):
            return sid
        raise Unclear("the carrier's answer makes no sense")
    code = _field(answer, "code")
    if answer.status_code in {401, 403, 408, 429, 503} or code in LATER:
        # A refused sign-in is ours to mend, not the message's fault.
        wait = seconds(answer.headers.get("Retry-After", ""))
        raise Temporary(f"the carrier refused with {answer.status_code}", retry_after=wait)
    if 400 <= answer.status_code < 500:
        raise meaning(code, f"the carrier refused with {answer.status_code}")
    raise Unclear(f"the carrier failed with {answer.status_code}")


def meaning(code: object, reason: str) -> NotSent:
    """What an error's number says about the address; for a number that says nothing of it, that it is refused."""
    number = code if isinstance(code, int) else 0
    said = f"{reason}, error {number}" if number else reason
    if number in DEAD:
        return DeadAddress(said)
    return OptedOut(said) if number == OPTED_OUT else Permanent(said)


def _field(answer: httpx2.Response, name: str) -> object:
    try:
        body = answer.json()
    except ValueError:
        return None
    return body.get(name) if isinstance(body, dict) else None


def signature(token: str, url: str, form: Mapping[str, Sequence[str]]) -> str:
    """What Twilio puts into `X-Twilio-Signature`: HMAC-SHA1 over the public address and each field by its name."""
    fields = [name + value for name in sorted(form) for value in sorted(set(form[name]))]
    return base64.b64encode(hmac.digest(token.encode(), (url + "".join(fields)).encode(), sha1)).decode()


def is_genuine(given: str, url: str, form: Mapping[str, Sequence[str]]) -> bool:
    """Whether a request to `url` was signed with our account's token. False where no account is set."""
    known = account()
    if known is None or not known.token:
        return False
    return hmac.compare_digest(given.encode(), signature(known.token, url, form).encode())
