"""Addresses of the pages that people see."""

from __future__ import annotations

from django.urls import path

from web import views

app_name = "web"

urlpatterns = [
    path("", views.home, name="home"),
    path("check-in/<str:token>/", views.check_in, name="check-in"),
]
