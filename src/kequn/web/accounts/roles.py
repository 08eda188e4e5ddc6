"""The six roles and the permissions of each: the one place that says who may do what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    VIEWER = "viewer", _("只读")
    ANALYST = "analyst", _("分析师")
    MARKETER = "marketer", _("营销")
    SALES = "sales", _("销售")
    SEGMENT_OWNER = "segment_owner", _("客户群负责人")
    ADMINISTRATOR = "administrator", _("管理员")


ROLE_HINTS = {
    Role.VIEWER: _("看汇总和图表，不能看单个客户的个人信息，不能导出"),
    Role.ANALYST: _("编辑口径和分群方案、运行计算、导出不含个人信息的名单"),
    Role.MARKETER: _("建客户群与名单、做活动、导出名单，可申请查看联系方式"),
    Role.SALES: _("只看自己名下的客户，记录跟进"),
    Role.SEGMENT_OWNER: _("只看自己负责的客户群，制定打法并复盘"),
    Role.ADMINISTRATOR: _("全部权限，并管理成员、密钥和审计"),
}


@dataclass(frozen=True)
class Permission:
    """A permission: its name in code, the words for it, and the roles that have it."""

    name: str
    title: Any
    roles: frozenset[str]


def _permission(name: str, title: Any, *roles: Role) -> Permission:
    return Permission(name, title, frozenset(role.value for role in (*roles, Role.ADMINISTRATOR)))


_V, _A, _M, _S, _O = Role.VIEWER, Role.ANALYST, Role.MARKETER, Role.SALES, Role.SEGMENT_OWNER

PERMISSIONS: dict[str, Permission] = {
    permission.name: permission
    for permission in (
        _permission("aggregates.view", _("看汇总与图表"), _V, _A, _M, _S, _O),
        _permission("customers.view", _("看客户卡（在自己的范围内）"), _V, _A, _M, _S, _O),
        _permission("customers.unmask", _("查看个人信息明文（留痕）"), _M, _S, _O),
        _permission("customers.follow_up", _("记录跟进"), _M, _S, _O),
        _permission("customers.tag", _("给客户打标签"), _M, _S, _O),
        _permission("data.import", _("导入数据"), _A),
        _permission("data.run", _("运行计算与发布快照"), _A),
        _permission("schemes.edit", _("编辑分群方案与规则"), _A, _M),
        _permission("audiences.edit", _("编辑名单"), _A, _M, _O),
        _permission("playbooks.edit", _("编辑打法"), _M, _O),
        _permission("positioning.edit", _("编辑定位"), _A, _M),
        _permission("campaigns.edit", _("编辑活动与实验"), _M, _O),
        _permission("members.export", _("导出名单"), _A, _M, _O),
        _permission("members.export_personal", _("导出含联系方式的名单"), _M),
        _permission("jobs.view_all", _("看所有人的任务"), _A),
        _permission("api_keys.own", _("使用自己的 API 密钥"), _A, _M),
        _permission("system.manage", _("系统管理与审计")),
    )
}


def may(role: str, permission: str) -> bool:
    """Whether a role has a permission. Raises KeyError for a permission nobody declared."""
    return role in PERMISSIONS[permission].roles
