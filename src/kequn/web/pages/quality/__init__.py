"""Page 4: can the data be trusted, what do they allow, and what does each figure mean."""

from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Page

PAGE = Page(
    "quality", "quality/", _("数据质量与口径"), icon="shield-check", step="identify", order=20, permission="aggregates.view",
    keywords="quality readiness metrics dictionary reconciliation",
)  # fmt: skip
