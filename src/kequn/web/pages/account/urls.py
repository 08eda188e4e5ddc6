from __future__ import annotations

from django.urls import path

from kequn.web.pages.account import views

app_name = "account"
urlpatterns = [
    path("", views.index, name="index"),
    path("security/", views.security, name="security"),
    path("security/password/", views.change_password, name="password"),
    path("security/two-step/", views.two_step, name="totp"),
    path("security/two-step/off/", views.two_step_off, name="totp_off"),
    path("security/sessions/", views.end_sessions, name="end_sessions"),
    path("keys/", views.keys, name="keys"),
    path("keys/<int:pk>/revoke/", views.revoke_key, name="revoke_key"),
]
