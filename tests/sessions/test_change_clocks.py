"""Change on days when clocks change, and at sites whose zone has just changed its rules: the wall clock decides.

A clinic that is open round the clock, so that the hour which is missing or comes twice lies within its hours. What is
expected is written down by hand: wall times with the offset that they have, and calendar days.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from accounts import clock
from accounts.models import Role
from scheduler.models import TimeOff
from sessions import offering, waitlist
from sessions.models import Offer, Session
from tests.factories import (
    Clinic,
    make_availability,
    make_clinic,
    make_opening_hours,
    make_patient,
    make_protocol,
    make_session,
    phase,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

BASE = "/api/v1"
WEEK = range(7)
GAP = {"anchor": "previous", "min_days": 2, "target_days": 2, "max_days": 3}


class Change(NamedTuple):
    """A zone and a day, with the offset before 01:00 and after 04:00 of that day, and how many hours it has."""

    zone: str
    day: date
    before: str
    after: str
    hours: int

    def at(self, wall: str, days: int = 0) -> datetime:
        """A wall time (before 01:00 or after 04:00) so many days after the day, by the offsets as they are written."""
        on = self.day + timedelta(days=days)
        offset = self.after if (on, wall) >= (self.day, "04:00") else self.before
        return datetime.fromisoformat(f"{on}T{wall}:00{offset}")


# Both changes of Chicago; the day on which Vancouver and Edmonton would have changed by the rules of last year
# (tzdata 2025b), and by those of this year (2026f) do not any more: M10 of reliability.md.
CHANGES = [
    Change("America/Chicago", date(2027, 3, 14), "-06:00", "-05:00", 23),
    Change("America/Chicago", date(2026, 11, 1), "-05:00", "-06:00", 25),
    Change("America/Vancouver", date(2026, 11, 1), "-07:00", "-07:00", 24),
    Change("America/Edmonton", date(2026, 11, 1), "-06:00", "-06:00", 24),
]


class World(NamedTuple):
    """A site in the zone of a change, ten days before it, and somebody who may do all there; clinics like others."""

    change: Change
    clinic: Clinic
    client: APIClient

    def course(self, *starts: datetime, who: int = 0, **spacing: int) -> list[Session]:
        """A booked course of an hour each (the turnover with it), by default two or three days apart."""
        protocol = make_protocol(
            self.clinic.organization,
            self.clinic.users[Role.PRESCRIBER],
            phase(
                sessions=len(starts),
                spacing={**GAP, **spacing},
                minutes={"prepare": 15, "infuse": 15, "recover": 15, "turnover": 15},
            ),
        )
        series = self.clinic.series(make_patient(self.clinic.site), protocol)
        people: dict[str, Any] = {"chair": self.clinic.recliners[who], "nurse": self.clinic.nurses[who]}
        people |= {"prepare": 15, "infuse": 15, "recover": 15, "turnover": 15}
        return [make_session(series, start, prescriber=self.clinic.prescriber, **people) for start in starts]

    def post(self, path: str, **body: Any) -> Any:
        """Call it."""
        return self.client.post(f"{BASE}/{path}/", body, format="json")


@pytest.fixture(params=CHANGES, ids=lambda change: f"{change.zone.partition('/')[2]}-{change.day}")
def world(request: pytest.FixtureRequest, db: None, api: Callable[[Any], APIClient], time_machine: Any) -> World:
    """Open round the clock; ten days before the change, at noon."""
    change = request.param
    time_machine.move_to(change.at("12:00", -10), tick=False)
    clinic = make_clinic(time_zone=change.zone)
    clinic.site.opening_hours.all().delete()
    make_opening_hours(clinic.site, weekdays=WEEK, opens=time(0), closes=time(23, 59))
    for person in (*clinic.nurses, clinic.prescriber):
        person.availability_rules.all().delete()
        make_availability(person, weekdays=WEEK, start=time(0), end=time(12))
        make_availability(person, weekdays=WEEK, start=time(12), end=time(0))
    return World(change, clinic, api(clinic.users[Role.ADMIN]))


def instant_of(text: str) -> datetime:
    """An instant as the API writes it, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def moved_to(world: World, session: Session, start: str) -> Any:
    return world.post(f"sessions/{session.pk}/reschedule", start=start)


