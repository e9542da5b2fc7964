"""`kkoracle score ...`: init, apply, serve; and how rows are read, which all its commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.cli.commands import add_command
from exchange.cli.options import Archive, Yes, confirmation
from exchange.project import DEFAULT_RUN, Project
from exchange.signals import stop_on_signal

if TYPE_CHECKING:
    from trainer.scorer.fields import ReadOptions

Name = Annotated[str, typer.Option(help="Name of the scorer.")]
Maximum = Annotated[
    float, typer.Option(help="Highest score of rows that name none; 0: the largest one.")
]
Language = Annotated[
    str, typer.Option(help="Of rows that name none; default: as they read, or the scorer's.")
]
ColumnNames = Annotated[
    list[str] | None,
    typer.Option(help="What a column is: answer=HEADING; may be repeated."),
]
Question = Annotated[str, typer.Option(help="Of rows that hold none.")]
Guide = Annotated[str, typer.Option(help="Guide of rows that hold none.")]


def read_options(
    maximum: float, language: str, columns: list[str] | None, question: str, guide: str
) -> ReadOptions:
    """What the options of a command say about rows.

    Raises:
        UsageError: a language or a column that is none.
    """
    from exchange.errors import UsageError
    from exchange.text.detect import language_code
    from trainer.scorer.fields import ReadOptions, parse_columns

    code = language_code(language)
    if language and not code:
        raise UsageError(f"--language {language}: give a code such as el, en or hu")
    return ReadOptions(maximum, code, parse_columns(columns), question, guide)


def register_uses(score: typer.Typer) -> None:
    """Add these commands to the group."""
    add_command(
        score,
        apply,
        "kkoracle score apply",
        "kkoracle score apply --evaluation default --human people.csv",
    )
    add_command(score, serve, "kkoracle score serve", "kkoracle score serve --port 0")


def apply(
    ctx: typer.Context,
    archive: Archive = None,
    name: Name = "default",
    evaluation: Annotated[
        str, typer.Option(help="Judge the systems of this run's evaluation instead of pairs.")
    ] = "",
    human: Annotated[
        Path | None,
        typer.Option(help="Answers scored by people, to say how far the judge agrees with them."),
    ] = None,
    yes: Yes = False,
) -> None:
    """Score the archive's pairs, for [dataset] min_score; or the answers of an evaluation.

    A scorer that chose the training pairs may judge the systems only beside a sample that people
    scored (--human); the metric says which it was.
    """
    from exchange.inference import openblas

    openblas.ensure()
    from rich.console import Console

    from exchange import lock
    from trainer.console import ProgressScreen
    from trainer.evaluate.records import Evaluation
    from trainer.scorer import apply as applying
    from trainer.scorer import judge_evaluation, training
    from trainer.scorer.console import applied_lines, read_and_report
    from trainer.scorer.fields import ReadOptions
    from trainer.scorer.folder import DATA, scorer_run
    from trainer.scorer.split import ScorerSplit
    from trainer.training.runs import TrainingRun

    project: Project = ctx.obj
    console = Console(highlight=False)
    archive_dir = project.archive_dir(archive)
    with (
        lock.hold_gpu(project.data, shared=True),
        ProgressScreen(console) as screen,
        stop_on_signal() as stop,
    ):
        scorer, about = training.load_scorer(project, name, confirmation(yes))
        language = about.language or project.language(archive)
        if not evaluation:
            applied = applying.score_pairs(
                archive_dir, scorer, about, language, screen.on_progress, stop
            )
            for line in applied_lines(applied, about.key):
                console.print(line, markup=False)
            return
        folder = TrainingRun(archive_dir, evaluation).folder / "evaluation"
        found = Evaluation.read(folder)
        sample = read_and_report(console, [human], ReadOptions()).all if human else []
        taught = ScorerSplit.read(scorer_run(project, name).folder / DATA)
        trusted = judge_evaluation.check_trust(archive_dir, found, scorer, taught, sample)
        judged = judge_evaluation.judge_evaluation(
            found, scorer, about, trusted, language, screen.progress("answering")
        )
        judged.write(folder)
    console.print(f"judged by {about.key}: {trusted.said}", soft_wrap=True)
    for system, values in judged.scores[judge_evaluation.METRIC].items():
        sure = [value for value in values.values() if value is not None]
        share = f"{sum(sure) / len(sure):.3f}" if sure else "n/a"
        console.print(f"  {system:16} {share} of the maximum, {len(sure)} of {len(values)} answers")


def serve(
    ctx: typer.Context,
    name: Name = DEFAULT_RUN,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8790,
    yes: Yes = False,
) -> None:
    """Answer POST /score on this machine: one JSON item or a list of them.

    curl -H 'content-type: application/json' localhost:8790/score
    -d '{"question": "...", "guide": "...", "answer": "...", "maximum": 5}'
    """
    from exchange.inference import openblas

    openblas.ensure()
    import asyncio

    from rich.console import Console

    from exchange import lock
    from trainer.scorer import serve as serving
    from trainer.scorer import training
    from trainer.scorer.folder import ScorerInfo

    project: Project = ctx.obj
    console = Console(highlight=False)

    def told(address: str, about: ScorerInfo) -> None:
        console.print(f"scorer {about.key} at {address}, Ctrl-C ends it", soft_wrap=True)

    service = serving.ScoreServer(lambda: training.load_scorer(project, name, confirmation(yes)))
    with lock.hold_gpu(project.data, shared=True):
        asyncio.run(serving.run_server(service, port, told))
