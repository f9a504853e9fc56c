"""The message ledger on a page: what was to be said to whom, what became of it and why, and saying it once more."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from accounts import clock
from accounts.audit import record_reads
from accounts.http.fields import FIRST_YEAR, LAST_YEAR, as_uuid
from accounts.refusals import Conflict, NotFound, RuleBroken, TooMany
from accounts.rights import may
from notifications import resending, wordings
from notifications.api.filters import MessageFilters
from notifications.models import Message, MessageStatus
from notifications.queries import visible_messages
from scheduler.walltime import local_date
from sessions.facts import zone_of
from web.pages import page, page_for
from web.people import site_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

    from accounts.models import Site, User

A_PAGE: Final = 25
HOURS: Final = re.compile(r"(\d+)h")
WALL_TIME: Final = re.compile(r"_(\d+)d_(\d\d)(\d\d)")
PARTS: Final = {
    "side-effects": gettext_noop("side effects"),
    "before": gettext_noop("before the visit"),
    "end": gettext_noop("after the last visit"),
}
Status = MessageStatus

KINDS: Final = {
    "receipt": gettext_noop("Receipt of a booking"),
    "preparation": gettext_noop("How to prepare"),
    "reminder": gettext_noop("Reminder"),
    "change": gettext_noop("Change"),
    "cancellation": gettext_noop("Cancellation"),
    "offer": gettext_noop("Offer of a place"),
    "no_show": gettext_noop("Missed visit"),
    "follow_up": gettext_noop("Check-in"),
    "alert": gettext_noop("Alert to a clinician"),
    "reply": gettext_noop("Answer to a text"),
}
# Wordings of which the ledger holds none, or all under one word.
TEMPLATES: Final = {
    "sign_in": gettext_noop("Link to sign in"),
    "several": gettext_noop("Several messages in one"),
    "reply_stop": gettext_noop("Answer to STOP"),
    "reply_start": gettext_noop("Answer to START"),
    "reply_help": gettext_noop("Answer to HELP"),
    "reply_grave": gettext_noop("Answer to a text that cannot wait"),
    "reply_confirmed": gettext_noop("Answer to a confirmation"),
    "reply_other_time": gettext_noop("Answer to who wants another time"),
}
STATES: Final = {
    Status.DUE: ("booked", gettext_noop("to be sent")),
    Status.SENDING: ("arrived", gettext_noop("on its way")),
    Status.SENT: ("confirmed", gettext_noop("sent")),
    Status.DELIVERED: ("completed", gettext_noop("arrived")),
    Status.FAILED: ("alert", gettext_noop("did not arrive")),
    Status.UNKNOWN: ("overdue", gettext_noop("nobody can say")),
    Status.SKIPPED: ("cancelled", gettext_noop("not sent")),
}
CHANNELS: Final = {"email": gettext_noop("mail"), "sms": gettext_noop("text message")}
REASONS: Final = {
    "answered": gettext_noop("it was answered already"),
    "cancelled": gettext_noop("the visit was cancelled"),
    "moved": gettext_noop("the visit was moved"),
    "no_address": gettext_noop("there is no address for this way"),
    "dead_address": gettext_noop("the address does not work"),
    "stopped": gettext_noop("the patient wants none there"),
    "opted_out": gettext_noop("the patient wants none there"),
    "no_consent": gettext_noop("the patient has not agreed to texts"),
    "no_longer_wanted": gettext_noop("it is not wanted any more"),
    "too_late": gettext_noop("it is too late for it"),
    "asked_lately": gettext_noop("it was asked only a short while ago"),
    "too_many": gettext_noop("the number has had as many texts as it may"),
    "too_many_texts": gettext_noop("the number has had as many texts as it may"),
    "under_way": gettext_noop("it is still to be sent"),
    "no_show": gettext_noop("the visit was missed"),
    "expired": gettext_noop("its time is over"),
}


def _choices(words: dict[Any, Any]) -> list[tuple[str, Any]]:
    """Pairs for a field, "" first, each word in the reader's language when it is shown."""
    return [("", _("all")), *((str(value), _(word)) for value, word in words.items())]


def _day() -> forms.DateInput:
    return forms.DateInput({"type": "date"}, format="%Y-%m-%d")


class LedgerForm(forms.Form):
    """What of the ledger is asked for; days are the clinic's."""

    kind = forms.ChoiceField(label=_("What"), choices=_choices(KINDS), required=False)
    channel = forms.ChoiceField(label=_("Way"), choices=_choices(CHANNELS), required=False)
    status = forms.ChoiceField(
        label=_("What became of it"),
        choices=_choices({each: word for each, (_l, word) in STATES.items()}),
        required=False,
    )
    since = forms.DateField(label=_("From"), widget=_day(), required=False)
    until = forms.DateField(label=_("Until"), widget=_day(), required=False)

    def clean(self) -> dict[str, Any]:
        """Days within the years that the service knows."""
        for name in ("since", "until"):
            day = self.cleaned_data.get(name)
            if day is not None and not FIRST_YEAR < day.year < LAST_YEAR:
                self.add_error(name, _("The service does not know that year."))
        return self.cleaned_data

    def asked(self, site: Site) -> dict[str, str]:
        """The same as the query of `notifications/`."""
        said, zone = self.cleaned_data, ZoneInfo(site.time_zone)
        found = {name: said[name] for name in ("kind", "channel", "status") if said[name]}
        if said["since"]:
            found["from"] = datetime.combine(said["since"], time(), zone).isoformat()
        if said["until"]:
            found["until"] = datetime.combine(said["until"] + timedelta(days=1), time(), zone).isoformat()
        return found


