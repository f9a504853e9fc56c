"""Tokens of links: 256 random bits, of which only a hash is kept. Pure.

Whoever reads the database finds no link in it, and no key that could make one. Which record a link opens, until when
and whether it was revoked stands in the row beside the hash.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256

BYTES = 32


def new_token() -> str:
    """A token that was never given before: 43 characters of base64url."""
    return secrets.token_urlsafe(BYTES)


def next_token(token: str) -> str:
    """The token of what is asked next, from that of what was answered: the same each time the answer is given again."""
    return urlsafe_b64encode(sha256(b"next " + token.encode(errors="surrogatepass")).digest()).decode().rstrip("=")


def hash_of(token: str) -> str:
    """What is kept of a token, and what any text is looked up by: SHA-256 in 64 hexadecimal digits.

    A token is 256 bits of chance, so a fast hash without salt cannot be searched backwards. Another spelling of the
    same bytes has another hash and opens nothing.
    """
    return sha256(token.encode(errors="surrogatepass")).hexdigest()
