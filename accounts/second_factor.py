"""The second factor of signing in: a code from the telephone (TOTP, RFC 6238), one of ten from paper, or a passkey.

Where an organization demands it, nobody of its staff is let in without; who has set one up is asked for it in any case.
A passkey is both factors at once and needs no password (`accounts/passkeys.py`); the rest here is about codes.
A code is good once: the half minute that it belongs to is used up with it, in the row that the check has locked. Wrong
codes are counted in the same row, so that they count from wherever they come.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

import pyotp
from django.db import transaction

from accounts import sealing
from accounts.models import Organization, Passkey, Role, SecondFactor, User
from accounts.refusals import Conflict, Forbidden, NotSignedIn, Refusal, TooMany
from accounts.rights import holds, is_staff

if TYPE_CHECKING:
    from datetime import datetime

# RFC 6238, 5.2: half minutes, and one of them to either side for clocks that differ.
STEP, DRIFT = 30, (-1, 0, 1)
DIGITS: Final = 6
# NIST SP 800-63B-4, 3.2.2: at most a hundred failures on end. With three codes good at a time that is a chance of one
# in three thousand for whoever has the password too. After each five, a wait.
FAILURES_AT_MOST, FAILURES_ON_END, WAIT = 100, 5, timedelta(minutes=15)
RECOVERY_CODES: Final = 10
# Without letters and digits that are read for one another; 12 of 32 are 60 bits.
ALPHABET, CODE_LENGTH = "abcdefghjkmnpqrstuvwxyz23456789", 12
ISSUER: Final = "Infusion visits"


def is_demanded(user: User) -> bool:
    """Whether the person's organization lets its staff in only with a second factor."""
    return is_staff(user) and user.organization is not None and user.organization.demands_second_factor


def has_codes(user: User) -> bool:
    """Whether the person has set up codes."""
    return SecondFactor.objects.filter(user=user).exists()


def has_one(user: User) -> bool:
    """Whether the person has set one up: codes, or a passkey."""
    return has_codes(user) or Passkey.objects.filter(user=user).exists()


def next_step(user: User) -> str:
    """What the right password leads to: `in`, a `code`, a `passkey`, or the way to `set_up` a factor first.

    A patient's passkey is one more way in: their mailbox alone opens the same.
    """
    if has_codes(user):
        return "code"
    if is_staff(user) and Passkey.objects.filter(user=user).exists():
        return "passkey"
    return "set_up" if is_demanded(user) else "in"


def require(user: User, code: str, now: datetime) -> None:
    """Let the person pass who has given the right password, or refuse.

    Raises:
        NotSignedIn: `second_factor_required` where a code is needed and "" was given, or one has to be set up first;
            `wrong_code` for one that is wrong or was used; `second_factor_closed`. TooMany: `too_many_codes`.
    """
    step = next_step(user)
    if step == "code" and code:
        check(user, code, now)
    elif step == "code":
        raise NotSignedIn("second_factor_required", "This sign-in needs a code as well.")
    elif step == "passkey":
        raise NotSignedIn("second_factor_required", "Use your passkey on the sign-in page; here it takes a code.")
    elif step != "in":
        raise NotSignedIn("second_factor_required", "Set up codes from a telephone on the sign-in page first.")


def check(user: User, code: str, now: datetime) -> None:
    """Use up a code of the person. Raises as `require` does, and Conflict `no_second_factor` for who has no codes."""
    with transaction.atomic():
        row = SecondFactor.objects.select_for_update().filter(user=user).first()
        if row is None:
            raise Conflict("no_second_factor", "This person has set up no second factor.")
        refusal = _judge(row, code, now)
        row.save(update_fields=["last_step", "recovery_hashes", "failures", "failed_at"])
    if refusal:
        raise refusal


def _judge(row: SecondFactor, code: str, now: datetime) -> Refusal | None:
    """What stands against the code; the row is brought up to date and not saved."""
    if row.failures >= FAILURES_AT_MOST:
        return NotSignedIn("second_factor_closed", "Too many wrong codes. An admin of yours has to open it again.")
    if row.failed_at is not None and row.failures % FAILURES_ON_END == 0 and now < row.failed_at + WAIT:
        wait = int((row.failed_at + WAIT - now).total_seconds()) + 1
        return TooMany("too_many_codes", "Too many wrong codes. Wait a little.", retry_after=wait)
    if _use(row, "".join(code.split()).replace("-", "").lower(), now):
        row.failures, row.failed_at = 0, None
        return None
    row.failures, row.failed_at = row.failures + 1, now
    return NotSignedIn("wrong_code", "This code is not right, or was used already.")


