"""A month of a clinic under a fast clock: visits are booked, moved, missed, lived through, and forms are answered.

What the service brought to a mail server and to a carrier is held against what a clerk reads by hand (`clerk.py`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from django.test import override_settings

from accounts import contacts
from accounts.models import Patient
from notifications import delivery, missing, reconcile
from notifications.follow_ups import answer_follow_up, behind
from notifications.instruments import INSTRUMENTS
from notifications.models import Alert, Message, MessagePlan
from scheduler.models import Chair, ChairKind, Provider, ProviderRole
from sessions.models import Series, SeriesStatus, Session
from tests import clerk
from tests.clerk_words import plain, words
from tests.factories import blocks
from tests.fast_clock import fast_clock
from tests.lives import DAY, FIRST_DAY, Said
from tests.notifications.visits import change, discharge, move, protocol_with

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from scheduler.models import Protocol
    from tests.catcher import Catcher
    from tests.factories import Clinic
    from tests.gateway import Gateway
    from tests.lives import Event, Life, Person

REMINDERS = [
    {"hours_before": 72, "channels": ["email"]},
    {"days_before": 1, "at": "10:00", "channels": ["email", "sms"]},
    {"hours_before": 2, "channels": ["sms"]},
]
FOLLOW_UPS = [
    {"instrument": "side-effects", "hours_after": 4},
    {"instrument": "PHQ-2", "hours_after": 72},
    {"instrument": "PEG", "hours_after": 720, "anchor": "series_end"},
    {"instrument": "NRS", "hours_after": 24, "anchor": "before_session"},
]
LINK = re.compile(r"/check-in/([\w-]+)/")
# As a clinic has them that has set nothing; tests of other things have neither.
AS_SHIPPED = {
    "QUIET_HOURS": ("20:00", "09:00"),
    "TEXTS_AT_MOST": dict(zip(("day", "week"), clerk.CONSENTED, strict=True)),
    "TEXTS_WITHOUT_CONSENT": dict(zip(("day", "week"), clerk.NOT_ASKED, strict=True)),
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
}


@dataclass
class Came:
    """What came to one patient: each message, those whose words were not as they should be, and tasks of no answer."""

    said: list[Said] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    tasks: set[tuple[int, str]] = field(default_factory=set)


def play(clinics: tuple[Clinic, Clinic], lives: Sequence[Life], catcher: Catcher, gateway: Gateway) -> list[Came]:
    """Let all this happen, look at every instant at which something happens or falls due; what came to whom.

    The messages come by way of the database, the service's own delivery, a mail server and a carrier's. The first of
    the clinics says how to prepare, the second does not.
    """
    for clinic, hours in zip(clinics, (168, None), strict=True):
        MessagePlan.objects.filter(site=clinic.site).update(
            receipts=True, changes=True, cancellations=True, no_shows=True, preparation_hours=hours, ask_again_hours=4
        )
    where = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": catcher.port, "SMS_URL": gateway.url}
    with override_settings(**AS_SHIPPED, **where), fast_clock() as fast:
        diary = _Diary(clinics, [life.person for life in lives])
        agenda = sorted((e.at, n, k, e) for n, life in enumerate(lives) for k, e in enumerate(life.events))
        fast.set(agenda[0][0])
        while (now := _next(agenda, fast.now)) is not None:
            if fast.now.date() != now.date() or any(each[3].what == "answered" for each in agenda if each[0] == now):
                fast.set(now)
                missing.raise_tasks(now)
            fast.set(now)
            while agenda and agenda[0][0] <= now:
                _, number, _, event = agenda.pop(0)
                diary.enter(number, event)
            while reconcile.reconcile(now):
                pass
            delivery.expire()
            while delivery.send_batch():
                pass
            diary.read(catcher, gateway, now)
        for _ in range(9):
            fast.set(fast.now + DAY)
            missing.raise_tasks(fast.now)
    return diary.came()


def _next(agenda: list[tuple[datetime, int, int, Event]], now: datetime) -> datetime | None:
    """When something happens or falls due next; a day on at the latest."""
    due = Message.objects.filter(status="due", told_with=None).order_by("try_at").values_list("try_at", flat=True)
    times = [*([agenda[0][0]] if agenda else []), *due[:1]]
    return min([*times, now + DAY]) if times else None


class _Diary:
    """The visits of the month, each with people and a chair of its own, and what came to their patients."""

    def __init__(self, clinics: tuple[Clinic, Clinic], people: Sequence[Person]) -> None:
        self._people = people
        self._clinics = [clinics[0] if person.prepares else clinics[1] for person in people]
        protocols: dict[object, Protocol] = {
            clinic.site.pk: protocol_with(clinic, REMINDERS, FOLLOW_UPS) for clinic in clinics
        }
        self.patients = Patient.objects.bulk_create(
            _patient(clinic, number, person)
            for number, (clinic, person) in enumerate(zip(self._clinics, people, strict=True))
        )
        self._series = Series.objects.bulk_create(
            Series(patient=patient, protocol=protocols[patient.site_id], site=patient.site) for patient in self.patients
        )
        self._sessions: dict[tuple[int, int], Session] = {}
        self._keys: dict[UUID | None, tuple[int, int]] = {}
        self._links: dict[tuple[object, str], str] = {}
        self._came = [Came() for _ in people]
        self._of_texts: set[str] = set()

    def enter(self, number: int, event: Event) -> None:
        """Let it happen."""
        clinic, key = self._clinics[number], (number, event.visit)
        if event.what == "booked":
            self._book(number, event)
        elif event.what == "stopped":
            contacts.stop("sms", self.patients[number].phone, event.at)
        elif event.what == "moved":
            assert event.start is not None
            move(clinic, self._sessions[key], event.start, event.at)
        elif event.what == "answered":
            self._answer(self._sessions[key].pk, event)
        elif event.what == "home":
            discharge(self._sessions[key], event.at)
        else:
            kind = {"missed": "no_show"}.get(event.what, event.what)
            change(self._sessions[key], status=kind)
            self._note(key, kind, event.at)
        self._end_of_series(number)

    def _book(self, number: int, event: Event) -> None:
        assert event.start is not None
        series, clinic = self._series[number], self._clinics[number]
        name, site = f"month {number} {event.visit}", clinic.site
        people = {
            role: Provider.objects.create(site=site, name=name, role=role, capacity=3)
            for role in (ProviderRole.NURSE, ProviderRole.PRESCRIBER)
        }
        session = Session.objects.create(
            series=series,
            patient=series.patient,
            site=site,
            phase="induction",
            ordinal=event.visit + 1,
            sequence=event.visit + 1,
            chair=Chair.objects.create(site=site, kind=ChairKind.RECLINER, name=name),
            nurse=people[ProviderRole.NURSE],
            prescriber=people[ProviderRole.PRESCRIBER],
            **blocks(event.start),
        )
        self._sessions[number, event.visit], self._keys[session.pk] = session, (number, event.visit)
        self._note((number, event.visit), "booked", event.at)

    def _note(self, key: tuple[int, int], kind: str, at: datetime) -> None:
        self._sessions[key].events.create(kind=kind, actor=self._clinics[key[0]].users["front_desk"], at=at)

    def _end_of_series(self, number: int) -> None:
        states = {session.status for (whose, _), session in self._sessions.items() if whose == number}
        if states <= {"completed", "cancelled", "no_show"} and "completed" in states:
            Series.objects.filter(id=self._series[number].pk).exclude(status=SeriesStatus.COMPLETED).update(
                status=SeriesStatus.COMPLETED
            )

    def _answer(self, session: object, event: Event) -> None:
        """By the link that came last, if one came; refused where its time is over, as the patient will see."""
        link = self._links.get((session, event.form))
        if link is None or (asked := behind(link)) is None or asked.answered_at or asked.expires_at <= event.at:
            return
        if asked.anchor == "before_session" and asked.session.status not in ("booked", "confirmed"):
            return
        items = INSTRUMENTS[asked.instrument].items
        answer_follow_up(link, {item.id: 0 for item in items if item.required}, event.at)

    def read(self, catcher: Catcher, gateway: Gateway, now: datetime) -> None:
        """All that has come since, each held against the log and against the words that it must have."""
        mails = {
            str(mail.message["Message-ID"])[1:37]: (mail.to, f"{mail.subject}\n{mail.text}")
            for mail in catcher.mails
            if "month" in mail.to
        }
        catcher.mails.clear()
        texts = {key: each for key, each in gateway.texts.items() if key not in self._of_texts}
        self._of_texts |= texts.keys()
        for channel, came in (("email", mails), ("sms", texts)):
            rows = defaultdict(list)
            for row in Message.objects.filter(id__in=came) | Message.objects.filter(told_with__in=list(came)):
                rows[str(row.told_with_id or row.id)].append(row)
            for key, (to, text) in came.items():
                self._take(Said(now, channel, frozenset(map(self._what, rows[key]))), rows[key], to, text)

    def _what(self, row: Message) -> tuple[int, str, datetime]:
        return (self._keys[row.session_id][1], row.kind, row.speaks_of)

    def _take(self, said: Said, rows: Sequence[Message], to: str, text: str) -> None:
        number = self._keys[rows[0].session_id][0]
        patient, came = self.patients[number], self._came[number]
        came.said.append(said)
        held = plain(text)
        if to != (patient.phone if said.channel == "sms" else patient.email) or not all(
            word in held for word in words(said, self._people[number].language)
        ):
            came.wrong.append(text)
        for token in LINK.findall(text):
            asked = behind(token)
            assert asked is not None
            self._links[asked.session_id, asked.instrument.casefold()] = token

    def came(self) -> list[Came]:
        """All that came; nothing is left to say."""
        left = set(Message.objects.filter(session__in=list(self._keys)).values_list("status", flat=True))
        assert left <= {"sent", "skipped"}, left
        for alert in Alert.objects.filter(kind=missing.KIND).select_related("message__follow_up"):
            assert alert.message is not None
            assert alert.message.follow_up is not None
            number, visit = self._keys[alert.session_id]
            self._came[number].tasks.add((visit, alert.message.follow_up.instrument.casefold()))
        return self._came


def _patient(clinic: Clinic, number: int, person: Person) -> Patient:
    return Patient(
        site=clinic.site,
        given_name="Ada",
        family_name=f"Month {number}",
        birth_date=date(1980, 2, 29),
        email=f"month-{number}@example.org",
        phone=f"+1312{5550000 + number:07d}",
        preferred_channels=list(person.wished),
        language=person.language,
        time_zone=person.zone.key,
        quiet_from=person.quiet[0],
        quiet_until=person.quiet[1],
        texting_consent=person.consent,
        texting_consent_at=None if person.consent is None else FIRST_DAY,
    )
