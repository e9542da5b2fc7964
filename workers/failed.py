"""`kkoracle failed`: the tasks that ended without a pair, and what to do about them."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer

from exchange.cli.commands import add_command, add_group
from exchange.cli.options import ArchiveOption, Json, print_json
from exchange.project import Project
from exchange.text.controls import one_line, printable

SHORTEST_HEADER = 10  # characters that are shown of it on a narrow screen

Ids = Annotated[list[str] | None, typer.Argument(help="Ids, or how they begin.")]
Reason = Annotated[str, typer.Option(help="All that failed for this reason.")]
Everything = Annotated[bool, typer.Option("--all", help="Every failed task.")]


def register(app: typer.Typer) -> None:
    """Add the group to the front door."""
    failed = add_group(
        app,
        "failed",
        "Tasks that ended without a pair: list and show them, try them again, or drop them.\n\n"
        "A running daemon is asked to make the change; without one it is made at once.",
        "Pairs",
    )
    add_command(
        failed,
        list_failed,
        "kkoracle failed list",
        "kkoracle failed list --reason parse --json",
        name="list",
        journal=False,
    )
    add_command(failed, show, "kkoracle failed show 4f0e070a", journal=False)
    add_command(failed, retry, "kkoracle failed retry --all")
    add_command(failed, drop, "kkoracle failed drop --reason parse")


def list_failed(
    ctx: typer.Context,
    reason: Reason = "",
    limit: Annotated[int, typer.Option(min=1, help="Tasks to show.")] = 20,
    archive: ArchiveOption = None,
    json: Json = False,
) -> None:
    """Show how many failed and why, and the first of them."""
    from exchange.store import requests
    from exchange.store.spool import Spool

    project: Project = ctx.obj
    name = project.archive(archive)
    spool = Spool.read(project.archive_dir(name))
    found = requests.count_reasons(spool)
    first = requests.list_failed(spool, name, requests.FailedSelection((), reason), limit)
    if json:
        tasks = [
            {
                "id": one.task.id,
                "kind": one.task.kind,
                "reason": one.reason,
                "header": one.task.header,
            }
            for one in (first if found else ())
        ]
        print_json({"archive": name, "reasons": found, "tasks": tasks})
        spool.close()
        return
    if not found:
        typer.echo(f"{name}: no task has failed")
        return
    for code, count in found.items():
        typer.echo(f"{count:7,} {code}")
    typer.echo("")
    screen = shutil.get_terminal_size().columns  # `show` and --json have the whole
    for one in first:
        line = f"{one.task.id}  {one.task.kind:8} {one.reason:16} "
        typer.echo(line + one_line(one.task.header, max(SHORTEST_HEADER, screen - len(line))))
    spool.close()


def show(
    ctx: typer.Context,
    task: Annotated[str, typer.Argument(help="Its id, or how it begins.")],
    archive: ArchiveOption = None,
) -> None:
    """Show what one task was asked and what the model answered."""
    from exchange.store import requests
    from exchange.store.spool import Spool

    project: Project = ctx.obj
    name = project.archive(archive)
    spool = Spool.read(project.archive_dir(name))
    for one in requests.list_failed(spool, name, requests.FailedSelection((task,)), 1):
        typer.echo(f"{one.task.id}  {one.task.kind}, failed: {one.reason}\n")
        typer.echo(f"{printable(one.task.header)}\n{printable(one.task.text)}\n")
        if one.completion is None:
            typer.echo("no reply is stored")
        else:
            reply = one.completion
            typer.echo(
                f"{reply.model} ({reply.engine}), {reply.tokens_out} tokens, ended by "
                f"{reply.finish_reason}, {reply.generated_at}:\n{printable(reply.text)}"
            )
    spool.close()


def retry(
    ctx: typer.Context,
    tasks: Ids = None,
    reason: Reason = "",
    everything: Everything = False,
    archive: ArchiveOption = None,
) -> None:
    """Ask for failed tasks again."""
    from exchange.store import requests

    count = _change(ctx.obj, archive, requests.RETRY, tasks, reason, everything)
    typer.echo(f"{count:,} tasks wait to be generated again")


def drop(
    ctx: typer.Context,
    tasks: Ids = None,
    reason: Reason = "",
    everything: Everything = False,
    archive: ArchiveOption = None,
) -> None:
    """Give failed tasks up: they are no longer counted, and not tried again."""
    from exchange.store import requests

    count = _change(ctx.obj, archive, requests.DROP, tasks, reason, everything)
    typer.echo(f"{count:,} tasks dropped")


def _change(
    project: Project, archive: str | None, kind: str, ids: list[str] | None, reason: str, all_: bool
) -> int:
    from exchange.errors import NotFound, UsageError
    from exchange.store import requests

    if sum((bool(ids), bool(reason), all_)) != 1:
        raise UsageError("which tasks? give ids, or --reason CODE, or --all")
    directory = project.archive_dir(archive)
    if not directory.is_dir():
        raise NotFound("nothing yet: `kkoracle crawl` begins")
    selection = requests.FailedSelection(tuple(ids or ()), reason)
    return requests.submit_request(directory, selection.to_json(), kind=kind)
