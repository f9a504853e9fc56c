"""The address at which a patient ends our mails with one click (RFC 8058), without signing in.

It is signed and not kept: it can do no more than that, has to work for as long as the mail is there, and nothing is
learned from it. Which patient it is for is in it, which address is looked up when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.core import signing

from accounts import contacts
from accounts.models import Channel, Patient

if TYPE_CHECKING:
    from datetime import datetime

SALT = "infusion.notifications.stop.v1"


def address(patient: Patient) -> str:
    """The address for a patient's mails."""
    return f"{settings.PUBLIC_URL}/stop/{signing.Signer(salt=SALT).sign(str(patient.pk)).replace(':', '.')}/"


def behind(token: str) -> Patient | None:
    """The patient for whom a token was signed; None for a token that is false."""
    try:
        return Patient.objects.select_related("site").get(
            pk=UUID(signing.Signer(salt=SALT).unsign(token.replace(".", ":")))
        )
    except (signing.BadSignature, ValueError, Patient.DoesNotExist):
        return None


def stop(patient: Patient, now: datetime) -> None:
    """No more mails to the patient's address, until somebody who has it says otherwise."""
    contacts.stop(Channel.EMAIL, patient.email, now)


def start_again(patient: Patient) -> None:
    """The patient, signed in, wants mails again; ended ones of others with the same address begin again too."""
    if patient.email:
        contacts.start(Channel.EMAIL, patient.email)
