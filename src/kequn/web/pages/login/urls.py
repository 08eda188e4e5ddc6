from __future__ import annotations

from django.urls import path

from kequn.web.pages.login import views

app_name = "login"
urlpatterns = [
    path("", views.sign_in, name="index"),
    path("code/", views.second_step, name="code"),
    path("out/", views.sign_out, name="out"),
    path("forgot/", views.forgot, name="forgot"),
    path("password/<uid>/<token>/", views.set_password, name="password_set"),
    path("setup/<token>/", views.setup, name="setup"),
]
