"""Clusters and distances at size, on both engines: seconds, memory, and whether the members are equal.

Every measurement runs in a process of its own, so that its peak memory is its own; for Spark the memory is Python's and the
JVM's together. The same customers for both engines: five planted kinds, sixteen numbers and four labels, gaps in both;
positions in China with 10,000 places.

    python -m bench.models clusters 1000000
    python -m bench.models clusters 10000000
    python -m bench.models distances 1000000

Writes `bench/results/models.json`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from sqlglot import exp  # noqa: E402

from bench.machine import machine  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "models.json"
CHUNK = 500_000
PLACES = 10_000
NUMBERS = [f"number_{n}" for n in range(16)]
LABELS = [f"label_{n}" for n in range(4)]
SCHEME = "scheme: found\nkind: cluster\nk: 5\nfeatures: [{features}]\n"
GOALS = {"clusters 1000000 duckdb": {"seconds": 60, "peak_gb": 3}, "distances 1000000": {"seconds": 10}}


def customers(rng: np.random.Generator, first: int, count: int) -> pa.Table:
    """Customers `first`… with 20 features of five kinds; one cell in fifty is missing."""
    kind = rng.integers(0, 5, count)
    centre = np.random.default_rng(5).normal(0, 2, (5, len(NUMBERS)))
    columns: dict[str, Any] = {"customer_id": [f"C{n:08d}" for n in range(first, first + count)]}
    for place, name in enumerate(NUMBERS):
        values = rng.normal(centre[kind, place], 1.0)
        columns[name] = pa.array(np.exp(values) if place % 4 == 0 else values, mask=rng.random(count) < 0.02)
    for place, name in enumerate(LABELS):
        level = (kind + place + rng.integers(0, 2, count)) % 6
        words = np.array([f"{name}_{n}" for n in range(6)])[level]
        columns[name] = pa.array(words, pa.string(), mask=rng.random(count) < 0.02)
    return pa.table(columns)


def people(rng: np.random.Generator, first: int, count: int) -> pa.Table:
    """Customers with a position; none says a country or a name of a region."""
    nothing = pa.nulls(count, pa.string())
    columns = {"customer_id": pa.array([f"C{n:08d}" for n in range(first, first + count)])}
    columns |= dict.fromkeys(
        ("country", "province", "city", "district", "address", "city_tier", "climate_zone"), nothing
    )
    columns |= {
        "latitude": pa.array(rng.uniform(20, 50, count)),
        "longitude": pa.array(rng.uniform(75, 130, count)),
    }
    return pa.table(columns)


def generate(what: str, count: int, folder: Path) -> None:
    """The customers as Parquet, half a million a file; for distances the places beside them."""
    rng = np.random.default_rng(1)
    for number, first in enumerate(range(0, count, CHUNK)):
        rows = (customers if what == "clusters" else people)(rng, first, min(CHUNK, count - first))
        pq.write_table(rows, folder / f"customers-{number:03d}.parquet")
    if what == "distances":
        ids = [f"S{n:05d}" for n in range(PLACES)]
        spots = {"latitude": rng.uniform(20, 50, PLACES), "longitude": rng.uniform(75, 130, PLACES)}
        pq.write_table(
            pa.table({"place_id": ids, "kind": ["store"] * PLACES, **spots}), folder / "places.parquet"
        )


def clusters(engine: Any, folder: Path, work: Path) -> dict[str, Any]:
    from kequn.engine import Parquet
    from kequn.language import Catalog, Column
    from kequn.scheme import load_schemes
    from kequn.scheme.clusters import fit_and_label

    columns = {name: Column(name, "number") for name in NUMBERS} | {
        name: Column(name, "text") for name in LABELS
    }
    catalog = Catalog({"customer_id": Column("customer_id", "text"), **columns})
    engine.view("profile", Parquet(tuple(sorted(folder.glob("customers-*.parquet")))))
    scheme = load_schemes({"found.yaml": SCHEME.format(features=", ".join(NUMBERS + LABELS))}, catalog)[
        "found"
    ]
    started, cpu = time.perf_counter(), time.process_time()
    result = fit_and_label(engine, "profile", scheme, catalog, work)
    took = {"seconds": time.perf_counter() - started, "python_cpu_s": time.process_time() - cpu}
    query = exp.select("customer_id", exp.alias_(exp.column(result.column), "answer")).from_(result.relation)
    engine.write_parquet(query, work / "answer", sort=["customer_id"])
    return {**took, "stability": result.manifest["quality"]["stability"]}


def distances(engine: Any, folder: Path, work: Path) -> dict[str, Any]:
    from kequn.engine import Parquet
    from kequn.profile.enrich.geography import enrich_geography
    from kequn.profile.enrich.tables import EnrichSettings, Job

    engine.view("customers", Parquet(tuple(sorted(folder.glob("customers-*.parquet")))))
    engine.view("places", Parquet((folder / "places.parquet",)))
    nothing = {
        "customer_id": "VARCHAR",
        "latitude": "DOUBLE",
        "longitude": "DOUBLE",
        "occurred_at": "TIMESTAMP",
    }
    events = exp.select(*(exp.alias_(exp.cast(exp.Null(), kind), name) for name, kind in nothing.items()))
    engine.view("events", events.where(exp.false()))
    facts: Any = {
        "customers": {"customer_id": "text", "latitude": "number", "longitude": "number"},
        "places": {"place_id": "text", "kind": "text", "latitude": "number", "longitude": "number"},
    }
    started, cpu = time.perf_counter(), time.process_time()
    made = enrich_geography(Job(engine, facts, date(2026, 11, 1), work, EnrichSettings()))
    took = {"seconds": time.perf_counter() - started, "python_cpu_s": time.process_time() - cpu}
    engine.view("made", Parquet(tuple(made.tables["enriched_geo"].files)))
    answer = exp.select("customer_id", exp.alias_(exp.column("distance_km_store"), "answer")).from_("made")
    engine.write_parquet(answer, work / "answer", sort=["customer_id"])
    return took


def digest(folder: Path) -> str:
    """sha256 of all customers and their answers, in the order of customers."""
    found = hashlib.sha256()
    for file in sorted(folder.glob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(200_000):
            rows = zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
            found.update("".join(f"{customer}\t{answer}\n" for customer, answer in rows).encode())
    return found.hexdigest()


class Memory(threading.Thread):
    """The largest resident memory of this process and its children, looked at five times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.2):
            self.most = max(self.most, _resident(os.getpid()))


