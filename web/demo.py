"""The demo clinic: a pain clinic in Chicago with some weeks behind and before it, made by the use cases themselves.

Dates are relative to the day on which it is made. Everybody and everything in it is invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from django.contrib.auth.hashers import make_password
from django.db import transaction

from accounts import clock
from accounts.models import Organization, Patient, Role, Site, User
from notifications import alerts, follow_ups, instruments, reconcile
from notifications.models import FollowUp
from scheduler.catalogue import entry
from scheduler.gates import gates_of
from scheduler.models import AvailabilityRule, Chair, ChairKind, Protocol, Provider, ProviderRole
from scheduler.planner import Wishes
from scheduler.protocols import create_protocol
from scheduler.sites import create_site
from scheduler.walltime import local_date
from sessions import gates, infusion, lifecycle, planning
from sessions.booking import book_series
from sessions.discharge import Leaving, discharge
from sessions.facts import zone_of
from sessions.models import Series, Session
from sessions.observation import record_vitals
from sessions.orders import prescribe
from sessions.waitlist import enter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME: Final = "Lakeshore Pain Clinic"
PASSWORD: Final = "demo-demo-demo"  # noqa: S105  (printed at every start, and only in development)
SIGN_INS: Final = {
    "patient": Role.PATIENT,
    "frontdesk": Role.FRONT_DESK,
    "nurse": Role.NURSE,
    "prescriber": Role.PRESCRIBER,
    "manager": Role.MANAGER,
    "auditor": Role.AUDITOR,
    "admin": Role.ADMIN,
}
CHAIRS: Final = (
    *((f"Recliner {number}", ChairKind.RECLINER) for number in range(1, 6)),
    ("Bed 1", ChairKind.BED),
    ("Bed 2", ChairKind.BED),
    ("Quiet room", ChairKind.PRIVATE_ROOM),
)
# Name, weekdays, shift: each weekday is staffed differently.
NURSES: Final = (
    ("Ana Flores, RN", (0, 1, 2, 3), time(7), time(17, 30)),
    ("Ben Okafor, RN", (0, 1, 3, 4), time(8), time(18, 30)),
    ("Carla Jensen, RN", (1, 2, 4), time(7), time(18, 30)),
    ("Dev Patel, RN", (0, 2, 3, 4, 5), time(8), time(16)),
)
PRESCRIBERS: Final = (
    ("Dr. Elin Novak", (0, 1, 2, 3, 4), time(7), time(18, 30)),
    ("Frank Ruiz, NP", (1, 3, 5), time(8), time(16)),
)
# Given name, family name, birth date, protocol, days from today to the earliest first visit.
PATIENTS: Final = (
    ("Rosa", "Whitfield", date(1961, 4, 2), "KET-CRPS", -13),
    ("Theo", "Marsh", date(1978, 11, 23), "KET-TRD-2W", -17),
    ("Imani", "Cole", date(1990, 7, 9), "KET-TRD-2W", -9),
    ("Peter", "Lindqvist", date(1955, 1, 30), "KET-NEURO", -20),
    ("Joan", "Abara", date(1969, 9, 14), "KET-FIBRO-L", -12),
    ("Miguel", "Santos", date(1984, 3, 3), "KET-PTSD", -8),
    ("Hana", "Kimura", date(1972, 12, 19), "IFX-IND", -20),
    ("Walter", "Brandt", date(1948, 6, 27), "FE-NDD", -4),
    # Daily ones, so that today's board is never empty on a weekday.
    ("Nora", "Quist", date(1959, 12, 3), "KET-CRPS", -5),
    ("Amir", "Daoud", date(1974, 4, 21), "KET-CRPS", -2),
    ("Ines", "Moreau", date(1987, 6, 8), "KET-NEURO", -1),
    ("Paul", "Ekberg", date(1951, 10, 16), "KET-NEURO", 0),
    ("Vera", "Stone", date(1992, 1, 5), "KET-PTSD", 0),
    ("Lena", "Fischer", date(1995, 2, 11), "IFX-IND", 1),
    ("Omar", "Haddad", date(1981, 8, 5), "KET-CRPS", 2),
    ("Grace", "Oduya", date(1966, 5, 17), "KET-FIBRO-L", 3),
    ("Sam", "Pruitt", date(1988, 10, 1), "KET-NEURO", 6),
)
# What none of them answers but where it is told below.
NEVER: Final = frozenset({"phq9_9", "dissociation", "chest_pain", "breathing", "fainting"})
# Family name, visit, questionnaire, hours after: what was answered otherwise, and what was done about it ("": taken on
# and not closed yet; None: open).
WORRIES: Final[dict[tuple[str, int, str, int], tuple[dict[str, int], str | None]]] = {
    ("Marsh", 1, "PHQ-9", 168): (
        {"phq9_9": 1},
        "Called within the hour: thoughts of weeks ago, none now. Safety plan.",
    ),
    ("Marsh", 2, "side-effects", 24): ({"headache": 3}, "Called: paracetamol, water, gone by the evening."),
    ("Whitfield", 2, "NRS", 24): ({"nrs_pain": 8}, "Called: a bad night, 5 again by noon. No change of plan."),
    ("Cole", 1, "side-effects", 4): ({"dissociation": 1}, "Called: her sister was with her, clear an hour later."),
    ("Santos", 1, "side-effects", 4): ({"nausea": 3}, ""),
    ("Quist", 1, "NRS", 24): ({"nrs_pain": 8}, None),
}
AHEAD: Final = timedelta(days=75)
READ_EVERY: Final = timedelta(minutes=10)
READINGS: Final = (
    {"systolic": 124, "diastolic": 78, "heart_rate": 71, "spo2": 98},
    {"systolic": 136, "diastolic": 84, "heart_rate": 80, "spo2": 97},
)


@dataclass(frozen=True)
class People:
    """Who acts in the demo's past."""

    desk: User
    nurse: User
    prescriber: User


