"""Page 15: customers by tier or grade as a pyramid, with what each gets."""

from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Page

PAGE = Page(
    "tiers", "tiers/", _("客户分级"), icon="pyramid", step="position", order=30,
    permission="aggregates.view", keywords="pyramid grade loyalty vip",
)  # fmt: skip
