"""Addresses of this room, below `/api/v1/`."""

from __future__ import annotations

from django.urls import path

from accounts.http.views import RecordRouter
from notifications.api import inbound, on_call, talk, views

router = RecordRouter()
router.register("notifications", views.MessageViewSet, basename="notifications")
router.register("follow-ups", views.FollowUpViewSet, basename="follow-ups")
router.register("alerts", views.AlertViewSet, basename="alerts")
router.register("wordings", talk.WordingViewSet, basename="wordings")
router.register("replies", talk.ReplyViewSet, basename="replies")
router.register("calendar-feeds", talk.FeedViewSet, basename="calendar-feeds")
router.register("on-call", on_call.RosterViewSet, basename="on-call")
router.register("red-flag-rules", on_call.FlagRuleViewSet, basename="red-flag-rules")
router.register("message-plans", on_call.MessagePlanViewSet, basename="message-plans")

# Records are found by UUIDs, so whatever else stands in a follow-up's place is a link's token, true or false.
urlpatterns = [
    path("on-call/now/", on_call.OnCallNowView.as_view(), name="on-call-now"),
    path("on-call/pager/", on_call.PagerView.as_view(), name="on-call-pager"),
    *router.urls,
    path(
        "patients/<record_id:pk>/export/",
        views.ExportViewSet.as_view({"get": "export"}, basename="patients", detail=True),
        name="patients-export",
    ),
    path("follow-ups/<str:token>/", views.CheckInView.as_view(), name="check-in-api"),
    path("calendar/<str:token>.ics", talk.CalendarView.as_view(), name="calendar"),
    path("inbound/mail/", inbound.MailView.as_view(), name="inbound-mail"),
    path("inbound/sms/", inbound.TextView.as_view(), name="inbound-sms"),
    path("inbound/sms/<record_id:pk>/status/", inbound.StatusView.as_view(), name="inbound-sms-status"),
]