def _resident(process: int) -> int:
    try:
        own = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        tasks = [
            child
            for task in Path(f"/proc/{process}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return 0
    return own + sum(_resident(int(child)) for child in {*children, *tasks})


def measure(what: str, kind: str, folder: Path) -> dict[str, Any]:
    """One step on one engine, in this process."""
    from kequn.engine import EngineSettings, open_engine

    watch = Memory()
    watch.start()
    engine = open_engine(EngineSettings(kind=kind, memory_limit="2GB", threads=2))  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory(dir=folder) as work:
        found = {"clusters": clusters, "distances": distances}[what](engine, folder, Path(work))
        watch.over.set()
        engine.close()
        found |= {"peak_gb": watch.most / 1e9, "members": digest(Path(work) / "answer")}
    return {key: round(value, 2) if isinstance(value, float) else value for key, value in found.items()}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("what", choices=["clusters", "distances"])
    asked.add_argument("customers", type=int)
    asked.add_argument("--engines", nargs="+", default=["duckdb", "spark"])
    asked.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.folder:
        print(json.dumps(measure(given.what, given.engines[0], given.folder)))
        return
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory() as made:
        generate(given.what, given.customers, Path(made))
        figures: dict[str, Any] = {}
        for kind in given.engines:
            call = [
                sys.executable,
                "-m",
                "bench.models",
                given.what,
                str(given.customers),
                "--engines",
                kind,
                "--in",
                made,
            ]
            figures[kind] = json.loads(
                subprocess.run(call, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1]
            )
            print(given.what, given.customers, kind, figures[kind], flush=True)
    equal = len({each["members"] for each in figures.values()}) == 1
    results[f"{given.what} {given.customers}"] = {"engines": figures, "equal": equal, "machine": machine()}
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
