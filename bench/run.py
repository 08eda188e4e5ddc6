"""`make bench`: measure every contender in a process of its own, side by side, and write down what came out.

    python -m bench.run                     10 M lines, 3 rounds            (BENCH=1 for 1 M, BENCH=50 for 50 M)
    python -m bench.run --only full rfm     these and what their ratios compare them with; the rest of the file stays
    python -m bench.run --tables            only rewrite the tables in docs/

A round runs every contender once, in order (A B C, A B C …), so that a busy minute of the machine hits all of them; ratios
are the median over rounds of the ratio within a round. This process stays small (it never loads DuckDB), because Linux
counts a parent's memory into the peak of its child.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import machine, versions
from bench.measure import ContenderFailed, Sample, median, paired_ratio, run_once
from bench.results import GOALS, RESULTS, Goal, read_results, write_results
from bench.scale import Scale
from bench.tables import write_tables

ROOT = Path(__file__).parent.parent
PEERS = ROOT / ".bench-venv" / "bin" / "python"


@dataclass(frozen=True)
class Contender:
    """One thing to measure: a module of this package and its task.

    `most_rounds` and `most_millions` keep slow ones in bounds; `only_named` runs just when --only names it; `before` must have
    run in the same round.
    """

    name: str
    module: str
    task: str | None = None
    peer: bool = False
    most_rounds: int = 99
    most_millions: int = 99
    only_named: bool = False
    before: tuple[str, ...] = field(default=())


CONTENDERS = (
    Contender("scan", "bench.by_hand", "scan"),
    Contender("hand19", "bench.by_hand", "profile19"),
    Contender("registry19", "bench.by_registry", "profile19"),
    Contender("polars19", "bench.by_polars", peer=True),
    Contender("pandas19", "bench.by_pandas", peer=True, most_rounds=2, most_millions=10),
    Contender("full", "bench.by_registry", "full"),
    Contender("rfm_hand", "bench.by_hand", "rfm"),
    Contender("rfm", "bench.by_registry", "rfm"),
    Contender("deliver", "bench.whole_run", "deliver", most_rounds=1),
    Contender("prepare", "bench.whole_run", "prepare", most_rounds=1, before=("deliver",)),
    Contender("run_schemes", "bench.whole_run", "run_schemes", most_rounds=1, before=("prepare",)),
    Contender("run", "bench.whole_run", "run", most_rounds=1, most_millions=10, before=("prepare",)),
    Contender("refresh", "bench.whole_run", "refresh", most_rounds=1, only_named=True, before=("prepare",)),
)
WORKSPACE = "workspace"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, merge into results.json, rewrite the tables. Returns 1 when a contender failed."""
    options = _options(arguments)
    if options.tables:
        write_tables(read_results())
        return 0
    scale = Scale(options.millions)
    say(f"data: {scale.millions} M lines")
    shape = run_once([sys.executable, "-m", "bench.generate", str(scale.millions)], cwd=ROOT).notes
    data = scale.folder
    chosen = chosen_contenders(options.only, scale.millions)
    if any(contender.peer for contender in chosen):
        make_peer_environment()
    byte_compile()
    samples, failures = rounds(chosen, data, options.repeat)
    merge(scale, shape, samples, failures)
    write_tables(read_results())
    return 1 if failures else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [contender.name for contender in CONTENDERS]
    given = int(os.environ.get("BENCH") or 10)
    parser.add_argument(
        "--millions", type=int, choices=[1, 10, 50], default=given, help="order lines, in millions"
    )
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--repeat", type=int, default=3, help="rounds")
    parser.add_argument("--tables", action="store_true", help="measure nothing, rewrite the tables in docs/")
    return parser.parse_args(arguments)


def chosen_contenders(only: Sequence[str] | None, millions: int) -> list[Contender]:
    """The named contenders with those that their ratios and their preparation need; all without names."""
    wanted = set(only or [contender.name for contender in CONTENDERS if not contender.only_named])
    if only:
        wanted |= {goal.against for goal in GOALS if goal.name in wanted and goal.against}
        for contender in reversed(CONTENDERS):
            wanted |= set(contender.before) if contender.name in wanted else set()
    return [c for c in CONTENDERS if c.name in wanted and millions <= c.most_millions]


