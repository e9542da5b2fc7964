"""`kkoracle dataset review`: read pairs by eye."""

from __future__ import annotations

from typing import Annotated

import typer

from exchange.cli.commands import add_command
from exchange.cli.options import Archive
from exchange.project import Project


def register(app: typer.Typer) -> None:
    """Add the command to `kkoracle dataset`."""
    add_command(
        app, review, "kkoracle dataset review", "kkoracle dataset review -n 20 --reviewer anna"
    )


def review(
    ctx: typer.Context,
    archive: Archive = None,
    count: Annotated[int, typer.Option("-n", min=1, help="Pairs of this session.")] = 50,
    reviewer: Annotated[str, typer.Option(help="Whose labels these are.")] = "me",
) -> None:
    """Read pairs one at a time with their chunk, and accept, edit or reject them.

    One key each: [a]ccept, [e]dit, [r]eject with a reason, [s]kip, [u]ndo, [q]uit. Every label is
    stored at once; the next session goes on. One pair in ten is shown twice, to see how far a
    reviewer agrees with himself.
    """
    from trainer.review import terminal

    project: Project = ctx.obj
    terminal.run_review(project.archive_dir(archive), project.language(archive), count, reviewer)
