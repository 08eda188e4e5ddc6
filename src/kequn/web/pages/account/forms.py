"""Forms for one's own settings."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from kequn.web.accounts.api_keys import SCOPES, scopes_for
from kequn.web.accounts.models import User
from kequn.web.pages.login.forms import NewPasswordForm


class ProfileForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ("name", "email", "language", "theme")


class ChangePasswordForm(NewPasswordForm):
    """A new password, by somebody who knows the old one."""

    old = forms.CharField(
        label=_("当前密码"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ("old", "password", "again")

    def clean_old(self) -> str:
        if not self.user.check_password(self.cleaned_data["old"]):
            raise forms.ValidationError(_("当前密码不正确"))
        return self.cleaned_data["old"]


class PasswordForm(forms.Form):
    """The password once more, before something that matters."""

    password = forms.CharField(
        label=_("当前密码"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        if not self.user.check_password(self.cleaned_data["password"]):
            raise forms.ValidationError(_("当前密码不正确"))
        return self.cleaned_data["password"]


class KeyForm(forms.Form):
    """A new API key: what for, what it may do, for how long."""

    name = forms.CharField(label=_("用途"), max_length=80)
    days = forms.TypedChoiceField(
        label=_("有效期"),
        coerce=int,
        initial=365,
        choices=[(30, _("30 天")), (90, _("90 天")), (365, _("1 年"))],
    )
    scopes = forms.MultipleChoiceField(label=_("权限范围"), widget=forms.CheckboxSelectMultiple)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs["placeholder"] = _("如：BI 报表每日同步")
        self.fields["scopes"].choices = [(scope, SCOPES[scope][0]) for scope in scopes_for(user.role)]
