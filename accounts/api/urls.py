"""Addresses of this room, below `/api/v1/`."""

from __future__ import annotations

from django.urls import path

from accounts.api import views
from accounts.api.patients import PatientViewSet
from accounts.api.staff import InvitationViewSet, PersonViewSet
from accounts.http.views import RecordRouter

router = RecordRouter()
router.register("patients", PatientViewSet, basename="patients")
router.register("users", PersonViewSet, basename="users")
router.register("invitations", InvitationViewSet, basename="invitations")

urlpatterns = [
    path("auth/login/", views.LoginView.as_view(), name="login"),
    path("auth/logout/", views.LogoutView.as_view(), name="logout"),
    path("auth/me/", views.MeView.as_view(), name="me"),
    *router.urls,
]
