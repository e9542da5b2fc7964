"""The commands for running it for weeks: redis, backup, install-service and uninstall-service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange.house import House


def register(app: typer.Typer) -> None:
    """Add them to the front door."""
    for command in (redis, backup, install_service, uninstall_service):
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


def install_service(
    ctx: typer.Context,
    archive: Annotated[str | None, typer.Argument(help="Default: the config's.")] = None,
    show: Annotated[
        bool, typer.Option("--print", help="Show the files and where they go; change nothing.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="The daemon stays and takes new issues.")
    ] = False,
    no_fetch: Annotated[
        bool, typer.Option("--no-fetch", help="The daemon asks the newspaper nothing.")
    ] = False,
    redis: Annotated[bool, typer.Option(help="Keep our Redis running by itself, too.")] = True,
    daemon: Annotated[bool, typer.Option(help="Not on a machine that only works.")] = True,
    worker: Annotated[bool, typer.Option(help="Run a worker on this machine.")] = True,
) -> None:
    """Have launchd (macOS) or systemd (Linux) keep Redis, daemon and worker running.

    They start at login, in this order, come back after a crash, and end by themselves when all is
    done. Run `kkoracle crawl` once by hand before: what it asks, a service cannot answer.
    """
    from kkoracle.service.install import files, install
    from kkoracle.service.plan import plan

    house: House = ctx.obj
    name = house.archive(archive)
    services = plan(
        house, name, redis=redis, daemon=daemon, worker=worker, follow=follow, no_fetch=no_fetch
    )
    if not show:
        typer.echo(install(services, name, Path.home()))
        return
    for path, text in files(services, name, Path.home()).items():
        typer.echo(f"# {path}\n{text}")


def uninstall_service(
    ctx: typer.Context,
    archive: Annotated[str | None, typer.Argument(help="Default: the config's.")] = None,
) -> None:
    """Stop what install-service has started, and remove its files. Nothing else is touched."""
    from kkoracle.service.install import uninstall

    house: House = ctx.obj
    removed = uninstall(house.archive(archive), Path.home())
    for path in removed:
        typer.echo(f"removed {path}")
    if not removed:
        typer.echo("no service was installed")
