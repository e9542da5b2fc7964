"""The commands for running it for weeks: redis, backup, install-service and uninstall-service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange.house import House


def register(app: typer.Typer) -> None:
    """Add them to the front door."""
    for command in (redis, backup):
        app.command()(command)


def redis(
    ctx: typer.Context,
    listen: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Open it to other machines: 192.168.1.5[:PORT]."),
    ] = None,
    close: Annotated[
        bool, typer.Option("--close", help="For this machine alone again; ends at once.")
    ] = False,
    line: Annotated[
        bool, typer.Option("--line", help="Print the line for other machines; ends at once.")
    ] = False,
) -> None:
    """Keep our Redis running until Ctrl-C; with --listen, for workers on other machines too.

    Commands start Redis themselves, so nobody needs this on one machine. With --listen it prints
    the one line that each other machine needs. Its user may do what `kkoracle work` does and
    nothing else; it stays open, also after a restart, until --close.

    The traffic is not encrypted: use it in a network that you trust, or through an SSH tunnel.
    """
    from kkoracle.redis_open import keep_running, shut, tell_line

    house: House = ctx.obj
    if close:
        typer.echo(shut(house))
    elif line:
        typer.echo(tell_line(house))
    else:
        keep_running(house, listen)


def backup(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where the copy goes; made if need be.")],
    archive: Annotated[str | None, typer.Argument(help="Default: the config's.")] = None,
) -> None:
    """Copy an archive's SQLite files as they are at one moment, while everything goes on.

    The copy is FOLDER/ARCHIVE-DATE-TIME; it is checked before it gets that name. To restore,
    stop everything and copy its files over those in the data folder.
    """
    from kkoracle.backup import copy

    house: House = ctx.obj
    name = house.archive(archive)
    typer.echo(copy(house.archive_dir(name), name, folder))
