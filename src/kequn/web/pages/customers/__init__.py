"""Pages 5 and 6: customers by id, name, pinyin or phone; and everything known of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Hit, Page


def search(request: Any, text: str) -> Iterator[Hit]:
    """Customers for the search box, within the person's scope."""
    from kequn.web.customer_list import Filters, find
    from kequn.web.serving import NoSnapshot

    try:
        found = find(request, Filters(text), sort="value")
    except NoSnapshot:
        return
    for row in found.rows:
        name = row.get("name") or row.get("company") or ""
        note = row["customer_id"] if name else ""
        yield Hit(
            str(name or row["customer_id"]),
            reverse("customers:card", args=[row["customer_id"]]),
            "user",
            note,
        )


PAGE = Page(
    "customers", "customers/", _("客户查询"), icon="user-search", step="identify", order=10,
    permission="customers.view", keywords="360 card people", search=search,
)  # fmt: skip
