"""What was measured on: processor, memory, system, versions."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

OURS = ("kequn", "duckdb", "sqlglot", "pyarrow", "numpy")
THEIRS = ("polars", "pandas", "pyarrow")


def machine() -> dict[str, str | int | float]:
    """Processor, cores that this process may use, memory in GB, system, load before the measurement began."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_1m": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions(peers: Path) -> dict[str, str]:
    """Versions of Python, Kequn and what it runs on, and of the peers in their own environment."""
    found = {"python": platform.python_version()}
    for name in OURS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if peers.exists():
        ask = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {THEIRS!r}}}))"
        answer = subprocess.run([str(peers), "-c", ask], capture_output=True, text=True, check=True).stdout
        found |= {
            f"peer_{name}" if name in found else name: text for name, text in json.loads(answer).items()
        }
    return found


__all__ = ["machine", "versions"]
