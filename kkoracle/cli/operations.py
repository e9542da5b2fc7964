"""The commands to look and to operate with: status, ui, dashboard, redis, backup, services."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.commands import Panel, add_command
from exchange.cli.fields import settings_options
from exchange.cli.options import Archive, Json
from exchange.project import Project
from kkoracle.cli import search, trace
from kkoracle.settings import DashboardSettings, StudioSettings

_PANEL: Panel = "Look and operate"


def register(app: typer.Typer) -> None:
    """Add them to the front door."""
    add_command(
        app,
        status,
        "kkoracle status",
        "kkoracle status --watch",
        panel=_PANEL,
        journal=False,
    )
    add_command(app, ui, "kkoracle ui", "kkoracle ui --port 9000", panel=_PANEL, journal=False)
    add_command(
        app,
        dashboard,
        "kkoracle dashboard",
        "kkoracle dashboard --port 9181",
        panel=_PANEL,
        journal=False,
    )
    search.register(app)
    trace.register(app)
    add_command(
        app,
        redis,
        "kkoracle redis",
        "kkoracle redis --listen 192.168.1.5",
        panel=_PANEL,
        journal=False,
    )
    add_command(app, backup, "kkoracle backup /Volumes/backup", panel=_PANEL)
    add_command(
        app, restore, "kkoracle restore /Volumes/backup/rizospastis-20260301-031500", panel=_PANEL
    )
    add_command(
        app,
        install_service,
        "kkoracle install-service --print",
        "kkoracle install-service --follow",
        panel=_PANEL,
    )
    add_command(app, uninstall_service, "kkoracle uninstall-service", panel=_PANEL)
    add_command(app, export, "kkoracle export exported", panel="Dataset")


def status(
    ctx: typer.Context,
    archive: Archive = None,
    json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every 2 s.")] = False,
) -> None:
    """How far is it, how fast, when does it end, and does anything need you?

    Exit code 0 fine, 1 needs attention, 3 nothing runs and work is left.
    """
    from functools import partial

    from kkoracle.status import read_status
    from kkoracle.status.console import print_status, watch_status

    glance = partial(read_status, ctx.obj, ctx.obj.archive(archive))
    if watch:
        raise typer.Exit(watch_status(glance, as_json=json))
    found = glance()
    print_status(found, as_json=json)
    raise typer.Exit(found.exit_code)


@settings_options("ui", StudioSettings, "host", "port")
def ui(ctx: typer.Context, settings: StudioSettings, archive: Archive = None) -> None:
    """Look at all of it in a browser, start and stop it, read, judge, ask and score.

    Overview, Stories, Pairs, Dataset, Runs, Ask, Score and Reports; what is started there goes on
    when browser and studio are closed. Without an archive it is the page of the scorers: one
    answer, or a file of them into a table. Labels, edits and votes are stored at once beside the
    archive. Beyond this machine, or behind a proxy (`[ui] public_url`), it wants a password:
    KKORACLE_UI_PASSWORD.
    """
    from exchange.inference import openblas

    openblas.ensure()
    from kkoracle.studio.serve import serve_studio

    project: Project = ctx.obj
    chosen = project.archive(archive) if archive or project.general.archive else ""
    serve_studio(project, chosen, settings)


@settings_options("dashboard", DashboardSettings, "host", "port")
def dashboard(ctx: typer.Context, settings: DashboardSettings) -> None:
    """Serve rq-dashboard: queue, jobs and workers in a browser."""
    from kkoracle.cli.dashboard import serve_dashboard

    serve_dashboard(ctx.obj, settings)


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
    forget: Annotated[
        str,
        typer.Option(metavar="ARCHIVE", help="Free its name, of a data folder gone for good."),
    ] = "",
) -> None:
    """Keep our Redis running until Ctrl-C; with --listen, for workers on other machines too.

    Commands start Redis themselves, so nobody needs this on one machine. With --listen it prints
    the one line that each other machine needs. Its user may do what `kkoracle work` does and
    nothing else; it stays open, also after a restart, until --close.

    The traffic is not encrypted: use it in a network that you trust, or through an SSH tunnel.
    """
    from kkoracle.cli import shared_redis

    project: Project = ctx.obj
    if forget:
        typer.echo(shared_redis.forget_archive(project, project.archive(forget)))
    elif close:
        typer.echo(shared_redis.close_to_others(project))
    elif line:
        typer.echo(shared_redis.connection_help(project))
    else:
        shared_redis.run_redis(project, listen)


def backup(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where the copy goes; made if need be.")],
    archive: Archive = None,
) -> None:
    """Copy an archive's SQLite files as they are at one moment, while everything goes on.

    The copy is FOLDER/ARCHIVE-DATE-TIME; it is checked before it gets that name. `kkoracle
    restore` puts it back.
    """
    from kkoracle.cli.backup import back_up

    project: Project = ctx.obj
    name = project.archive(archive)
    typer.echo(back_up(project.newspaper_dir(name), name, folder))


def restore(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A copy that `kkoracle backup` made.")],
    archive: Archive = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Put a backup in the place of an archive's files, after checking it.

    It asks first, and what is there is moved aside and kept. Pages that are newer than the backup's
    stories lose nothing: the next `kkoracle crawl` makes their stories again, from disk.
    """
    import sys

    from exchange.errors import UsageError
    from kkoracle.cli import backup as copies

    def confirm(question: str) -> bool:
        if not yes and not sys.stdin.isatty():
            raise UsageError("files would be replaced: run it in a terminal, or give --yes")
        return yes or typer.confirm(question)

    project: Project = ctx.obj
    name = project.archive(archive)
    typer.echo(copies.restore(project.newspaper_dir(name), name, folder, confirm))


