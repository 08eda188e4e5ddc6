from __future__ import annotations

from django.urls import path

from kequn.web.pages.sources import views

app_name = "sources"
urlpatterns = [
    path("", views.index, name="index"),
    path("upload/", views.upload, name="upload"),
    path("delete/", views.delete, name="delete"),
    path("remove/", views.remove, name="remove"),
    path("map/", views.mapping, name="map"),
    path("quarantine/", views.quarantine, name="quarantine"),
    path("quarantine/download/", views.download_quarantine, name="download_quarantine"),
]