def _use(row: SecondFactor, code: str, now: datetime) -> bool:
    if len(code) == DIGITS and code.isascii() and code.isdigit():
        step = _step_of(sealing.unseal(row.secret), code, now)
        if step is None or step <= row.last_step:
            return False
        row.last_step = step
        return True
    known = hash_of(code)
    found = next((each for each in row.recovery_hashes if compare_digest(each, known)), None)
    if found is None:
        return False
    row.recovery_hashes.remove(found)
    return True


def _step_of(secret: str | None, code: str, now: datetime) -> int | None:
    """The half minute that a code belongs to; None where it is none of those about now."""
    if secret is None:
        return None
    totp, here = pyotp.TOTP(secret), int(now.timestamp()) // STEP
    return next((here + off for off in DRIFT if compare_digest(totp.generate_otp(here + off), code)), None)


def new_secret() -> str:
    """A secret for a telephone, to be confirmed by `set_up`."""
    return pyotp.random_base32()


def address(user: User, secret: str) -> str:
    """What a telephone reads from the picture (`otpauth:`)."""
    return pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=ISSUER)


@transaction.atomic
def set_up(user: User, secret: str, code: str, now: datetime) -> list[str]:
    """Keep the secret, once a code shows that the telephone has it; gives the recovery codes, told this once.

    Raises:
        NotSignedIn: `wrong_code`. Conflict: `already_done` where the person has them.
    """
    step = _step_of(secret, "".join(code.split()), now)
    if step is None:
        raise NotSignedIn("wrong_code", "This code is not right. Is the clock of the telephone right?")
    User.objects.select_for_update().get(pk=user.pk)
    if has_codes(user):
        raise Conflict("already_done", "Codes are set up already.")
    codes = _new_codes()
    SecondFactor.objects.create(
        user=user,
        secret=sealing.seal(secret),
        last_step=step,
        recovery_hashes=[hash_of(each) for each in codes],
        set_up_at=now,
    )
    return [in_groups(each) for each in codes]


@transaction.atomic
def renew_codes(user: User) -> list[str]:
    """Ten fresh recovery codes, told this once; the old ones open nothing. Call it after `check`."""
    row = SecondFactor.objects.select_for_update().get(user=user)
    codes = _new_codes()
    row.recovery_hashes = [hash_of(each) for each in codes]
    row.save(update_fields=["recovery_hashes"])
    return [in_groups(each) for each in codes]


@transaction.atomic
def take_off(user: User) -> None:
    """The person goes without codes from now on. Call it after `check`.

    Raises Conflict `demanded` where the organization demands a second factor and there is no passkey.
    """
    User.objects.select_for_update().get(pk=user.pk)
    SecondFactor.objects.filter(user=user).delete()
    if is_demanded(user) and not has_one(user):
        raise Conflict("demanded", "Your organization demands a second factor.")


def demand(by: User, on: bool) -> None:
    """Whether the admin's organization lets its staff in only with a second factor.

    Switched on, the database ends every token of its staff, and pages ask whoever came in without to sign in again.
    Raises Forbidden for whoever is no admin, Conflict `set_up_first` for one who would lock themselves out.
    """
    if not holds(by, Role.ADMIN) or by.organization_id is None:
        raise Forbidden
    if on and not has_one(by):
        raise Conflict("set_up_first", "Set up your own second factor first.")
    Organization.objects.filter(pk=by.organization_id).update(demands_second_factor=on)


@transaction.atomic
def reseal() -> int:
    """Seal every secret with the present key, before an old one is taken away; how many."""
    rows = list(SecondFactor.objects.select_for_update())
    for row in rows:
        row.secret = sealing.renew(row.secret)
        row.save(update_fields=["secret"])
    return len(rows)


def hash_of(code: str) -> str:
    """What a recovery code is found by; of that much chance a plain hash cannot be searched backwards in time."""
    return sha256(code.encode(errors="surrogatepass")).hexdigest()


def in_groups(code: str) -> str:
    """As people copy it: "abcd-efgh-jkmn"."""
    return "-".join(code[n : n + 4] for n in range(0, len(code), 4))


def _new_codes() -> list[str]:
    return ["".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH)) for _ in range(RECOVERY_CODES)]
