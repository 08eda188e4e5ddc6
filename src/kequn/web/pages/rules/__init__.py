"""Page 10: the rule builder."""

from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Page

PAGE = Page(
    "rules", "rules/", _("规则圈选"), icon="filter", step="segment", order=40, permission="aggregates.view",
    keywords="rules builder conditions audience filter count",
)  # fmt: skip