def test_gaps_are_days_of_the_calendar_however_many_hours_these_have(world: World) -> None:
    at = world.change.at
    first, second, _ = world.course(at("09:00", -1), at("09:00", 2), at("09:00", 4))
    too_soon = moved_to(world, second, at("23:30").isoformat())
    assert (too_soon.status_code, too_soon.json()["code"]) == (422, "gap_too_short")
    answer = moved_to(world, second, at("09:00", 1).isoformat())
    assert answer.status_code == 200, answer.content
    second.refresh_from_db()
    # Two days later by the calendar, whether that is 47, 48 or 49 hours; nine in the morning on both.
    assert second.start - first.start == timedelta(hours=24 + world.change.hours)
    walls = [each.start.astimezone(ZoneInfo(world.change.zone)).time() for each in (first, second)]
    assert walls == [time(9), time(9)]


def test_a_start_is_named_by_the_offset_that_the_clock_has_then(world: World) -> None:
    """An hour that is left out cannot be named, one that comes twice is two, an offset of last year is refused."""
    change = world.change
    (visit,) = world.course(change.at("09:00"))

    def tried(wall: str, offset: str) -> tuple[int, str | None]:
        answer = moved_to(world, visit, f"{change.day}T{wall}:00{offset}")
        return answer.status_code, answer.json().get("code")

    wrong = "-07:00" if change.hours == 25 else "-04:00" if change.hours == 23 else f"-0{int(change.after[2]) + 1}:00"
    assert tried("05:00", wrong) == (422, "offset_mismatch")
    if change.hours == 23:
        assert tried("02:30", change.before) == (422, "offset_mismatch")
        assert tried("02:30", change.after) == (422, "offset_mismatch")
    if change.hours == 25:
        assert tried("01:30", change.before) == (200, None)
        first = Session.objects.get(pk=visit.pk).start
        assert tried("01:30", change.after) == (200, None)
        assert Session.objects.get(pk=visit.pk).start - first == timedelta(hours=1)
    assert tried("00:30", change.before) == (200, None)
    visit.refresh_from_db()
    assert visit.turnover_end - visit.start == timedelta(hours=1)


def test_another_place_lies_within_the_wished_wall_times(world: World) -> None:
    """Between two and three in the morning: not on the day that has no such hour, elsewhere at two of the new time."""
    change = world.change
    (visit,) = world.course(change.at("09:00"))
    day = change.day.isoformat()

    def found(since: str, until: str) -> list[datetime]:
        wish = {"preferences": {"time_windows": [{"from": since, "until": until}]}, "limit": 1}
        answer = world.post("plans", session=str(visit.pk), earliest_date=day, latest_date=day, **wish).json()
        assert bool(answer["plans"]) != bool(answer["infeasible"])
        return [instant_of(plan["sessions"][0]["start"]) for plan in answer["plans"]]

    assert found("02:00", "03:00") == ([] if change.hours == 23 else [change.at("04:00") - timedelta(hours=2)])
    assert found("01:15", "02:00") == [change.at("00:55") + timedelta(minutes=20)]


def test_the_rest_is_planned_anew_at_one_wall_time_on_both_sides(world: World) -> None:
    change = world.change
    visits = world.course(*(change.at("09:00", days) for days in (-4, -2, 1, 3)))
    wish = {"time_windows": [{"from": "13:00", "until": "13:45"}]}
    days = {"earliest_date": (change.day - timedelta(days=3)).isoformat()}
    days["latest_date"] = (change.day + timedelta(days=6)).isoformat()
    series = visits[0].series_id
    plan = world.post("plans", series=str(series), **days, preferences=wish, limit=1).json()["plans"][0]
    answer = world.post(f"series/{series}/replan", plan=plan["id"])
    assert answer.status_code == 200, answer.content
    # Two days apart, which is wanted: the change lies between the second and the third or on the third itself.
    starts = sorted(Session.objects.filter(series=series).values_list("start", flat=True))
    assert starts == [change.at("13:00", days) for days in (-3, -1, 1, 3)]


def test_a_closure_over_the_change_hits_who_is_there_and_nobody_else(world: World) -> None:
    """From 00:30 to 04:00; whoever would come at one can come at four, two, three or four hours later."""
    at = world.change.at
    at_one = at("00:30") + timedelta(minutes=30)
    hit = world.course(at("09:00", -2), at_one, at("09:00", 2), max_days=2)[1]
    world.course(at("23:30", -1), who=1)
    world.course(at("04:00"), who=1)
    span = {"start": at("00:30").isoformat(), "end": at("04:00").isoformat()}
    draft = world.post("disruptions", kind="site_closure", site=str(world.clinic.site.pk), **span).json()
    (item,) = draft["items"]
    assert (item["session"], item["outcome"], item["days_shifted"]) == (str(hit.pk), "moved", 0)
    assert instant_of(item["to"]["start"]) - at_one == timedelta(hours={23: 2, 24: 3, 25: 4}[world.change.hours])
    assert world.post(f"disruptions/{draft['id']}/apply").status_code == 200
    hit.refresh_from_db()
    assert hit.start == at("04:00")
    assert world.post(f"disruptions/{draft['id']}/undo").status_code == 200
    hit.refresh_from_db()
    assert hit.start == at_one


