"""Page 11: the editor of schemes (and of audience files): fields or text, review, publish, versions, undo."""

from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Page

PAGE = Page(
    "editor", "editor/", _("方案编辑"), icon="adjustments", step="segment", order=60, permission="schemes.edit",
    keywords="editor schemes bands tiers grid scorecard versions yaml",
)  # fmt: skip
