"""The commands that belong to no stage: status, dashboard, trace and others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange.project import Project
from kkoracle.cli import operations


def register(app: typer.Typer) -> None:
    """Add them to the front door."""
    for command in (init, doctor, config, estimate, status, dashboard, trace, export, demo):
        app.command()(command)
    operations.register(app)
    operations.register_ui(app)


def init(
    ctx: typer.Context,
    archive: Annotated[
        str, typer.Argument(help="The newspaper: a known name, or a profile's file.")
    ] = "rizospastis",
    contact: Annotated[
        str, typer.Option(help="Your e-mail or web address, shown to the newspaper.")
    ] = "",
) -> None:
    """Write a `kkoracle.toml` with every setting explained, for one archive."""
    from kkoracle.cli.config_file import write_config

    path = write_config(Path("kkoracle.toml"), archive, contact)
    typer.echo(f"wrote {path}; next: `kkoracle doctor`, then `kkoracle crawl`")


def doctor(ctx: typer.Context) -> None:
    """Check this machine and these settings; each line says what to do.

    Exit code 1 when something would stop the work.
    """
    from kkoracle.cli.doctor import print_findings, run_checks

    raise typer.Exit(print_findings(run_checks(ctx.obj)))


def config(ctx: typer.Context) -> None:
    """Print every setting, its value, and where the value came from."""
    from kkoracle.cli.config_file import print_config

    print_config(ctx.obj.config)


def estimate(
    ctx: typer.Context,
    archive: Annotated[str | None, typer.Argument(help="Default: the config's.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable, one object.")] = False,
) -> None:
    """What will it take: days, disk, memory and energy, for crawl, pairs and training.

    From what is stored here; else from what was tried (`work --probe`, `train --dry-run`); else
    assumed, and said to be. Exit code 1 when disk or memory will not be enough.
    """
    from kkoracle.cli.estimate import estimate_project, print_estimate

    raise typer.Exit(
        print_estimate(estimate_project(ctx.obj, ctx.obj.archive(archive)), as_json=json)
    )


def status(
    ctx: typer.Context,
    archive: Annotated[str | None, typer.Argument(help="Default: the config's.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable, one object.")] = False,
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


def dashboard(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve rq-dashboard: queue, jobs and workers in a browser."""
    from kkoracle.cli.dashboard import DashboardSettings, serve_dashboard

    project: Project = ctx.obj
    serve_dashboard(
        project, project.config.table("dashboard", DashboardSettings, {"host": host, "port": port})
    )


def trace(
    ctx: typer.Context,
    pair: Annotated[str, typer.Argument(help="Id of a pair (a row's id), or its beginning.")],
    archive: Annotated[str | None, typer.Argument(help="Default: the config's.")] = None,
    html: Annotated[
        bool, typer.Option("--html", help="Only the page, as the server sent it.")
    ] = False,
) -> None:
    """From an answer back to the page: pair, completion, chunk, story, raw HTML."""
    import sys

    from rich.console import Console

    from exchange.errors import NotFound
    from kkoracle.cli import trace as tracing

    project: Project = ctx.obj
    found = tracing.trace_pair(project.archive_dir(archive), pair)
    if not html:
        tracing.print_trace(Console(highlight=False), found)
    elif not found.body:
        raise NotFound(f"the page of {pair} is not in the raw store")
    else:
        sys.stdout.buffer.write(found.body)


def export(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where the files go; made if need be.")],
    archive: Annotated[str | None, typer.Argument(help="Default: the config's.")] = None,
) -> None:
    """Write stories, chunks and pairs as JSON lines, for another machine or another program.

    `kkoracle dataset build --from FOLDER` reads it and gives the same dataset, byte for byte. The
    daemon may go on meanwhile; what was exported is one moment.
    """
    from rich.console import Console

    from exchange.store.corpus import SpoolCorpus
    from exchange.store.export import write_export

    project: Project = ctx.obj
    console = Console(highlight=False)
    with console.status("") as status, SpoolCorpus(project.archive_dir(archive)) as corpus:
        counts = write_export(corpus, folder, lambda name, done: status.update(f"{name} {done:,}"))
    for name, count in counts.items():
        console.print(f"{count:>10,}  {name}")
    console.print(f"exported to {folder}", soft_wrap=True, markup=False)


def demo(
    ctx: typer.Context,
    directory: Annotated[Path, typer.Option("--dir", help="Where the demo keeps its files.")] = (
        Path(".demo")
    ),
    stories: Annotated[
        int | None, typer.Option(help="Size of the newspaper; default: what fits this machine.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Another model folder than the bundled tiny one.")
    ] = None,
) -> None:
    """The whole way, offline, in a few minutes: newspaper, crawl, pairs, dataset, LoRA, answers.

    Everything is real but small. Killed at any moment, the same command goes on.
    """
    from kkoracle.demo.run import run_demo

    raise typer.Exit(run_demo(directory, stories, model))
