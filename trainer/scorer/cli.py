"""`kkoracle score ...`: train, eval, apply, serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.cli.commands import add_command, add_group
from exchange.cli.fields import model_option, settings_options
from exchange.cli.options import Archive, Restart, Yes, confirmation
from exchange.inference.models import ModelSettings
from exchange.project import DEFAULT_RUN, Project
from exchange.signals import stop_on_signal
from trainer.scorer.settings import ScoreSettings

if TYPE_CHECKING:
    pass

Files = Annotated[
    list[Path] | None,
    typer.Argument(help="JSON, JSONL or CSV with question, guide, answer, score."),
]
Name = Annotated[str, typer.Option(help="Name of the scorer.")]
Maximum = Annotated[
    float, typer.Option(help="Highest score of rows that name none; 0: the largest one.")
]
Language = Annotated[
    str | None, typer.Option(help="Of rows that name none; default: the archive's.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the front door."""
    score = add_group(app, "score", "Score an answer, given the question and a guide.", "Model")
    add_command(
        score,
        train,
        "kkoracle score train answers.csv",
        "kkoracle score train --pairs rizospastis --name pairs",
    )
    add_command(
        score,
        evaluate,
        "kkoracle score eval",
        "kkoracle score eval --base org/model --shots 4",
        name="eval",
    )
    add_command(
        score,
        apply,
        "kkoracle score apply",
        "kkoracle score apply --evaluation default --human people.csv",
    )
    add_command(score, serve, "kkoracle score serve", "kkoracle score serve --port 0")


@settings_options("score", ScoreSettings, "recipe", "epochs", "lr", "batch", "seed")
@model_option
def train(
    ctx: typer.Context,
    settings: ScoreSettings,
    language_model: ModelSettings,
    files: Files = None,
    pairs: Annotated[
        str, typer.Option(help="Also: make scored answers from this archive's dataset.")
    ] = "",
    name: Name = DEFAULT_RUN,
    maximum: Maximum = 0.0,
    language: Language = None,
    restart: Restart = False,
    yes: Yes = False,
) -> None:
    """Teach a scorer from scored answers; the same command goes on after Ctrl-C or a crash.

    A row has question, guide (or reference), answer, score, and may have maximum, language, id.
    A tenth of the questions and of the other answers are kept aside to test on; a temperature
    and a confidence below which it abstains are fitted on a third part.
    """
    from exchange.inference import openblas

    openblas.ensure()
    from rich.console import Console

    from exchange.errors import UsageError
    from trainer.scorer import split as splitting
    from trainer.scorer import synthetic, training
    from trainer.scorer.console import read_and_report, scorer_table
    from trainer.training.console import TrainingScreen

    project: Project = ctx.obj
    if not files and not pairs:
        raise UsageError("what is it to learn from? name a FILE, or --pairs ARCHIVE")
    language = language or project.language()
    console = Console(highlight=False)
    items, said = [], []
    if files:
        read = read_and_report(console, files, maximum, language)
        items += read.items
        said += [path.name for path in files]
    if pairs:
        items += synthetic.items_of_pairs(project.archive_dir(pairs), language, settings.seed)
        said.append(f"pairs of {pairs}")
    with (
        TrainingScreen(console) as screen,
        stop_on_signal(lambda: screen.log("ending after this step; once more: at once")) as stop,
    ):
        taught = training.train_scorer(
            project,
            splitting.split_items(items, settings),
            settings,
            name=name,
            source=", ".join(said),
            human=not pairs,
            restart=restart,
            callback=screen,
            stop=stop,
            language_model=language_model,
            confirm=confirmation(yes),
        )
    if taught.already:
        console.print(f"scorer {name!r} is finished already; --restart begins it again")
    console.print(scorer_table(taught.about))
    console.print(f"kept in {taught.run.folder}; `kkoracle score eval` tests it", soft_wrap=True)


def evaluate(
    ctx: typer.Context,
    files: Files = None,
    name: Name = DEFAULT_RUN,
    bases: Annotated[
        list[str] | None, typer.Option("--base", help="A model to compare with; may be repeated.")
    ] = None,
    shots: Annotated[
        list[int] | None, typer.Option(help="Examples that bases are given; may be repeated.")
    ] = None,
    maximum: Maximum = 0.0,
    language: Language = None,
    yes: Yes = False,
) -> None:
    """Test a scorer on unseen answers and unseen questions, beside what it has to beat.

    Without files the items that were kept aside are asked. Beside it stand length alone and a
    bag of words, and with --base any model without training, given 0 and 4 examples.
    """
    from exchange.inference import openblas

    openblas.ensure()
    from rich.console import Console

    from exchange import lock
    from exchange.inference import models
    from trainer.console import ProgressScreen
    from trainer.scorer import training
    from trainer.scorer.candidates.decoder import load_decoder
    from trainer.scorer.console import read_and_report, results_table
    from trainer.scorer.evaluate import (
        evaluate_base,
        evaluate_baselines,
        evaluate_tuned,
        write_results,
    )
    from trainer.scorer.folder import DATA, scorer_run
    from trainer.scorer.items import load_score_prompt
    from trainer.scorer.split import ScorerSplit, held_out_of_file

    project: Project = ctx.obj
    console, confirm = Console(highlight=False), confirmation(yes)
    with lock.hold_gpu(project.data, shared=True), ProgressScreen(console) as screen:
        scorer, about = training.load_scorer(project, name, confirm)
        run = scorer_run(project, name)
        parts = ScorerSplit.read(run.folder / DATA)
        if files:
            read = read_and_report(console, files, maximum, language or project.language())
            parts, known = held_out_of_file(read.items, parts, about)
            if known:
                screen.log(f"{known} rows were taught to this scorer and are left out")
        entries = evaluate_tuned(scorer, parts, screen)
        entries += evaluate_baselines(parts)
        del scorer
        for base in bases or []:
            chosen = project.config.table("model", models.ModelSettings, {"name": base})
            folder = models.locate(chosen, project.models, confirm)
            untaught = load_decoder(folder, load_score_prompt("full"))
            entries += evaluate_base(untaught, base, parts, shots or [0, 4], screen)
            del untaught
    path = write_results(entries, about.key, run.folder)
    console.print(results_table(entries))
    console.print(f"all of it in {path}", soft_wrap=True)


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
    from trainer.scorer.folder import DATA, scorer_run
    from trainer.scorer.split import ScorerSplit
    from trainer.training.runs import TrainingRun

    project: Project = ctx.obj
    console = Console(highlight=False)
    archive_dir, language = project.archive_dir(archive), project.language()
    with (
        lock.hold_gpu(project.data, shared=True),
        ProgressScreen(console) as screen,
        stop_on_signal() as stop,
    ):
        scorer, about = training.load_scorer(project, name, confirmation(yes))
        if not evaluation:
            applied = applying.score_pairs(
                archive_dir, scorer, about, language, screen.on_progress, stop
            )
            for line in applied_lines(applied, about.key):
                console.print(line, markup=False)
            return
        folder = TrainingRun(archive_dir, evaluation).folder / "evaluation"
        found = Evaluation.read(folder)
        sample = read_and_report(console, [human], 0.0, language).items if human else []
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
