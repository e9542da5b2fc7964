"""`kkoracle evaluate`: who is better, by how much, and how sure; `compare`: answers to read."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from exchange import logs
from exchange.cli.commands import add_command
from exchange.cli.fields import model_option, settings_options
from exchange.cli.options import (
    Archive,
    Best,
    ExportFolder,
    Json,
    MaxTokens,
    RunName,
    Yes,
    checkpoint,
    confirmation,
    print_json,
    result_console,
)
from exchange.inference.models import ModelSettings
from exchange.project import DEFAULT_RUN, Project
from exchange.signals import stop_on_signal
from trainer.evaluate.settings import EvaluateSettings


def register(app: typer.Typer) -> None:
    """Add the commands to the front door."""
    add_command(
        app,
        compare,
        "kkoracle compare",
        "kkoracle compare -n 50 --best",
        "kkoracle compare --questions mine.txt",
        panel="Model",
    )
    add_command(
        app, boundary, "kkoracle boundary", "kkoracle boundary --name first -n 0", panel="Model"
    )
    add_command(
        app,
        evaluate,
        "kkoracle evaluate",
        "kkoracle evaluate --systems base,base+rag,tuned -n 100",
        "kkoracle evaluate --systems base,tuned --scales 0.5,0.75",
        "kkoracle evaluate --scale 0.9",
        "kkoracle evaluate --gate --json",
        panel="Model",
    )


def boundary(
    ctx: typer.Context,
    archive: Archive = None,
    name: RunName = DEFAULT_RUN,
    best: Best = False,
    count: Annotated[
        int, typer.Option("-n", min=0, help="Taught questions, and coined ones; 0: all.")
    ] = 500,
    samples: Annotated[
        int, typer.Option(min=0, max=64, help="More answers to what the first got wrong.")
    ] = 4,
    json: Json = False,
    yes: Yes = False,
) -> None:
    """Find where a run's knowledge ends: the next dataset teaches it to say so there.

    The tuned model is asked what it was taught, and taught questions with a coined name in them.
    What it never gets right becomes a refusal in the next `kkoracle dataset build`, as far as
    [dataset] refusals allows. What it says wrongly is what `kkoracle train --recipe preference
    --continue RUN` rejects. The same command goes on after Ctrl-C.
    """
    from exchange.inference import openblas

    openblas.ensure()

    from trainer.console import ProgressScreen
    from trainer.evaluate.boundary import find_boundary

    console = result_console(json)
    with (
        ProgressScreen(console) as screen,
        stop_on_signal(lambda: screen.log("ending after this token; once more: at once")) as stop,
    ):
        found = find_boundary(
            ctx.obj,
            archive,
            run=name,
            checkpoint=checkpoint(best),
            count=count,
            samples=samples,
            callback=screen,
            confirm=confirmation(yes, err=json),
            stop=stop,
        )
    if json:
        print_json(found)
    console.print(
        f"of {found.taught:,} taught questions {found.never_right:,} are never answered right, of "
        f"{found.coined:,} that nobody can answer {found.answered:,} are answered: "
        "`kkoracle dataset build` makes refusals of them",
        soft_wrap=True,
    )
    console.print(f"rows in {found.path}", soft_wrap=True, markup=False)
    console.print(
        f"it invents {found.inventions:,} answers: `kkoracle train --name NEW --recipe preference "
        f"--continue {name}` teaches it not to",
        soft_wrap=True,
        markup=False,
    )


@settings_options(
    "evaluate",
    EvaluateSettings,
    "systems",
    "scale",
    "scales",
    "questions",
    "url",
    "served_as",
    "judge",
    names={"questions": ("-n",)},
)
@model_option
def evaluate(
    ctx: typer.Context,
    settings: EvaluateSettings,
    language_model: ModelSettings,
    archive: Archive = None,
    name: RunName = DEFAULT_RUN,
    best: Best = False,
    origin: ExportFolder = None,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit 1 if the tuned model forgets or invents.")
    ] = False,
    json: Json = False,
    yes: Yes = False,
) -> None:
    """Ask base, few-shot, RAG, tuned, tuned with RAG and the gold chunk, and measure them all.

    The same command goes on after Ctrl-C or a crash: no answer is given twice. Writes
    runs/NAME/evaluation with every question, answer and value, and the report (report.html,
    report.json): the verdict, every difference with its interval, and what flipped.
    """
    from exchange.inference import openblas

    openblas.ensure()

    from exchange.errors import FAILED
    from trainer.console import ProgressScreen
    from trainer.evaluate import report
    from trainer.evaluate.run import EvaluationHooks, EvaluationRequest
    from trainer.evaluate.run import evaluate as run_evaluation

    project: Project = ctx.obj
    choices = report.ReportOptions.of(project, archive, settings)
    console = result_console(json)
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
                checkpoint(best),
                origin,
                language_model,
                shlex.join(["kkoracle", *logs.mask_arguments(sys.argv[1:])]),
            ),
            EvaluationHooks(screen.log, screen.on_progress, confirmation(yes, err=json), stop),
        )
        found = report.write_report(
            folder, project.archive_dir(archive), choices, screen.on_progress
        )
    if json:
        print_json(
            {
                "folder": str(folder),
                "verdict": asdict(found.verdict) if found.verdict else None,
                "sentence": found.sentence,
                "unknown": asdict(found.unknown) if found.unknown else None,
                "passed": found.passed,
                "gate": [asdict(check) for check in found.gate],
                "comparisons": [asdict(one) for one in found.declared],
                "warnings": found.warnings,
            }
        )
    report.print_report(console, found, folder)
    project.journal.add_figures(verdict=found.sentence, gate="passed" if found.passed else "failed")
    if gate and not found.passed:
        raise typer.Exit(FAILED)


@model_option
def compare(
    ctx: typer.Context,
    language_model: ModelSettings,
    archive: Archive = None,
    name: RunName = DEFAULT_RUN,
    best: Best = False,
    count: Annotated[int, typer.Option("-n", min=1, help="Questions of each split.")] = 20,
    questions: Annotated[
        Path | None, typer.Option(help="A file with questions of your own, one a line.")
    ] = None,
    max_tokens: MaxTokens = 128,
    json: Json = False,
    yes: Yes = False,
) -> None:
    """Ask the model with and without its adapter the same questions, side by side."""
    from exchange.inference import openblas

    openblas.ensure()

    from trainer.console import ProgressScreen
    from trainer.evaluate.compare import compare as ask_both
    from trainer.evaluate.compare import read_questions
    from trainer.evaluate.compare_records import comparison_table, share_table

    project: Project = ctx.obj
    own_questions = read_questions(questions) if questions else []
    console = result_console(json)
    with ProgressScreen(console) as screen:
        found = ask_both(
            project,
            archive,
            run=name,
            checkpoint=checkpoint(best),
            count=count,
            questions=own_questions,
            max_tokens=max_tokens,
            callback=screen,
            language_model=language_model,
            confirm=confirmation(yes, at_terminal=True, err=json),
        )
    if json:
        print_json(found)
    console.print(comparison_table(found))
    if found.shares:
        console.print(share_table(found))
    folder = project.archive_dir(archive) / "runs" / name
    console.print(f"all of it in {folder / 'compare.md'}", soft_wrap=True)
