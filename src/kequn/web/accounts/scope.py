"""Which customers a person may see, as data: the same scope filters queries, keys caches and checks one customer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kequn.web.accounts.roles import Role

if TYPE_CHECKING:
    from kequn.web.accounts.models import User


@dataclass(frozen=True)
class Customer:
    """What a permission needs to know about one customer."""

    customer_id: str
    account_manager: str | None = None
    segments: frozenset[tuple[str, str]] = field(default_factory=frozenset)  # (scheme, segment)


@dataclass(frozen=True)
class Scope:
    """All customers, those of one account manager, or those of some segments.

    `everyone` wins; otherwise a customer is in scope when either of the other two says so. An empty scope sees nobody.
    """

    everyone: bool = False
    account_manager: str = ""
    segments: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """A short text that differs whenever the scope does; part of every cache key of a count."""
        if self.everyone:
            return "all"
        text = repr((self.account_manager, sorted(self.segments)))
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def sees(self, customer: Customer) -> bool:
        """Whether this customer is in scope."""
        if self.everyone:
            return True
        if self.account_manager and customer.account_manager == self.account_manager:
            return True
        return any(pair in customer.segments for pair in self.segments)


EVERYONE = Scope(everyone=True)
NOBODY = Scope()


def scope_of(user: User) -> Scope:
    """The customers that a person may see, by role."""
    if not getattr(user, "is_active", False):
        return NOBODY
    if user.role == Role.SALES:
        return Scope(account_manager=user.account_manager)
    if user.role == Role.SEGMENT_OWNER:
        owned = tuple((owner.scheme, owner.segment) for owner in user.owned.all())
        return Scope(segments=owned)
    return EVERYONE
