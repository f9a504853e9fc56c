"""A clinic in the middle of its work: a record in each state that an address can name, so that every operation can be
tried with a request that would succeed, and with one changed in a single point.

Made once a module, in a transaction around all of its tests; each test's own is within it, and what it does is undone.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from rest_framework.test import APIClient

from accounts import clock, invitations
from accounts.models import AuditEntry, Role, SecondFactor, Site, User
from notifications import feeds
from notifications.follow_ups import new_link, revoke_links
from notifications.models import Alert, FlagRule, FollowUp, Message, Reply, Roster, Wording
from scheduler.models import AvailabilityRule, ChairClosure, GateDefinition, Provider, SiteClosure, TimeOff
from scheduler.planner import Wishes
from sessions import applying, disruptions, lifecycle, waitlist
from sessions.models import Disruption, Offer, Order, Plan, Series, SeriesStatus, Session, WaitlistEntry
from sessions.planning import PlanRequest, propose
from sessions.rest import propose_rest
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.factories import Clinic

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MET = {"consent": {"outcome": "met"}, "escort": {"outcome": "met", "said_by": "patient"}}
# Not compared: what reading leaves behind on purpose, and sign-ins.
NOT_DIGESTED = ("accounts_auditentry", "knox_authtoken", "django_migrations")


@dataclass
class World:
    """`ids` are the records by name; `by_role` those that stand in for them when that role asks."""

    clinic: Clinic
    monday: datetime
    ids: dict[str, str] = field(default_factory=dict)
    by_role: dict[str, dict[str, str]] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    clients: dict[str | None, APIClient] = field(default_factory=dict)

    def day(self, number: int, *, hours: float = 0) -> datetime:
        """10 or 9 in the morning, by season, so many days after a Monday two weeks from now; `hours` later."""
        return self.monday + number * DAY + hours * HOUR

    def names(self, role: str) -> dict[str, str]:
        """Names -> ids as this role uses them."""
        return self.ids | self.by_role.get(role, {})

    def client(self, role: str | None) -> APIClient:
        """A client of the clinic's person with this role, or of another one in `users`; None: not signed in.

        One for each, without cookies: a new one would load all middleware anew.
        """
        if role not in self.clients:
            made = APIClient(enforce_csrf_checks=True, raise_request_exception=False)
            if role is not None:
                made.credentials(HTTP_AUTHORIZATION=f"Bearer {self.tokens[role]}")
            self.clients[role] = made
        self.clients[role].cookies.clear()
        return self.clients[role]


def digest(*besides: str) -> dict[str, str]:
    """Table -> hash of all its rows; of the audit trail, the entries that are no reads."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = sorted({name for (name,) in cursor.fetchall()} - {*NOT_DIGESTED, *besides})
        each = [
            f"SELECT '{table}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t"
            for table in tables
        ]
        each.append("SELECT 'changes', count(*)::text FROM accounts_auditentry WHERE action <> 'read'")
        cursor.execute(" UNION ALL ".join(each))
        found = dict(cursor.fetchall())
    if "infusion_sessions_plan" in besides:
        # Plans are in the trail; where they may be written, so may their entries.
        found.pop("changes")
    return found


def reads(actor: User, patient: str) -> int:
    """How often the trail says that this person was shown something of this patient."""
    return AuditEntry.objects.filter(action="read", actor=actor.pk, patient_id=patient).count()


@contextmanager
def open_world() -> Iterator[tuple[World, World]]:
    """Two clinics of two organizations in full work, as long as the block lasts."""
    with transaction.atomic():
        try:
            yield make_world(), make_world()
        finally:
            transaction.set_rollback(True)


def make_world() -> World:
    """Save a clinic and all that `World.ids` names."""
    clinic = factories.make_clinic()
    ahead = clock.now() + timedelta(days=14)
    monday = datetime(ahead.year, ahead.month, ahead.day, 15, tzinfo=UTC) + (7 - ahead.weekday()) % 7 * DAY
    world = World(clinic, monday, users=dict(clinic.users))
    _people(world)
    _supply(world)
    _treatments(world)
    _visits(world)
    _crowded_days(world)
    _plans(world)
    _messages(world)
    _talk(world)
    _changes(world)
    world.tokens = {role: factories.make_token(user) for role, user in world.users.items()}
    return world


