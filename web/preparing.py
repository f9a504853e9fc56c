"""What to expect of a visit and how to prepare for it, from the protocol: its lengths and its gates."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from scheduler.gates import names
from sessions import gates
from web import wording

if TYPE_CHECKING:
    from scheduler.models import Protocol
    from sessions.gates import Standing
    from sessions.models import Plan, Session

# What a patient can do about a gate: an icon and a sentence. The other gates are the staff's. No figure stands here:
# from what hour to fast is what the clinic tells each patient.
PREPARE: Final = {
    "fasting": ("meal", _("Come with an empty stomach. Your clinic tells you from what hour on not to eat or drink.")),
    "escort": ("home", _("Bring an adult who takes you home. You cannot drive yourself.")),
    "consent": ("pen", _("You sign the consent form once, before the first visit.")),
    "infection": ("phone", _("Fever, or feeling ill? Call before you come.")),
}


# What is done once, before the first visit.
ONCE: Final = frozenset({"consent"})


def preparation(protocol: Protocol, begun: bool = False) -> list[dict[str, str]]:
    """The lines to prepare by, in the order of the protocol's gates; without what is done once, where it has begun."""
    known = [PREPARE[gate] for gate in names(protocol) if gate in PREPARE and not (begun and gate in ONCE)]
    return [{"icon": icon, "text": gettext(text)} for icon, text in known]


def to_say(visit: Session, now: datetime) -> list[Standing]:
    """The gates of a visit that the patient may answer beforehand and staff have not, in the protocol's order."""
    stand = gates.standings_of(visit, now)
    return [each for each in stand if each.gate.patient_may and each.answer.get("said_by") in {None, gates.PATIENT}]


def consent_of(visit: Session, now: datetime) -> str:
    """How the form that is signed at the clinic stands: `signed`, `open`, or "" where the protocol asks for none."""
    stands = next((each for each in gates.standings_of(visit, now) if each.gate.name in ONCE), None)
    return "" if stands is None else "open" if stands.open else "signed"


def what_happens(plan: Plan) -> list[dict[str, str]]:
    """How the first visit goes: settling in, the infusion, rest, each with its length."""
    row = plan.sessions[0]
    at = {name: datetime.fromisoformat(row[name]) for name in ("start", "infuse_start", "recover_start", "end")}
    steps = (
        (_("A nurse gets you ready"), at["infuse_start"] - at["start"]),
        (_("The infusion"), at["recover_start"] - at["infuse_start"]),
        (_("You rest until it is safe to go"), at["end"] - at["recover_start"]),
    )
    return [{"text": gettext(text), "length": wording.length(span)} for text, span in steps if span]
