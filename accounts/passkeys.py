"""Passkeys: added, named, used and removed. Kept is the public key alone, which opens nothing.

A passkey proves by itself what a password and a code prove together (`accounts/webauthn.py`, ADR 29): who signs in with
one is in by both factors. A challenge is good once, for five minutes, for the session that asked for it.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from fido2.utils import websafe_encode

from accounts import audit, letters, second_factor, webauthn
from accounts.models import Letter, Passkey, SpentChallenge, User
from accounts.refusals import Conflict, Gone, NotFound, NotSignedIn, Refusal

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from accounts.webauthn import Party

CHALLENGE_BYTES: Final = 32
LASTS: Final = timedelta(minutes=5)
AT_MOST: Final = 20


def new_challenge() -> str:
    """256 random bits, for the session to keep."""
    return websafe_encode(secrets.token_bytes(CHALLENGE_BYTES))


def party() -> Party:
    """Whom passkeys are made for. Raises Conflict `no_passkeys` where `PUBLIC_URL` cannot have any."""
    found = webauthn.party()
    if found is None:
        raise Conflict("no_passkeys", "Passkeys need an address with a name.")
    return found


def to_make(user: User, challenge: str) -> dict[str, Any]:
    """What the person's browser is asked for a new passkey. Raises Conflict `too_many_passkeys`, `no_passkeys`."""
    known = list(Passkey.objects.filter(user=user).values_list("credential_id", flat=True))
    if len(known) >= AT_MOST:
        raise Conflict("too_many_passkeys", "You have as many passkeys as one may have. Remove one first.")
    return webauthn.to_make(party(), user.pk.bytes, user.email, user.name, known, challenge)


def add(user: User, challenge: str, answer: str, name: str, now: datetime) -> Passkey:
    """Keep the passkey that the browser has made, and tell its holder by mail (NIST SP 800-63B-4, 4.6).

    Raises:
        Gone: `challenge_over`. NotSignedIn: `wrong_passkey`. Conflict: `passkey_taken` for one that is known already,
            `too_many_passkeys`, `no_passkeys`.
    """
    spend(challenge, now)
    made = webauthn.made(party(), challenge, answer)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if Passkey.objects.filter(user=user).count() >= AT_MOST:
            raise Conflict("too_many_passkeys", "You have as many passkeys as one may have. Remove one first.")
        shown = {"public_key": made.public_key, "sign_count": made.sign_count}
        kept, is_new = Passkey.objects.get_or_create(
            credential_id=made.credential_id, defaults={"user": user, "name": name, "added_at": now, **shown}
        )
        if not is_new:
            raise Conflict("passkey_taken", "This passkey is known already.")
        letters.write(Letter.Kind.PASSKEY_ADDED, user, now)
    return kept


def sign_in(challenge: str, answer: str, now: datetime) -> User:
    """The person whom the passkey lets in; its use and its counter are written down.

    A counter that does not go on tells of a copy: the passkey opens nothing from then on; the trail says since when.

    Raises:
        Gone: `challenge_over`. NotSignedIn: `wrong_passkey` for one that is unknown, removed, of somebody who is not
            here any more, or signs something else; `passkey_stopped`. Conflict: `no_passkeys`.
    """
    spend(challenge, now)
    credential_id, handle = webauthn.named(answer)
    with transaction.atomic():
        found = Passkey.objects.select_for_update(of=("self",)).select_related("user__organization")
        row = found.filter(credential_id=credential_id, user__is_active=True).first()
        if row is None or row.user.pk.bytes != handle:
            raise NotSignedIn("wrong_passkey", "This passkey does not open this.")
        counted = webauthn.signed(party(), challenge, answer, row.credential_id, bytes(row.public_key))
        with audit.acting(row.user_id):
            refusal = _count(row, counted, now)
    if refusal is not None:
        raise refusal
    return row.user


def _count(row: Passkey, counted: int, now: datetime) -> Refusal | None:
    """Note one use, or stop a passkey that has a copy (WebAuthn 6.1.1); one that counts nothing says 0 each time."""
    stopped = NotSignedIn("passkey_stopped", "This passkey was stopped: somebody may have a copy of it.")
    if row.stopped_at is not None:
        return stopped
    if (counted or row.sign_count) and counted <= row.sign_count:
        row.stopped_at = now
        row.save(update_fields=["stopped_at"])
        return stopped
    row.sign_count, row.used_at = counted, now
    row.save(update_fields=["sign_count", "used_at"])
    return None


def rename(user: User, passkey: UUID | str, name: str) -> None:
    """Call one of the person's passkeys by another name. Raises NotFound."""
    if not Passkey.objects.filter(user=user, pk=passkey).update(name=name):
        raise NotFound


@transaction.atomic
def remove(user: User, passkey: UUID | str) -> None:
    """Let a passkey of the person open nothing from now on.

    Raises:
        NotFound. Conflict: `demanded` for the last second factor of somebody whose organization demands one.
    """
    User.objects.select_for_update().get(pk=user.pk)
    row = Passkey.objects.filter(user=user, pk=passkey).first()
    if row is None:
        raise NotFound
    row.delete()
    if second_factor.is_demanded(user) and not second_factor.has_one(user):
        raise Conflict("demanded", "Your organization demands a second factor.")


def spend(challenge: str, now: datetime) -> None:
    """Use a challenge up, whatever comes of it. Raises Gone `challenge_over` where it was used before."""
    digest = sha256(challenge.encode()).hexdigest()
    if not challenge or not SpentChallenge.objects.get_or_create(digest=digest, defaults={"spent_at": now})[1]:
        raise Gone("challenge_over", "This took too long, or was sent twice. Try once more.")


def forget(now: datetime) -> int:
    """Remove challenges that no session holds any more; how many."""
    return SpentChallenge.objects.filter(spent_at__lt=now - 2 * LASTS).delete()[0]
