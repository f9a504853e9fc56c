"""Races between two people who change the same thing at once: each gives what a round must leave behind.

Each race is a function of a clinic, two clients and the number of the round; it returns the answers. `check` then says
what is wrong with the clinic. The tests run a few rounds of each, `bin/chaos change` hundreds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from accounts import clock
from accounts.models import Role
from scheduler.models import Provider
from scheduler.planner import check_spacing
from scheduler.walltime import instant, local_date
from sessions import waitlist
from sessions.course import phases_of_series, standing_dates
from sessions.models import TO_COME, Offer, Series, Session, SessionEvent
from sessions.rest import in_order
from tests import rules
from tests.at_once import together
from tests.factories import Clinic, make_patient, make_protocol, make_session, phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

BASE = "/api/v1"


def at(clinic: Clinic, wall: str, days: int) -> datetime:
    """A wall time so many days after a Monday two weeks ahead."""
    zone = ZoneInfo(clinic.site.time_zone)
    today = local_date(clock.now(), zone)
    return instant(today + timedelta(days=14 - today.weekday() + days), time.fromisoformat(wall), zone)


def post(client: APIClient, path: str, body: dict[str, Any] | None = None, **headers: str) -> Callable[[], Any]:
    """A call to be made."""
    return partial(client.post, f"{BASE}/{path}/", body or {}, format="json", headers=headers)


def single(clinic: Clinic, wall: str, days: int, **people: Any) -> Session:
    """A course of one session."""
    protocol = clinic.organization.protocols.filter(code="one").first() or make_protocol(
        clinic.organization, clinic.users[Role.PRESCRIBER], phase(sessions=1), code="one"
    )
    who = {"chair": clinic.recliners[0], "nurse": clinic.nurses[0], "prescriber": clinic.prescriber, **people}
    return make_session(clinic.series(make_patient(clinic.site), protocol), at(clinic, wall, days), **who)


def two_reschedules(clinic: Clinic, one: APIClient, two: APIClient, number: int) -> list[Any]:
    """Of one session, both with the version that they saw: exactly one is made."""
    session = single(clinic, "08:00", number)
    tag = one.get(f"{BASE}/sessions/{session.pk}/")["ETag"]
    walls = ("10:30", "13:00")
    starts = [{"start": at(clinic, wall, number).isoformat()} for wall in walls]
    path = f"sessions/{session.pk}/reschedule"
    calls = zip((one, two), starts, strict=True)
    answers = together([post(client, path, body, **{"If-Match": tag}) for client, body in calls])
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    assert session.events.filter(kind="rescheduled").count() == 1
    return answers


def booking_against_absence(clinic: Clinic, one: APIClient, two: APIClient, number: int) -> list[Any]:
    """Nobody is booked into an absence without standing in its draft."""
    protocol = clinic.organization.protocols.filter(code="one").first() or single(clinic, "08:00", 100).series.protocol
    patient = make_patient(clinic.site)
    day = at(clinic, "08:00", number).date().isoformat()
    asked = {"protocol": str(protocol.pk), "site": str(clinic.site.pk), "patient": str(patient.pk)}
    wish = {"preferences": {"provider": str(clinic.nurses[0].pk)}, "limit": 1}
    found = one.post(f"{BASE}/plans/", {**asked, "earliest_date": day, "latest_date": day, **wish}, format="json")
    plan = found.json()["plans"][0]["id"]
    off = {"provider": str(clinic.nurses[0].pk), "reason": "ill"}
    span = {"start": at(clinic, "07:00", number).isoformat(), "end": at(clinic, "19:00", number).isoformat()}
    book = {"patient": str(patient.pk), "protocol": str(protocol.pk), "plan": plan}
    answers = together([post(one, "series", book), post(two, "time-off", {**off, **span})])
    booked, absent = answers
    assert absent.status_code == 201
    if booked.status_code == 201 and Session.objects.get(patient=patient).nurse_id == clinic.nurses[0].pk:
        draft = two.get(f"{BASE}/disruptions/{absent.json()['disruption']}/").json()
        assert booked.json()["sessions"][0]["id"] in {item["session"] for item in draft["items"]}
        assert two.post(f"{BASE}/disruptions/{draft['id']}/apply/", {}, format="json").status_code == 200
    else:
        assert booked.status_code in (201, 409)
    return answers


def cancel_against_arrive(clinic: Clinic, one: APIClient, two: APIClient, number: int) -> list[Any]:
    """A session that has arrived may still be cancelled; one that is cancelled never arrives."""
    session = single(clinic, "08:00", number)
    path = f"sessions/{session.pk}"
    answers = together([post(one, f"{path}/cancel", {"reason": "ill"}), post(two, f"{path}/arrive")])
    session.refresh_from_db()
    assert session.status == "cancelled"
    assert answers[0].status_code == 200
    assert answers[1].status_code in (200, 409)
    kinds = list(session.events.order_by("id").values_list("kind", flat=True))
    assert kinds in (["cancelled"], ["arrived", "cancelled"])
    assert (answers[1].status_code == 200) == ("arrived" in kinds)
    return answers


def apply_against_booking(clinic: Clinic, one: APIClient, two: APIClient, number: int) -> list[Any]:
    """A draft is applied whole or not at all, whoever books at that moment."""
    session = single(clinic, "08:00", number)
    body = {"kind": "provider_absence", "provider": str(clinic.nurses[0].pk), "reason": "ill"}
    span = {"start": at(clinic, "07:00", number).isoformat(), "end": at(clinic, "19:00", number).isoformat()}
    draft = one.post(f"{BASE}/disruptions/", {**body, **span}, format="json").json()
    patient = make_patient(clinic.site)
    day = at(clinic, "08:00", number).date().isoformat()
    asked = {"protocol": str(session.series.protocol_id), "site": str(clinic.site.pk), "patient": str(patient.pk)}
    found = two.post(f"{BASE}/plans/", {**asked, "earliest_date": day, "latest_date": day, "limit": 1}, format="json")
    book = {"patient": str(patient.pk), "protocol": asked["protocol"], "plan": found.json()["plans"][0]["id"]}
    answers = together([post(one, f"disruptions/{draft['id']}/apply"), post(two, "series", book)])
    assert answers[0].status_code in (200, 409), answers[0].content
    assert answers[1].status_code in (201, 409), answers[1].content
    if answers[0].status_code == 200:
        span_ = {"start__gte": at(clinic, "07:00", number), "start__lt": at(clinic, "19:00", number)}
        assert not Session.objects.filter(nurse=clinic.nurses[0], status__in=TO_COME, **span_).exists()
    else:
        assert answers[0].json()["code"] in ("draft_stale", "try_again"), answers[0].content
        assert Session.objects.get(pk=session.pk).version == 1
    return answers


def apply_against_absence(clinic: Clinic, one: APIClient, two: APIClient, number: int) -> list[Any]:
    """Nobody goes to who is called away at that moment, without standing in the draft of it."""
    single(clinic, "08:00", number)
    span = {"start": at(clinic, "07:00", number).isoformat(), "end": at(clinic, "19:00", number).isoformat()}
    body = {"kind": "provider_absence", "provider": str(clinic.nurses[0].pk), "reason": "ill"}
    draft = one.post(f"{BASE}/disruptions/", {**body, **span}, format="json").json()
    away = next(nurse for nurse in clinic.nurses if str(nurse.pk) == draft["items"][0]["to"]["nurse"])
    off = {"provider": str(away.pk), "reason": "ill", **span}
    answers = together([post(one, f"disruptions/{draft['id']}/apply"), post(two, "time-off", off)])
    assert answers[0].status_code in (200, 409), answers[0].content
    assert answers[1].status_code == 201, answers[1].content
    there = {"start__gte": at(clinic, "07:00", number), "start__lt": at(clinic, "19:00", number)}
    left = set(Session.objects.filter(nurse=away, status__in=TO_COME, **there).values_list("pk", flat=True))
    if left:
        said = two.get(f"{BASE}/disruptions/{answers[1].json()['disruption']}/").json()
        assert {str(each) for each in left} <= {item["session"] for item in said["items"]}
    return answers


def two_acceptances(clinic: Clinic, one: APIClient, two: APIClient, number: int) -> list[Any]:
    """Of one place offered to two people: one has it, the other's offer is gone."""
    rivals = [single(clinic, "08:00", number + 1), single(clinic, "15:00", number + 1, chair=clinic.recliners[1])]
    start = at(clinic, "11:00", number)
    offers = []
    for session in rivals:
        wish: dict[str, Any] = {"earliest": start.date(), "latest": start.date()}
        user = clinic.users[Role.FRONT_DESK]
        entry = waitlist.enter(session.patient, user, clock.now(), session=session, **wish)
        offers.append(
            Offer.objects.create(
                entry=entry,
                patient=session.patient,
                site=clinic.site,
                session=session,
                start=start,
                end=start + (session.end - session.start),
                expires_at=clock.now() + timedelta(hours=1),
            )
        )
    # The place is one: the others' hands are full then.
    single(clinic, "11:00", number, chair=clinic.recliners[2], nurse=clinic.nurses[1])
    answers = together(
        [post(client, f"offers/{offer.pk}/accept") for client, offer in zip((one, two), offers, strict=True)]
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 1}
    assert {answer.json().get("code") for answer in answers} == {None, "offer_gone"}
    assert Session.objects.filter(pk__in=[each.pk for each in rivals], start=start).count() == 1
    return answers


