from __future__ import annotations

from django.urls import path

from kequn.web.pages.rules import views

app_name = "rules"
urlpatterns = [
    path("", views.index, name="index"),
    path("tree/", views.tree, name="tree"),
    path("panel/", views.panel, name="panel"),
    path("exact/", views.exact, name="exact"),
    path("save/", views.save, name="save"),
]
