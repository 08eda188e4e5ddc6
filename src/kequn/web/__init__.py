"""The workbench: pages and REST API over the same functions as the command line.

Light to import: Django loads only when one of these functions runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from kequn.web.server import Account


def serve(workspace: Path, port: int = 8000, host: str = "127.0.0.1", workers: int = 2) -> None:
    """Serve the workbench on `http://host:port` until interrupted, with a job worker beside it."""
    from kequn.web import server

    server.serve(workspace, port, host, workers)


def worker(workspace: Path) -> None:
    """Run only the job worker, until interrupted (`serve` starts one of its own)."""
    from kequn.web import server

    server.worker(workspace)


def add_user(
    workspace: Path, username: str, *, role: str = "administrator", **details: str | None
) -> Account:
    """Create a user; see `server.add_user` for the details and what it raises."""
    from kequn.web import server

    return server.add_user(workspace, username, role=role, **details)


def add_demo_account(workspace: Path) -> Account:
    """The demo administrator of a workspace, created on the first call."""
    from kequn.web import server

    return server.add_demo_account(workspace)


def forget_tags(workspace: Path, customer_id: str) -> int:
    """Take all tags off a customer, where the workspace has a workbench; how many there were."""
    from kequn.web import server

    return server.forget_tags(workspace, customer_id)


__all__ = ["add_demo_account", "add_user", "forget_tags", "serve", "worker"]
