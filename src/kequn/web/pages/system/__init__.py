"""Page 20: members, roles, audit log, API keys."""

from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Page

PAGE = Page(
    "system", "system/", _("系统管理"), icon="settings", step="system", permission="system.manage", start="users",
    keywords="users members roles audit api keys administration settings",
)  # fmt: skip
