from __future__ import annotations

from django.urls import path

from kequn.web.pages.editor import views

app_name = "editor"
urlpatterns = [
    path("", views.index, name="index"),
    path("<slug:folder>/<str:name>/", views.file, name="file"),
    path("<slug:folder>/<str:name>/review/", views.review, name="review"),
    path("<slug:folder>/<str:name>/effect/", views.effects, name="effect"),
    path("<slug:folder>/<str:name>/publish/", views.publish, name="publish"),
    path("<slug:folder>/<str:name>/versions/<int:pk>/", views.version, name="version"),
    path("<slug:folder>/<str:name>/versions/<int:pk>/restore/", views.restore, name="restore"),
]
