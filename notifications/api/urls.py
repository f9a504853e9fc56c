"""Addresses of this room, below `/api/v1/`."""

from __future__ import annotations

from django.urls import path

from accounts.http.views import RecordRouter
from notifications.api import views

router = RecordRouter()
router.register("notifications", views.MessageViewSet, basename="notifications")
router.register("follow-ups", views.FollowUpViewSet, basename="follow-ups")
router.register("alerts", views.AlertViewSet, basename="alerts")

# Records are found by UUIDs, so whatever else stands in a follow-up's place is a link's token, true or false.
urlpatterns = [*router.urls, path("follow-ups/<str:token>/", views.CheckInView.as_view(), name="check-in-api")]
