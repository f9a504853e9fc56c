"""The ceremonies of passkeys (W3C WebAuthn, level 3): what a browser is asked, and what its answer shows. Pure.

A passkey belongs to one host and signs for one origin, that of `PUBLIC_URL`. Each use is verified by its holder (a PIN,
a finger, a face): so it is something held and something known or been at once. The signature, the challenge, the host
and both flags are judged by `fido2`; the origin by the one name that is ours.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, NoReturn, cast
from urllib.parse import urlsplit

from django.conf import settings
from fido2 import cbor
from fido2.cose import CoseKey
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    RegistrationResponse,
    UserVerificationRequirement,
)

from accounts.refusals import NotSignedIn

# ES256, EdDSA, RS256: what the telephones, computers and keys of today sign with (WebAuthn 5.8.5).
ALGORITHMS: Final = (-7, -8, -257)
# An answer with a certificate of its maker in it has 3 to 6 KB.
ANSWER_AT_MOST: Final = 20_000
WAITS_MS: Final = 300_000
BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


@dataclass(frozen=True)
class Party:
    """The host that passkeys belong to, and the origin that they sign for."""

    host: str
    origin: str


@dataclass(frozen=True)
class Made:
    """What a new passkey shows of itself: its id, its public key (COSE), how often it has signed."""

    credential_id: str
    public_key: bytes
    sign_count: int


def party() -> Party | None:
    """Ours; None where `PUBLIC_URL` has a number for a name, which no passkey belongs to.

    A machine that serves itself alone is `localhost` by name.
    """
    url = urlsplit(settings.PUBLIC_URL)
    host = url.hostname or ""
    try:
        number = ip_address(host)
    except ValueError:
        return Party(host, f"{url.scheme}://{url.netloc}")
    if not number.is_loopback:
        return None
    return Party("localhost", f"{url.scheme}://localhost{f':{url.port}' if url.port else ''}")


def to_make(of: Party, handle: bytes, email: str, name: str, known: list[str], challenge: str) -> dict[str, Any]:
    """What the browser is asked for a new passkey (`PublicKeyCredentialCreationOptionsJSON`).

    `handle` is the person's id, by which the passkey is found without a name; `known` are ids that they have already.
    """
    return {
        "rp": {"id": of.host, "name": of.host},
        "user": {"id": websafe_encode(handle), "name": email, "displayName": name or email},
        "challenge": challenge,
        "pubKeyCredParams": [{"type": "public-key", "alg": each} for each in ALGORITHMS],
        "timeout": WAITS_MS,
        "excludeCredentials": [{"type": "public-key", "id": each} for each in known],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": "none",
    }


def to_use(of: Party, challenge: str) -> dict[str, Any]:
    """What the browser is asked to sign with any passkey of ours (`PublicKeyCredentialRequestOptionsJSON`)."""
    return {"rpId": of.host, "challenge": challenge, "timeout": WAITS_MS, "userVerification": "required"}


def made(of: Party, challenge: str, answer: str) -> Made:
    """The new passkey that an answer shows. Raises NotSignedIn `wrong_passkey` for any other answer."""
    said = _read(answer, "clientDataJSON", "attestationObject")
    # Bytes of a stranger: whatever is wrong with them, and wherever it is found, is one refusal.
    try:
        response = RegistrationResponse.from_dict(said)
        _refuse_frames(response.response.client_data.cross_origin)
        shown = _server(of).register_complete(_state(challenge), response)
        data = shown.credential_data
        if data is None or data.public_key.get(3) not in ALGORITHMS:
            raise ValueError("a key of no kind that was asked for")
        return Made(websafe_encode(data.credential_id), cbor.encode(data.public_key), shown.counter)
    except Exception as fault:
        _refuse(fault)


def named(answer: str) -> tuple[str, bytes]:
    """The id of the passkey that an answer speaks of, and the handle of its holder; nothing is proved by it."""
    said = _read(answer, "clientDataJSON", "authenticatorData", "signature", "userHandle")
    try:
        return said["id"], websafe_decode(said["response"]["userHandle"])
    except ValueError as fault:
        _refuse(fault)


def signed(of: Party, challenge: str, answer: str, credential_id: str, public_key: bytes) -> int:
    """How often the passkey says it has signed, once its signature is right. Raises NotSignedIn `wrong_passkey`."""
    said = _read(answer, "clientDataJSON", "authenticatorData", "signature", "userHandle")
    try:
        response = AuthenticationResponse.from_dict(said)
        _refuse_frames(response.response.client_data.cross_origin)
        key = CoseKey.parse(cast("dict[int, Any]", cbor.decode(public_key)))
        known = AttestedCredentialData.create(Aaguid.NONE, websafe_decode(credential_id), key)
        _server(of).authenticate_complete(_state(challenge), [known], response)
        return response.response.authenticator_data.counter
    except Exception as fault:
        _refuse(fault)


def _refuse_frames(cross_origin: bool) -> None:
    if cross_origin:
        raise ValueError("asked from within another site's page")


def _refuse(fault: Exception) -> NoReturn:
    raise NotSignedIn("wrong_passkey", "This passkey does not open this.") from fault


def _server(of: Party) -> Fido2Server:
    return Fido2Server(PublicKeyCredentialRpEntity(id=of.host, name=of.host), verify_origin=of.origin.__eq__)


def _state(challenge: str) -> dict[str, Any]:
    return {"challenge": challenge, "user_verification": UserVerificationRequirement.REQUIRED}


def _read(answer: str, *parts: str) -> dict[str, Any]:
    """The answer's parts that are judged, each a text; all else in it is left out."""
    try:
        if len(answer) > ANSWER_AT_MOST:
            raise ValueError("too long")
        said = json.loads(answer)
        response = {part: _text(said["response"][part]) for part in parts}
        return {"id": _text(said["id"]), "rawId": said["id"], "type": "public-key", "response": response}
    except (ValueError, LookupError, TypeError, RecursionError) as fault:
        _refuse(fault)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not BASE64URL.fullmatch(value):
        raise ValueError("no text of base64url")
    return value
