"""What staff read for the codes that records hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_noop as _

if TYPE_CHECKING:
    from accounts.refusals import Refusal
    from sessions.board import Alert

ALERTS: Final = {
    "suicide_item": _("A check-in answer needs a call today"),
    "suicidal_now": _("Thoughts of suicide right now: call at once"),
    "grave_words": _("A text message speaks of suicide: call at once"),
    "suicide_screen_positive": _("A safety screen is positive: call within the hour"),
    "high_score": _("A depression score is severe"),
    "score_risen": _("A depression score has risen much since the last check-in"),
    "severe_pain": _("Severe pain was reported"),
    "pain_risen": _("Pain has risen much since the last check-in"),
    "severe_side_effect": _("A severe side effect was reported"),
    "still_dissociated": _("Dissociation has not gone hours after the visit"),
    "grave_effect": _("Chest pain, trouble breathing or fainting was reported"),
    "systolic_high": _("Blood pressure is dangerously high"),
    "diastolic_high": _("The lower blood pressure value is dangerously high"),
    "oxygen_low": _("Oxygen is dangerously low"),
    "severe_event": _("A severe adverse event was reported"),
    "no_answer": _("The first check-in was not answered: please call"),
    "message_failed": _("A message could not be delivered: please tell the patient"),
}

# What the board says of a visit; %s is the number that stands in the alert's own sentence.
ON_THE_BOARD: Final = {
    "adverse_event": _("A severe adverse event, grade %s."),
    "series_on_hold": _("A prescriber has to release this series first."),
    "not_here": _("Not here, %s min late."),
    "running_late": _("Ends %s min later than planned."),
    "gates_open": _("The start waits for what is still open."),
    "vitals_stop": _("Vital signs: stop and call the prescriber."),
    "vitals_repeat": _("Vital signs out of limits: repeat."),
    "vitals_overdue": _("Vital signs are %s min overdue."),
    "forgotten": _("Nobody has ended this visit."),
}
STATES: Final = {
    "booked": _("booked"),
    "confirmed": _("confirmed"),
    "arrived": _("arrived"),
    "infusing": _("infusing"),
    "recovering": _("recovering"),
    "completed": _("completed"),
    "stopped_early": _("stopped early"),
    "cancelled": _("cancelled"),
    "no_show": _("did not come"),
}
# What went ill: how grave (CTCAE), what was done with the infusion, how it is.
GRADES: Final = {
    1: _("1, mild"),
    2: _("2, moderate"),
    3: _("3, severe"),
    4: _("4, life-threatening"),
    5: _("5, death"),
}
ACTIONS: Final = {
    "none": _("nothing"),
    "slowed": _("slowed"),
    "paused": _("paused"),
    "stopped": _("stopped"),
    "treated": _("treated"),
}
OUTCOMES: Final = {
    "ongoing": _("goes on"),
    "resolved": _("is over"),
    "resolved_with_sequelae": _("is over, with after-effects"),
    "hospital": _("to hospital"),
    "death": _("death"),
    "unknown": _("not known"),
}
# What has to be true before a start or the way home, short; the whole sentence stands at the chair.
GATES: Final = {
    "consent": _("consent"),
    "order": _("order"),
    "rems": _("safety programme"),
    "weight": _("weight (kg)"),
    "fasting": _("fasting"),
    "escort": _("escort"),
    "escort_name": _("name of the escort"),
    "pregnancy_test": _("pregnancy test"),
    "blood_pressure": _("blood pressure (mmHg)"),
    "spo2_heart_rate": _("oxygen (%) and pulse (per minute)"),
    "contraindication": _("contraindications"),
    "suicide_screen": _("safety questions"),
    "infection": _("infection or fever"),
    "hbv": _("hepatitis B"),
    "tb": _("tuberculosis"),
    "creatinine_calcium": _("creatinine and calcium"),
    "cbc": _("blood count"),
    "history": _("history and examination"),
    "weight_change": _("change of weight"),
    "no_driving": _("no driving"),
    "medication_holds": _("medicines looked through"),
    "immunoglobulins": _("immunoglobulins"),
    "vaccines": _("vaccines"),
    "jc_virus": _("JC virus antibody"),
    "iga_renal": _("IgA and kidneys"),
    "minimum_recovery": _("least recovery"),
    "score": _("recovery score"),
    "vitals": _("vital signs"),
}
PLACES: Final = {"recliner": _("Recliner"), "bed": _("Bed"), "private_room": _("Private room")}

# Refusals that are met on pages, in the reader's language; the others speak the API's English.
REFUSALS: Final = {
    "wrong_credentials": _("This e-mail address and password do not belong together."),
    "too_many_sign_ins": _("Too many failed sign-ins. Wait a little."),
    "wrong_code": _("This code is not right, or was used already."),
    "second_factor_required": _("Type the code that your telephone shows, or use your passkey."),
    "second_factor_closed": _("Too many wrong codes. An admin of your clinic has to open it again."),
    "too_many_codes": _("Too many wrong codes. Wait a quarter of an hour."),
    "wrong_passkey": _("This passkey does not open this."),
    "passkey_stopped": _("This passkey was stopped: somebody may have a copy of it. Remove it and add another."),
    "passkey_taken": _("This passkey is known already."),
    "too_many_passkeys": _("You have as many passkeys as one may have. Remove one first."),
    "no_passkeys": _("Passkeys need an address with a name."),
    "challenge_over": _("This took too long, or was sent twice. Try once more."),
    "set_up_first": _("Set up your own second factor first."),
    "demanded": _("Your organization demands a second factor."),
    "address_taken": _("This address signs in already. Ask to be invited by another one."),
    "not_yourself": _("Somebody else has to change this for you."),
    "admins_only": _("Only an admin decides over admins."),
    "works_elsewhere": _("This person works at a clinic that is not yours, too. Ask an admin."),
    "last_admin": _("This is the last admin. Make somebody else one first."),
    "last_manager": _("This is the last manager. Make somebody else one first."),
    "on_call": _("Alerts go to this person where nobody else is on call. Say who follows."),
    "not_care": _("Somebody of the site who nurses, prescribes or is an admin."),
    "already_here": _("Somebody with this address works here already, or did."),
    "already_invited": _("This address is invited already. Send that invitation again."),
    "no_site": _("Somebody who works here works at a site."),
    "no_role": _("Somebody who works here has a role. Deactivate who has left."),
    "inactive": _("This person is not here any more."),
    "no_second_factor": _("This person has set up no second factor."),
    "too_many_links": _("Too many links were asked for. Wait a little."),
    "too_many_holds": _("You hold too many plans at once. Book one, or wait until one is free again."),
    "already_waiting": _("This is on the waitlist already."),
    "not_waiting": _("This is no longer on the waitlist."),
    "in_past": _("These days have passed."),
    "beyond_horizon": _("Visits are booked at most a year and a half ahead."),
    "offer_gone": _("Somebody was quicker: this place has gone."),
    "offer_expired": _("The time to answer is over."),
    "no_order": _("A prescriber has to order this treatment before you can plan or book it."),
}


def refusal_words(refusal: Refusal) -> str:
    """What a refusal says to the reader."""
    return gettext(REFUSALS[refusal.code]) if refusal.code in REFUSALS else refusal.detail


def board_words(alert: Alert) -> str:
    """What an alert of the board says to the reader."""
    if alert.code not in ON_THE_BOARD or get_language() == "en":
        return alert.detail
    number = re.search(r"\d+", alert.detail)
    said = gettext(ON_THE_BOARD[alert.code])
    return said % number[0] if "%s" in said and number else said


def gate_words(gates: tuple[str, ...]) -> str:
    """Gates as words; one of the clinic's own says its name."""
    return ", ".join(gettext(GATES[gate]) if gate in GATES else gate.replace("_", " ") for gate in gates)


def state_words(status: str) -> str:
    """The state of a visit."""
    return gettext(STATES[status])


def alert_words(kind: str) -> str:
    """What an alert of this kind says; a kind without words of its own says its name."""
    return gettext(ALERTS[kind]) if kind in ALERTS else kind.replace("_", " ").capitalize()
