"""Page 12: who moved between segments from one run to another."""

from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Page

PAGE = Page(
    "migration", "migration/", _("群体迁移"), icon="chart-sankey", step="segment", order=40,
    permission="aggregates.view", keywords="moves sankey flow",
)  # fmt: skip
