from __future__ import annotations

from django.urls import path

from kequn.web.pages.tasks import views

app_name = "tasks"
urlpatterns = [
    path("", views.index, name="index"),
    path("<uuid:pk>/", views.detail, name="detail"),
    path("<uuid:pk>/row/", views.row, name="row"),
    path("<uuid:pk>/cancel/", views.cancel, name="cancel"),
    path("<uuid:pk>/again/", views.again, name="again"),
    path("<uuid:pk>/file/", views.file, name="file"),
]
