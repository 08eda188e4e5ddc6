"""How much data: `BENCH` counts millions of order lines, roughly, with a tenth as many customers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Scale:
    """That many million order lines."""

    millions: int

    @property
    def customers(self) -> int:
        return self.millions * 100_000

    @property
    def folder(self) -> Path:
        return DATA / f"{self.millions}m"


__all__ = ["DATA", "Scale"]
