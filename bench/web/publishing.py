"""A publish while people read: no request may fail, and no answer may mix two runs."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import duckdb

from bench.web.site import Site

READERS, FLIPS, SECONDS_BETWEEN = 4, 8, 1.5
CARD = re.compile(r'title="当前发布的快照 (\d{8}-\d{6}-\w+)".*?最近购买</dt><dd><strong>([\d,]+) 天前', re.S)


def flips(site: Site, workspace: Path, ids: list[str]) -> dict[str, Any]:
    """Publish the two runs in turn under load; requests, failures, and answers whose run and figures don't belong together."""
    from kequn.snapshot import SnapshotStore

    store = SnapshotStore(workspace / "snapshots")
    names = sorted(run.run_id for run in store.runs())[-2:]
    expected = {name: _recency(workspace / "snapshots" / name, ids) for name in names}
    seen: dict[str, Any] = {
        "requests": 0,
        "failed": 0,
        "mixed": 0,
        "errors": [],
        "by_run": dict.fromkeys(names, 0),
    }
    over, lock = threading.Event(), threading.Lock()
    readers = [
        threading.Thread(target=_read, args=(site, ids, n, expected, seen, over, lock))
        for n in range(READERS)
    ]
    for reader in readers:
        reader.start()
    try:
        for flip in range(FLIPS):
            time.sleep(SECONDS_BETWEEN)
            store.rollback(names[flip % 2])
    finally:
        over.set()
        for reader in readers:
            reader.join()
    store.rollback(names[-1])
    return {**seen, "publishes": FLIPS}


def _recency(folder: Path, ids: list[str]) -> dict[str, int]:
    with duckdb.connect(str(folder / "serving.duckdb"), read_only=True) as con:
        rows = con.execute(
            "SELECT customer_id, recency_days FROM profile WHERE recency_days IS NOT NULL AND customer_id IN (SELECT unnest(?))",
            [ids],
        ).fetchall()
    return dict(rows)


def _read(
    site: Site, ids: list[str], start: int, expected: dict[str, dict[str, int]], seen: dict[str, Any],
    over: threading.Event, lock: threading.Lock,
) -> None:  # fmt: skip
    place = start
    both = [one for one in ids if all(one in known for known in expected.values())]
    while not over.is_set():
        place += READERS
        one = both[place % len(both)]
        try:
            run, days = _json(site, one, place) if place % 2 else _page(site, one)
        except (urllib.error.URLError, OSError, ValueError, KeyError) as error:
            with lock:
                seen["requests"] += 1
                seen["failed"] += 1
                seen["errors"].append(repr(error)[:200])
            continue
        with lock:
            seen["requests"] += 1
            seen["by_run"][run] += 1
            seen["mixed"] += days != expected[run][one]


def _page(site: Site, one: str) -> tuple[str, int]:
    ask = urllib.request.Request(
        f"{site.url}/customers/{one}/", headers={"Cookie": site.cookie, "Accept-Language": "zh-CN"}
    )
    with urllib.request.urlopen(ask, timeout=30) as answer:
        found = CARD.search(answer.read().decode())
    if found is None:
        raise ValueError(one)
    return found.group(1), int(found.group(2).replace(",", ""))


def _json(site: Site, one: str, number: int) -> tuple[str, int]:
    ask = urllib.request.Request(f"{site.url}/api/v1/customers/{one}", headers=dict(site.key(number)))
    with urllib.request.urlopen(ask, timeout=30) as answer:
        found = json.loads(answer.read())
    return found["run_id"], found["profile"]["recency_days"]


__all__ = ["flips"]
