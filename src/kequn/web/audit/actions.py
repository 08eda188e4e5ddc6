"""The names of what is audited, with the words shown for them. An action that isn't named here can't be recorded."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "login": _("登录"),
    "login.failed": _("登录失败"),
    "login.locked": _("登录被锁定"),
    "logout": _("退出"),
    "password.changed": _("修改密码"),
    "password.reset_requested": _("申请重置密码"),
    "totp.enabled": _("开启两步验证"),
    "totp.disabled": _("关闭两步验证"),
    "totp.recovery_used": _("使用恢复码登录"),
    "sessions.ended": _("退出所有设备"),
    "user.created": _("新建成员"),
    "user.changed": _("修改成员"),
    "user.deactivated": _("停用成员"),
    "user.activated": _("启用成员"),
    "user.invited": _("发送邀请"),
    "user.unlocked": _("解除登录锁定"),
    "segment.owner_changed": _("调整客户群负责人"),
    "api_key.created": _("新建 API 密钥"),
    "api_key.revoked": _("吊销 API 密钥"),
    "customer.unmasked": _("查看个人信息明文"),
    "job.started": _("启动任务"),
    "job.cancelled": _("取消任务"),
    "run.published": _("发布运行结果"),
    "run.rolled_back": _("退回到以前的运行"),
    "schedule.changed": _("修改每晚运行"),
    "data.uploaded": _("上传数据文件"),
    "data.deleted": _("删除数据文件"),
    "sources.saved": _("保存数据源"),
    "sources.removed": _("移除数据源"),
    "quarantine.downloaded": _("下载隔离数据"),
    "export.created": _("生成导出"),
    "export.downloaded": _("下载导出"),
    "definition.saved": _("保存定义"),
    "definition.removed": _("删除定义"),
    "list.uploaded": _("上传名单"),
}