def _people(world: World) -> None:
    clinic, organization = world.clinic, world.clinic.organization
    spare = factories.make_site(organization, clinic.users["admin"])
    spare.staff.set(user for role, user in clinic.users.items() if role != Role.PATIENT)
    neighbour, unknown = (factories.make_user(organization, Role.PATIENT) for _ in range(2))
    everything_but_admin = (Role.FRONT_DESK, Role.NURSE, Role.PRESCRIBER, Role.MANAGER, Role.AUDITOR)
    other_site = factories.make_site(organization, clinic.users["admin"])
    world.users |= {
        "neighbour": neighbour,
        "holder": factories.make_user(organization, Role.FRONT_DESK, sites=(clinic.site,)),
        "elsewhere": factories.make_user(organization, *everything_but_admin, sites=(other_site,)),
    }
    world.ids |= {
        "organization": str(organization.pk),
        "site": str(clinic.site.pk),
        "spare_site": str(spare.pk),
        "patient": str(clinic.patient.pk),
        "neighbour": str(factories.make_patient(clinic.site, user=neighbour).pk),
        "free_sign_in": str(unknown.pk),
        "colleague": str(clinic.users["nurse"].pk),
    }
    _staff(world)
    _allow_approval(clinic)


def _staff(world: World) -> None:
    """A colleague with a second factor, one who has left, and who is invited."""
    clinic = world.clinic
    people = [factories.make_user(clinic.organization, Role.NURSE, sites=(clinic.site,)) for _ in range(2)]
    world.ids |= {"person": str(people[0].pk), "left_person": str(people[1].pk)}
    SecondFactor.objects.create(user=people[0], secret="sealed", last_step=0, set_up_at=clock.now())
    User.objects.filter(pk=people[1].pk).update(is_active=False)
    who = {"name": "Invited", "roles": [Role.NURSE], "sites": [clinic.site]}
    for name in ("invitation", "withdrawn_invitation"):
        made = invitations.invite(clinic.users["admin"], {"email": f"{name}@example.org", **who}, clock.now())
        world.ids[name] = str(made.pk)
    invitations.withdraw(clinic.users["admin"], made, clock.now())


def _allow_approval(clinic: Clinic) -> None:
    clinic.organization.approver_roles = [Role.PRESCRIBER, Role.MANAGER, Role.ADMIN]
    clinic.organization.save()


def _supply(world: World) -> None:
    clinic = world.clinic
    chair = factories.make_chair(clinic.site)
    chair.is_active = False
    chair.save()
    sunday = {"weekday": 6, "start_time": time(8), "end_time": time(12), "effective_from": date(2020, 1, 1)}
    later = DateTimeTZRange(world.day(200), world.day(200, hours=4))
    for role, provider in (("nurse", clinic.nurses[0]), ("prescriber", clinic.prescriber)):
        world.by_role[role] = {
            "own_provider": str(provider.pk),
            "rule": str(AvailabilityRule.objects.create(provider=provider, **sunday).pk),
            "time_off": str(TimeOff.objects.create(provider=provider, during=later).pk),
        }
    world.ids |= world.by_role["nurse"]
    world.ids |= {
        "chair": str(chair.pk),
        "chair_closure": str(ChairClosure.objects.create(chair=chair, during=later, reason="Repair").pk),
        "site_closure": str(SiteClosure.objects.create(site=clinic.site, during=later, reason="Holiday").pk),
        "provider": str(clinic.nurses[0].pk),
        "spare_provider": str(factories.make_provider(clinic.site, weekdays=range(0)).pk),
    }


def _treatments(world: World) -> None:
    clinic, prescriber = world.clinic, world.clinic.users["prescriber"]
    order = factories.make_order(clinic.patient, clinic.protocol, prescriber)
    gate = GateDefinition.objects.create(
        organization=clinic.organization, gate="escort", rule="Somebody comes along", at=["start"], patient_may=True
    )
    world.ids |= {
        "gate_definition": str(gate.pk),
        "protocol": str(clinic.protocol.pk),
        "draft": str(factories.make_protocol(clinic.organization, None).pk),
        "retired": str(factories.make_protocol(clinic.organization, prescriber, status="retired").pk),
        "order": str(order.pk),
    }


