"""results.json, and the goals that its ratios are held against."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Goal:
    """A ratio of two contenders in one unit, or (without `against`) the largest value of one. No bound: for information.

    `least` turns the bound round: the value should be at least this.
    """

    name: str
    against: str | None
    unit: str
    bound: float | None = None
    least: bool = False

    @property
    def key(self) -> str:
        return f"{self.name}/{self.against}:{self.unit}" if self.against else f"{self.name}:{self.unit}"

    def reached(self, value: float) -> bool | None:
        if self.bound is None:
            return None
        return value >= self.bound if self.least else value <= self.bound


GOALS = (
    Goal("registry19", "hand19", "cpu_s", 1.15),
    Goal("pandas19", "registry19", "wall_s", 3, least=True),
    Goal("polars19", "registry19", "cpu_s"),
    Goal("hand19", "scan", "cpu_s"),
    Goal("registry19", "scan", "cpu_s"),
    Goal("full", "hand19", "cpu_s", 4),
    Goal("run_schemes", "full", "cpu_s", 2.5),
    Goal("run", "full", "cpu_s"),
    Goal("refresh", "run_schemes", "cpu_s", 0.1),
    Goal("rfm", "rfm_hand", "cpu_s", 1.15),
    Goal("registry19", "hand19", "peak_gb"),
    Goal("registry19", None, "peak_gb", 2.5),
    Goal("full", None, "peak_gb", 2.5),
    Goal("run_schemes", None, "peak_gb", 2.5),
    Goal("run", None, "peak_gb", 2.5),
)


def read_results() -> dict[str, Any]:
    """What has been measured so far."""
    return dict(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.exists() else {}


def write_results(results: dict[str, Any]) -> None:
    RESULTS.write_text(
        json.dumps(results, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8"
    )


__all__ = ["GOALS", "RESULTS", "Goal", "read_results", "write_results"]
