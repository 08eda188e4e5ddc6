from __future__ import annotations

from django.urls import path

from kequn.web.pages.tiers import views

app_name = "tiers"
urlpatterns = [path("", views.index, name="index")]