def test_a_day_that_is_closed_moves_visits_to_the_next_by_the_calendar(world: World) -> None:
    """The whole day, however long: the latest start of the day before is nearest, and one day away."""
    at, change = world.change.at, world.change
    hit = world.course(at("09:00", -3), at("09:00"), at("09:00", 3), min_days=1, max_days=4)[1]
    begin, end = at("00:00"), at("00:00", 1)
    assert end - begin == timedelta(hours=change.hours)
    body = {"kind": "site_closure", "site": str(world.clinic.site.pk)}
    draft = world.post("disruptions", **body, start=begin.isoformat(), end=end.isoformat()).json()
    (item,) = draft["items"]
    assert (item["session"], item["outcome"], item["days_shifted"]) == (str(hit.pk), "moved", -1)
    # The site closes at 23:59, which leaves room until 23:55: an hour before that.
    assert instant_of(item["to"]["start"]) == at("22:55", -1)


def test_offers_rest_by_the_wall_clock_and_are_counted_by_the_calendar_day(world: World, time_machine: Any) -> None:
    change, site = world.change, world.clinic.site
    at = change.at
    (visit,) = world.course(at("09:00", 5))
    type(site).objects.filter(pk=site.pk).update(offers_a_day=1, offer_minutes=240, offer_lead_hours=0)
    wish = {"earliest": change.day.isoformat(), "latest": (change.day + timedelta(days=4)).isoformat()}
    body = {"patient": str(visit.patient_id), "session": str(visit.pk), **wish}
    windows = [{"from": "12:00", "until": "12:45"}]
    assert world.post("waitlist-entries", **body, time_windows=windows).status_code == 201
    made = []
    for wall, days, offers in (
        ("07:59", 0, 0), ("08:00", 0, 1), ("19:55", 0, 1), ("20:00", 0, 1), ("07:55", 1, 1), ("08:00", 1, 2)
    ):  # fmt: skip
        time_machine.move_to(at(wall, days), tick=False)
        offering.tick(clock.now())
        made = list(Offer.objects.order_by("created_at"))
        assert len(made) == offers, (wall, days)
        for offer in made[-1:]:
            waitlist.decline(offer, clock.now()) if offer.status == "open" else None
    assert [offer.start for offer in made] == [at("12:00"), at("12:00", 1)]
    assert made[0].expires_at - made[0].created_at == timedelta(hours=4)


def test_an_offer_over_the_change_is_open_for_its_minutes_and_frees_the_old_place(
    world: World, time_machine: Any
) -> None:
    """Offered at 00:50 for two hours, accepted within; the place that is left is offered on by the next tick."""
    change, site = world.change, world.clinic.site
    at = change.at
    type(site).objects.filter(pk=site.pk).update(
        offer_minutes=120, offer_lead_hours=8, offers_rest_from=time(0), offers_rest_until=time(0)
    )
    TimeOff.objects.create(provider=world.clinic.nurses[1], during=(at("12:00", -10), at("12:00", 9)))
    type(world.clinic.nurses[0]).objects.filter(pk=world.clinic.nurses[0].pk).update(capacity=1)
    (visit,), (other,) = world.course(at("09:00", 2)), world.course(at("15:00", 2))
    for each, days, since, until in ((visit, 0, "06:00", "12:00"), (other, 2, "09:00", "09:45")):
        on = (change.day + timedelta(days=days)).isoformat()
        body = {"patient": str(each.patient_id), "session": str(each.pk), "earliest": on, "latest": on}
        windows = [{"from": since, "until": until}]
        assert world.post("waitlist-entries", **body, time_windows=windows).status_code == 201
    time_machine.move_to(at("00:50"), tick=False)
    offering.tick(clock.now())
    (offer,) = Offer.objects.all()
    # Eight hours ahead by the watch: 09:50, 08:50 or 07:50 by the clock on the wall.
    assert offer.start == at("00:50") + timedelta(hours=8)
    time_machine.move_to(at("00:50") + timedelta(minutes=119), tick=False)
    waitlist.accept(offer, world.clinic.users[Role.FRONT_DESK], clock.now())
    visit.refresh_from_db()
    assert visit.start == offer.start
    offering.tick(clock.now())
    assert list(Offer.objects.filter(status="open").values_list("session", "start")) == [(other.pk, at("09:00", 2))]
