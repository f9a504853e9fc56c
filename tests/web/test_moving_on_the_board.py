"""A visit is dragged on the board, or moved by its form: it lands or slides back with the reason; others see it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from axe_playwright_python.sync_playwright import Axe

from sessions.models import Session
from tests.factories import noon
from tests.web.conftest import DESK, PHONE

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page
    from pytest_django.live_server_helper import LiveServer

    from tests.factories import Clinic
    from tests.web.conftest import Visitor


def weekday() -> int:
    """So many days ahead that the clinic is open."""
    return next(days for days in range(7, 14) if noon(days).weekday() < 5)


def board_of(url: str, session: Session) -> str:
    day = session.start.astimezone(ZoneInfo(session.site.time_zone)).date()
    return f"{url}/board/?site={session.site_id}&date={day}"


def drag(page: Page, visit: Locator, lane: Locator, dx: float = 0) -> None:
    box, to = visit.bounding_box(), lane.bounding_box()
    assert box is not None
    assert to is not None
    x, y = box["x"] + 20, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx / 2, y + 10)
    page.mouse.move(x + dx, to["y"] + to["height"] / 2, steps=3)
    page.mouse.up()


def test_a_drag_lands_and_the_other_browser_sees_it(live_server: LiveServer, clinic: Clinic, visitor: Visitor) -> None:
    start = noon(weekday()) + timedelta(hours=4)
    visit = clinic.session(start, chair=clinic.recliners[0], acuity=1)
    taken = clinic.session(start, chair=clinic.bed, nurse=clinic.nurses[1], acuity=1)
    one, two = (visitor.as_user(clinic.users[role], DESK) for role in ("nurse", "front_desk"))
    for page in (one, two):
        page.goto(board_of(live_server.url, visit))
    lane = f'.lane[data-chair="{clinic.recliners[1].pk}"]'
    drag(one, one.locator(f"#v-{visit.pk}"), one.locator(lane))
    two.locator(f"{lane} #v-{visit.pk}").wait_for(timeout=5000)
    assert Session.objects.get(pk=visit.pk).chair == clinic.recliners[1]

    one.locator(f"{lane} #v-{visit.pk}").wait_for()
    drag(one, one.locator(f"#v-{visit.pk}"), one.locator(f'.lane[data-chair="{clinic.bed.pk}"]'))
    told = one.get_by_role("alert").filter(has_text="not free for the whole visit")
    told.wait_for()
    one.locator(f"{lane} #v-{visit.pk}:not(.dragged)").wait_for()
    assert Session.objects.get(pk=taken.pk).chair == clinic.bed
    assert Session.objects.get(pk=visit.pk).chair == clinic.recliners[1]
    assert visitor.complaints == []


def test_by_keyboard_a_visit_is_picked_up_moved_left_or_landed(clinic: Clinic, visitor: Visitor) -> None:
    start = noon(weekday()) + timedelta(hours=4)
    visit = clinic.session(start, chair=clinic.recliners[0], acuity=1)
    clinic.session(start, chair=clinic.bed, nurse=clinic.nurses[1], acuity=1)
    begun = clinic.session(start, chair=clinic.room, nurse=clinic.nurses[1], acuity=1, status="cancelled")
    page = visitor.as_user(clinic.users["front_desk"], DESK)
    page.goto(board_of(visitor.url, visit))
    lanes = [each.get_attribute("data-chair") for each in page.locator(".lane").all()]
    to = lanes.index(str(clinic.recliners[1].pk)) - lanes.index(str(clinic.recliners[0].pk))
    way = ["ArrowDown" if to > 0 else "ArrowUp"] * abs(to)
    block = page.locator(f"#v-{visit.pk}")
    told = page.locator("#told")
    block.focus()
    for each in ("m", "Shift+ArrowRight", "Escape"):
        page.keyboard.press(each)
    assert told.inner_text() == "Left as it was."
    for each in ("m", *way, "Shift+ArrowRight", "ArrowLeft"):
        page.keyboard.press(each)
    assert clinic.recliners[1].name in told.inner_text()
    assert Session.objects.get(pk=visit.pk).start == start, "nothing before Enter"
    page.keyboard.press("Enter")
    page.locator(f'.lane[data-chair="{clinic.recliners[1].pk}"] #v-{visit.pk}').wait_for(timeout=5000)
    moved = Session.objects.get(pk=visit.pk)
    assert (moved.chair, moved.start) == (clinic.recliners[1], start + timedelta(minutes=55))

    lane = lanes.index(str(clinic.bed.pk)) - lanes.index(str(clinic.recliners[1].pk))
    page.locator(f"#v-{visit.pk}").focus()
    for each in ("m", *(["ArrowDown" if lane > 0 else "ArrowUp"] * abs(lane)), "Enter"):
        page.keyboard.press(each)
    page.get_by_role("alert").filter(has_text="not free for the whole visit").wait_for()
    assert Session.objects.get(pk=visit.pk).chair == clinic.recliners[1]
    page.locator(f"#v-{begun.pk}").focus()
    page.keyboard.press("m")
    page.get_by_role("alert").filter(has_text="begun or is over").wait_for()
    assert visitor.complaints == []
    page.close()


def test_the_form_does_the_same_without_a_script(
    live_server: LiveServer, clinic: Clinic, visitor: Visitor, tmp_path: Path
) -> None:
    start = noon(weekday()) + timedelta(hours=4)
    visit = clinic.session(start, chair=clinic.recliners[0], acuity=1)
    clinic.session(start, chair=clinic.bed, nurse=clinic.nurses[1], acuity=1)
    page = visitor.as_user(clinic.users["front_desk"], PHONE, java_script_enabled=False)
    page.goto(board_of(live_server.url, visit))
    page.locator(f"#v-{visit.pk}").click()
    page.get_by_label("Chair").select_option(label=clinic.bed.name)
    page.get_by_role("button", name="Move it").click()
    assert "Nothing was moved" in page.content()
    page.get_by_label("Chair").select_option(label=clinic.room.name)
    page.get_by_label("Time").fill(
        (start + timedelta(minutes=30)).astimezone(ZoneInfo(clinic.site.time_zone)).strftime("%H:%M")
    )
    page.get_by_role("button", name="Move it").click()
    page.get_by_text("has moved").wait_for()
    moved = Session.objects.get(pk=visit.pk)
    assert (moved.chair, moved.start) == (clinic.room, start + timedelta(minutes=30))

    looked = visitor.as_user(clinic.users["nurse"], DESK)
    looked.goto(f"{live_server.url}/board/visits/{visit.pk}/")
    looked.get_by_role("link", name="Put elsewhere").click()
    looked.screenshot(path=str(tmp_path / "seat.png"))
    assert Axe().run(looked).response["violations"] == []


def test_who_may_not_move_sees_no_link(live_server: LiveServer, clinic: Clinic, visitor: Visitor) -> None:
    visit = clinic.session(noon(weekday()) + timedelta(hours=4))
    page = visitor.as_user(clinic.users["auditor"], DESK)
    page.goto(board_of(live_server.url, visit))
    assert page.locator(f"a#v-{visit.pk}").count() == 0
    assert page.goto(f"{live_server.url}/board/{visit.pk}/").status == 403  # type: ignore[union-attr]
