"""How a patient wishes to be reached: by which way, in which language, at which hours, and whether by text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast
from zoneinfo import available_timezones

import phonenumbers
from django import forms
from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect
from django.utils.dateparse import parse_time
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts import contacts, patients
from accounts.http.texts import EmailField, PhoneField
from accounts.models import Channel
from accounts.refusals import Forbidden, Invalid
from notifications import stopping
from web import wording
from web.pages import page, page_for
from web.people import own_record, patient_seen_by

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import Patient, User

WAYS: Final = [(Channel.EMAIL.value, _("By mail")), (Channel.SMS.value, _("By text message"))]
LANGUAGES: Final = [("en", "English"), ("es", "Español")]
TEXTING: Final = [("yes", _("Yes")), ("no", _("No"))]
CONSENT: Final = {"": None, "yes": True, "no": False}
# The two of a patient's fields that only some may change or even read.
ADDRESSES: Final = tuple(contacts.FIELDS.values())


def _clock() -> forms.TimeInput:
    return forms.TimeInput({"type": "time"}, format="%H:%M")


class ReachForm(forms.Form):
    """A patient's wishes as they stand. The names are those of the record."""

    email = forms.CharField(
        label=_("Email address"), max_length=254, required=False, widget=forms.EmailInput({"autocomplete": "email"})
    )
    phone = forms.CharField(
        label=_("Mobile number"),
        max_length=30,
        required=False,
        widget=forms.TextInput({"type": "tel", "autocomplete": "tel"}),
    )
    preferred_channels = forms.MultipleChoiceField(
        label=_("How shall we write?"),
        choices=WAYS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Where one way does not work, we may use the other."),
    )
    texting_consent = forms.ChoiceField(
        label=_("May we text about visits and check-ins?"),
        choices=TEXTING,
        required=False,
        widget=forms.RadioSelect,
        help_text=_("Your carrier may charge for texts. A text back with STOP ends them at any time."),
    )
    language = forms.ChoiceField(label=_("In which language?"), choices=LANGUAGES, widget=forms.RadioSelect)
    quiet_from = forms.TimeField(label=_("No texts from"), required=False, widget=_clock())
    quiet_until = forms.TimeField(label=_("No texts until"), required=False, widget=_clock())
    time_zone = forms.ChoiceField(label=_("By which clock?"), required=False)

    def __init__(self, patient: Patient, addresses: bool, data: Any = None) -> None:
        super().__init__(data, initial=_as_it_stands(patient))
        self.patient = patient
        self.fields["time_zone"].choices = _zones(patient)  # type: ignore[attr-defined]
        self.fields["quiet_from"].help_text = _usual_hours()
        for name in () if addresses else ADDRESSES:
            del self.fields[name]

    def clean_email(self) -> str:
        """An address as the API takes it."""
        said = _as_record(EmailField(allow_blank=True), self.cleaned_data["email"])
        if said is None:
            raise forms.ValidationError(_("This is not an email address."))
        return said

    def clean_phone(self) -> str:
        """A number as the API takes it, however it is written in the clinic's country."""
        written = international(self.cleaned_data["phone"], self.patient.site.phone)
        said = _as_record(PhoneField(allow_blank=True), written)
        if said is None:
            raise forms.ValidationError(_("This is not a phone number. Try it with the country: +1 312 555 0142."))
        return said

    def clean_texting_consent(self) -> bool | None:
        """Yes, no, or not asked yet."""
        return CONSENT[self.cleaned_data["texting_consent"]]

    def changes(self) -> dict[str, Any]:
        """What differs from the record: an address that is sent again would count as entered anew."""
        said = self.cleaned_data
        return {name: value for name, value in said.items() if value != getattr(self.patient, name)}


def _as_it_stands(patient: Patient) -> dict[str, Any]:
    consent = {None: "", True: "yes", False: "no"}[patient.texting_consent]
    return {name: getattr(patient, name) for name in ReachForm.base_fields} | {"texting_consent": consent}


def _zones(patient: Patient) -> list[tuple[str, str]]:
    """The clinic's clock, and those of its part of the world."""
    site, own = patient.site.time_zone, patient.time_zone
    part = site.partition("/")[0] + "/"
    near = sorted({zone for zone in available_timezones() if zone.startswith(part)} | ({own} - {""}))
    city = {"city": wording.zone_city(site)}
    return [("", gettext("The clinic’s (%(city)s)") % city), *((zone, wording.zone_city(zone)) for zone in near)]


def _usual_hours() -> str:
    since, until = (wording.clock(at) for at in map(parse_time, settings.QUIET_HOURS) if at is not None)
    return gettext("Left empty: from %(since)s until %(until)s.") % {"since": since, "until": until}


def international(text: str, clinic: str) -> str:
    """A number with its country in front; one without is taken for one of the clinic's country."""
    try:
        country = phonenumbers.region_code_for_number(phonenumbers.parse(clinic)) if clinic else None
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return text
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _as_record(field: serializers.Field[Any, Any, Any, Any], text: str) -> str | None:
    """The text as the record holds it; None where the record does not take it."""
    try:
        return str(field.run_validation(text))
    except serializers.ValidationError:
        return None


@page_for("patients.retrieve", "GET", "HEAD", "POST")
def own(request: HttpRequest) -> HttpResponse:
    """The reader's own wishes."""
    return _answer(request, own_record(cast("User", request.user)))


@page_for("patients.retrieve", "GET", "HEAD", "POST")
def of_patient(request: HttpRequest, patient: str) -> HttpResponse:
    """A patient's wishes, taken down by staff."""
    return _answer(request, patient_seen_by(cast("User", request.user), patient))


@page_for("patients.retrieve", "POST")
def mails_again(request: HttpRequest) -> HttpResponse:
    """Whoever had mails ended wants them again."""
    stopping.start_again(own_record(cast("User", request.user)))
    messages.success(request, gettext("You get mails from us again."))
    return redirect("web:own-messages")


def _answer(request: HttpRequest, patient: Patient) -> HttpResponse:
    """The form (GET), and saving it (POST); 400 and the form again with what is wrong."""
    user = cast("User", request.user)
    other = patient.user_id != user.pk
    patients.check_may_change(user, patient, ["language"])
    form = ReachForm(patient, _may_change(user, patient, ADDRESSES), request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            patients.change_reach(user, patient.pk, form.changes())
        except Invalid:
            form.add_error("quiet_from", _("Give both times, and two different ones, or none."))
        else:
            messages.success(request, gettext("Saved. Messages come as you wish from now on."))
            return redirect("web:patient", patient.pk) if other else redirect("web:own-messages")
    status = 400 if form.errors else 200
    return page(request, "reaching", status, site=patient.site, patient=patient, form=form, for_other=other)


def _may_change(user: User, patient: Patient, names: tuple[str, ...]) -> bool:
    try:
        patients.check_may_change(user, patient, names)
    except Forbidden:
        return False
    return True
