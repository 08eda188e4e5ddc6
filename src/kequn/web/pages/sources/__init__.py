"""Page 3: bring data in. Upload, recognise, map, check; what was refused and why."""

from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Page

PAGE = Page(
    "sources", "sources/", _("数据接入"), icon="database-import", step="identify", order=10, permission="data.import",
    keywords="sources import upload mapping csv excel quarantine",
)  # fmt: skip
