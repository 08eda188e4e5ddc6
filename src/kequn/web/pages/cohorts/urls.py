from __future__ import annotations

from django.urls import path

from kequn.web.pages.cohorts import views

app_name = "cohorts"
urlpatterns = [path("", views.index, name="index")]
