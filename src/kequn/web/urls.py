"""Addresses: each page under its own path, collected from the navigation."""

from __future__ import annotations

from django.urls import include, path

from kequn.web import navigation, views

urlpatterns = [
    path("", views.home, name="home"),
    path("search/", views.search, name="search"),
    path("language/", views.set_language, name="set_language"),
    path("theme/", views.set_theme, name="set_theme"),
    path("api/", include("kequn.web.api.urls")),
    *(
        path(page.path, include((f"{page.package}.urls", page.name)))
        for page in navigation.pages()
    ),
]  # fmt: skip

handler400 = "kequn.web.views.bad_request"
handler403 = "kequn.web.views.forbidden"
handler404 = "kequn.web.views.not_found"
handler500 = "kequn.web.views.server_error"
