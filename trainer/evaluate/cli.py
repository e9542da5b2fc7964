"""`kkoracle evaluate`: who is better, by how much, and how sure; `compare`: answers to read."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange import logs
from exchange.project import DEFAULT_RUN, Project
from exchange.signals import stop_on_signal

Archive = Annotated[str | None, typer.Argument(help="The archive; default: the one configured.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the front door."""
    app.command("compare")(compare)
    app.command("evaluate")(evaluate)


def evaluate(
    ctx: typer.Context,
    archive: Archive = None,
    name: Annotated[
        str, typer.Option(help="The run whose adapter is the tuned one.")
    ] = DEFAULT_RUN,
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
    from exchange.inference import openblas

    openblas.ensure()
    from rich.console import Console

    from exchange.errors import FAILED
    from exchange.inference.models import ModelSettings
    from exchange.settings import PersonaSettings
    from trainer.console import ProgressScreen
    from trainer.evaluate import report
    from trainer.evaluate.run import EvaluationHooks, EvaluationRequest
    from trainer.evaluate.run import evaluate as run_evaluation
    from trainer.evaluate.settings import EvaluateSettings

    project: Project = ctx.obj
    named = tuple(part.strip() for part in systems.split(",")) if systems else None
    settings = project.config.table(
        "evaluate",
        EvaluateSettings,
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
        ProgressScreen(console) as screen,
        stop_on_signal(lambda: screen.log("ending after this token; once more: at once")) as stop,
    ):
        folder = run_evaluation(
            project,
            settings,
            EvaluationRequest(
                archive,
                name,
                "best" if best else "last",
                origin,
                project.config.table("model", ModelSettings, {"name": model}),
                shlex.join(["kkoracle", *logs.mask_arguments(sys.argv[1:])]),
            ),
            EvaluationHooks(
                screen.log, screen.on_progress, lambda text: yes or typer.confirm(text), stop
            ),
        )
        persona = project.config.table("persona", PersonaSettings)
        choices = report.ReportOptions(
            persona.goal, persona.language, settings.matters, settings.watts
        )
        found = report.write_report(
            folder, project.archive_dir(archive), choices, screen.on_progress
        )
    report.print_report(console, found, folder)
    project.entry.tell(verdict=found.sentence, gate="passed" if found.passed else "failed")
    if gate and not found.passed:
        raise typer.Exit(FAILED)


def compare(
    ctx: typer.Context,
    archive: Archive = None,
    name: Annotated[str, typer.Option(help="The run whose adapter answers.")] = DEFAULT_RUN,
    best: Annotated[
        bool, typer.Option("--best", help="The checkpoint of the lowest validation loss.")
    ] = False,
    count: Annotated[int, typer.Option("-n", min=1, help="Questions of each split.")] = 20,
    questions: Annotated[
        Path | None, typer.Option(help="A file with questions of your own, one a line.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 128,
    model: Annotated[str | None, typer.Option(help="Hub name or local folder.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Download the model without asking.")] = False,
) -> None:
    """Ask the model with and without its adapter the same questions, side by side."""
    from exchange.inference import openblas

    openblas.ensure()
    from rich.console import Console

    from exchange.inference.models import ModelSettings
    from trainer.console import ProgressScreen
    from trainer.evaluate.compare import compare as ask_both
    from trainer.evaluate.compare import read_questions
    from trainer.evaluate.compare_records import comparison_table, share_table

    project: Project = ctx.obj
    own_questions = read_questions(questions) if questions else []
    console = Console(highlight=False)
    with ProgressScreen(console) as screen:
        found = ask_both(
            project,
            archive,
            run=name,
            checkpoint="best" if best else "last",
            count=count,
            questions=own_questions,
            max_tokens=max_tokens,
            callback=screen,
            language_model=project.config.table("model", ModelSettings, {"name": model}),
            confirm=lambda text: yes or (sys.stdin.isatty() and typer.confirm(text)),
        )
    console.print(comparison_table(found))
    if found.shares:
        console.print(share_table(found))
    folder = project.archive_dir(archive) / "runs" / name
    console.print(f"all of it in {folder / 'compare.md'}", soft_wrap=True)
