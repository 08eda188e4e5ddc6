from __future__ import annotations

from django.urls import path

from kequn.web.pages.predictions import views

app_name = "predictions"
urlpatterns = [path("", views.index, name="index")]
