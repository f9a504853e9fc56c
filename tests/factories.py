"""Plain functions that make records for tests, each with sensible values for what a test does not care about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import count
from typing import Any

from django.contrib.auth.hashers import make_password
from knox.models import AuthToken

from accounts import clock
from accounts.models import Organization, Patient, Role, Site, User
from notifications.models import MessagePlan
from scheduler.models import AvailabilityRule, Chair, ChairKind, OpeningHours, Protocol, Provider, ProviderRole
from sessions.models import Order, Series, Session, SessionStatus

PASSWORD = "a long word for tests"
ZONE = "America/Chicago"
MONDAY_TO_SATURDAY = range(6)
LONG_AGO = date(2020, 1, 1)
numbers = count(1)


@cache
def password_hash() -> str:
    """Hash PASSWORD once a run: hashing is slow by design."""
    return make_password(PASSWORD)


def make_organization(*, name: str | None = None) -> Organization:
    """Save an organization with a name of its own."""
    return Organization.objects.create(name=name or f"Organization {next(numbers)}")


def make_user(
    organization: Organization | None, *roles: str, email: str | None = None, sites: tuple[Site, ...] = ()
) -> User:
    """Save a user with these roles, who signs in with PASSWORD."""
    number = next(numbers)
    user = User.objects.create(
        email=email or f"user-{number}@example.org",
        name=f"User {number}",
        password=password_hash(),
        organization=organization,
        roles=list(roles),
    )
    user.sites.set(sites)
    return user


def make_token(user: User) -> str:
    """Sign the user in; return what follows `Bearer`."""
    return str(AuthToken.objects.create(user)[1])


def make_site(organization: Organization, on_call: User, *, name: str | None = None, time_zone: str = ZONE) -> Site:
    """Save a site without opening hours; `on_call` works there. It says what its protocols say and nothing else."""
    site = Site.objects.create(
        organization=organization, name=name or f"Site {next(numbers)}", time_zone=time_zone, on_call=on_call
    )
    site.staff.add(on_call)
    MessagePlan.objects.create(
        site=site,
        receipts=False,
        changes=False,
        cancellations=False,
        no_shows=False,
        preparation_hours=None,
        ask_again_hours=0,
    )
    return site


def make_opening_hours(
    site: Site, *, weekdays: range = MONDAY_TO_SATURDAY, opens: time = time(8), closes: time = time(18)
) -> list[OpeningHours]:
    """Save the same hours for each of these weekdays, in the site's wall time."""
    return OpeningHours.objects.bulk_create(
        OpeningHours(site=site, weekday=weekday, opens=opens, closes=closes) for weekday in weekdays
    )


def make_chair(
    site: Site, *, kind: str = ChairKind.RECLINER, name: str | None = None, features: tuple[str, ...] = ()
) -> Chair:
    """Save a chair."""
    return Chair.objects.create(site=site, kind=kind, name=name or f"Chair {next(numbers)}", features=list(features))


def make_provider(
    site: Site,
    role: str = ProviderRole.NURSE,
    *,
    capacity: int = 3,
    max_acuity: int | None = None,
    user: User | None = None,
    weekdays: range = MONDAY_TO_SATURDAY,
) -> Provider:
    """Save a provider who works 07:00 to 19:00 on these weekdays (none: nobody who works)."""
    provider = Provider.objects.create(
        site=site, name=f"Provider {next(numbers)}", role=role, capacity=capacity, max_acuity=max_acuity, user=user
    )
    make_availability(provider, weekdays=weekdays)
    return provider


def make_availability(
    provider: Provider, *, weekdays: range = MONDAY_TO_SATURDAY, start: time = time(7), end: time = time(19)
) -> list[AvailabilityRule]:
    """Save the same shift for each of these weekdays, in the site's wall time, for ever."""
    return AvailabilityRule.objects.bulk_create(
        AvailabilityRule(provider=provider, weekday=weekday, start_time=start, end_time=end, effective_from=LONG_AGO)
        for weekday in weekdays
    )


def make_patient(site: Site, *, user: User | None = None, email: str | None = None, **fields: Any) -> Patient:
    """Save a patient of the site; `fields` are those of `Patient`."""
    number = next(numbers)
    values: dict[str, Any] = {"given_name": "Ada", "family_name": f"Example{number}", "birth_date": date(1980, 2, 29)}
    return Patient.objects.create(
        site=site, user=user, email=email or f"patient-{number}@example.org", **(values | fields)
    )


def phase(**changes: Any) -> dict[str, Any]:
    """A phase in the contract's shape: six sessions two to five days apart, 30/60/60/15 minutes, with `changes`."""
    standard: dict[str, Any] = {
        "name": "induction",
        "sessions": 6,
        "spacing": {"anchor": "previous", "min_days": 2, "target_days": 3, "max_days": 5},
        "minutes": {"prepare": 30, "infuse": 60, "recover": 60, "turnover": 15},
        "hands_on_minutes": 15,
        "chair": {"kinds": [], "features": []},
        "acuity": 2,
    }
    return standard | changes


