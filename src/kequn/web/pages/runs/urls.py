from __future__ import annotations

from django.urls import path

from kequn.web.pages.runs import views

app_name = "runs"
urlpatterns = [
    path("", views.index, name="index"),
    path("start/", views.start, name="start"),
    path("schedule/", views.set_schedule, name="schedule"),
    path("<str:run_id>/", views.detail, name="detail"),
    path("<str:run_id>/publish/", views.publish, name="publish"),
]
