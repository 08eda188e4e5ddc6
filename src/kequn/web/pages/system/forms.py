"""Forms of the administration."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from kequn.web.accounts.models import User
from kequn.web.audit.actions import ACTIONS
from kequn.web.pages.system.people import keep_an_administrator

MOST_SEGMENTS = 50


class MemberForm(forms.ModelForm):
    """A member; segments owned are written one per line as `scheme/segment`."""

    segments = forms.CharField(
        label=_("负责的客户群"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "rfm/champions"}),
        help_text=_("每行一个「方案/客户群」，仅「客户群负责人」需要填写"),
    )

    class Meta:
        model = User
        fields = ("username", "name", "email", "role", "account_manager")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["segments"].initial = "\n".join(str(owner) for owner in self.instance.owned.all())

    def clean_username(self) -> str:
        name = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("这个用户名已被使用"))
        return name

    def clean_segments(self) -> list[tuple[str, str]]:
        pairs = []
        for line in self.cleaned_data["segments"].splitlines():
            scheme, slash, segment = line.strip().partition("/")
            if not line.strip():
                continue
            if not (scheme and slash and segment) or len(scheme) > 80 or len(segment) > 120:
                raise forms.ValidationError(_("「%(line)s」应写成 方案/客户群"), params={"line": line[:40]})
            pairs.append((scheme.strip(), segment.strip()))
        if len(pairs) > MOST_SEGMENTS:
            raise forms.ValidationError(_("最多 %(most)s 个"), params={"most": MOST_SEGMENTS})
        return list(dict.fromkeys(pairs))

    def clean_role(self) -> str:
        role = self.cleaned_data["role"]
        if self.instance.pk:
            keep_an_administrator(User.objects.get(pk=self.instance.pk), role, True)
        return role


class AuditFilter(forms.Form):
    """What part of the log to show."""

    who = forms.CharField(label=_("操作人"), required=False, max_length=64)
    action = forms.ChoiceField(label=_("操作"), required=False)
    since = forms.DateField(label=_("从"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("到"), required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["action"].choices = [("", _("全部操作")), *ACTIONS.items()]

    def apply(self, events: Any) -> Any:
        """`events` that fit; a filter that isn't valid is left out."""
        self.is_valid()
        data = self.cleaned_data
        if data.get("who"):
            events = events.filter(actor__icontains=data["who"])
        if data.get("action"):
            events = events.filter(action=data["action"])
        if data.get("since"):
            events = events.filter(at__date__gte=data["since"])
        if data.get("until"):
            events = events.filter(at__date__lte=data["until"])
        return events

    def kept(self) -> dict[str, str]:
        """The filter as job parameters."""
        self.is_valid()
        return {name: str(value) for name, value in self.cleaned_data.items() if value}
