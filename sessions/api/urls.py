"""Addresses of this floor under the API's base path."""

from __future__ import annotations

from django.urls import path

from accounts.http.views import RecordRouter
from sessions.api import change_views, views
from sessions.api.availability import AvailabilityView
from sessions.api.board import BoardView
from sessions.api.reports import UtilisationView

router = RecordRouter()
router.register("orders", views.OrderViewSet, basename="orders")
router.register("plans", views.PlanViewSet, basename="plans")
router.register("series", views.SeriesViewSet, basename="series")
router.register("sessions", views.SessionViewSet, basename="sessions")
router.register("waitlist-entries", change_views.WaitlistEntryViewSet, basename="waitlist-entries")
router.register("offers", change_views.OfferViewSet, basename="offers")
router.register("disruptions", change_views.DisruptionViewSet, basename="disruptions")

urlpatterns = [
    path("availability/", AvailabilityView.as_view(), name="availability"),
    path("board/", BoardView.as_view(), name="board"),
    path("reports/utilisation/", UtilisationView.as_view(), name="utilisation"),
    *router.urls,
]
