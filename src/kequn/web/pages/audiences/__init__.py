"""Audiences and uploaded lists: named groups of customers that may overlap."""

from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Page

PAGE = Page(
    "audiences", "audiences/", _("名单"), icon="users-group", step="segment", order=50, permission="aggregates.view",
    keywords="audiences lists upload members",
)  # fmt: skip
