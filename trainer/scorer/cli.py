"""`kkoracle score ...`: train and eval; what uses a scorer is in `cli_use`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.commands import add_command, add_group
from exchange.cli.fields import model_option, settings_options
from exchange.cli.options import Restart, Yes, confirmation
from exchange.inference.models import ModelSettings
from exchange.project import DEFAULT_RUN, Project
from exchange.signals import stop_on_signal
from trainer.scorer.cli_use import (
    ColumnNames,
    Guide,
    Language,
    Maximum,
    Name,
    Question,
    read_options,
    register_uses,
)
from trainer.scorer.settings import ScoreSettings

Files = Annotated[
    list[Path] | None,
    typer.Argument(help="JSON, JSONL, CSV, XLSX, Parquet, or a folder of them."),
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
    register_uses(score)


@settings_options("score", ScoreSettings, "agreement", "recipe", "epochs", "lr", "batch", "seed")
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
    valid: Annotated[
        list[Path] | None, typer.Option(help="Rows to fit threshold and temperature on.")
    ] = None,
    test: Annotated[
        list[Path] | None, typer.Option(help="Rows that are never taught, to test on.")
    ] = None,
    maximum: Maximum = 0.0,
    language: Language = "",
    columns: ColumnNames = None,
    question: Question = "",
    guide: Guide = "",
    restart: Restart = False,
    yes: Yes = False,
) -> None:
    """Teach a scorer from scored answers; the same command goes on after Ctrl-C or a crash.

    A row has question, guide (or reference), answer, score, and may have maximum, language, id.
    Where the files say which rows are to train, validate and test on, that holds. Else a tenth
    of the questions and of the other answers are kept aside to test on; a temperature and a
    confidence below which it abstains are fitted on a third part.
    """
    from exchange.inference import openblas

    openblas.ensure()
    from rich.console import Console

    from exchange.errors import UsageError
    from exchange.text.detect import language_code
    from trainer.scorer import split as splitting
    from trainer.scorer import synthetic, training
    from trainer.scorer.console import (
        balance_lines,
        read_and_report,
        scorer_table,
        trials_table,
        verdict,
    )
    from trainer.scorer.files import ItemReadResult
    from trainer.training.console import TrainingScreen

    project: Project = ctx.obj
    if not files and not pairs:
        raise UsageError("what is it to learn from? name a FILE, or --pairs ARCHIVE")
    console = Console(highlight=False)
    read, said = ItemReadResult(), []
    if files:
        options = read_options(maximum, language, columns, question, guide)
        read = read_and_report(console, files, options, valid=valid or (), test=test or ())
        said += [path.name for path in files]
        for line in balance_lines(read.items):
            console.print(line, soft_wrap=True)
    if pairs:
        spoken = language_code(language) or project.language(pairs)
        read.items += synthetic.items_of_pairs(project.archive_dir(pairs), spoken, settings.seed)
        said.append(f"pairs of {pairs}")
    parts = splitting.split_items(read.items, settings, valid=read.valid, test=read.test)
    if left := len(read.all) - len(parts.all):
        console.print(f"{left} rows to validate or test on say what is taught: left out")
    with (
        TrainingScreen(console) as screen,
        stop_on_signal(lambda: screen.log("ending after this step; once more: at once")) as stop,
    ):
        taught = training.train_scorer(
            project,
            parts,
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
    console.print(trials_table(taught.about))
    console.print(scorer_table(taught.about))
    console.print(verdict(taught.about), soft_wrap=True, markup=False)
    console.print(f"kept in {taught.run.folder}; `kkoracle score eval` tests it", soft_wrap=True)
    if not taught.about.knows:
        raise typer.Exit(1)


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
    language: Language = "",
    columns: ColumnNames = None,
    question: Question = "",
    guide: Guide = "",
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
            spoken = language or about.language
            most = maximum or about.usual_scale.maximum
            options = read_options(most, spoken, columns, question, guide)
            read = read_and_report(console, files, options)
            parts, known = held_out_of_file(read.all, parts, about)
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
