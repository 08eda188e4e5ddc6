from __future__ import annotations

from django.urls import path

from kequn.web.pages.quality import views

app_name = "quality"
urlpatterns = [
    path("", views.index, name="index"),
    path("readiness/", views.readiness, name="readiness"),
    path("metrics/", views.dictionary, name="metrics"),
    path("check/", views.check, name="check"),
]
