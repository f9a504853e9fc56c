"""Mails about how people sign in: an invitation, a link for a new password, what was added or taken off.

Each goes to the person's own address, in their language, and says who to ask where it was not expected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction

from accounts import letters
from accounts.models import Letter, Patient
from accounts.rights import is_staff
from accounts.sign_in_links import new_token
from notifications import mailing
from notifications.channels import Text

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Invitation, User

NAME_LENGTH: Final = 60
Kind = Letter.Kind
WORDS: Final = {
    "en": {
        Kind.INVITATION: (
            "You are invited to work with {clinic}",
            "{clinic} invites you to sign in as one of its staff.\n\n"
            "Open this link and choose a password. It works once, for {hours} hours:\n{link}\n\n"
            "If you do not expect this, do nothing: without the link nobody is let in.\n",
        ),
        Kind.PASSWORD: (
            "A new password for {clinic}",
            "Somebody who manages {clinic} sent you this link to choose a new password. "
            "It works once, for {hours} hours:\n{link}\n\n"
            "Your present password works until then. If you did not ask for this, tell your manager.\n",
        ),
        Kind.FACTOR_RESET: (
            "Your second factor for {clinic} was taken off",
            "Somebody who manages {clinic} has taken off the codes and passkeys that you sign in with, and ended where "
            "you were signed in.\n\n"
            "Sign in with your password; where a second factor is demanded you set up another:\n{link}\n\n"
            "If you did not ask for this, tell your manager at once, and do not sign in before.\n",
        ),
        Kind.PASSKEY_ADDED: (
            "A passkey was added for {clinic}",
            "From now on a new passkey signs you in at {clinic}.\n\n"
            "If it was not you who added it, remove it here and call the clinic at once:\n{link}\n",
        ),
    },
    "es": {
        Kind.INVITATION: (
            "Invitación para trabajar con {clinic}",
            "{clinic} le invita a entrar como parte de su equipo.\n\n"
            "Abra este enlace y elija una contraseña. Sirve una vez, durante {hours} horas:\n{link}\n\n"
            "Si no lo espera, no haga nada: sin el enlace no entra nadie.\n",
        ),
        Kind.PASSWORD: (
            "Una contraseña nueva para {clinic}",
            "Alguien que dirige {clinic} le envía este enlace para elegir una contraseña nueva. "
            "Sirve una vez, durante {hours} horas:\n{link}\n\n"
            "Hasta entonces vale la contraseña de ahora. Si no la ha pedido, avise a quien dirige su clínica.\n",
        ),
        Kind.FACTOR_RESET: (
            "Se ha quitado su segundo factor para {clinic}",
            "Alguien que dirige {clinic} ha quitado los códigos y las llaves de acceso con los que usted entra, y ha "
            "cerrado sus sesiones.\n\n"
            "Entre con su contraseña; donde se exige un segundo factor, preparará otro:\n{link}\n\n"
            "Si no lo ha pedido, avise enseguida a quien dirige su clínica, y no entre antes.\n",
        ),
        Kind.PASSKEY_ADDED: (
            "Se ha añadido una llave de acceso para {clinic}",
            "Desde ahora una llave de acceso nueva le abre la puerta en {clinic}.\n\n"
            "Si no la ha añadido usted, quítela aquí y llame enseguida a la clínica:\n{link}\n",
        ),
    },
}
# Where a mail leads that holds no link of its own.
PAGES: Final = {Kind.FACTOR_RESET: "sign-in/", Kind.PASSKEY_ADDED: "security/"}


def waiting(now: datetime) -> bool:
    """Whether a mail is to be sent."""
    return letters.due(now).exists()


def send_due(now: datetime) -> int:
    """Send what is due, one after another; how many mails went out."""
    return mailing.send_all(_claim, now)


def _claim(now: datetime) -> mailing.Ready | None:
    """The next row, tried again only after a while; one with a link has a new token whose hash it keeps."""
    with transaction.atomic():
        rows = letters.due(now).select_for_update(skip_locked=True, of=("self",))
        letter = rows.select_related("invitation__organization", "user__organization").order_by("try_at", "id").first()
        if letter is None:
            return None
        token = ""
        if letter.kind in letters.OPENING:
            token, letter.token_hash = new_token()
        letter.try_at = now + mailing.AGAIN_AFTER
        letter.save(update_fields=["token_hash", "try_at"])
    return mailing.Ready(letter, compose(letter, token), _whom(letter).email)


def _whom(letter: Letter) -> Invitation | User:
    whom = letter.invitation or letter.user
    assert whom is not None, "the database has one of them in each row"
    return whom


def compose(letter: Letter, token: str) -> Text:
    """What the mail says; nothing in it but the clinic's name and the link."""
    whom, patient, kind = _whom(letter), _patient(letter.user), Kind(letter.kind)
    organization, language = whom.organization, whom.language
    if patient is not None:
        organization, language = patient.site.organization, patient.language
    said = {
        "clinic": organization.name[:NAME_LENGTH] if organization else settings.PUBLIC_URL,
        "hours": int(letters.lasts(kind).total_seconds()) // 3600,
        "link": f"{settings.PUBLIC_URL}/{f'join/{token}/' if token else PAGES[kind]}",
    }
    subject, body = WORDS[language][kind]
    return Text(" ".join(subject.format_map(said).split()), body.format_map(said))


def _patient(user: User | None) -> Patient | None:
    """The record of somebody who is a patient and nothing else: it knows their language and clinic."""
    if user is None or is_staff(user):
        return None
    return Patient.objects.select_related("site__organization").filter(user=user).first()
