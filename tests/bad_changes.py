"""Bad inputs about change: drafts, offers, wishes on the waitlist, people. Rows of `tests/bad_inputs.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.operations import BY_NAME, instant
from tests.spoiling import RESCHEDULE, Row, on_record, values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.operations import Operation
    from tests.spoiling import Request
    from tests.world import World

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
WISH = "POST waitlist-entries/"
DRAFT, APPLY = "POST disruptions/", "POST disruptions/{disruption}/apply/"
UNDO = "POST disruptions/{applied_disruption}/undo/"
ACCEPT, DECLINE = "POST offers/{offer}/accept/", "POST offers/{offer}/decline/"


def changes() -> Iterator[Row]:
    """12 to 16, 33, 34, 37: what is over, what is not there yet, and times that are none."""
    for what, name, record, code in (
        ("a move of what is over", RESCHEDULE, "completed", "not_allowed"),
        ("a move of what is cancelled", RESCHEDULE, "cancelled", "not_allowed"),
        ("a draft applied twice", APPLY, "applied_disruption", "already_done"),
        ("a draft that a fresh one replaced", APPLY, "replaced_disruption", "draft_replaced"),
        ("undone before it is applied", UNDO, "disruption", "not_applied"),
        ("an offer of what is gone", ACCEPT, "gone_offer", "offer_gone"),
        ("an offer that has expired", ACCEPT, "expired_offer", "offer_expired"),
        ("an offer that was declined", ACCEPT, "declined_offer", "offer_declined"),
        ("no to an offer that is gone", DECLINE, "gone_offer", "offer_gone"),
        ("an access ended twice", "POST users/{person}/deactivate/", "left_person", "already_done"),
        ("an access opened that is open", "POST users/{left_person}/reactivate/", "person", "already_done"),
        ("a link for who has left", "POST users/{person}/send-password-link/", "left_person", "inactive"),
        ("a withdrawn link sent", "POST invitations/{invitation}/resend/", "withdrawn_invitation", "already_done"),
        ("withdrawn twice", "POST invitations/{invitation}/withdraw/", "withdrawn_invitation", "already_done"),
    ):
        yield on_record(37, what, name, record, 409, code)
        # The state comes before the body.
        yield on_record(37, f"{what}, with a body that is wrong", name, record, 409, code, {"foo": 1})
    for what, at, code in (
        ("a draft that ends before it begins", lambda w: instant(w, 22, -3), "empty_range"),
        ("a draft that ends as it begins", lambda w: instant(w, 22, -2), "empty_range"),
        ("a draft without an end", None, "null"),
        ("a draft to a time without offset", "2027-01-01T08:00:00", "offset_required"),
    ):
        yield values(15, what, {DRAFT: ("end",)}, at, 400, code)
    nurse = "an absence of which part is recorded already"
    yield Row(37, nurse, 409, "overlapping_absence", drafted(117, 8))
    yield Row(12, "an absence that is over", 422, "in_past", drafted(-400, 8))
    yield Row(13, "an absence of five hundred days", 422, "too_long", drafted(22, 500 * 24))
    for what, field in (("a patient who is not", "patient"), ("a visit that is not", "session")):
        yield values(22, f"a wish of {what}", {WISH: (field,)}, UNKNOWN, 400, "unknown_reference")
    yield values(12, "a wish for what is past", {WISH: ("latest",)}, "2026-01-02", 400, "empty_range")


def drafted(day: int, hours: int) -> Callable[[World], Iterable[tuple[Operation, Request]]]:
    """A draft of the nurse's absence from two hours before that day of the world, for so many hours from its begin."""

    def requests(world: World) -> Iterator[tuple[Operation, Request]]:
        operation = BY_NAME[DRAFT]
        span = {"start": instant(world, day, -2), "end": instant(world, day, hours)}
        who = {"provider": str(world.clinic.nurses[0].pk)}
        yield operation, {"body": operation.content(world, "admin") | who | span}

    return requests
