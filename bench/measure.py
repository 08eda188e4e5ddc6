"""Measuring a command from outside: CPU seconds, wall seconds and peak memory of a process of its own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Sample:
    """One run of a command. `stages` and `notes` are what the command says about itself."""

    cpu_s: float
    wall_s: float
    peak_gb: float
    stages: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value != {}}


class ContenderFailed(RuntimeError):
    """A command ended with an error."""


def run_once(command: Sequence[str], cwd: Path | None = None) -> Sample:
    """Run a command and wait. Peak memory is the largest resident set of it and of the children it waited for.

    Raises ContenderFailed with the end of its error output.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        process = subprocess.Popen(list(command), stdout=out, stderr=err, cwd=cwd)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise ContenderFailed(
                f"{' '.join(command)} ended with {process.returncode}:\n{err.read()[-2000:]}"
            )
        said = _last_json(out.read())
    return Sample(
        round(used.ru_utime + used.ru_stime, 3), round(wall, 3), round(used.ru_maxrss * 1024 / 1e9, 3),
        said.get("stages", {}), said.get("notes", {}),
    )  # fmt: skip


def _last_json(text: str) -> dict[str, Any]:
    lines = [line for line in text.splitlines() if line.startswith("{")]
    return dict(json.loads(lines[-1])) if lines else {}


def median(samples: Sequence[Sample]) -> dict[str, float]:
    """Medians of CPU, wall and peak memory; the middle of each on its own."""
    return {
        name: round(statistics.median(getattr(sample, name) for sample in samples), 3)
        for name in ("cpu_s", "wall_s", "peak_gb")
    }


def paired_ratio(ours: Sequence[Sample], theirs: Sequence[Sample], unit: str) -> float:
    """Median of the ratios of runs that stood side by side: what else the machine did falls out."""
    pairs = [getattr(a, unit) / getattr(b, unit) for a, b in zip(ours, theirs, strict=False)]
    return round(statistics.median(pairs), 3)


__all__ = ["ContenderFailed", "Sample", "median", "paired_ratio", "run_once"]
