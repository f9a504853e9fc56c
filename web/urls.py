"""Addresses of the pages that people see."""

from __future__ import annotations

from django.urls import path

from web import signing_in, views

app_name = "web"

urlpatterns = [
    path("", views.home, name="home"),
    path("sign-in/", signing_in.sign_in, name="sign-in"),
    path("sign-out/", signing_in.sign_out, name="sign-out"),
    path("check-in/<str:token>/", views.check_in, name="check-in"),
]