def _visits(world: World) -> None:
    """A session of the patient in each state, each in a series of its own."""
    clinic = world.clinic
    gated = factories.make_protocol(clinic.organization, clinic.users["prescriber"], gates=["consent", "escort"])
    factories.make_order(clinic.patient, gated, clinic.users["prescriber"])

    def visit(name: str, start: datetime, **fields: Any) -> Session:
        series = clinic.series(clinic.patient, gated)
        world.ids[name] = str((made := clinic.session(start, series=series, **fields)).pk)
        Session.objects.filter(pk=made.pk).update(gates=MET)
        return made

    visit("booked", world.day(0))
    visit("confirmed", world.day(1), status="confirmed")
    visit("arrived", world.day(2), status="arrived")
    infusing = visit("infusing", world.day(3), status="infusing")
    begun = {name: clock.now() - HOUR for name in ("infusion_started_at", "rate_since")}
    Session.objects.filter(pk=infusing.pk).update(arrived_at=clock.now() - 2 * HOUR, **begun)
    paused = visit("paused", world.day(4), status="infusing")
    Session.objects.filter(pk=paused.pk).update(paused_at=clock.now())
    visit("recovering", world.day(5), status="recovering")
    visit("overdue", clock.now() - 20 * HOUR)
    visit("completed", clock.now() - 60 * HOUR, status="completed")
    lifecycle.cancel(visit("cancelled", world.day(6)), "moved away", clinic.users["front_desk"], clock.now())
    active = visit("of_active_series", world.day(12)).series
    review = visit("of_series_for_review", world.day(9), status="confirmed").series
    Series.objects.filter(pk=review.pk).update(status=SeriesStatus.NEEDS_REVIEW)
    over = Session.objects.get(pk=world.ids["cancelled"]).series_id
    world.ids |= {"series": str(active.pk), "review": str(review.pk), "series_over": str(over)}
    _spaced(world)


def _spaced(world: World) -> None:
    """Two sessions three days apart; and two of a phase that may last four days in all."""
    clinic = world.clinic
    close = factories.phase()["spacing"] | {"max_span_days": 4}
    spanned = factories.make_protocol(
        clinic.organization, clinic.users["prescriber"], factories.phase(sessions=2, spacing=close)
    )
    for name, protocol, first in (("spaced", clinic.protocol, 7), ("spanned", spanned, 8)):
        series = clinic.series(clinic.patient, protocol)
        clinic.session(world.day(first), series=series)
        world.ids[name] = str(clinic.session(world.day(first + 3, hours=4), series=series).pk)


def _crowded_days(world: World) -> None:
    """Day 14: every chair is taken. 15: a chair is free and no nurse. 16: closed. 17, 18: a kind of staff is off."""
    clinic = world.clinic
    for chair, nurse, minutes in zip(clinic.chairs, (0, 0, 0, 1, 1), (-60, -30, 0, -45, -15), strict=True):
        start = world.day(14) + timedelta(minutes=minutes)
        clinic.session(start, chair=chair, nurse=clinic.nurses[nurse], acuity=1)
    for chair, nurse, minutes in zip(clinic.chairs, (0, 0, 1, 1), (-60, -30, -45, -15), strict=False):
        start = world.day(15) + timedelta(minutes=minutes)
        clinic.session(start, chair=chair, nurse=clinic.nurses[nurse], acuity=4)

    def whole(day: int) -> DateTimeTZRange:
        return DateTimeTZRange(world.day(day, hours=-6), world.day(day, hours=12))

    SiteClosure.objects.create(site=clinic.site, during=whole(16), reason="Holiday")
    for provider, day in ((clinic.nurses[0], 17), (clinic.nurses[1], 17), (clinic.prescriber, 18)):
        TimeOff.objects.create(provider=provider, during=whole(day))


