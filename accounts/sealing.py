"""Small secrets that have to be read again are kept sealed: a copy of the database alone does not give them away."""

from __future__ import annotations

import base64
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PURPOSE: Final = b"infusion.accounts.sealing.v1"


def seal(text: str) -> str:
    """The text so that only `unseal` of this installation reads it."""
    return _keys().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str | None:
    """What was sealed, also by a key of SECRET_KEY_FALLBACKS; None where no key fits."""
    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def renew(sealed: str) -> str:
    """The same, sealed with the present key. Raises ValueError where no key fits."""
    text = unseal(sealed)
    if text is None:
        raise ValueError("sealed with a key that is not there")
    return seal(text)


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(_derived(secret)) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _derived(secret: str) -> bytes:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret.encode())
    return base64.urlsafe_b64encode(key)
