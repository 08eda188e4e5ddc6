"""serve, worker, user: the workbench. Django is imported only here."""

from __future__ import annotations

from typing import Annotated

import typer

from kequn.cli.app import HERE, LangOption, WorkspaceOption, app, open_workspace
from kequn.cli.printing import print_line
from kequn.i18n import say

user = typer.Typer(
    name="user", help="工作台账号 · workbench accounts", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(user)


@app.command()
def serve(
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8000,
    host: Annotated[str, typer.Option("--host")] = "127.0.0.1",
    workers: Annotated[int, typer.Option("--workers", min=1, max=64)] = 2,
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
) -> None:
    """打开工作台（网页） · Serve the workbench; answers /healthz."""
    workspace, _ = open_workspace(folder, lang)
    from kequn.web import serve as serve_workbench

    serve_workbench(workspace.folder.resolve(), port, host=host, workers=workers)


@app.command()
def worker(folder: WorkspaceOption = HERE, lang: LangOption = None) -> None:
    """运行后台任务 · Run background jobs."""
    workspace, _ = open_workspace(folder, lang)
    from kequn.web import worker as run_worker

    run_worker(workspace.folder.resolve())


@user.command("add")
def add(
    username: Annotated[str, typer.Argument()],
    role: Annotated[str, typer.Option("--role")] = "viewer",
    password: Annotated[
        str, typer.Option("--password", prompt=True, hide_input=True, confirmation_prompt=True)
    ] = "",
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
) -> None:
    """新建工作台账号 · Add an account to the workbench."""
    workspace, lang = open_workspace(folder, lang)
    from kequn.web import add_user

    add_user(workspace.folder.resolve(), username, role=role, password=password)
    print_line(say("cli.user_added", lang, username=username, role=role))


__all__: list[str] = []
