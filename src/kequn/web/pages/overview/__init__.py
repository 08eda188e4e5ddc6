"""Page 1: the run at a glance, with what needs somebody's attention first."""

from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Page

PAGE = Page(
    "overview", "overview/", _("经营总览"), icon="layout-dashboard", step="", order=10,
    permission="aggregates.view", keywords="home dashboard kpi",
)  # fmt: skip
