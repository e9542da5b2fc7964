"""The commands that belong to no stage: status, dashboard, trace and others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange.house import House
from kkoracle import weeks


def register(app: typer.Typer) -> None:
    """Add them to the front door."""
    for command in (init, doctor, config, estimate, status, dashboard, trace, export, demo):
        app.command()(command)
    weeks.register(app)


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
    from kkoracle.init import write

    path = write(Path("kkoracle.toml"), archive, contact)
    typer.echo(f"wrote {path}; next: `kkoracle doctor`, then `kkoracle crawl`")


def doctor(ctx: typer.Context) -> None:
    """Check this machine and these settings; each line says what to do.

    Exit code 1 when something would stop the work.
    """
    from kkoracle.doctor import examine, show

    raise typer.Exit(show(examine(ctx.obj)))


def config(ctx: typer.Context) -> None:
    """Print every setting, its value, and where the value came from."""
    from kkoracle.init import show_config

    show_config(ctx.obj.config)


def estimate(
    ctx: typer.Context,
    archive: Annotated[str | None, typer.Argument(help="Default: the config's.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable, one object.")] = False,
) -> None:
    """What will it take: days, disk, memory and energy, for crawl, pairs and training.

    From what is stored here; else from what was tried (`work --probe`, `train --dry-run`); else
    assumed, and said to be. Exit code 1 when disk or memory will not be enough.
    """
    from kkoracle.estimate import look, show

    raise typer.Exit(show(look(ctx.obj, ctx.obj.archive(archive)), as_json=json))


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

    from kkoracle.status import live, look
    from kkoracle.status.show import show

    glance = partial(look, ctx.obj, ctx.obj.archive(archive))
    if watch:
        raise typer.Exit(live.watch(glance, as_json=json))
    found = glance()
    show(found, as_json=json)
    raise typer.Exit(found.exit_code)


def dashboard(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve rq-dashboard: queue, jobs and workers in a browser."""
    from kkoracle.dashboard import Dashboard, serve

    house: House = ctx.obj
    serve(house, house.config.table("dashboard", Dashboard, {"host": host, "port": port}))


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

    from exchange.errors import UserError
    from kkoracle import trace as tracing

    house: House = ctx.obj
    found = tracing.find(house.archive_dir(archive), pair)
    if not html:
        tracing.show(Console(highlight=False), found)
    elif not found.body:
        raise UserError(f"the page of {pair} is not in the raw store")
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

    from exchange.corpus import SpoolCorpus
    from exchange.export import write

    house: House = ctx.obj
    console = Console(highlight=False)
    with console.status("") as status, SpoolCorpus(house.archive_dir(archive)) as corpus:
        counts = write(corpus, folder, lambda name, done: status.update(f"{name} {done:,}"))
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
    from kkoracle.demo.show import run

    raise typer.Exit(run(directory, stories, model))
