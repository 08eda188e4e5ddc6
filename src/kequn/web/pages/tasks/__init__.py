"""Page 2: jobs with progress, what failed and why, results to fetch."""

from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Page

PAGE = Page(
    "tasks", "tasks/", _("任务与提醒"), icon="bell", step="", order=20, keywords="jobs alerts queue runs"
)