def make_protocol(
    organization: Organization,
    approved_by: User | None,
    *phases: dict[str, Any],
    code: str | None = None,
    **fields: Any,
) -> Protocol:
    """Save a protocol of these phases (none: one of `phase()`); approved, or a draft where nobody approved it."""
    code = code or f"P-{next(numbers)}"
    approval: dict[str, Any] = {}
    if approved_by is not None:
        approval = {"status": Protocol.Status.APPROVED, "approved_by": approved_by, "approved_at": clock.now()}
    return Protocol.objects.create(
        organization=organization, code=code, name=code, phases=list(phases) or [phase()], **(approval | fields)
    )


def make_order(patient: Patient, protocol: Protocol, prescribed_by: User, *, sessions: int = 6) -> Order:
    """Save an order that is valid for a year."""
    return Order.objects.create(
        patient=patient,
        protocol=protocol,
        prescribed_by=prescribed_by,
        sessions=sessions,
        valid_until=clock.now().date() + timedelta(days=365),
    )


def make_series(patient: Patient, protocol: Protocol) -> Series:
    """Save a series of the patient at the patient's site, without sessions."""
    return Series.objects.create(patient=patient, protocol=protocol, site=patient.site)


def blocks(
    start: datetime, *, prepare: int = 30, infuse: int = 60, recover: int = 60, turnover: int = 15, hands_on: int = 15
) -> dict[str, datetime]:
    """The planned instants of a session that begins at `start`; lengths in minutes."""
    infuse_start = start + timedelta(minutes=prepare)
    recover_start = infuse_start + timedelta(minutes=infuse)
    end = recover_start + timedelta(minutes=recover)
    return {
        "start": start,
        "hands_on_until": start + timedelta(minutes=hands_on),
        "infuse_start": infuse_start,
        "recover_start": recover_start,
        "end": end,
        "turnover_end": end + timedelta(minutes=turnover),
    }


def make_session(
    series: Series,
    start: datetime,
    *,
    chair: Chair,
    nurse: Provider,
    prescriber: Provider,
    status: str = SessionStatus.BOOKED,
    acuity: int = 2,
    **minutes: int,
) -> Session:
    """Save the next session of a series; `minutes` are those of `blocks`."""
    number = series.sessions.count() + 1
    return Session.objects.create(
        series=series,
        patient=series.patient,
        site=series.site,
        phase="induction",
        ordinal=number,
        sequence=number,
        status=status,
        acuity=acuity,
        chair=chair,
        nurse=nurse,
        prescriber=prescriber,
        **blocks(start, **minutes),
    )


@dataclass(frozen=True)
class Clinic:
    """A site with all that a booking needs, open Monday to Saturday 08:00 to 18:00 in America/Chicago.

    `chairs` are the recliners, the bed and the private room; `nurses` and `prescriber` are providers; `users` are the
    people who sign in, by role (the first nurse and the prescriber among them); `patient` is who signs in as a patient.
    `other` is a clinic of another organization.
    """

    organization: Organization
    site: Site
    users: dict[str, User]
    recliners: tuple[Chair, ...]
    bed: Chair
    room: Chair
    nurses: tuple[Provider, ...]
    prescriber: Provider
    patient: Patient
    protocol: Protocol
    other: Clinic | None = None

    @property
    def chairs(self) -> tuple[Chair, ...]:
        """All chairs."""
        return (*self.recliners, self.bed, self.room)

    def series(self, patient: Patient | None = None, protocol: Protocol | None = None) -> Series:
        """Save a series without sessions, of a new patient unless one is given."""
        return make_series(patient or make_patient(self.site), protocol or self.protocol)

    def session(self, start: datetime, *, series: Series | None = None, **fields: Any) -> Session:
        """Save a session in the first recliner with the first nurse; `fields` are those of `make_session`."""
        people = {"chair": self.recliners[0], "nurse": self.nurses[0], "prescriber": self.prescriber}
        return make_session(series or self.series(), start, **(people | fields))


def make_clinic(*, time_zone: str = ZONE, other: Clinic | None = None) -> Clinic:
    """Save a clinic of an organization of its own."""
    organization = make_organization()
    prescriber_user = make_user(organization, Role.PRESCRIBER)
    site = make_site(organization, prescriber_user, time_zone=time_zone)
    make_opening_hours(site)
    roles = (Role.FRONT_DESK, Role.NURSE, Role.MANAGER, Role.AUDITOR, Role.ADMIN)
    users = {str(role): make_user(organization, role, sites=(site,)) for role in roles}
    patient_user = make_user(organization, Role.PATIENT)
    users |= {str(Role.PRESCRIBER): prescriber_user, str(Role.PATIENT): patient_user}
    return Clinic(
        organization=organization,
        site=site,
        users=users,
        recliners=tuple(make_chair(site) for _ in range(3)),
        bed=make_chair(site, kind=ChairKind.BED),
        room=make_chair(site, kind=ChairKind.PRIVATE_ROOM),
        nurses=(
            make_provider(site, max_acuity=8, user=users[Role.NURSE]),
            make_provider(site, max_acuity=8),
        ),
        prescriber=make_provider(site, ProviderRole.PRESCRIBER, capacity=6, user=prescriber_user),
        patient=make_patient(site, user=patient_user),
        protocol=make_protocol(organization, prescriber_user),
        other=other,
    )


def noon(days: int = 7) -> datetime:
    """Noon in UTC so many days ahead: a morning at every American site."""
    ahead = clock.now() + timedelta(days=days)
    return datetime(ahead.year, ahead.month, ahead.day, 12, tzinfo=UTC)
