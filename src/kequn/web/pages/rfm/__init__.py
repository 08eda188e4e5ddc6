"""Page 9: the cells of an RFM grid; a click chooses cells, and their rule and members follow."""

from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Page

PAGE = Page(
    "rfm", "rfm/", _("RFM 分析"), icon="grid-dots", step="segment", order=20,
    permission="aggregates.view", keywords="recency frequency monetary heat",
)  # fmt: skip
