"""Industry packs: where a new user starts, and a small generated sample for each."""

from __future__ import annotations

from kequn.packs.pack import Pack, load_pack, pack_names, write_pack
from kequn.packs.sample import write_sample

__all__ = ["Pack", "load_pack", "pack_names", "write_pack", "write_sample"]
