"""The commands for running it for weeks: redis, backup, install-service and uninstall-service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange.project import Project


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
    from kkoracle.cli.shared_redis import close_to_others, connection_help, run_redis

    project: Project = ctx.obj
    if close:
        typer.echo(close_to_others(project))
    elif line:
        typer.echo(connection_help(project))
    else:
        run_redis(project, listen)


def backup(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where the copy goes; made if need be.")],
    archive: Annotated[str | None, typer.Argument(help="Default: the config's.")] = None,
) -> None:
    """Copy an archive's SQLite files as they are at one moment, while everything goes on.

    The copy is FOLDER/ARCHIVE-DATE-TIME; it is checked before it gets that name. To restore,
    stop everything and copy its files over those in the data folder.
    """
    from kkoracle.cli.backup import back_up

    project: Project = ctx.obj
    name = project.archive(archive)
    typer.echo(back_up(project.archive_dir(name), name, folder))


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
    from kkoracle.service.install import install_services, service_files
    from kkoracle.service.services import plan_services

    project: Project = ctx.obj
    name = project.archive(archive)
    services = plan_services(
        project, name, redis=redis, daemon=daemon, worker=worker, follow=follow, no_fetch=no_fetch
    )
    if not show:
        typer.echo(install_services(services, name, Path.home()))
        return
    for path, text in service_files(services, name, Path.home()).items():
        typer.echo(f"# {path}\n{text}")


def uninstall_service(
    ctx: typer.Context,
    archive: Annotated[str | None, typer.Argument(help="Default: the config's.")] = None,
) -> None:
    """Stop what install-service has started, and remove its files. Nothing else is touched."""
    from kkoracle.service.install import uninstall_services

    project: Project = ctx.obj
    removed = uninstall_services(project.archive(archive), Path.home())
    for path in removed:
        typer.echo(f"removed {path}")
    if not removed:
        typer.echo("no service was installed")


# `kkoracle ui`.


def register_ui(app: typer.Typer) -> None:
    """Add it to the front door."""
    app.command()(ui)


def ui(
    ctx: typer.Context,
    archive: Annotated[str | None, typer.Argument(help="Default: the config's.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Look at all of it in a browser: status and plots, review, compare, score, report.

    What you say there (labels, edits, votes) is stored at once beside the archive. Beyond this
    machine it wants a password: KKORACLE_UI_PASSWORD.
    """
    from exchange.inference import openblas

    openblas.ensure()
    from kkoracle.studio.serve import serve_studio
    from kkoracle.studio.settings import StudioSettings

    project: Project = ctx.obj
    settings = project.config.table("ui", StudioSettings, {"host": host, "port": port})
    serve_studio(project, project.archive(archive), settings)
