"""Templates of messages on pages: which are the clinic's own, changing one with a preview, and what it was before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEntry, Channel, Site, User
from accounts.queries import staffed_sites
from accounts.refusals import NotFound
from notifications import texts, wordings
from notifications.api.talk_shapes import WordingSerializer
from notifications.models import Wording
from notifications.previews import preview
from scheduler.changes import lock_site
from web.ledger import template_words
from web.pages import page, page_for
from web.people import site_of
from web.record_forms import RecordForm

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

LANGUAGES: Final = {"en": "English", "es": "Español"}
HISTORY: Final = 10


@dataclass(frozen=True)
class Slot:
    """One place for words: a site's message of a kind, by a channel, in a language."""

    site: Site
    kind: str
    channel: str
    language: str

    @property
    def words(self) -> str:
        """What it is, for people: "Reminder, by mail, English"."""
        return f"{template_words(self.kind)} · {self.way}"

    @property
    def way(self) -> str:
        """By which way and in which language: "mail, English"."""
        by = gettext("mail") if self.channel == Channel.EMAIL else gettext("text message")
        return f"{by}, {LANGUAGES[self.language]}"

    def key(self) -> dict[str, str]:
        """The slot as the API names it."""
        return {"kind": self.kind, "channel": self.channel, "language": self.language}

    def own(self) -> Wording | None:
        """The clinic's own words, where it has any."""
        return Wording.objects.filter(site=self.site, **self.key()).first()


class TemplateForm(RecordForm):
    """Subject (mails only) and body, with fields in braces."""

    subject = forms.CharField(label=_("Subject"), max_length=1000, required=False)
    body = forms.CharField(
        label=_("Words"), max_length=8000, required=False, strip=False, widget=forms.Textarea({"rows": 10})
    )

    def __init__(self, slot: Slot, said: wordings.Wording, data: Any = None) -> None:
        super().__init__(data, initial={"subject": said.subject, "body": said.body})
        self.slot = slot
        if slot.channel == Channel.SMS:
            del self.fields["subject"]

    def sent(self) -> dict[str, Any]:
        """The slot and its words; a change may name the slot again."""
        said = self.said()
        return {"site": str(self.slot.site.pk), **self.slot.key(), "subject": said.subject, "body": said.body}

    def said(self) -> wordings.Wording:
        """The wording as it is typed; browsers end lines as telegraphs did."""
        typed = self.cleaned_data
        return wordings.Wording(typed.get("subject", ""), typed["body"].replace("\r\n", "\n").strip())


@page_for("wordings.preview")
def overview(request: HttpRequest) -> HttpResponse:
    """Every template of a site: `?site=`, by default the reader's first; which are the clinic's own is told."""
    user = cast("User", request.user)
    site = site_of(user, request.GET.get("site", ""))
    own = set(Wording.objects.filter(site=site).values_list("kind", "channel", "language"))
    found = []
    for kind, data in wordings.DATA["kinds"].items():
        slots = [
            Slot(site, kind, channel, language)
            for channel in Channel.values
            if channel in data
            for language in LANGUAGES
        ]
        found.append((template_words(kind), [(slot, (kind, slot.channel, slot.language) in own) for slot in slots]))
    sites = list(staffed_sites(user).order_by("name", "id"))
    return page(request, "message_templates", site=site, sites=sites, found=found)


@page_for("wordings.preview", "GET", "HEAD", "POST")
def template(request: HttpRequest, site: str, kind: str, channel: str, language: str) -> HttpResponse:
    """One template: looked at (GET, or POST `look`), saved (`save`), or given up for what is shipped (`default`)."""
    slot = _slot(cast("User", request.user), site, kind, channel, language)
    said = texts.wording_for(slot.site, kind, channel, language)
    form = TemplateForm(slot, said, request.POST if request.method == "POST" else None)
    do = request.POST.get("do", "")
    if request.method == "POST" and do == "default":
        _give_up(slot)
        messages.success(request, gettext("The words that are shipped are used again."))
        return redirect("web:message-template", *_address(slot))
    status = 200
    if form.is_bound:
        if form.is_valid():
            said = form.said()
            if do == "save" and _saved(slot, form, cast("User", request.user)):
                messages.success(request, gettext("Saved. The next message says it so."))
                return redirect("web:message-template", *_address(slot))
        status = 400 if form.errors else 200
    problems = wordings.problems(kind, channel, said)
    if form.is_bound and not form.errors:
        for problem in problems:
            form.put(problem.part, problem.detail)
    return page(
        request,
        "message_template",
        status,
        site=slot.site,
        slot=slot,
        form=form,
        shown=preview(slot.site, kind, channel, language, said, problems),
        own=slot.own(),
        history=_history(slot),
        fields=wordings.FIELDS.items(),
        needs=wordings.DATA["kinds"][kind]["needs"],
    )


def _slot(user: User, site: str, kind: str, channel: str, language: str) -> Slot:
    found = staffed_sites(user).filter(pk=site).first()
    if found is None:
        raise NotFound
    if (
        channel not in wordings.DATA["kinds"].get(kind, {})
        or channel not in Channel.values
        or language not in LANGUAGES
    ):
        raise Http404
    return Slot(found, kind, channel, language)


def _address(slot: Slot) -> tuple[Any, ...]:
    return slot.site.pk, slot.kind, slot.channel, slot.language


@transaction.atomic
def _saved(slot: Slot, form: TemplateForm, user: User) -> bool:
    """Write the words where they may be used; one at a time, since the first own words of a slot are a new record."""
    lock_site(slot.site.pk)
    own = slot.own()
    values = form.judge(WordingSerializer, user, own)
    if values is None:
        return False
    record = own or Wording()
    for name, value in values.items():
        setattr(record, name, value)
    record.save()
    return True


@transaction.atomic
def _give_up(slot: Slot) -> None:
    lock_site(slot.site.pk)
    own = slot.own()
    if own is not None:
        own.delete()


def _history(slot: Slot) -> list[dict[str, Any]]:
    """The latest changes from the audit trail: when, by whom, and the words before (None: those shipped)."""
    trail = AuditEntry.objects.filter(patient_id__isnull=True, record_type=Wording._meta.db_table)
    here = {"site_id": str(slot.site.pk), **slot.key()}
    ids = trail.filter(action="insert", after__contains=here).values("record_id")
    found = list(trail.filter(record_id__in=ids).order_by("-id")[:HISTORY])
    people = {each.pk: each.name for each in User.objects.filter(pk__in=[entry.actor for entry in found])}
    return [
        {
            "at": entry.at,
            "who": people.get(cast("Any", entry.actor), ""),
            "action": entry.action,
            "before": entry.before,
        }
        for entry in found
    ]
