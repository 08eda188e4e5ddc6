"""Generators of the samples, one module a pack: `write(folder)` makes the same files each time. All data are invented."""

from __future__ import annotations

__all__: list[str] = []
