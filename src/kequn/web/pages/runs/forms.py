"""What may be asked of a run and of the schedule."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class StartForm(forms.Form):
    """A run as of a date; empty takes the workspace's setting."""

    as_of = forms.DateField(
        label=_("计算日期"), required=False, help_text=_("留空则按工作区设置，通常是最后一笔订单的次日"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )  # fmt: skip


class ScheduleForm(forms.Form):
    """The nightly run."""

    enabled = forms.BooleanField(label=_("每晚自动运行"), required=False)
    at = forms.TimeField(
        label=_("开始时间"),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        input_formats=["%H:%M"],
    )
    stale_days = forms.IntegerField(
        label=_("数据超过几天提醒"),
        min_value=1,
        max_value=365,
        help_text=_("结果的截至日期早于这么多天时，任务页会提醒"),
    )
