"""A person's week: drawn or typed; time off says whom it touches before it counts; whose hours are whose."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe

from scheduler.models import AvailabilityRule, TimeOff
from sessions.models import Disruption, Session
from tests.factories import noon
from tests.web.conftest import DESK, PHONE, Visitor

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Clinic

AWAY = {"from_time": "08:00", "until_time": "18:00", "reason": "Training"}
SHIFT = {"weekday": "6", "start_time": "09:00", "end_time": "12:00", "effective_from": "2030-01-01"}


def booked(clinic: Clinic) -> tuple[Session, date]:
    """A visit with the first nurse next week or the one after, on a day the clinic is open; and its day."""
    days = next(days for days in range(7, 14) if noon(days).weekday() < 5)
    session = clinic.session(noon(days) + timedelta(hours=4), acuity=1)
    return session, session.start.astimezone(ZoneInfo(clinic.site.time_zone)).date()


def test_a_nurse_draws_a_shift_and_sees_whom_time_off_touches(clinic: Clinic, visitor: Visitor) -> None:
    session, day = booked(clinic)
    nurse = clinic.nurses[0]
    sunday = day + timedelta(days=6 - day.weekday())
    page = visitor.as_user(clinic.users["nurse"], DESK)
    page.goto(f"{visitor.url}/availability/?week={day}")
    page.get_by_role("heading", name=nurse.name).wait_for()
    cell = page.locator(f'td[data-day="{sunday}"][data-from="09:00"]')
    last = page.locator(f'td[data-day="{sunday}"][data-from="11:30"]')
    box, below = cell.bounding_box(), last.bounding_box()
    assert box is not None
    assert below is not None
    page.mouse.move(box["x"] + 9, box["y"] + 9)
    page.mouse.down()
    page.mouse.move(below["x"] + 9, below["y"] + 9, steps=4)
    page.mouse.up()
    page.get_by_role("status").filter(has_text="9:00 am – 12:00 pm").wait_for()
    assert Axe().run(page).response["violations"] == []
    page.get_by_label("On one day only").check()
    page.get_by_role("button", name="Add the shift").click()
    page.get_by_text("Saved.").wait_for()
    made = nurse.availability_rules.get(weekday=6)
    assert (made.start_time, made.end_time) == (time(9), time(12))
    assert (made.effective_from, made.effective_until) == (sunday, sunday)

    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(f"{visitor.url}/availability/?week={day}")
    page.locator(f'td[data-day="{day}"][data-from="08:00"]').focus()
    for _ in range(19):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("status").filter(has_text="8:00 am").wait_for()
    below = page.locator(":focus").evaluate(
        "cell => { const { x, bottom } = cell.getBoundingClientRect();"
        " return document.elementFromPoint(x + 3, bottom - 3) === cell }"
    )
    assert below, "what says what is chosen covers no row"
    page.get_by_role("button", name="See what it does").click()
    page.get_by_text("Nothing is saved yet.").wait_for()
    page.get_by_text(session.patient.family_name).wait_for()
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert (TimeOff.objects.count(), Disruption.objects.count()) == (0, 0)
    page.get_by_role("button", name="Take the time off").click()
    page.get_by_text("Draft, nothing is changed yet.").wait_for()
    saved, draft = TimeOff.objects.get(), Disruption.objects.get()
    assert (saved.provider, draft.time_off, draft.items.get().session) == (nurse, saved, session)
    page.goto(f"{visitor.url}/availability/?week={day}")
    page.get_by_role("button", name="Take back").click()
    page.get_by_text("Taken back.").wait_for()
    assert not TimeOff.objects.exists()
    assert visitor.complaints == []
    page.close()


def test_a_shift_ends_after_saying_whom_that_touches(clinic: Clinic, visitor: Visitor) -> None:
    session, day = booked(clinic)
    nurse = clinic.nurses[0]
    rule = nurse.availability_rules.get(weekday=day.weekday())
    page = visitor.as_user(clinic.users["nurse"], PHONE)
    page.goto(f"{visitor.url}/availability/shifts/{rule.pk}/")
    page.get_by_role("button", name="Remove this shift").click()
    page.get_by_text("Nothing is saved yet.").wait_for()
    page.get_by_text(session.patient.family_name).wait_for()
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert (TimeOff.objects.count(), Disruption.objects.count()) == (0, 0)
    assert AvailabilityRule.objects.filter(pk=rule.pk).exists()
    page.get_by_role("button", name="Remove the shift").click()
    page.get_by_text("Draft, nothing is changed yet.").wait_for()
    assert not AvailabilityRule.objects.filter(pk=rule.pk).exists()
    away, draft = TimeOff.objects.get(), Disruption.objects.get()
    assert (away.provider, draft.time_off, draft.items.get().session) == (nurse, away, session)
    page.get_by_role("button", name="Apply").first.click()
    page.get_by_text("What patients are told follows").wait_for()
    session.refresh_from_db()
    assert session.nurse == clinic.nurses[1]
    assert visitor.complaints == []
    page.close()


def test_only_the_lost_hours_are_time_off_and_nobody_booked_meanwhile_is_stranded(
    clinic: Clinic, client: Client
) -> None:
    session, day = booked(clinic)
    rule = clinic.nurses[0].availability_rules.get(weekday=day.weekday())
    client.force_login(clinic.users["nurse"])
    zone = ZoneInfo(clinic.site.time_zone)
    until = session.infuse_start.astimezone(zone)
    shorter = SHIFT | {"weekday": str(day.weekday()), "start_time": "07:00", "effective_from": "2020-01-01"}
    shorter |= {"end_time": f"{until:%H:%M}"}
    seen = client.post(f"/availability/shifts/{rule.pk}/", shorter)
    assert seen.status_code == 409
    assert [row.item.session for row in seen.context["rows"]] == [session]
    agreed = shorter | {"sure": "1", "visit": [str(session.pk), "x"]}
    refused = client.post(f"/availability/shifts/{rule.pk}/", agreed | {"visit": []})
    assert refused.status_code == 409
    assert (TimeOff.objects.count(), "booked into this shift meanwhile" in refused.content.decode()) == (0, True)
    assert client.post(f"/availability/shifts/{rule.pk}/", agreed).status_code == 302
    away = TimeOff.objects.get()
    assert (away.during.lower, away.during.upper) == (until, until.replace(hour=19, minute=0))
    rule.refresh_from_db()
    assert rule.end_time == until.time()


def test_the_lost_hours_of_a_shift_that_is_gone_are_taken_back_after_their_draft(
    clinic: Clinic, client: Client
) -> None:
    """Else nothing would be left that says what becomes of the visit."""
    session, day = booked(clinic)
    rule = clinic.nurses[0].availability_rules.get(weekday=day.weekday())
    client.force_login(clinic.users["nurse"])
    client.post(f"/availability/shifts/{rule.pk}/", {"remove": "1", "sure": "1", "visit": [str(session.pk)]})
    draft, back = Disruption.objects.get(), f"/availability/away/{TimeOff.objects.get().pk}/take-back/"
    refused = client.post(back, follow=True)
    assert refused.redirect_chain == [(f"/disruptions/{draft.pk}/", 302)]
    assert "Not taken back: the shift itself is gone." in refused.content.decode()
    assert TimeOff.objects.exists()
    client.post(f"/disruptions/{draft.pk}/apply/")
    assert client.post(back)["Location"].startswith("/availability/?")
    session.refresh_from_db()
    assert (session.nurse, TimeOff.objects.exists()) == (clinic.nurses[1], False)


def test_a_shift_without_visits_goes_at_once(clinic: Clinic, client: Client) -> None:
    _session, day = booked(clinic)
    client.force_login(clinic.users["nurse"])
    free = clinic.nurses[0].availability_rules.exclude(weekday=day.weekday())[0]
    assert client.post(f"/availability/shifts/{free.pk}/", {"remove": "1"}).status_code == 302
    assert not AvailabilityRule.objects.filter(pk=free.pk).exists()


def test_whose_hours_are_whose(clinic: Clinic, client: Client) -> None:
    assert clinic.other
    own, another = clinic.nurses
    rule = another.availability_rules.order_by("id")[0]
    away = AWAY | {"first_day": "2031-01-06", "last_day": "2031-01-06"}

    def answers(provider: object) -> list[int]:
        paths = ((f"{provider}/shifts/", SHIFT), (f"{provider}/away/", away | {"sure": "1"}))
        return [client.post(f"/availability/{path}", form).status_code for path, form in paths]

    for who, expected in (("nurse", 403), ("front_desk", 403), ("auditor", 403), ("patient", 403)):
        client.force_login(clinic.users[who])
        assert answers(another.pk) == [expected] * 2
        assert client.post(f"/availability/shifts/{rule.pk}/", {"remove": "1"}).status_code == expected
    client.force_login(clinic.other.users["admin"])
    assert answers(another.pk) == [404] * 2
    assert client.post(f"/availability/shifts/{rule.pk}/", {"remove": "1"}).status_code == 404
    assert client.get(f"/availability/?provider={another.pk}").status_code == 404
    assert client.get("/availability/?week=0001-01-01").status_code == 404
    assert not TimeOff.objects.exists()
    assert AvailabilityRule.objects.filter(pk=rule.pk).exists()
    for who, whom in (("manager", another), ("nurse", own)):
        client.force_login(clinic.users[who])
        assert answers(whom.pk) == [302] * 2
    theirs = TimeOff.objects.get(provider=another)
    assert client.post(f"/availability/away/{theirs.pk}/take-back/").status_code == 403
    client.force_login(clinic.other.users["admin"])
    assert client.post(f"/availability/away/{theirs.pk}/take-back/").status_code == 404
    assert set(TimeOff.objects.values_list("provider", flat=True)) == {own.pk, another.pk}


@pytest.mark.parametrize(
    ("path", "form", "field"),
    [("shifts", SHIFT | {"end_time": "09:00"}, "end_time"), ("shifts", SHIFT | {"weekday": "7"}, "weekday"),
     ("shifts", SHIFT | {"effective_until": "2029-01-01"}, "effective_until"),
     ("shifts", SHIFT | {"weekday": "0"}, "start_time"), ("shifts", SHIFT | {"effective_from": "x"}, "effective_from"),
     ("away", AWAY | {"first_day": "2031-01-06", "last_day": "2031-01-05"}, "until_time"),
     ("away", AWAY | {"first_day": "2021-01-05", "last_day": "2021-01-05"}, "last_day"),
     ("away", AWAY | {"first_day": "0001-01-01", "last_day": "2031-01-05"}, "first_day"),
     ("away", AWAY | {"first_day": "2031-01-06", "last_day": "2031-01-07", "reason": "x" * 201}, "reason")],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_marked(clinic: Clinic, client: Client, path: str, form: dict[str, str], field: str) -> None:
    client.force_login(clinic.users["manager"])
    answer = client.post(f"/availability/{clinic.nurses[0].pk}/{path}/", form)
    assert answer.status_code == 400
    assert list(answer.context["shift_form" if path == "shifts" else "away_form"].errors) == [field]
    assert not TimeOff.objects.exists()
    assert not AvailabilityRule.objects.filter(weekday=6).exists()
