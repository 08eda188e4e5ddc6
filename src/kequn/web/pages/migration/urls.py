from __future__ import annotations

from django.urls import path

from kequn.web.pages.migration import views

app_name = "migration"
urlpatterns = [path("", views.index, name="index")]