def _plans(world: World) -> None:
    clinic, now = world.clinic, clock.now()
    patient = clinic.users["patient"]

    def proposed(first: int) -> Plan:
        wishes = Wishes(earliest=world.day(first).date(), latest=world.day(first + 40).date())
        return propose(PlanRequest(clinic.site, clinic.protocol, clinic.patient, wishes, limit=1), patient, now).plans[
            0
        ]

    def copied(plan: Plan, **fields: Any) -> str:
        values = {each.attname: getattr(plan, each.attname) for each in Plan._meta.concrete_fields if each.name != "id"}
        return str(Plan.objects.create(**(values | fields)).pk)

    plan, clashing = proposed(21), proposed(70)
    series = Series.objects.get(pk=world.ids["series"])
    found = propose_rest(series, Wishes(world.day(60).date(), world.day(90).date()), None, 1, patient, now)
    world.ids["rest_plan"] = str(found.plans[0].pk)
    clinic.session(
        datetime.fromisoformat(clashing.sessions[1]["start"]),
        series=clinic.series(clinic.patient),
        chair=clinic.room,
        nurse=clinic.nurses[1],
    )
    held = {"held_by_id": world.users["holder"].pk, "held_until": now + HOUR, "expires_at": now + DAY}
    world.ids |= {
        "plan": str(plan.pk),
        "clashing_plan": str(clashing.pk),
        "expired_plan": copied(plan, expires_at=now - HOUR),
        "booked_plan": copied(plan, booked_as_id=world.ids["series"]),
        "held_plan": copied(clashing, **held, patient_id=None),
    }
    for _ in range(4):
        copied(plan, **held, patient_id=None, sessions=[])
    order = Order.objects.get(pk=world.ids["order"])
    assert order.sessions == len(plan.sessions)


def _talk(world: World) -> None:
    """Words of the site's own, a text that came in, and calendars of the patient and of those who treat."""
    clinic = world.clinic

    def wording(name: str, kind: str) -> None:
        made = Wording.objects.create(
            site=clinic.site, kind=kind, channel="sms", language="en", body="{clinic}: {day}."
        )
        world.ids[name] = str(made.pk)

    wording("wording", "receipt")
    wording("spare_wording", "change")
    reply = Reply.objects.create(
        sid=f"SM{next(factories.numbers)}", number="+15005550006", patient=clinic.patient, kind="other", status="open",
        text="Running late",
    )  # fmt: skip
    world.ids["reply"] = str(reply.pk)
    made, url = feeds.give(clinic.users["front_desk"], {"patient": clinic.patient})
    world.ids |= {"feed": str(made.pk), "calendar_token": url.rpartition("/")[2].removesuffix(".ics")}
    for role, provider in (("nurse", clinic.nurses[0]), ("prescriber", clinic.prescriber)):
        world.by_role[role]["feed"] = str(feeds.give(world.users["manager"], {"provider": provider})[0].pk)


def _changes(world: World) -> None:
    """A draft of an absence for each who may apply one, one that is applied; a wish on the waitlist, and an offer."""
    clinic, now = world.clinic, clock.now()
    manager = clinic.users["manager"]

    def absent(provider: Provider, day: int) -> Disruption:
        during = (world.day(day, hours=-2), world.day(day, hours=8))
        return disruptions.draft("provider_absence", clinic.site, during, "ill", manager, now, provider=provider)

    for day in (110, 117):
        clinic.session(world.day(day), series=clinic.series(clinic.patient))
    world.by_role["prescriber"] |= {
        "disruption": str(absent(clinic.prescriber, 111).pk),
        "applied_disruption": str(applying.apply(absent(clinic.prescriber, 112), manager, now).pk),
    }
    world.ids |= {
        "disruption": str(absent(clinic.nurses[0], 110).pk),
        "applied_disruption": str(applying.apply(absent(clinic.nurses[0], 117), manager, now).pk),
        "replaced_disruption": str(_replaced(absent(clinic.nurses[0], 124)).pk),
    }
    session = Session.objects.select_related("series__protocol", "site").get(pk=world.ids["booked"])
    wish: dict[str, Any] = {"earliest": world.day(-2).date(), "latest": world.day(4).date()}
    entry = waitlist.enter(clinic.patient, manager, now, session=session, **wish)
    start = world.day(0, hours=-1)
    offer = Offer.objects.create(
        entry=entry, patient=clinic.patient, site=clinic.site, session=session, start=start,
        end=start + (session.end - session.start), expires_at=now + DAY,
    )  # fmt: skip
    world.ids |= {"entry": str(entry.pk), "offer": str(offer.pk)}
    protocol = factories.make_protocol(clinic.organization, clinic.users["prescriber"])
    over = waitlist.enter(clinic.patient, manager, now, protocol=protocol, **wish)
    WaitlistEntry.objects.filter(pk=over.pk).update(status="expired")
    plan = Plan.objects.get(pk=world.ids["plan"])
    lost = {"entry": over, "patient": clinic.patient, "site": clinic.site, "plan": plan, "start": start, "end": start}
    for name, status in (("gone_offer", "gone"), ("expired_offer", "expired"), ("declined_offer", "declined")):
        world.ids[name] = str(Offer.objects.create(**lost, status=status, expires_at=now + DAY).pk)
    world.ids["over_entry"] = str(over.pk)


