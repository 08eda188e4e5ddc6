"""Who comes back: retention of each month's new customers."""

from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Page

PAGE = Page(
    "cohorts", "cohorts/", _("留存分析"), icon="calendar-time", step="segment", order=45,
    permission="aggregates.view", keywords="cohort retention repurchase",
)  # fmt: skip
