"""What a contender reports about itself: CPU and wall seconds of each stage, as one line of JSON at its end."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


def cpu_seconds() -> float:
    """User and system seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@dataclass
class Stages:
    """Stages in order, and whatever else a contender wants kept (`notes`)."""

    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        cpu, wall = cpu_seconds(), time.perf_counter()
        yield
        self.seconds[name] = {
            "cpu_s": round(cpu_seconds() - cpu, 3),
            "wall_s": round(time.perf_counter() - wall, 3),
        }

    def report(self) -> None:
        print(json.dumps({"stages": self.seconds, "notes": self.notes}), flush=True)


__all__ = ["Stages", "cpu_seconds"]
