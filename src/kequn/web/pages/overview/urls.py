from __future__ import annotations

from django.urls import path

from kequn.web.pages.overview import views

app_name = "overview"
urlpatterns = [path("", views.index, name="index")]