def _replaced(disruption: Disruption) -> Disruption:
    """The draft, replaced by itself made anew."""
    fresh = Disruption.objects.get(pk=disruption.pk)
    fresh.pk = None
    fresh.save()
    Disruption.objects.filter(pk=disruption.pk).update(status="replaced", replaced_by=fresh)
    return disruption


def _messages(world: World) -> None:
    """Messages that failed and that are due; check-ins open, answered, expired, and of a visit that was cancelled."""
    clinic, now = world.clinic, clock.now()

    def message(name: str, session: str, **fields: Any) -> None:
        visit = Session.objects.get(pk=world.ids[session])
        base = {"kind": "reminder_24h", "channel": "email", "speaks_of": visit.start, "not_after": visit.start}
        made = Message.objects.create(
            session=visit, patient=visit.patient, due_at=now - HOUR, try_at=now + DAY, **base, **fields
        )
        world.ids[name] = str(made.pk)

    message("message", "confirmed", status="failed")
    message("due_message", "booked")

    def follow_up(name: str, session: str, **fields: Any) -> FollowUp:
        visit = Session.objects.get(pk=world.ids[session])
        values = {"instrument": "PEG", "due_at": now - 30 * HOUR, "expires_at": now + 5 * DAY, "hours_after": 0}
        asked = FollowUp.objects.create(session=visit, patient=visit.patient, **(values | fields))
        world.ids |= {name: str(asked.pk), f"{name}_token": new_link(asked).rstrip("/").rpartition("/")[2]}
        return asked

    follow_up("follow_up", "completed")
    follow_up("expired", "completed", expires_at=now - HOUR, hours_after=1)
    follow_up("not_asked", "cancelled")
    revoke_links(follow_up("revoked", "completed", hours_after=3), now)
    answers = {"peg_pain": 9, "peg_enjoyment": 9, "peg_activity": 9}
    answered = follow_up("answered", "completed", hours_after=2, answered_at=now, answers=answers, score=9)

    def alert(name: str, **fields: Any) -> None:
        people = {"patient": answered.patient, "session": answered.session, "owner": clinic.users["prescriber"]}
        made = Alert.objects.create(follow_up=answered, kind=name, level="urgent", **people, **fields)
        world.ids[name] = str(made.pk)

    alert("alert")
    alert("owned_alert", status="acknowledged", acknowledged_at=now)
    done = {"closed_at": now, "closed_by": clinic.users["nurse"], "outcome": "seen"}
    alert("closed_alert", status="closed", acknowledged_at=now, **done)
    policy = {"level": "urgent", "act_minutes": 60, "escalate_minutes": 10, "source": "Our own policy"}
    rule = FlagRule.objects.create(organization=clinic.organization, kind="high_score", **policy)
    world.ids |= {
        "clinician": str(clinic.users["prescriber"].pk),
        "roster": str(Roster.objects.create(site=clinic.site).pk),
        "flag_rule": str(rule.pk),
        "message_plan": str(clinic.site.message_plan.pk),
    }
    assert Site.objects.filter(pk=world.ids["site"]).exists()
