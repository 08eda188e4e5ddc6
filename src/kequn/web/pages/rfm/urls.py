from __future__ import annotations

from django.urls import path

from kequn.web.pages.rfm import views

app_name = "rfm"
urlpatterns = [path("", views.index, name="index")]
