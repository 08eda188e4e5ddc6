"""Speed and memory of the CLV fits: ours, and lifetimes and PyMC-Marketing where they can be imported.

Simulated customers at the published CDNOW parameters, ages 27 to 39 weeks, times rounded up to whole days, the same
arrays for every library. Each measurement runs in a process of its own, so that its peak memory is its own; seconds are from
arrays to a fitted model, the best of `repeats`, imports apart. Ratios compare CPU seconds of one invocation only, because
what else the machine does falls out of those; seconds against the clock stand beside them.

    python bench/clv.py                              # 2,357 to 10 M customers; the peers up to 1 M
    python bench/clv.py 10000000 --own               # ours alone

The peers live in an environment of their own, made on first use: `.bench-clv-venv` (`bench/requirements-clv.txt`,
Python 3.11). Writes `bench/results/clv.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # threaded BLAS on contended cores slows everybody down

import numpy as np  # noqa: E402

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results" / "clv.json"
WANTED = ROOT / "bench" / "requirements-clv.txt"
PEERS = ROOT / ".bench-clv-venv" / "bin" / "python"
SIZES = (2357, 100_000, 1_000_000, 10_000_000)
GOALS = {  # seconds, by model and customers
    ("bg_nbd", 2357): 0.020, ("bg_nbd", 1_000_000): 0.3, ("bg_nbd", 10_000_000): 3.0, ("gamma_gamma", 1_000_000): 0.15,
    ("bg_nbd_single_rows", 1_000_000): 1.5,
}  # fmt: skip
GOAL_MB = {("bg_nbd", 10_000_000): 1024}
GOAL_RATIOS = {
    ("bg_nbd", 1_000_000, "lifetimes"): 40, ("bg_nbd", 1_000_000, "pymc_marketing"): 20,
    ("pareto_nbd", 100_000, "lifetimes"): 10,
}  # fmt: skip
MOST_APART = 1e-3
# the largest size worth waiting for
PEER_LIMIT = {("lifetimes", "pareto_nbd"): 100_000, ("pymc_marketing", "pareto_nbd"): 2357}
PEER_MOST = 1_000_000

Columns = dict[str, Any]
Fitted = dict[str, Any]


def simulate(n: int, seed: int = 1) -> Columns:
    """x, t_x and T (weeks made of whole days) and the mean spend of the repeat purchases."""
    rng = np.random.default_rng(seed)
    age = rng.integers(27 * 7, 39 * 7 + 1, n).astype(np.float64)
    rate, leave = rng.gamma(0.243, 1 / (4.414 * 7), n), rng.beta(0.793, 2.426, n)
    x, last, now = np.zeros(n, dtype=np.int64), np.zeros(n), np.zeros(n)
    active = np.arange(n)
    while len(active):
        now[active] += rng.exponential(1, len(active)) / np.maximum(rate[active], 1e-300)
        active = active[now[active] <= age[active]]
        x[active] += 1
        last[active] = now[active]
        active = active[rng.random(len(active)) > leave[active]]
    many = np.maximum(x, 1)
    mean = np.round(rng.gamma(6.25 * many) / rng.gamma(3.74, 1 / 15.44, n) / many, 2)
    return {"x": x, "t_x": np.ceil(last) / 7, "T": age / 7, "mean": np.maximum(mean, 0.01)}


def repeaters(data: Columns) -> tuple[np.ndarray, np.ndarray]:
    kept = data["x"] > 0
    return data["x"][kept], data["mean"][kept]


def own(model: str, data: Columns) -> Callable[[], Fitted]:
    from kequn.predict.clv import fit_bg_nbd, fit_gamma_gamma, fit_mbg_nbd, fit_pareto_nbd

    x, t_x, age = data["x"], data["t_x"], data["T"]
    fits: dict[str, Callable[[], Any]] = {
        "bg_nbd": lambda: fit_bg_nbd(x, t_x, age),
        "bg_nbd_single_rows": lambda: fit_bg_nbd(x, t_x, age, gather=False),
        "mbg_nbd": lambda: fit_mbg_nbd(x, t_x, age),
        "pareto_nbd": lambda: fit_pareto_nbd(x, t_x, age),
        "gamma_gamma": lambda: fit_gamma_gamma(*repeaters(data)),
        "gamma_gamma_all": lambda: fit_gamma_gamma(np.maximum(x, 1), data["mean"]),
    }

    def fit() -> Fitted:
        found = fits[model]()
        return {
            "parameters": dict(found.parameters),
            "log_likelihood": found.log_likelihood,
            "rows": found.rows,
        }

    return fit


def score(model: str, data: Columns) -> Callable[[], Fitted]:
    """Fitting and scoring every customer with `model` ("auto": all purchase models), as a run does."""
    from kequn.predict.clv import Statistics, ValueSettings, lifetime_value

    days = {name: np.rint(data[name] * 7).astype(np.int64) for name in ("t_x", "T")}
    statistics = Statistics.of(data["x"], days["t_x"], days["T"], np.rint(data["mean"] * 100))
    return lambda: {"clv": float(lifetime_value(statistics, ValueSettings(model=model)).clv.sum())}


def lifetimes(model: str, data: Columns) -> Callable[[], Fitted]:
    import lifetimes as peer

    def fit() -> Fitted:
        if model == "gamma_gamma":
            found = peer.GammaGammaFitter().fit(*repeaters(data))
        else:
            kind = {
                "bg_nbd": peer.BetaGeoFitter,
                "mbg_nbd": peer.ModifiedBetaGeoFitter,
                "pareto_nbd": peer.ParetoNBDFitter,
            }
            found = kind[model]().fit(data["x"], data["t_x"], data["T"])
        return {"parameters": {name: float(value) for name, value in found.params_.items()}}

    return fit


def pymc_marketing(model: str, data: Columns) -> Callable[[], Fitted]:
    import pandas as pd
    from pymc_extras.prior import Prior
    from pymc_marketing import clv as peer

    n = len(data["x"])
    frame = pd.DataFrame(
        {"customer_id": np.arange(n), "frequency": data["x"], "recency": data["t_x"], "T": data["T"]}
    )
    names = {
        "bg_nbd": ("r", "alpha", "a", "b"),
        "pareto_nbd": ("r", "alpha", "s", "beta"),
        "gamma_gamma": ("p", "q", "v"),
    }
    flat = {name: Prior("HalfFlat") for name in names[model]}  # its default priors miss the published fit
    if model == "gamma_gamma":
        kept = frame[data["x"] > 0].assign(monetary_value=data["mean"][data["x"] > 0])
        frame = kept[["customer_id", "frequency", "monetary_value"]]
    kind = {
        "bg_nbd": peer.BetaGeoModel,
        "pareto_nbd": peer.ParetoNBDModel,
        "gamma_gamma": peer.GammaGammaModel,
    }[model]

    def fit() -> Fitted:
        built = kind(data=frame, model_config=flat)
        built.fit(method="map", progressbar=False)
        return {
            "parameters": {name: float(built.fit_result[name].to_numpy().mean()) for name in names[model]}
        }

    return fit


LIBRARIES = {"kequn": own, "kequn_scores": score, "lifetimes": lifetimes, "pymc_marketing": pymc_marketing}
MODELS = {
    "kequn": ("bg_nbd", "bg_nbd_single_rows", "mbg_nbd", "pareto_nbd", "gamma_gamma", "gamma_gamma_all"),
    "kequn_scores": ("auto", "bg_nbd"),
    "lifetimes": ("bg_nbd", "mbg_nbd", "pareto_nbd", "gamma_gamma"),
    "pymc_marketing": ("bg_nbd", "pareto_nbd", "gamma_gamma"),
}


def measure(library: str, model: str, folder: Path, repeats: int) -> dict[str, Any]:
    """One library, one model, in this process. The warm-up fit loads what is loaded lazily and compiles nothing of ours."""
    data = {path.stem: np.load(path) for path in sorted(folder.glob("*.npy"))}
    fit = LIBRARIES[library](model, data)
    if library.startswith("kequn"):
        few = {name: column[:500] for name, column in data.items()}
        LIBRARIES[library](model, few)()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds, cpu, found = [], [], {}
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        found = fit()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "library": library, "model": model, "customers": len(data["x"]), "seconds": round(min(seconds), 4),
        "cpu_seconds": round(min(cpu), 4), "runs": repeats, "peak_mb": round(peak), "before_mb": round(before), **found,
    }  # fmt: skip


def run(size: int, peers: Path | None, timeout: float = 900) -> dict[str, Any]:
    """All measurements for `size` customers: a list of figures, the ratios between libraries, and the goals missed."""
    figures: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, column in simulate(size).items():
            np.save(Path(folder) / f"{name}.npy", column)
        for library, models in MODELS.items():
            own_one = library.startswith("kequn")
            python = Path(sys.executable) if own_one else peers
            if python is None or (not own_one and size > PEER_MOST):
                continue
            for model in models:
                if size > PEER_LIMIT.get((library, model), size) or (
                    size > PEER_MOST and model.endswith(("rows", "all", "auto"))
                ):
                    continue
                figures.append(_in_own_process(python, library, model, folder, size, timeout))
                print(_told(figures[-1]), flush=True)
    return {
        "customers": size,
        "figures": figures,
        "ratios": _ratios(figures),
        "parity": _parity(figures),
        "missed": _missed(size, figures),
    }


def peers_python() -> Path:
    """The environment of the peers, made on first use; Kequn itself needs none of them."""
    if not PEERS.exists():
        print(f"installing the peers into {PEERS.parents[1].name}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", PEERS.parents[1]], check=True)
        subprocess.run([PEERS, "-m", "pip", "install", "--quiet", "-r", WANTED], check=True)
    return PEERS


def _in_own_process(
    python: Path, library: str, model: str, folder: str, size: int, timeout: float
) -> dict[str, Any]:
    repeats = 3 if library.startswith("kequn") or size <= 2357 else 1
    command = [str(python), __file__, "--measure", library, model, folder, str(repeats)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return {"library": library, "model": model, "customers": size, "stopped_after_seconds": timeout}
    if done.returncode:
        return {
            "library": library,
            "model": model,
            "customers": size,
            "failed": done.stderr.strip().splitlines()[-1:],
        }
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _ratios(figures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many times as much each peer needs as we do: CPU seconds, and seconds against the clock."""
    ours = {f["model"]: f for f in figures if f["library"] == "kequn" and "seconds" in f}
    return [
        {
            "model": f["model"],
            "peer": f["library"],
            "times_cpu": round(f["cpu_seconds"] / ours[f["model"]]["cpu_seconds"], 1),
            "times_clock": round(f["seconds"] / ours[f["model"]]["seconds"], 1),
        }
        for f in figures
        if not f["library"].startswith("kequn") and f["model"] in ours and "seconds" in f
    ]


