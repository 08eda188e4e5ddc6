from __future__ import annotations

from django.urls import path

from kequn.web.pages.segments import moves, views

app_name = "segments"
urlpatterns = [
    path("", views.index, name="index"),
    path("<str:scheme>/<str:segment>/", views.detail, name="detail"),
    path("<str:scheme>/<str:segment>/members/", views.members, name="members"),
    path("<str:scheme>/<str:segment>/moves/", moves.index, name="moves"),
    path("<str:scheme>/<str:segment>/export/", views.export, name="export"),
]
