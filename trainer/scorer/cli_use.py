"""`kkoracle score ...`: init, apply, serve; and how rows are read, which all its commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.cli.commands import add_command
from exchange.cli.options import Archive, Yes, confirmation
from exchange.project import DEFAULT_RUN, Project
from exchange.signals import stop_on_signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from trainer.scorer.fields import ReadOptions

Name = Annotated[str, typer.Option(help="Name of the scorer, or the path of its folder.")]
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
Base = Annotated[
    str, typer.Option(help="Where its base model is, on another machine than it was taught on.")
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
        init,
        "kkoracle score init",
        "kkoracle score init class.csv --language el",
        journal=False,
    )
    add_command(
        score,
        apply,
        "kkoracle score apply --file answers.csv --out scored.csv",
        "kkoracle score apply",
        "kkoracle score apply --evaluation default --human people.csv",
    )
    add_command(score, serve, "kkoracle score serve", "kkoracle score serve --port 0")


def init(
    file: Annotated[Path, typer.Argument(help="To write, .json, .jsonl or .csv.")] = Path(
        "answers.json"
    ),
    language: Annotated[str, typer.Option(help="en or el.")] = "en",
) -> None:
    """Write a small file of scored answers to start from: train on it, then put in your own."""
    from trainer.scorer.sample import write_sample

    count = write_sample(file, language)
    typer.echo(f"{count} scored answers in {file}; `kkoracle score train {file}` learns them")


def apply(
    ctx: typer.Context,
    archive: Archive = None,
    name: Name = DEFAULT_RUN,
    file: Annotated[
        Path | None, typer.Option(help="Score the answers of this file instead of pairs.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Table to write, .csv or .jsonl; default: FILE-scored.csv."),
    ] = None,
    maximum: Maximum = 0.0,
    language: Language = "",
    columns: ColumnNames = None,
    question: Question = "",
    guide: Guide = "",
    base: Base = "",
    feedback: Annotated[
        bool,
        typer.Option(
            "--feedback",
            help="With --file: also a sentence or two for the student, written by [model].",
        ),
    ] = False,
    evaluation: Annotated[
        str, typer.Option(help="Judge the systems of this run's evaluation instead of pairs.")
    ] = "",
    human: Annotated[
        Path | None,
        typer.Option(help="Answers scored by people, to say how far the judge agrees with them."),
    ] = None,
    yes: Yes = False,
) -> None:
    """Score the answers of a file; or an archive's pairs, for [dataset] min_score.

    With --file every row comes back with its score, how sure it is, the taught answers nearest to
    it and the sentences of the guide that it met and missed; the same command goes on after a
    crash. With --evaluation the answers of an evaluation are judged. A scorer that chose the
    training pairs may judge the systems only beside a sample that people scored (--human); the
    metric says which it was.
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
    if file:
        options = read_options(maximum, language, columns, question, guide)
        out = out or file.with_name(f"{file.stem}-scored.csv")
        request = _FileRequest(file, out, options, base, feedback)
        _apply_to_file(project, console, name, request, confirmation(yes))
        return
    archive_dir = project.archive_dir(archive)
    with (
        lock.hold_gpu(project.data, shared=True),
        ProgressScreen(console) as screen,
        stop_on_signal() as stop,
    ):
        scorer, about = training.load_scorer(project, name, confirmation(yes), base)
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


@dataclass(frozen=True, slots=True)
class _FileRequest:
    """A file of answers, and what is wanted of them."""

    file: Path
    out: Path
    options: ReadOptions
    base: str
    feedback: bool


def _apply_to_file(
    project: Project,
    console: Console,
    name: str,
    asked: _FileRequest,
    confirm: Callable[[str], bool],
) -> None:
    from contextlib import ExitStack

    from exchange import lock
    from exchange.errors import Stopped
    from exchange.inference import models
    from trainer.console import ProgressScreen
    from trainer.scorer import batch
    from trainer.scorer.console import read_and_report
    from trainer.scorer.loaded import open_scorer

    writer = None
    with (
        lock.hold_gpu(project.data, shared=True),
        ProgressScreen(console) as screen,
        stop_on_signal() as stop,
        ExitStack() as opened,
    ):
        loaded = open_scorer(project, name, confirm, asked.base)
        options = loaded.options(asked.options)
        found = read_and_report(console, [asked.file], options, scored=False)
        if asked.feedback:
            from trainer.scorer.feedback import FeedbackWriter

            settings = project.config.table("model", models.ModelSettings)
            folder = models.locate(settings, project.models, confirm)
            writer = opened.enter_context(FeedbackWriter(folder, project.data, screen.log))
        done = batch.score_file(
            loaded,
            [loaded.fitted(item) for item in found.all],
            found.records,
            asked.out,
            feedback=writer,
            report=screen.on_progress,
            stop=stop,
        )
    console.print(
        f"{done.scored:,} answers scored by {loaded.about.key}, {done.abstained:,} of them unsure "
        f"(ask a person), {done.before:,} scored before: {done.path}",
        soft_wrap=True,
    )
    if writer and writer.refused:
        why = ", ".join(f"{count} {reason}" for reason, count in writer.refused.most_common())
        console.print(f"feedback that may not be shown was left out: {why}")
    if done.before + done.scored < done.answers:
        raise Stopped("stopped; the same command goes on")


def serve(
    ctx: typer.Context,
    name: Name = DEFAULT_RUN,
    base: Base = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8790,
    yes: Yes = False,
) -> None:
    """Answer POST /score on this machine: one JSON item or a list of them; /docs is a page.

    curl -H 'content-type: application/json' localhost:8790/score
    -d '{"question": "...", "guide": "...", "answer": "...", "maximum": 5}'
    """
    from exchange.inference import openblas

    openblas.ensure()
    import asyncio

    from rich.console import Console

    from exchange import lock
    from trainer.scorer import serve as serving
    from trainer.scorer.folder import ScorerInfo
    from trainer.scorer.loaded import open_scorer

    project: Project = ctx.obj
    console = Console(highlight=False)

    def told(address: str, about: ScorerInfo) -> None:
        console.print(f"scorer {about.key} at {address}, Ctrl-C ends it", soft_wrap=True)
        page = address.replace("/score", "/docs")
        console.print(f"a page to try it: {page}", soft_wrap=True)

    service = serving.ScoreServer(lambda: open_scorer(project, name, confirmation(yes), base))
    with lock.hold_gpu(project.data, shared=True):
        asyncio.run(serving.run_server(service, port, told))
