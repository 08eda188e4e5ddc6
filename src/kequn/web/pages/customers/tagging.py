"""Tags on a card: shown to everybody who sees the customer, changed by those who may."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from kequn.errors import KequnError
from kequn.web.accounts.permissions import needs
from kequn.web.accounts.scope import Customer
from kequn.web.definitions.saving import told
from kequn.web.pages.customers.seeing import seen_customer
from kequn.web.tags import changing


def shown(request: HttpRequest, customer: Customer, wrong: str = "") -> dict[str, Any]:
    """What `customers/tags.html` needs."""
    mine = changing.tags_of(customer.customer_id)
    may = request.user.has_perm("customers.tag", customer)  # type: ignore[union-attr]
    titles = {tag.title for tag in mine}
    known = [title for title in changing.suggested() if title not in titles] if may else []
    return {"id": customer.customer_id, "tags": mine, "may_tag": may, "known_tags": known, "tag_wrong": wrong}


@require_POST
@needs("customers.tag")
def change(request: HttpRequest, customer_id: str) -> HttpResponse:
    """Put the tag `add` on, or take `remove` off; answers with the tags as they are now."""
    customer = seen_customer(request, customer_id)
    wrong = ""
    try:
        if request.POST.get("remove"):
            changing.remove(request, customer_id, request.POST["remove"])
        else:
            changing.add(request, customer_id, request.POST.get("add", ""))
    except KequnError as error:
        wrong = told(error)
    return render(
        request, "customers/tags.html", shown(request, customer, wrong), status=422 if wrong else 200
    )
