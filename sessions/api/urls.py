"""Addresses of this floor under the API's base path."""

from __future__ import annotations

from django.urls import path

from accounts.http.views import RecordRouter
from sessions.api import views
from sessions.api.availability import AvailabilityView
from sessions.api.board import BoardView

router = RecordRouter()
router.register("orders", views.OrderViewSet, basename="orders")
router.register("plans", views.PlanViewSet, basename="plans")
router.register("series", views.SeriesViewSet, basename="series")
router.register("sessions", views.SessionViewSet, basename="sessions")

urlpatterns = [
    path("availability/", AvailabilityView.as_view(), name="availability"),
    path("board/", BoardView.as_view(), name="board"),
    *router.urls,
]
