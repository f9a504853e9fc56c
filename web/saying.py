"""What a patient says before a visit: a form of the protocol's gates that are the patient's to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from django import forms
from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import clock
from accounts.audit import record_reads
from accounts.rights import is_staff
from sessions import gates, lifecycle
from sessions.models import Session
from web.pages import page, page_for
from web.preparing import consent_of, to_say
from web.visits import visit_seen_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest, HttpResponse

    from accounts.models import User
    from sessions.gates import Answer, Standing

# What is asked; of any other gate that a clinic gives to its patients, the clinic's own sentence.
ASKED: Final = {
    "fasting": _("Will you come with an empty stomach, from the hour on that your clinic told you?"),
    "escort": _("Is there an adult who takes you home?"),
    "no_driving": _("Will you leave the car at home, and not drive until your clinic says that you may?"),
}
# "Does not apply" is for the clinic to say: it would open the way to an infusion just as "yes" does.
ANSWERS: Final = [(gates.MET, _("Yes")), (gates.NOT_MET, _("No"))]
ESCORT: Final = "escort"
# No gate is called so: their names have no hyphen.
NAME: Final = "escort-name"


class SayingForm(forms.Form):
    """A question a gate, by the gate's name; beside the escort's the name of who comes."""

    def __init__(self, asked: Sequence[Standing], data: Any = None) -> None:
        super().__init__(data, initial=_said(asked))
        for each in asked:
            name = each.gate.name
            self.fields[name] = forms.ChoiceField(
                label=ASKED.get(name, each.gate.rule), choices=ANSWERS, widget=forms.RadioSelect, required=False
            )
            if name == ESCORT:
                self.fields[NAME] = forms.CharField(label=_("Who takes you home?"), max_length=200, required=False)

    def clean(self) -> dict[str, Any]:
        """Something is said; whoever takes the patient home has a name."""
        found = super().clean() or self.cleaned_data
        if found.get(ESCORT) == gates.MET and not found.get(NAME) and NAME not in self.errors:
            self.add_error(NAME, _("Tell the name of who takes you home."))
        if not self.errors and not self.answers():
            raise forms.ValidationError(_("Answer at least one question."))
        return found

    def answers(self) -> list[Answer]:
        """What was answered, as `sessions.gates.prepare` takes it."""
        said = {name: outcome for name, outcome in self.cleaned_data.items() if name != NAME and outcome}
        return [
            {"gate": name, "outcome": outcome, "note": self.cleaned_data[NAME] if name == ESCORT else ""}
            for name, outcome in said.items()
        ]


def _said(asked: Sequence[Standing]) -> dict[str, str]:
    """What stands there already, as the form shows it."""
    found = {each.gate.name: each.answer for each in asked}
    said = {name: answer.get("outcome", "") for name, answer in found.items()}
    return said | {NAME: found.get(ESCORT, {}).get("note", "")}


@page_for("sessions.preparation", "GET", "HEAD", "POST")
def prepare(request: HttpRequest, session: str) -> HttpResponse:
    """The questions before a visit (GET), and what is said to them (POST)."""
    visit, user, now = visit_seen_by(request, session), cast("User", request.user), clock.now()
    lifecycle.check_move(visit, "preparation", now)
    record_reads(user.pk, Session._meta.db_table, [(visit.pk, visit.patient_id)])
    asked = to_say(visit, now)
    form = SayingForm(asked, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        answers = form.answers()
        gates.prepare(visit, answers, user, now)
        _thank(request, answers)
        return redirect("web:series", visit.series_id)
    context: dict[str, Any] = {"patient": visit.patient, "form": form, "asked": asked, "for_other": is_staff(user)}
    context["consent"] = consent_of(visit, now)
    return page(request, "prepare", 400 if form.errors else 200, site=visit.site, session=visit, **context)


def _thank(request: HttpRequest, answers: Sequence[Answer]) -> None:
    if any(each["outcome"] == gates.NOT_MET for each in answers):
        messages.warning(
            request, gettext("Noted. Please call the clinic before the visit, so that the way is not in vain.")
        )
    else:
        messages.success(request, gettext("Thank you. The clinic sees your answers."))
