"""The kinds of job there are. A page adds one by decorating a function in its `jobs.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Work = Callable[..., dict[str, Any] | None]


@dataclass(frozen=True)
class Kind:
    """A kind of job: who may start it, what people call it, and the page to look at when it's done."""

    name: str
    title: Any
    permission: str
    work: Work
    icon: str = "clock"


KINDS: dict[str, Kind] = {}


def job(name: str, *, title: Any, permission: str, icon: str = "clock") -> Callable[[Work], Work]:
    """Register `work(context, **params)` as the job `name`.

    It returns a JSON dict as result: `url` is offered as a link, `file` (a name in `context.folder`) as a download.
    """

    def register(work: Work) -> Work:
        if name in KINDS and KINDS[name].work is not work:
            raise ValueError(f"two jobs are called {name}")
        KINDS[name] = Kind(name, title, permission, work, icon)
        return work

    return register