def _parity(figures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Largest relative distance of each peer's parameters from ours."""
    ours = {f["model"]: f["parameters"] for f in figures if f["library"] == "kequn" and "parameters" in f}
    return [
        {
            "model": f["model"],
            "peer": f["library"],
            "apart": max(abs(f["parameters"][n] / v - 1) for n, v in ours[f["model"]].items()),
        }
        for f in figures
        if not f["library"].startswith("kequn") and "parameters" in f
    ]


def _missed(size: int, figures: list[dict[str, Any]]) -> list[str]:
    """Goals that the measurements do not reach, in words."""
    missed = []
    for f in figures:
        key = (f["model"], size)
        if f["library"] == "kequn" and "seconds" in f:
            if f["seconds"] > GOALS.get(key, float("inf")):
                missed.append(f"{f['model']} {size}: {f['seconds']} s, goal {GOALS[key]} s")
            if f["peak_mb"] > GOAL_MB.get(key, float("inf")):
                missed.append(f"{f['model']} {size}: {f['peak_mb']} MB, goal {GOAL_MB[key]} MB")
    for ratio in _ratios(figures):
        goal = GOAL_RATIOS.get((ratio["model"], size, ratio["peer"]), 0)
        if ratio["times_cpu"] < goal:
            missed.append(f"{ratio['model']} {size}: {ratio['times_cpu']} × {ratio['peer']}, goal {goal} ×")
    missed += [
        f"{pair['model']} {size}: {pair['apart']:.1e} apart from {pair['peer']}, goal {MOST_APART}"
        for pair in _parity(figures)
        if pair["apart"] > MOST_APART
    ]
    return missed


def _told(f: dict[str, Any]) -> str:
    figures = (
        f"{f['seconds']:.3f} s  {f['cpu_seconds']:.3f} CPU s  {f['peak_mb']} MB"
        if "seconds" in f
        else str({key: f[key] for key in f.keys() & {"failed", "stopped_after_seconds"}})
    )
    return f"{f['customers']:>10,}  {f['library']:<15} {f['model']:<20} {figures}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sizes", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--own", action="store_true", help="leave the peers out")
    parser.add_argument(
        "--measure", nargs=4, metavar=("LIBRARY", "MODEL", "FOLDER", "REPEATS"), help=argparse.SUPPRESS
    )
    asked = parser.parse_args()
    if asked.measure:
        library, model, folder, repeats = asked.measure
        print(json.dumps(measure(library, model, Path(folder), int(repeats))))
        return
    peers = None if asked.own else peers_python()
    found = {
        "python": platform.python_version(), "numpy": np.__version__, "cores": os.cpu_count(),
        "peers": WANTED.read_text(encoding="utf-8").split() if peers else [],
        "sizes": [run(size, peers) for size in asked.sizes],
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    for size in found["sizes"]:
        for r in size["ratios"]:
            print(f"{r['peer']}: {r['times_cpu']} × our CPU, {r['times_clock']} × our time for {r['model']}")
        for p in size["parity"]:
            print(f"{p['peer']}'s {p['model']} lies {p['apart']:.1e} apart")
        for line in size["missed"]:
            print(f"MISSED: {line}")


if __name__ == "__main__":
    main()
