"""wrk with a list of requests, and what the server's processes used meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WARM = 40
TICKS = os.sysconf("SC_CLK_TCK")
SCRIPT = """
local requests = {}
for line in io.lines(%(file)s) do requests[#requests + 1] = line end
local place = 0
local threads = 0
function setup(thread) thread:set("offset", threads * 7919); threads = threads + 1 end
function request()
  place = place + 1
  local line = requests[(place + (offset or 0)) %% #requests + 1]
  local headers, method, path, body = line:match("^(.-)\\t(.-)\\t(.-)\\t(.*)$")
  local sent = {}
  for name, value in headers:gmatch("([^=|]+)=([^|]+)") do sent[name] = value end
  return wrk.format(method, path, sent, body ~= "" and body or nil)
end
function done(summary, latency, requests)
  io.write(string.format('{"requests": %%d, "seconds": %%.3f, "failed": %%d, "p50_ms": %%.3f, "p95_ms": %%.3f, "p99_ms": %%.3f}\\n',
    summary.requests, summary.duration / 1e6,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True)
class Ask:
    """One request as wrk shall send it."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: str = ""

    def line(self) -> str:
        """Headers, method, path and body between tabs; values hold no `|`, `=` stands only in names' place."""
        return "\t".join(
            (
                "|".join(f"{name}={value}" for name, value in self.headers.items()),
                self.method,
                self.path,
                self.body,
            )
        )


def drive(
    url: str, asked: Sequence[Ask], connections: int, seconds: int, workers: Sequence[int]
) -> dict[str, Any]:
    """Send the requests in turn for so long; p50, p95, requests per second, failures, and CPU of `workers` per request."""
    with tempfile.TemporaryDirectory() as folder:
        listed, script = Path(folder) / "requests.txt", Path(folder) / "load.lua"
        listed.write_text("\n".join(ask.line() for ask in asked), encoding="utf-8")
        script.write_text(SCRIPT % {"file": json.dumps(str(listed))}, encoding="utf-8")
        before = cpu(workers)
        threads = min(2, connections)
        done = subprocess.run(
            ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), url],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        used = cpu(workers) - before
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    found["per_second"] = round(found["requests"] / found["seconds"], 1)
    found["cpu_ms"] = round(1000 * used / max(found["requests"], 1), 2)
    return found


def warm(url: str, asked: Sequence[Ask]) -> None:
    """Each kind of request a few times on new connections, side by side, so that every worker has done it before."""

    def ask(one: Ask) -> None:
        request = urllib.request.Request(
            url + one.path, one.body.encode() or None, dict(one.headers), method=one.method
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, asked[-WARM:]))


def children(pid: int) -> list[int]:
    """The processes that `pid` started and that live."""
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def workers_of(pid: int) -> list[int]:
    """The gunicorn workers below the server process: not the job worker beside them."""
    return [
        child
        for child in children(pid)
        if b"jobs.consumer" not in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def cpu(pids: Sequence[int]) -> float:
    """User and system seconds of these processes so far."""
    total = 0
    for pid in pids:
        after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(after[11]) + int(after[12])
    return total / TICKS


def memory_mb(pids: Sequence[int]) -> float:
    """The largest memory that one of these processes ever held."""
    peaks = []
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                peaks.append(int(line.split()[1]) / 1024)
    return round(max(peaks), 1)


__all__ = ["Ask", "cpu", "drive", "memory_mb", "workers_of"]
