"""`kkoracle chat`: talk with the newspaper's model in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from exchange.cli.commands import add_command
from exchange.cli.fields import model_option
from exchange.cli.options import (
    Abstain,
    Archive,
    Best,
    MaxTokens,
    RunName,
    Scale,
    Yes,
    checkpoint,
    confirmation,
)
from exchange.inference.models import ModelSettings
from exchange.project import DEFAULT_RUN, Project


def register(app: typer.Typer) -> None:
    """Add the command to the front door."""
    add_command(
        app,
        chat,
        "kkoracle chat",
        "kkoracle chat --way tuned+rag",
        "kkoracle chat --alone < questions.txt",
        "kkoracle chat --name live",
        panel="Model",
        journal=False,
    )


@model_option
def chat(
    ctx: typer.Context,
    language_model: ModelSettings,
    archive: Archive = None,
    name: RunName = DEFAULT_RUN,
    best: Best = False,
    way: Annotated[
        str,
        typer.Option(help="Who answers first: base, tuned, rag (the base with search), tuned+rag."),
    ] = "tuned",
    alone: Annotated[
        bool, typer.Option("--alone", help="Every question by itself, as the model was taught.")
    ] = False,
    max_tokens: MaxTokens = 256,
    passages: Annotated[
        int | None,
        typer.Option(min=1, max=20, help="Chunks before a question; default: [evaluate] passages."),
    ] = None,
    scale: Scale = 1.0,
    abstain: Abstain = False,
    yes: Yes = False,
) -> None:
    """Talk with base and tuned model, with or without a search of the archive.

    Answers come word by word; with search, its sources follow with date and link, and without one
    /sources names the stories that say what was answered. /tuned+rag, /base and so on change who
    answers, /save writes the conversation as Markdown, /help names the rest. Questions may also
    come from a pipe, one a line. --name live is the run that was promoted, and newer ones as they
    come.
    """
    from exchange.inference import openblas

    openblas.ensure()
    from rich.console import Console

    from exchange.errors import UsageError
    from trainer.chat.load import ChatOptions, open_chat
    from trainer.chat.session import SYSTEMS
    from trainer.chat.terminal import run_chat

    if way not in SYSTEMS:
        raise UsageError(f"--way {way}: {', '.join(SYSTEMS)}")
    project: Project = ctx.obj
    wanted = ChatOptions(
        archive=archive,
        run=name,
        checkpoint=checkpoint(best),
        system=way,
        alone=alone,
        max_tokens=max_tokens,
        passages=passages,
        model=language_model,
        scale=scale,
        abstain=abstain,
    )
    console = Console(highlight=False)
    with open_chat(project, wanted, console, confirmation(yes)) as context:
        run_chat(context)