def install_service(
    ctx: typer.Context,
    archive: Archive = None,
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
    live: Annotated[
        bool, typer.Option("--live", help="`kkoracle live` in place of daemon and worker.")
    ] = False,
) -> None:
    """Have launchd (macOS) or systemd (Linux) keep Redis, daemon and worker running.

    With --live they keep `kkoracle live` running, which teaches the model morning after morning.

    They start at login, in this order, come back after a crash, and end by themselves when all is
    done. Run `kkoracle crawl` once by hand before: what it asks, a service cannot answer.
    """
    from kkoracle.service.install import install_services, require_nobody, service_files
    from kkoracle.service.services import plan_services

    project: Project = ctx.obj
    name = project.archive(archive)
    services = plan_services(
        project,
        name,
        redis=redis,
        daemon=daemon,
        worker=worker,
        follow=follow,
        no_fetch=no_fetch,
        live=live,
    )
    if not show:
        require_nobody(services, project.archive_dir(archive), Path.home())
        typer.echo(install_services(services, name, Path.home()))
        return
    for path, text in service_files(services, name, Path.home()).items():
        typer.echo(f"# {path}\n{text}")


def uninstall_service(
    ctx: typer.Context,
    archive: Archive = None,
) -> None:
    """Stop what install-service has started, and remove its files. Nothing else is touched."""
    from kkoracle.service.install import uninstall_services

    project: Project = ctx.obj
    removed = uninstall_services(project.archive(archive), Path.home())
    for path in removed:
        typer.echo(f"removed {path}")
    if not removed:
        typer.echo("no service was installed")


def export(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where the files go; made if need be.")],
    archive: Archive = None,
) -> None:
    """Write stories, chunks and pairs as JSON lines, for another machine or another program.

    `kkoracle dataset build --from FOLDER` reads it and gives the same dataset, byte for byte. The
    daemon may go on meanwhile; what was exported is one moment.
    """
    from rich.console import Console

    from exchange.store.export import write_export
    from exchange.store.joined_corpus import open_corpus

    project: Project = ctx.obj
    console = Console(highlight=False)
    with console.status("") as status, open_corpus(project.archive_dir(archive)) as corpus:
        counts = write_export(corpus, folder, lambda name, done: status.update(f"{name} {done:,}"))
    for name, count in counts.items():
        console.print(f"{count:>10,}  {name}")
    console.print(f"exported to {folder}", soft_wrap=True, markup=False)
