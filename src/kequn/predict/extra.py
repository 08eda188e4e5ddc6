"""Libraries of the extra `kequn[predict]`, loaded where they are used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from kequn.errors import ModelError


def load(name: str) -> Any:
    """The module `name`.

    Raises ModelError `predict.extra_missing` naming what to install.
    """
    # threads that wait for each other by spinning made training five times slower on a busy machine; read once by OpenMP
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        return import_module(name)
    except ImportError as error:
        raise ModelError("predict.extra_missing", library=name.split(".")[0], detail=str(error)) from error


@contextmanager
def one_thread_blas() -> Iterator[None]:
    """Hold BLAS to one thread: sums then have one order, so that results repeat to the last bit."""
    with load("threadpoolctl").threadpool_limits(limits=1, user_api="blas"):
        yield


__all__ = ["load", "one_thread_blas"]
