"""`kkoracle chat`: talk with the newspaper's model in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from exchange.project import DEFAULT_RUN, Project

Archive = Annotated[str | None, typer.Argument(help="The archive; default: the one configured.")]


def register(app: typer.Typer) -> None:
    """Add the command to the front door."""
    app.command("chat")(chat)


def chat(
    ctx: typer.Context,
    archive: Archive = None,
    name: Annotated[str, typer.Option(help="The run to talk with.")] = DEFAULT_RUN,
    best: Annotated[
        bool, typer.Option("--best", help="Its checkpoint of lowest validation loss.")
    ] = False,
    way: Annotated[
        str,
        typer.Option(help="Who answers first: base, tuned, rag (the base with search), tuned+rag."),
    ] = "tuned",
    alone: Annotated[
        bool, typer.Option("--alone", help="Every question by itself, as the model was taught.")
    ] = False,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 256,
    passages: Annotated[int, typer.Option(min=1, max=20, help="Chunks before a question.")] = 4,
    model: Annotated[str | None, typer.Option(help="Hub name or local folder.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Download the model without asking.")] = False,
) -> None:
    """Talk with base and tuned model, with or without a search of the archive.

    Answers come word by word; with search, its sources follow with date and link. /tuned+rag,
    /base and so on change who answers, /save writes the conversation as Markdown, /help names the
    rest. Questions may also come from a pipe, one a line.
    """
    from exchange.inference import openblas

    openblas.ensure()
    from rich.console import Console

    from exchange.errors import UsageError
    from exchange.inference.models import ModelSettings
    from trainer.chat.load import ChatOptions, open_chat
    from trainer.chat.session import SYSTEMS
    from trainer.chat.terminal import run_chat

    if way not in SYSTEMS:
        raise UsageError(f"--way {way}: {', '.join(SYSTEMS)}")
    project: Project = ctx.obj
    wanted = ChatOptions(
        archive=archive,
        run=name,
        checkpoint="best" if best else "last",
        system=way,
        alone=alone,
        max_tokens=max_tokens,
        passages=passages,
        model=project.config.table("model", ModelSettings, {"name": model}),
    )
    console = Console(highlight=False)
    with open_chat(project, wanted, console, lambda text: yes or typer.confirm(text)) as context:
        run_chat(context)