def make() -> bool:
    """Make the demo clinic; False where there is one. Either all of it is made or nothing."""
    if Organization.objects.filter(name=NAME).exists():
        return False
    now = clock.now()
    with transaction.atomic():
        organization = Organization.objects.create(
            name=NAME, approver_roles=[Role.PRESCRIBER, Role.MANAGER, Role.ADMIN]
        )
        secret = make_password(PASSWORD)
        users = {name: _user(organization, name, role, secret) for name, role in SIGN_INS.items()}
        site = _site(organization, users)
        protocols = _protocols(users["prescriber"])
        people = People(users["frontdesk"], users["nurse"], users["prescriber"])
        for row in PATIENTS:
            series = _series(site, protocols, row, people, now)
            _live_through(series, people, now)
        _sign_in_as_first_patient(site, users["patient"], protocols, people, now)
        _waitlist(site, protocols, people, now)
    return True


def _user(organization: Organization, name: str, role: Role, secret: str) -> User:
    """One sign-in. All share one hash, since hashing is slow by design."""
    return User.objects.create(
        email=f"{name}@demo.example",
        password=secret,
        name=f"Demo {name}",
        organization=organization,
        roles=[role],
    )


def _site(organization: Organization, users: dict[str, User]) -> Site:
    hours = [{"weekday": weekday, "opens": time(7, 30), "closes": time(18)} for weekday in range(5)]
    hours.append({"weekday": 5, "opens": time(8), "closes": time(14)})
    values = {"name": NAME, "time_zone": "America/Chicago", "phone": "+13125550142", "opening_hours": hours}
    site = create_site(users["prescriber"], values)
    site.staff.add(*(user for user in users.values() if Role.PATIENT not in user.roles))
    Chair.objects.bulk_create(Chair(site=site, name=name, kind=kind) for name, kind in CHAIRS)
    for number, row in enumerate(NURSES):
        _provider(site, ProviderRole.NURSE, row, 4, 8, users["nurse"] if number == 0 else None)
    for number, row in enumerate(PRESCRIBERS):
        _provider(site, ProviderRole.PRESCRIBER, row, 8, None, users["prescriber"] if number == 0 else None)
    return site


def _provider(
    site: Site,
    role: ProviderRole,
    row: tuple[str, tuple[int, ...], time, time],
    capacity: int,
    max_acuity: int | None,
    user: User | None,
) -> None:
    name, weekdays, start, end = row
    provider = Provider.objects.create(
        site=site, role=role, name=name, capacity=capacity, max_acuity=max_acuity, user=user
    )
    AvailabilityRule.objects.bulk_create(
        AvailabilityRule(
            provider=provider, weekday=weekday, start_time=start, end_time=end, effective_from=date(2020, 1, 1)
        )
        for weekday in weekdays
    )


def _protocols(prescriber: User) -> dict[str, Protocol]:
    """What the patients below follow: taken from the catalogue, and approved by the clinic's prescriber."""
    codes = dict.fromkeys(row[3] for row in PATIENTS)
    return {code: create_protocol(prescriber, {**entry(code), "status": "approved"}) for code in codes}


def _series(
    site: Site,
    protocols: dict[str, Protocol],
    row: tuple[str, str, date, str, int],
    people: People,
    now: datetime,
) -> Series:
    """Plan and book one patient's series, as it would have been done two days before its first day."""
    given, family, born, code, offset = row
    patient = Patient.objects.create(
        site=site,
        given_name=given,
        family_name=family,
        birth_date=born,
        email=f"{given}.{family}@demo.example".lower(),
        phone="+13125550100",
    )
    then = min(now, now + timedelta(days=offset - 2))
    first = local_date(now, zone_of(site)) + timedelta(days=offset)
    wishes = Wishes(earliest=first, latest=first + AHEAD, same_time_of_day=True)
    request = planning.PlanRequest(site=site, protocol=protocols[code], patient=patient, wishes=wishes, limit=1)
    plan = planning.propose(request, people.desk, then).plans[0]
    return book_series(plan, patient, protocols[code], people.desk, then)


