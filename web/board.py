"""The board as a page: chairs by time, what is due, what needs a person. Read anew by its script without a reload."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, cast

from django.http import Http404, HttpResponseNotModified
from django.utils.translation import gettext as _

from accounts import clock
from accounts.audit import record_sight
from accounts.http.conditions import unchanged
from accounts.http.fields import FIRST_YEAR, LAST_YEAR, as_uuid
from accounts.queries import staffed_sites
from accounts.rights import may
from scheduler.walltime import DAY, first_instant, local_date
from sessions import board as boards
from sessions.facts import SLOT, zone_of
from sessions.models import GONE, TO_COME, Session, SessionStatus
from web import wording
from web.pages import page, page_for
from web.words import STATES, board_words, gate_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest, HttpResponse

    from accounts.models import Site, User

HOUR: Final = timedelta(hours=1)
HOUR_SLOTS: Final = HOUR // SLOT
DUE_SHOWN: Final = 8


@dataclass(frozen=True)
class Window:
    """The hours that the board shows, from a whole one to a whole one."""

    since: datetime
    hours: int
    zone: str

    def at(self, instant: datetime) -> int:
        """The column of an instant, in five-minute steps from the left edge; kept within the board."""
        return max(0, min((instant - self.since) // SLOT, self.hours * HOUR_SLOTS))

    def clock(self, instant: datetime) -> str:
        """The instant on the clinic's clock."""
        return wording.clock(wording.local(instant, self.zone))


@dataclass(frozen=True)
class Piece:
    """One part of a row: where it begins, how long it is, of which kind, with which word."""

    at: int
    length: int
    kind: str
    word: str = ""


@dataclass(frozen=True)
class Block:
    """One visit in its lane."""

    shown: boards.Shown
    at: int
    length: int
    look: str
    strong: str
    line: str
    phases: tuple[Piece, ...]
    turnover: Piece

    @property
    def name(self) -> str:
        """How the board names the patient."""
        return short_name(self.shown.session)

    @property
    def movable(self) -> bool:
        """Whether it may still go to another place or time."""
        return self.shown.session.status in TO_COME

    @property
    def word(self) -> str:
        """The state, in a word; "" where the second line is that word already."""
        word = _(STATES[self.shown.session.status])
        return "" if word == self.line else word


def short_name(session: Session) -> str:
    """Given name and initial: others may pass a screen."""
    return f"{session.patient.given_name} {session.patient.family_name[:1]}."


@page_for("board.list")
def board(request: HttpRequest) -> HttpResponse:
    """The board of one site's day: `?site=&date=`, by default the reader's first site, today."""
    sites = _sites(request)
    site, day = asked(request, sites)
    now = clock.now()
    found = boards.board(site, day, now)
    seen(request, found)
    return page(
        request,
        "board",
        site=site,
        sites=sites,
        **_may(request),
        **_context(found),
        **_days(site, day, now),
    )


@page_for("board.list")
def board_now(request: HttpRequest) -> HttpResponse:
    """The part of the board that changes, for its script; 304 where it has not."""
    site, day = asked(request)
    now = clock.now()
    tag = boards.tag(boards.version_of(site, day), now)
    if unchanged(request.headers.get("If-None-Match"), tag):
        response: HttpResponse = HttpResponseNotModified()
    else:
        found = boards.board(site, day, now)
        tag = boards.tag(found.version, now)
        seen(request, found)
        response = page(request, "parts/board", site=site, **_may(request), **_context(found))
    response["ETag"] = tag
    return response


def _may(request: HttpRequest) -> dict[str, Any]:
    """Whether a visit on the board leads the reader to its chair, and whether they may move it."""
    user = cast("User", request.user)
    return {"may_care": may(user, "sessions.vitals"), "moves": may(user, "sessions.reseat")}


def _sites(request: HttpRequest) -> list[Site]:
    return list(staffed_sites(cast("User", request.user)).order_by("name", "id"))


def asked(request: HttpRequest, sites: list[Site] | None = None) -> tuple[Site, date]:
    """The site and the day that the address names; 404 for what is not there or not the reader's, whose are `sites`."""
    offered = _sites(request) if sites is None else sites
    wanted = as_uuid(request.GET["site"]) if "site" in request.GET else None
    site = next((each for each in offered if "site" not in request.GET or each.pk == wanted), None)
    if site is None:
        raise Http404
    try:
        text = request.GET.get("date")
        day = local_date(clock.now(), zone_of(site)) if text is None else date.fromisoformat(text)
    except ValueError:
        raise Http404 from None
    if not FIRST_YEAR <= day.year < LAST_YEAR:
        raise Http404
    return site, day


