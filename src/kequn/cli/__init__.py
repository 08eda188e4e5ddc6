"""The command line: parse, call, print. Every command takes `-w DIR` and `--lang zh|en`; `--json` where a script reads on."""

from kequn.cli.app import app, main

__all__ = ["app", "main"]