@dataclass(frozen=True)
class Entry:
    """One message as the page shows it."""

    row: Message
    what: str
    way: str
    look: str
    state: str
    why: str
    again: bool


@page_for("notifications.export")
def ledger(request: HttpRequest) -> HttpResponse:
    """The newest messages that the filters let through, `?older=` an id: those before it."""
    user = cast("User", request.user)
    site = site_of(user)
    form = LedgerForm(request.GET if request.GET else {"until": local_date(clock.now(), zone_of(site))})
    if not form.is_valid():
        return page(request, "ledger", 400, site=site, form=form)
    asked = form.asked(site)
    filters = MessageFilters(asked, visible_messages(user), request=cast("Any", SimpleNamespace(user=user)))
    filters.check()
    found = list(_before(filters.qs, user, request.GET.get("older"))[: A_PAGE + 1])
    rows = found[:A_PAGE]
    record_reads(user.pk, Message._meta.db_table, [(each.pk, each.patient_id) for each in rows])
    query = {name: value for name, value in request.GET.items() if name in form.fields and value}
    return page(
        request,
        "ledger",
        site=site,
        form=form,
        entries=[_entry(each, may(user, "notifications.resend")) for each in rows],
        older=urlencode(query | {"older": str(rows[-1].pk)}) if len(found) > A_PAGE else "",
        query=urlencode(query),
        csv=f"{reverse('notifications-export')}?{urlencode(asked)}",
        json=f"{reverse('notifications-list')}?{urlencode(asked)}",
    )


def _before(found: QuerySet[Message], user: User, older: str | None) -> QuerySet[Message]:
    """Newest first; those after the message `older` in that order. Raises NotFound for one that is out of sight."""
    found = found.select_related("patient__site", "recipient").order_by("-due_at", "-id")
    if older is None:
        return found
    wanted = as_uuid(older)
    last = visible_messages(user).filter(pk=wanted).first() if wanted is not None else None
    if last is None:
        raise NotFound
    return found.filter(Q(due_at__lt=last.due_at) | Q(due_at=last.due_at, id__lt=last.pk))


def _entry(row: Message, may_resend: bool) -> Entry:
    look, state = STATES[Status(row.status)]
    again = may_resend and row.status not in resending.UNDER_WAY
    way = gettext(CHANNELS[row.channel])
    return Entry(row, kind_words(row.kind), way, look, gettext(state), reason_words(row.reason), again)


def kind_words(kind: str) -> str:
    """What a message of this kind is: "Reminder 24 h" for `reminder_24h`."""
    try:
        base = wordings.kind_of(kind)
    except KeyError:
        base = kind.partition("_")[0]
    known = base.partition("_")[0] if base.startswith("reply") else base
    rest = "" if known == "alert" else kind.removeprefix(base).removesuffix("_again")
    words = " ".join(filter(None, [gettext(KINDS.get(known, known)), *_when_words(rest)]))
    return gettext("%(message)s, asked once more") % {"message": words} if kind.endswith("_again") else words


def _when_words(rest: str) -> Iterator[str]:
    """What stands behind a kind's name, in words: the form, the hours, the day and the time of day."""
    if found := WALL_TIME.fullmatch(rest):
        days, hour, minute = found.groups()
        yield gettext("%(days)s d before at %(time)s") % {"days": days, "time": f"{hour}:{minute}"}
        return
    for part in rest.strip("_").replace("series_end", "end").split("_"):
        if hours := HOURS.fullmatch(part):
            yield f"{hours[1]} h"
        else:
            yield gettext(PARTS[part]) if part in PARTS else part.upper()


def template_words(kind: str) -> str:
    """What messages of this wording are."""
    if kind.startswith("several_"):
        return gettext("Several in one: %(what)s") % {"what": template_words(kind.removeprefix("several_"))}
    return gettext(TEMPLATES.get(kind) or KINDS.get(kind, kind))


def reason_words(reason: str) -> str:
    """Why, in words; what a carrier said is shown as it was said."""
    return gettext(REASONS[reason]) if reason in REASONS else reason.replace("_", " ")


@page_for("notifications.resend", "POST")
def resend(request: HttpRequest, message: str) -> HttpResponse:
    """Say it once more; or why not."""
    user = cast("User", request.user)
    found = visible_messages(user).filter(pk=message).first()
    if found is None:
        raise NotFound
    try:
        resending.resend(found.pk, clock.now())
        messages.success(request, gettext("It goes out once more, within moments."))
    except (Conflict, RuleBroken, TooMany) as refused:
        why = reason_words(refused.code)
        messages.warning(request, gettext("It is not sent again: %(why)s.") % {"why": why})
    back = request.POST.get("back", "")
    return redirect(f"{reverse('web:ledger')}?{back}" if back else reverse("web:ledger"))
