"""Signed links to follow-up check-ins. Pure: the link is its own proof, so nothing about it is stored or looked up.

A token is 64 characters of base64url: 16 bytes of the follow-up's id and 32 bytes HMAC-SHA256. 48 bytes fill 64
characters exactly, so there is no padding and no spare bit: one token, one spelling.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Sequence

# Signed along with the id, so that another kind of link made with the same key opens no check-in.
PURPOSE = b"infusion.notifications.follow-up.v1:"
ID_BYTES = 16


def _seal(identifier: bytes, key: bytes) -> bytes:
    return hmac.digest(key, PURPOSE + identifier, sha256)


def token_for(follow_up_id: UUID, key: bytes) -> str:
    """The token of a follow-up's link, signed with `key` (the newest key)."""
    return base64.urlsafe_b64encode(follow_up_id.bytes + _seal(follow_up_id.bytes, key)).decode("ascii")


def read_token(token: str, keys: Sequence[bytes]) -> UUID | None:
    """The follow-up's id where `token` was signed with one of `keys` (newest first), else None.

    Whatever is not exactly what `token_for` gives is None: shortened, padded, one bit changed, another alphabet.
    """
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    # Decoding is more tolerant than encoding (it takes "+" for "-"), so only the one true spelling is let in.
    if base64.urlsafe_b64encode(raw).decode("ascii") != token:
        return None
    identifier, seal = raw[:ID_BYTES], raw[ID_BYTES:]
    genuine = [hmac.compare_digest(seal, _seal(identifier, key)) for key in keys]
    return UUID(bytes=identifier) if any(genuine) else None
