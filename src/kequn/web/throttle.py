"""Counting how often something was tried within a window of time, across all processes."""

from __future__ import annotations

import hashlib
import time

from django.core.cache import cache


def within(name: str, most: int, seconds: int) -> bool:
    """Count one more `name` in the current window of `seconds`; False when that makes more than `most`.

    Two requests at the same moment may count as one: good enough to slow somebody down, not to ration money.
    """
    window = int(time.time()) // seconds
    key = "throttle:" + hashlib.sha256(f"{name}:{window}".encode()).hexdigest()
    count = int(cache.get(key, 0)) + 1
    cache.set(key, count, seconds)
    return count <= most
