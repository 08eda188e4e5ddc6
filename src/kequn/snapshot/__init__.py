"""Immutable results of a run: write, publish, read, compare, roll back, prune, forget."""
