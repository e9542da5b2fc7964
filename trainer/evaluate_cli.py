"""`kkoracle evaluate`: who is better, by how much, and how sure one can be."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange import masking
from exchange.house import House

Archive = Annotated[str | None, typer.Argument(help="The archive; default: the one configured.")]


def register(app: typer.Typer) -> None:
    """Add the command to the front door."""
    app.command("evaluate")(evaluate)


def evaluate(
    ctx: typer.Context,
    archive: Archive = None,
    name: Annotated[str, typer.Option(help="The run whose adapter is the tuned one.")] = "default",
    best: Annotated[
        bool, typer.Option("--best", help="The checkpoint of the lowest validation loss.")
    ] = False,
    systems: Annotated[
        str | None,
        typer.Option(
            help="Who is asked, with commas: base, few-shot, rag, tuned, tuned+rag, "
            "oracle, endpoint. Without a tuned one no run is needed."
        ),
    ] = None,
    questions: Annotated[
        int | None, typer.Option("-n", min=0, help="Questions of each test split; 0: all.")
    ] = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="An exported folder in place of the spool.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="An OpenAI-compatible endpoint, for the system `endpoint`; "
            "its key comes from KKORACLE_EVALUATE_API_KEY."
        ),
    ] = None,
    served_as: Annotated[str | None, typer.Option(help="The name of its model there.")] = None,
    judge: Annotated[
        bool | None, typer.Option("--judge/--no-judge", help="Let the base compare answers.")
    ] = None,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit 1 if the tuned model forgets or invents.")
    ] = False,
    model: Annotated[str | None, typer.Option(help="Hub name or local folder.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Download the model without asking.")] = False,
) -> None:
    """Ask base, few-shot, RAG, tuned, tuned with RAG and the gold chunk, and measure them all.

    The same command goes on after Ctrl-C or a crash: no answer is given twice. Writes
    runs/NAME/evaluation with every question, answer and value, and the report (report.html,
    report.json): the verdict, every difference with its interval, and what flipped.
    """
    from exchange import openblas

    openblas.ensure()
    from rich.console import Console

    from exchange.errors import FAILED
    from exchange.models import Model
    from exchange.settings import Persona
    from trainer.evaluate import report
    from trainer.evaluate.run import Asked, Hands
    from trainer.evaluate.run import evaluate as run_evaluation
    from trainer.evaluate.settings import Evaluate
    from trainer.show import Screen
    from trainer.stop import stoppable

    house: House = ctx.obj
    named = tuple(part.strip() for part in systems.split(",")) if systems else None
    settings = house.config.table(
        "evaluate",
        Evaluate,
        {
            "systems": named,
            "questions": questions,
            "url": url,
            "served_as": served_as,
            "judge": judge,
        },
    )
    console = Console(highlight=False)
    with (
        Screen(console) as screen,
        stoppable(lambda: screen.note("ending after this token; once more: at once")) as stop,
    ):
        folder = run_evaluation(
            house,
            settings,
            Asked(
                archive,
                name,
                "best" if best else "last",
                origin,
                house.config.table("model", Model, {"name": model}),
                shlex.join(["kkoracle", *masking.words(sys.argv[1:])]),
            ),
            Hands(screen.note, screen.report, lambda text: yes or typer.confirm(text), stop),
        )
        persona = house.config.table("persona", Persona)
        choices = report.Choices(persona.goal, persona.language, settings.matters, settings.watts)
        found = report.write(folder, house.archive_dir(archive), choices, screen.report)
    report.tell(console, found, folder)
    house.entry.tell(verdict=found.sentence, gate="passed" if found.passed else "failed")
    if gate and not found.passed:
        raise typer.Exit(FAILED)
