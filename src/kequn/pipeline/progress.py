"""How a run tells what it is doing: named steps with seconds, and a say in whether to go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

STEPS = (
    "facts",
    "profile",
    "prediction",
    "cluster",
    "assignment",
    "audience",
    "portrait",
    "serving",
    "publish",
)
Listener = Callable[[str, float], None]
"""Called with the step that begins and the share of the run done before it (0-1); may raise to cancel."""


@dataclass
class Clocked:
    """Seconds per step, in order."""

    listener: Listener | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        if self.listener is not None:
            self.listener(name, STEPS.index(name) / len(STEPS))
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - began, 3)


__all__ = ["STEPS", "Clocked", "Listener"]