def byte_compile() -> None:
    """Kequn and this package as an installation leaves them: without it, where Python is told to write no bytecode, every
    process would parse all modules again."""
    for package in ("kequn", "bench"):
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.submodule_search_locations is not None
        for folder in spec.submodule_search_locations:
            compileall.compile_dir(folder, quiet=1)


def make_peer_environment() -> None:
    """`.bench-venv` with Polars and pandas, once: Kequn itself needs neither."""
    if PEERS.exists():
        return
    say("installing Polars and pandas into .bench-venv")
    subprocess.run([sys.executable, "-m", "venv", str(PEERS.parent.parent)], check=True)
    requirements = str(Path(__file__).parent / "requirements.txt")
    subprocess.run([str(PEERS), "-m", "pip", "install", "--quiet", "-r", requirements], check=True)


def rounds(
    chosen: Sequence[Contender], data: Path, repeat: int
) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    """Every contender once per round; what each measured, and why some failed."""
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in chosen}
    failures: dict[str, str] = {}
    for contender, number in _schedule(chosen, repeat):
        if contender.name in failures or any(name in failures for name in contender.before):
            continue
        try:
            sample = measured(contender, data)
        except ContenderFailed as failure:
            failures[contender.name] = str(failure)
            say(f"{contender.name} FAILED\n{failure}")
            continue
        samples[contender.name].append(sample)
        say(
            f"round {number + 1} {contender.name:<11} {sample.cpu_s:8.2f} CPU s {sample.wall_s:8.2f} s {sample.peak_gb:6.2f} GB"
        )
    shutil.rmtree(data / "out", ignore_errors=True)
    return samples, failures


def _schedule(chosen: Sequence[Contender], repeat: int) -> Iterator[tuple[Contender, int]]:
    last = [contender for contender in chosen if contender.name == "refresh"]  # it changes the workspace
    for number in range(repeat):
        yield from ((c, number) for c in chosen if number < c.most_rounds and c not in last)
    yield from ((contender, 0) for contender in last)


def measured(contender: Contender, data: Path) -> Sample:
    """One run in a process of its own, into an empty folder (those of the whole run share the workspace)."""
    out = data / "out" / (WORKSPACE if contender.module == "bench.whole_run" else contender.name)
    if out.name != WORKSPACE:
        shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    python = str(PEERS) if contender.peer else sys.executable
    task = [contender.task] if contender.task else []
    return run_once([python, "-m", contender.module, *task, str(data), str(out)], cwd=ROOT)


def merge(
    scale: Scale,
    shape: Mapping[str, Any],
    samples: Mapping[str, Sequence[Sample]],
    failures: Mapping[str, str],
) -> None:
    """Put what was measured into results.json, beside what stands there already."""
    results = read_results()
    results["machine"], results["versions"] = machine(), versions(PEERS)
    entry = results.setdefault("scales", {}).setdefault(str(scale.millions), {})
    entry["data"] = dict(shape)
    measurements = entry.setdefault("measurements", {})
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for name, found in samples.items():
        if found:
            stages = found[-1].notes
            measurements[name] = {
                "measured_at": now, "median": median(found), "notes": dict(stages), "samples": [s.as_json() for s in found],
            }  # fmt: skip
        elif name in failures:
            measurements[name] = {"measured_at": now, "failed": failures[name].splitlines()[-1]}
    ratios = entry.setdefault("ratios", {})
    for goal in GOALS:
        value = _value(goal, samples)
        if value is not None:
            ratios[goal.key] = {
                "value": value,
                "goal": goal.bound,
                "reached": goal.reached(value),
                "measured_at": now,
            }
    write_results(results)
    say(f"written: {RESULTS.relative_to(ROOT)}")


def _value(goal: Goal, samples: Mapping[str, Sequence[Sample]]) -> float | None:
    ours = samples.get(goal.name)
    if not ours:
        return None
    if goal.against is None:
        return round(max(getattr(sample, goal.unit) for sample in ours), 3)
    theirs: Any = samples.get(goal.against)
    return paired_ratio(ours, theirs, goal.unit) if theirs else None


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
