"""`make bench-web`: measure the workbench and write bench/web/results.json and the tables in docs/.

python -m bench.web                         1 M customers
python -m bench.web --customers 100000      fewer, to try it out
python -m bench.web --copies 10             cards and counts only, each customer ten times
python -m bench.web --tables                only rewrite the tables
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.machine import machine
from bench.web.browser import loads
from bench.web.copies import copied
from bench.web.copies import ids as some_ids
from bench.web.load import Ask, drive, memory_mb, warm, workers_of
from bench.web.publishing import flips
from bench.web.site import Site, serving
from bench.web.tables import write_tables
from bench.web.workspace import workspace

RESULTS = Path(__file__).parent / "results.json"
WORKERS = 2
STEP = 7919  # a prime: neighbours in the list of customers are far apart in the file


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write down; 1 when a request failed or an answer mixed two runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--tables", action="store_true")
    options = parser.parse_args(arguments)
    kept: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if not options.tables:
        folder = workspace(options.customers)
        if options.copies > 1:
            folder = copied(folder, options.copies)
        found = measured(folder, options.customers, options.seconds, options.copies)
        kept[str(options.customers * options.copies)] = found
        RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_tables(kept)
    return max((failures(found) for found in kept.values()), default=0) and 1


def failures(found: dict[str, Any]) -> int:
    """Requests that failed and answers that mixed runs."""
    load = sum(item["failed"] for item in found["load"].values())
    publish = found.get("publish", {"failed": 0, "mixed": 0})
    return int(load + publish["failed"] + publish["mixed"])


def measured(folder: Path, customers: int, seconds: int, copies: int = 1) -> dict[str, Any]:
    """Everything on one running server: load, memory, publishing under load, the browser; of copies the first two."""
    ids = some_ids(customers, copies, STEP, 2_000)
    more = {}
    with serving(folder, WORKERS) as site:
        pids = workers_of(site.pid)
        load = {}
        for name, (asked, connections) in asks(site, ids).items():
            warm(site.url, asked)
            load[name] = drive(site.url, asked, connections, seconds, pids)
            print(name, load[name], file=sys.stderr, flush=True)
        if copies == 1:
            more = {"publish": flips(site, folder, ids[:300]), "browser": loads(site, ids[1])}
            print(more, file=sys.stderr, flush=True)
        memory = memory_mb(workers_of(site.pid))
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "workers": WORKERS,
        "versions": {name: version(name) for name in ("django", "gunicorn", "duckdb")},
        "load": load, **more, "memory_mb": memory,
    }  # fmt: skip


def asks(site: Site, ids: Sequence[str]) -> dict[str, tuple[list[Ask], int]]:
    """What is measured: name to requests and connections. No two counts are the same, so that no cache answers."""
    cards = [Ask(f"/customers/{one}/", site.person) for one in ids]
    rules = [f"recency_days > {20 + n % 97} AND monetary > {100 + n}" for n in range(3_000)]

    def sampled(rule: str) -> str:
        return urlencode({"text": rule})

    exact: Callable[[int, str], Ask] = lambda n, rule: Ask(  # noqa: E731
        "/api/v1/rules/count", site.key(n), "POST", json.dumps({"rule": rule})
    )
    return {
        "ping_1": ([Ask("/healthz")], 1),
        "ping_8": ([Ask("/healthz")], 8),
        "card_1": (cards, 1),
        "card_8": (cards, 8),
        "segments_1": ([Ask("/api/v1/segments/rfm", site.key(n)) for n in range(len(site.keys))], 1),
        "segment_page_1": ([Ask("/segments/rfm/champions/", site.person)], 1),
        "sample_1": ([Ask("/rules/panel/", site.form, "POST", sampled(rule)) for rule in rules[:1_500]], 1),
        "exact_1": ([exact(n, rule) for n, rule in enumerate(rules[1_500:])], 1),
        "search_1": (
            [Ask(f"/customers/?q={text}", site.person) for text in ("wangwei", "lna", "zhangjia", "chenc")],
            1,
        ),
    }


if __name__ == "__main__":
    sys.exit(main())
