from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    name = "kequn.web.jobs"
    label = "jobs"
    verbose_name = _("任务")

    def ready(self) -> None:
        from kequn.web import navigation

        navigation.discover()
        for page in navigation.pages():
            navigation.import_if_there(f"{page.package}.jobs")  # a page's jobs stand beside its views
        import_module("kequn.web.jobs.queue")
