"""Model cards: what is predicted, how well on held-out months, beside which simpler method."""

from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Page

PAGE = Page(
    "predictions", "predictions/", _("预测与可信度"), icon="chart-dots", step="segment", order=50,
    permission="aggregates.view", keywords="models clv churn quality trust",
)  # fmt: skip
