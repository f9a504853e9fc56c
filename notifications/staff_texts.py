"""The words that tell a clinician of an alert: that there is one, how urgent, by when and where it is. Nothing of whom.

The message may lie open on a phone, so it names no patient, no questionnaire and no answer; those stand behind sign-in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from accounts.models import Channel
from notifications.channels import Text

if TYPE_CHECKING:
    from notifications.models import Message

SITE_LENGTH = 40


def compose(message: Message) -> Text:
    """What tells of the message's alert (with it and its session's site loaded), in English, the language of staff."""
    alert, site = message.alert, message.site
    assert alert is not None
    again = f" Nobody has taken it yet (call {alert.step + 1})." if alert.step else ""
    level = alert.get_level_display()
    where = f"{settings.PUBLIC_URL}/alerts/"
    short = f"{level} alert at {site.name[:SITE_LENGTH]}.{again} Sign in and take it: "
    if message.channel == Channel.SMS:
        return Text("", short + where)
    body = (
        f"{level} alert at {site.name}.{again}\n\n"
        f"Sign in and acknowledge it, so that it is yours; until somebody does, it is passed on.\n{where}\n"
    )
    return Text(f"{level} alert {str(alert.id)[-6:]} at {site.name}", body)