def seen(request: HttpRequest, found: boards.Board) -> None:
    """Write down whom the reader was shown."""
    rows = [(each.session.pk, each.session.patient_id) for each in found.shown]
    record_sight(cast("User", request.user).pk, Session._meta.db_table, rows)


def _days(site: Site, day: date, now: datetime) -> dict[str, Any]:
    today = local_date(now, zone_of(site))
    return {"before": day - DAY, "after": day + DAY, "today": None if day == today else today}


def _context(found: boards.Board) -> dict[str, Any]:
    """What the part of the board that changes is rendered from."""
    window = _window(found)
    rows = list(found.shown)
    here = window.at(found.now) if window.since <= found.now < window.since + window.hours * HOUR else None
    return {
        "date": found.date,
        "title": wording.long_day(found.date),
        "board": found,
        "window": window,
        "marks": [Piece(n * HOUR_SLOTS, 1, "hour", window.clock(window.since + n * HOUR)) for n in range(window.hours)],
        "now_at": here,
        "now_word": window.clock(found.now),
        "figures": _figures(rows),
        "lanes": [
            (chair, [_block(each, window) for each in found.sessions.get(chair.pk, [])]) for chair in found.chairs
        ],
        "loads": [(nurse, row, _said(row, window)) for nurse in found.nurses for row in [_load(found, nurse, window)]],
        "alerts": [(alert, list(_can_be_done(alert, found, window))) for alert in found.alerts],
        "due": sorted(_due(rows, window, found.now), key=lambda row: row[0])[:DUE_SHOWN],
    }


