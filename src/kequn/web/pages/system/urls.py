from __future__ import annotations

from django.urls import path

from kequn.web.pages.system import views

app_name = "system"
urlpatterns = [
    path("", views.users, name="users"),
    path("users/new/", views.new_user, name="new_user"),
    path("users/<int:pk>/", views.edit_user, name="edit_user"),
    path("users/<int:pk>/link/", views.link, name="link"),
    path("users/<int:pk>/two-step/", views.reset_two_step, name="reset_two_step"),
    path("users/<int:pk>/unlock/", views.unlock, name="unlock"),
    path("users/<int:pk>/active/", views.set_active, name="set_active"),
    path("roles/", views.roles, name="roles"),
    path("audit/", views.audit, name="audit"),
    path("audit/export/", views.export_audit, name="export_audit"),
    path("keys/", views.keys, name="keys"),
]
