"""Putting a tag on and taking it off. Each tag is also a list in `audiences/`, so runs, exports and campaigns can use it.

The database says who carries a tag; the file of ids that the list names is written anew after each change.
"""

from __future__ import annotations

import csv
import io
import re

from django.conf import settings
from django.core.cache import caches
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from kequn.definitions import ABSENT, save_text
from kequn.errors import ConfigError
from kequn.web.audit.record import record
from kequn.web.definitions import saving
from kequn.web.pages.audiences.files import LISTS, audience_text, free_path
from kequn.web.tags.models import LONGEST, Tag

MOST_TAGS = 200  # different ones in a workspace
SUGGESTED, SUGGESTED_SECONDS = "tag-titles", 10
BAD = re.compile(r"[\x00-\x1f\x7f<>\"'/\\]")


def tidy(text: str) -> str:
    """The tag as it is kept: one line, single spaces. Raises ConfigError(`web.tag_text`) for what can't be a tag."""
    found = " ".join(text.split())
    if not found or len(found) > LONGEST or BAD.search(found):
        raise ConfigError("web.tag_text", most=LONGEST)
    return found


def tags_of(customer_id: str) -> list[Tag]:
    """The tags on one customer."""
    return list(Tag.objects.filter(customer_id=customer_id))


def all_titles() -> list[str]:
    """Every tag in use, by name."""
    return list(Tag.objects.order_by("title").values_list("title", flat=True).distinct()[:MOST_TAGS])


def suggested() -> list[str]:
    """As `all_titles`, perhaps as they were ten seconds ago: good enough to pick from."""
    found: list[str] | None = caches["counts"].get(SUGGESTED)
    if found is None:
        found = all_titles()
        caches["counts"].set(SUGGESTED, found, SUGGESTED_SECONDS)
    return found


def carriers(title: str) -> tuple[str, ...]:
    """Ids of the customers with this tag, in order."""
    return tuple(
        Tag.objects.filter(title=title).order_by("customer_id").values_list("customer_id", flat=True)
    )


def add(request: HttpRequest, customer_id: str, text: str) -> str:
    """Tag the customer, once however often it is asked; returns the tag as kept.

    Raises ConfigError for a text that can't be a tag, and for one tag too many.
    """
    title = tidy(text)
    known = Tag.objects.filter(title=title).first()
    if known is None and len(all_titles()) >= MOST_TAGS:
        raise ConfigError("web.too_many_tags", most=MOST_TAGS)
    audience = known.audience if known else free_path(title)[1]
    try:
        with transaction.atomic():
            Tag.objects.create(
                customer_id=customer_id, title=title, audience=audience, by=request.user.get_username()
            )
    except IntegrityError:
        return title
    record("tag.added", request=request, target=("customer", customer_id), tag=title)
    _keep_list(request, title, audience)
    return title


def remove(request: HttpRequest, customer_id: str, title: str) -> bool:
    """Take the tag off; False when the customer doesn't carry it. The list goes with its last customer."""
    tag = Tag.objects.filter(customer_id=customer_id, title=title[:LONGEST]).first()
    if tag is None:
        return False
    tag.delete()
    record("tag.removed", request=request, target=("customer", customer_id), tag=tag.title)
    _keep_list(request, tag.title, tag.audience)
    return True


def _keep_list(request: HttpRequest, title: str, audience: str) -> None:
    """The list `audiences/<audience>.yaml` with its file of ids, as the database says; neither when nobody is left."""
    caches["counts"].delete(SUGGESTED)
    path, listed = f"audiences/{audience}.yaml", f"{LISTS}/tag-{audience}.csv"
    file = settings.WORKSPACE / "audiences" / listed
    ids = carriers(title)
    there = saving.current(path)
    if not ids:
        if there.fingerprint != ABSENT:
            saving.remove(request, path, expected=there.fingerprint)
        file.unlink(missing_ok=True)
        return
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerows([["customer_id"], *([customer] for customer in ids)])
    save_text(file, written.getvalue())
    if there.fingerprint == ABSENT:
        owner = request.user.get_username()
        text = audience_text(audience, title, owner=owner, ids=listed, column="customer_id")
        saving.save(request, path, text, expected=ABSENT)