def one_key_twice(clinic: Clinic, one: APIClient, two: APIClient, number: int) -> list[Any]:
    """The same person sends the same again at once: it is done once, and answered alike."""
    session = single(clinic, "08:00", number)
    path, body = f"sessions/{session.pk}/cancel", {"reason": "ill"}
    answers = together([post(client, path, body, **{"Idempotency-Key": f"key-{number}"}) for client in (one, one)])
    done = [answer for answer in answers if answer.status_code == 200]
    assert done
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in done}) == 1
    assert session.events.filter(kind="cancelled").count() == 1
    return answers


RACES = (
    two_reschedules,
    booking_against_absence,
    cancel_against_arrive,
    apply_against_booking,
    apply_against_absence,
    two_acceptances,
    one_key_twice,
)


def check(client: APIClient, clinic: Clinic, answers: list[Any]) -> None:
    """Nothing overlaps, spacing is kept or a clinician is asked, events tell the present state, no 500."""
    assert all(answer.status_code < 500 for answer in answers)
    shown = client.get(f"{BASE}/sessions/?site={clinic.site.pk}&page_size=200").json()["results"]
    limits = {str(each.pk): rules.Limits(each.capacity, each.max_acuity) for each in Provider.objects.all()}
    assert rules.broken(shown, limits) == []
    assert unsound(clinic) == []
    assert not_told(clinic) == []


def unsound(clinic: Clinic) -> list[str]:
    """Live series whose spacing is broken although nobody has been asked."""
    found = []
    rows = Series.objects.filter(status="active", site=clinic.site).select_related("protocol", "site")
    for series in rows.prefetch_related("sessions"):
        problems = check_spacing(phases_of_series(series), in_order(standing_dates(series)))
        found += [f"{series.pk}: {problem}" for problem in problems]
    return found


def not_told(clinic: Clinic) -> list[str]:
    """Sessions whose events, replayed, do not come to how they stand; only what events speak of is compared."""
    told: dict[Any, dict[str, Any]] = defaultdict(dict)
    for event in SessionEvent.objects.filter(session__site=clinic.site).order_by("id"):
        told[event.session_id] |= event.after
    found = []
    for session in Session.objects.filter(site=clinic.site):
        now = {
            "status": session.status,
            "start": session.start.isoformat(),
            "chair": str(session.chair_id),
            "nurse": str(session.nurse_id),
            "prescriber": str(session.prescriber_id),
        }
        said = told[session.pk]
        wrong = {name: (said[name], now[name]) for name in now if name in said and said[name] != now[name]}
        found += [f"{session.pk}: {wrong}"] if wrong else []
    return found
