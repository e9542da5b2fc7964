"""The commands to begin with: init, doctor, config, estimate, demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.commands import add_command
from exchange.cli.options import Archive, Json


def register(app: typer.Typer) -> None:
    """Add them to the front door."""
    add_command(
        app,
        demo,
        "kkoracle demo",
        "kkoracle demo --dir /tmp/demo --stories 200",
        panel="Start",
        journal=False,
    )
    add_command(
        app,
        init,
        "kkoracle init --contact you@example.org",
        "kkoracle init my-paper.toml --contact you@example.org",
        "kkoracle init my-files --imported",
        panel="Start",
        journal=False,
    )
    add_command(
        app, doctor, "kkoracle doctor", "kkoracle doctor --json", panel="Start", journal=False
    )
    add_command(
        app, config, "kkoracle config", "kkoracle config --json", panel="Start", journal=False
    )
    add_command(
        app,
        estimate,
        "kkoracle estimate",
        "kkoracle estimate rizospastis --json",
        panel="Start",
        journal=False,
    )


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
    language: Annotated[
        str, typer.Option(help="Of the newspaper: el, or en with a --model that speaks it.")
    ] = "el",
) -> None:
    """The whole way, offline, in a few minutes: newspaper, crawl, pairs, dataset, LoRA, answers.

    Everything is real but small. Killed at any moment, the same command goes on.
    """
    from exchange.errors import UsageError
    from kkoracle.demo.run import run_demo

    if language not in ("el", "en"):
        raise UsageError(f"--language {language}: there is a sample newspaper in el and in en")
    raise typer.Exit(run_demo(directory, stories, model, language))  # type: ignore[arg-type]


def init(
    ctx: typer.Context,
    archive: Annotated[
        str, typer.Argument(help="The newspaper: a known name, or a profile's file (NAME.toml).")
    ] = "rizospastis",
    contact: Annotated[
        str, typer.Option(help="Your e-mail or web address, shown to the newspaper.")
    ] = "",
    imported: Annotated[
        bool,
        typer.Option("--imported", help="Its stories come from files alone: any name will do."),
    ] = False,
) -> None:
    """Write a `kkoracle.toml` with every setting explained, for one archive.

    `kkoracle archive list` shows the known names; for another newspaper `kkoracle archive learn`
    writes the profile's file that you name here.
    """
    from exchange.settings import FILE
    from kkoracle.cli.config_file import write_config

    name = write_config(Path(FILE), archive, contact, imported=imported)
    typer.echo(f"wrote {FILE}: the archive {name}" + f", by {archive}" * (name != archive))
    if imported:
        typer.echo("next: `kkoracle import FOLDER`, then `kkoracle doctor`")
        return
    first = "" if contact else "write your e-mail or web address into it ([crawl] contact), then "
    typer.echo(f"next: {first}`kkoracle doctor`, then `kkoracle crawl`")


def doctor(ctx: typer.Context, json: Json = False) -> None:
    """Check this machine and these settings; each line says what to do.

    Exit code 1 when something would stop the work.
    """
    from kkoracle.cli.doctor import print_findings, run_checks

    raise typer.Exit(print_findings(run_checks(ctx.obj), as_json=json))


def config(ctx: typer.Context, json: Json = False) -> None:
    """Print every setting, its value, where the value came from, and what it means."""
    from kkoracle.cli.config_file import print_config

    print_config(ctx.obj.config, as_json=json)


def estimate(
    ctx: typer.Context,
    archive: Archive = None,
    json: Json = False,
) -> None:
    """What will it take: days, disk, memory and energy, for crawl, pairs and training.

    From what is stored here; else from what was tried (`work --probe`, `train --dry-run`); else
    assumed, and said to be. Exit code 1 when disk or memory will not be enough.
    """
    from kkoracle.cli.estimate import estimate_project, print_estimate

    raise typer.Exit(
        print_estimate(estimate_project(ctx.obj, ctx.obj.archive(archive)), as_json=json)
    )
