"""Libraries of the extra `kequn[predict]`, loaded where they are used."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from kequn.errors import ModelError

NOT_NEEDED = {"lightgbm": ("pandas", "sklearn")}
"""What a library loads when it finds it and we have no use for: 100 MB in a process that only explains a model."""


def load(name: str) -> Any:
    """The module `name`.

    Raises ModelError `predict.extra_missing` naming what to install.
    """
    # threads that wait for each other by spinning made training five times slower on a busy machine; read once by OpenMP
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        with _without(*NOT_NEEDED.get(name, ())):
            return import_module(name)
    except ImportError as error:
        raise ModelError("predict.extra_missing", library=name.split(".")[0], detail=str(error)) from error


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """While the block runs, modules that aren't loaded yet are not found."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is how Python says "not there"
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


@contextmanager
def one_thread_blas() -> Iterator[None]:
    """Hold BLAS to one thread: sums then have one order, so that results repeat to the last bit."""
    with load("threadpoolctl").threadpool_limits(limits=1, user_api="blas"):
        yield


__all__ = ["load", "one_thread_blas"]