def _live_through(series: Series, people: People, now: datetime) -> None:
    """Play the sessions up to now: those behind us with most check-ins answered, today's as far as they have come."""
    asked = [gate.name for gate in gates_of([series.protocol])[series.protocol_id]]
    for session in Session.objects.filter(series=series, start__lt=now).order_by("sequence"):
        _live(session, asked, people, now)
        if session.turnover_end < now:
            reconcile.reconcile(session.end + _late(session))
            _answer(session, people, now)


def _waitlist(site: Site, protocols: dict[str, Protocol], people: People, now: datetime) -> None:
    """Two who wait: one would come sooner than booked, one for a whole course."""
    today = local_date(now, zone_of(site))
    sooner = Session.objects.filter(site=site, patient__family_name="Pruitt").select_related("patient__site", "site")
    # The first visit alone: the others keep their distance to it.
    first = sooner.earliest("start")
    enter(first.patient, people.desk, now, session=first, earliest=today, latest=today + timedelta(days=5))
    new = Patient.objects.create(
        site=site, given_name="Dana", family_name="Okoro", birth_date=date(1975, 3, 8), email="dana.okoro@demo.example"
    )
    mornings = [[0, 12 * 60]]
    until = today + timedelta(days=28)
    enter(new, people.desk, now, protocol=protocols["FE-NDD"], earliest=today, latest=until, time_windows=mornings)


def _late(session: Session) -> timedelta:
    return timedelta(minutes=5 * (session.sequence % 3))


def _live(session: Session, asked: list[str], people: People, now: datetime) -> None:
    """Each step at its time, until the next one lies ahead."""
    nurse, late = people.nurse, _late(session)
    here, begun, over = (at + late for at in (session.start, session.infuse_start, session.recover_start))
    home = session.end + late
    ready = here + timedelta(minutes=10)
    steps: list[tuple[datetime, Callable[[datetime], object]]] = [
        (session.start - timedelta(hours=20), lambda at: lifecycle.confirm(session, people.desk, at)),
        (here, lambda at: lifecycle.arrive(session, people.desk, at)),
        *((ready, partial(gates.meet_gate, session, gate, "met", "", nurse)) for gate in asked),
        (begun, lambda at: infusion.start(session, nurse, at)),
        *((at, partial(_read, session, nurse)) for at in _times(session, begun, over, now)),
        (over, lambda at: infusion.finish_infusion(session, nurse, at)),
        (home - timedelta(minutes=5), partial(_read, session, nurse)),
        (home, lambda at: discharge(session, Leaving("Robin Example", 10, "aldrete"), nurse, at)),
    ]
    for at, step in steps:
        if at > now:
            return
        step(at)


def _times(session: Session, begun: datetime, over: datetime, now: datetime) -> Iterator[datetime]:
    """When vital signs are read: today as often as it is asked, before that once, to make the demo in good time."""
    if session.turnover_end >= now - timedelta(hours=12):
        yield from (begun + n * READ_EVERY for n in range((over - begun) // READ_EVERY))


def _read(session: Session, nurse: User, at: datetime) -> None:
    record_vitals(session, READINGS[at.minute // 5 % 2], nurse, at)


def _answer(session: Session, people: People, now: datetime) -> None:
    """Answer the check-ins that were due, a little better after each visit; a few of them worry the clinic."""
    for follow_up in FollowUp.objects.filter(session=session, due_at__lt=now - timedelta(hours=6)):
        token = follow_ups.new_link(follow_up).rstrip("/").rpartition("/")[2]
        key = (session.patient.family_name, session.sequence, follow_up.instrument, follow_up.hours_after)
        worry, done = WORRIES.get(key, ({}, None))
        at = follow_up.due_at + timedelta(hours=2)
        follow_ups.answer_follow_up(token, _answers(follow_up.instrument, session.sequence) | worry, at)
        for alert in follow_up.alerts.all() if done is not None else ():
            alerts.acknowledge(alert.pk, people.nurse, at + timedelta(minutes=8))
            if done:
                alerts.close(alert.pk, people.nurse, done, at + timedelta(minutes=25))


def _answers(code: str, visits: int) -> dict[str, int]:
    """Answers that improve with the number of visits and worry nobody."""
    answers = {}
    for number, item in enumerate(instruments.INSTRUMENTS[code].items):
        worst = max(option.value for option in item.options)
        level = max(0, round(worst * 0.6) - visits // 2 - number % 2)
        answers[item.id] = 0 if item.id in NEVER else level
    return answers


def _sign_in_as_first_patient(
    site: Site, user: User, protocols: dict[str, Protocol], people: People, now: datetime
) -> None:
    """The patient who signs in is one with a running series, and has an order for another course."""
    given, family = PATIENTS[1][:2]
    patient = Patient.objects.get(site=site, given_name=given, family_name=family)
    patient.user = user
    patient.email = user.email
    patient.save(update_fields=["user", "email"])
    until = local_date(now, zone_of(site)) + timedelta(days=180)
    prescribe(patient, protocols["KET-FIBRO-L"], 6, until, people.prescriber, now)