def _window(found: boards.Board) -> Window:
    """Opening hours, and whatever lies outside of them; eight to six where there is nothing at all."""
    zone = zone_of(found.site)
    spans = [(each.visit.expected.start, each.visit.expected.turnover_end) for each in found.shown]
    spans += [(each.session.start, each.session.turnover_end) for each in found.shown]
    slots = [n for n in range(found.day.slots) if found.day.open >> n & 1]
    if slots:
        spans.append((found.day.first_instant + slots[0] * SLOT, found.day.first_instant + (slots[-1] + 1) * SLOT))
    midnight = first_instant(found.date, zone)
    first = min((start for start, _end in spans), default=midnight + 8 * HOUR)
    last = min(max((end for _start, end in spans), default=midnight + 18 * HOUR), midnight + 24 * HOUR)
    since = midnight + (max(first, midnight) - midnight) // HOUR * HOUR
    return Window(since, max(1, -((since - last) // HOUR)), found.site.time_zone)


def _figures(rows: list[boards.Shown]) -> list[tuple[int, str, str]]:
    """Number, word and look of each figure above the board."""
    states = [each.session.status for each in rows]
    late = sum(any(alert.level == "overdue" for alert in each.alerts) for each in rows)
    care = (SessionStatus.INFUSING, SessionStatus.RECOVERING)
    home = (SessionStatus.COMPLETED, SessionStatus.STOPPED_EARLY)
    found = [
        (sum(state in care for state in states), _("in care"), ""),
        (states.count(SessionStatus.ARRIVED), _("waiting"), ""),
        (sum(state in home for state in states), _("home"), ""),
        (sum(state in TO_COME for state in states), _("to come"), ""),
    ]
    return found + ([(late, _("late"), "is-overdue")] if late else [])


def _block(shown: boards.Shown, window: Window) -> Block:
    session, when = shown.session, shown.visit.expected
    gone = session.status in GONE
    marks = [session.start, session.infuse_start, session.recover_start, session.end, session.turnover_end]
    if not gone:
        marks = [when.start, when.infuse_start, when.recover_start, when.end, when.turnover_end]
    at = [window.at(mark) for mark in marks]
    names = ("prepare", "infuse", "recover")
    phases = tuple(Piece(a, b - a, name) for name, (a, b) in zip(names, pairwise(at[:4]), strict=True) if b > a)
    strong, line = _lines(shown, window)
    return Block(
        shown=shown,
        at=at[0],
        length=max(1, at[3] - at[0]),
        look=_look(shown),
        strong=strong,
        line=line,
        phases=() if gone else phases,
        turnover=Piece(at[3], at[4] - at[3], "turnover"),
    )


def _look(shown: boards.Shown) -> str:
    levels = {alert.level for alert in shown.alerts}
    return next((level for level in ("alert", "overdue") if level in levels), str(shown.session.status))


def _lines(shown: boards.Shown, window: Window) -> tuple[str, str]:
    """The strong words and the plain ones of a block's second line; the state is named where it is laid over."""
    session, step = shown.session, shown.step
    urgent = next((alert for alert in shown.alerts if alert.level != "notice"), None)
    if urgent is not None:
        return board_words(urgent).rstrip("."), _(STATES[session.status])
    if session.ended_at is not None:
        return "", _("Home %s") % window.clock(session.ended_at)
    if step is None:
        return "", _(STATES[session.status])
    at = window.clock(step.at)
    waits = gate_words(step.waits_for)
    end = _("ends %s") % window.clock(shown.visit.expected.end)
    said = {
        "arrive": ("", f"{at}, {session.nurse.name}"),
        "start": (_("waits for %s") % waits if waits else "", "" if waits else _("starts %s") % at),
        "vitals": (_("Vital signs %s") % at, end),
        "resume": (_("Paused since %s") % at, end),
        "finish-infusion": (_("ends %s") % at, ""),
        "discharge": (_("Home %s") % at, ""),
    }
    return said[step.what]


def _load(found: boards.Board, nurse: Any, window: Window) -> list[Piece]:
    """A nurse's row: patients at once against capacity while on duty, `off` else."""
    whole = window.hours * HOUR_SLOTS
    duty = [(window.at(start), window.at(end)) for start, end in boards.duty_of(found, nurse.pk)]
    loads = [(window.at(load.start), window.at(load.end), load.patients) for load in found.loads.get(nurse.pk, [])]
    edges = {0, whole, *(edge for span in duty for edge in span), *(edge for load in loads for edge in load[:2])}
    pieces: list[Piece] = []
    for since, until in pairwise(sorted(edges)):
        count = max((patients for start, end, patients in loads if start <= since < end), default=0)
        there = count > 0 or any(start <= since < end for start, end in duty)
        kind = "off" if not there else "l0" if not count else "full" if count >= nurse.capacity else "some"
        word = _("off") if kind == "off" else f"{count}/{nurse.capacity}"
        if pieces and (pieces[-1].kind, pieces[-1].word) == (kind, word):
            last = pieces.pop()
            pieces.append(Piece(last.at, last.length + until - since, kind, word))
        else:
            pieces.append(Piece(since, until - since, kind, word))
    return pieces


def _said(row: list[Piece], window: Window) -> str:
    """A nurse's row for the ear: "7:00 am – 8:00 am off; 8:00 am – 11:00 am 2/4"."""

    def clock(at: int) -> str:
        return window.clock(window.since + at * SLOT)

    return "; ".join(f"{clock(piece.at)} – {clock(piece.at + piece.length)} {piece.word}" for piece in row)


def _can_be_done(alert: boards.Alert, found: boards.Board, window: Window) -> Iterator[str]:
    """Sentences: whom it reaches, and what can be done about it."""
    chairs = {str(chair.pk): chair.name for chair in found.chairs}
    nurses = {str(nurse.pk): nurse.name for nurse in found.nurses}
    for reached in alert.reached:
        if reached.session is None:
            yield _("Ends %s min after closing.") % reached.minutes
            continue
        who = f"{short_name(reached.session)}, {window.clock(reached.session.start)}"
        words = {
            "chair": _("Its chair is needed by %(who)s (%(n)s min)."),
            "nurse": _("Its nurse is needed by %(who)s (%(n)s min)."),
        }
        yield words[reached.kind] % {"who": who, "n": reached.minutes}
        can = {"chair": _("move to %s"), "nurse": _("give to %s"), "later": _("start at %s"), "chair_and_nurse": "%s"}
        for offer in reached.offers:
            where = {
                "chair": chairs.get(offer.chair, ""),
                "nurse": nurses.get(offer.nurse, ""),
                "later": window.clock(offer.start),
                "chair_and_nurse": f"{chairs.get(offer.chair, '')}, {nurses.get(offer.nurse, '')}",
            }
            yield "→ " + can[offer.kind] % where[offer.kind]


def _due(rows: list[boards.Shown], window: Window, now: datetime) -> Iterator[tuple[datetime, str, str, str, Session]]:
    """(instant, time, what, where, whose) of what is due within the next two hours, or overdue."""
    for shown in rows:
        session, step = shown.session, shown.step
        if step is None or step.at > now + 2 * HOUR:
            continue
        words = {
            "arrive": _("%s is expected"),
            "start": _("Start %s"),
            "vitals": _("Vital signs, %s"),
            "resume": _("%s: infusion is paused"),
            "finish-infusion": _("%s: infusion ends"),
            "discharge": _("%s may go home"),
        }
        waits = (_("waits for %s") % gate_words(step.waits_for),) if step.waits_for else ()
        where = " · ".join((session.chair.name, session.nurse.name, *waits))
        yield step.at, window.clock(step.at), words[step.what] % short_name(session), where, session
