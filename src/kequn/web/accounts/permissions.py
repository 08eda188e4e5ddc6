"""Permissions on objects: role predicates from `roles.PERMISSIONS`, joined with what the object says (`rules`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import rules
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from kequn.web.accounts.roles import PERMISSIONS
from kequn.web.accounts.scope import Customer, scope_of

OBJECTS = rules.RuleSet()


def _role_has(permission: str) -> rules.Predicate:
    return rules.Predicate(lambda user: user.may(permission), name=permission)


@rules.predicate
def in_scope(user: Any, customer: Any) -> bool:
    """The customer is one that this person may see. Without a customer: the person may see some."""
    return customer is None or (isinstance(customer, Customer) and scope_of(user).sees(customer))


@rules.predicate
def owns_segment(user: Any, segment: Any) -> bool:
    """`segment` is (scheme, segment); only segment owners are limited to theirs."""
    return segment is None or user.role != "segment_owner" or tuple(segment) in scope_of(user).segments


@rules.predicate
def own_job(user: Any, job: Any) -> bool:
    return job is not None and job.created_by_id == user.pk


for _name in PERMISSIONS:
    _rule = _role_has(_name)
    if _name.startswith("customers."):
        _rule = _rule & in_scope
    elif _name in {"playbooks.edit", "members.export", "members.export_personal", "campaigns.edit"}:
        _rule = _rule & owns_segment
    OBJECTS.add_rule(_name, _rule)

OBJECTS.add_rule("jobs.view", own_job | _role_has("jobs.view_all"))
OBJECTS.add_rule("jobs.cancel", own_job | _role_has("system.manage"))


def allowed(user: Any, permission: str, obj: Any = None) -> bool:
    """Whether `user` may do `permission` to `obj`. Raises KeyError for a permission nobody declared."""
    if permission not in OBJECTS:
        raise KeyError(permission)
    return bool(getattr(user, "is_active", False)) and OBJECTS.test_rule(permission, user, obj)


def needs(permission: str) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """A view that only people with `permission` may open; others get the 403 page."""
    PERMISSIONS[permission]

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.may(permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded

    return decorate
