"""Addresses of the pages that people see. They hold ids, never what a record says."""

from __future__ import annotations

from django.urls import path
from django.views.i18n import set_language

import accounts.http.records  # noqa: F401  (names `record_id`, a part of an address)
from web import (
    alerts,
    board,
    booking,
    calendars,
    day_sheet,
    desk,
    disruptions,
    moving,
    patients,
    reaching,
    saying,
    signing_in,
    views,
    visits,
    waiting,
)

app_name = "web"

urlpatterns = [
    path("", views.home, name="home"),
    path("sign-in/", signing_in.sign_in, name="sign-in"),
    path("sign-in/link/", signing_in.use_link, name="use-link"),
    path("sign-in/link/send/", signing_in.ask_for_link, name="ask-for-link"),
    path("sign-in/link/<str:token>/", signing_in.open_link, name="open-link"),
    path("sign-out/", signing_in.sign_out, name="sign-out"),
    path("language/", set_language, name="language"),
    path("check-in/<str:token>/", views.check_in, name="check-in"),
    path("board/", board.board, name="board"),
    path("board/now/", board.board_now, name="board-now"),
    path("day-sheet/", day_sheet.page_of, name="day-sheet"),
    path("day-sheet.csv", day_sheet.table_of, name="day-sheet-csv"),
    path("book/", booking.start, name="book"),
    path("patients/<record_id:patient>/book/", booking.wishes, name="wishes"),
    path("plans/<record_id:plan>/", booking.plan, name="plan"),
    path("plans/<record_id:plan>/choices/", booking.plans, name="plans"),
    path("plans/<record_id:plan>/hold/", booking.hold, name="hold"),
    path("desk/", desk.desk, name="desk"),
    path("desk/<record_id:session>/arrive/", desk.arrive, name="arrive"),
    path("desk/<record_id:session>/confirmed/", desk.confirmed, name="confirmed"),
    path("patients/", desk.patients, name="patients"),
    path("patients/<record_id:patient>/", patients.patient, name="patient"),
    path("patients/<record_id:patient>/messages/", reaching.of_patient, name="messages"),
    path("alerts/", alerts.inbox, name="alerts"),
    path("alerts/<record_id:alert>/take/", alerts.take, name="take-alert"),
    path("disruptions/", disruptions.overview, name="disruptions"),
    path("disruptions/<record_id:disruption>/", disruptions.disruption, name="disruption"),
    path("disruptions/<record_id:disruption>/apply/", disruptions.apply, name="apply-disruption"),
    path("disruptions/<record_id:disruption>/undo/", disruptions.undo, name="undo-disruption"),
    path("waitlist/", waiting.overview, name="waitlist"),
    path("offers/<record_id:offer>/accept/", waiting.accept, name="accept-offer"),
    path("offers/<record_id:offer>/decline/", waiting.decline, name="decline-offer"),
    path("visits/", visits.overview, name="visits"),
    path("messages/", reaching.own, name="own-messages"),
    path("messages/mails-again/", reaching.mails_again, name="mails-again"),
    path("calendar/", calendars.calendar, name="calendar"),
    path("calendar/<record_id:feed>/take-back/", calendars.take_back, name="take-back-calendar"),
    path("series/<record_id:series>/", visits.series, name="series"),
    path("sessions/<record_id:session>/confirm/", visits.confirm, name="confirm"),
    path("sessions/<record_id:session>/prepare/", saying.prepare, name="prepare"),
    path("sessions/<record_id:session>/move/", moving.move, name="move"),
    path("sessions/<record_id:session>/move/<record_id:plan>/", moving.take, name="take-place"),
    path("sessions/<record_id:session>/cancel/", visits.cancel, name="cancel"),
    path("stop/<str:token>/", views.stop_mails, name="stop-mails"),
]
