from __future__ import annotations

from django.urls import path

from kequn.web.pages.audiences import views

app_name = "audiences"
urlpatterns = [
    path("", views.index, name="index"),
    path("upload/", views.upload, name="upload"),
    path("<slug:name>/", views.detail, name="detail"),
    path("<slug:name>/export/", views.export, name="export"),
    path("<slug:name>/remove/", views.remove, name="remove"),
]
