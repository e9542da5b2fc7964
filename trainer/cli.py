"""The trainer's part of the command line: `dataset ...`, `train`, `compare`, `score ...`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.project import Project
from trainer.chat.cli import register as talk_cli_register
from trainer.dataset.cli import register as dataset_cli_register
from trainer.evaluate.cli import register as evaluate_cli_register
from trainer.publish.cli import register as publish_cli_register
from trainer.scorer.cli import register as score_cli_register
from trainer.serve.cli import register as serve_cli_register
from trainer.training.sweep.cli import register as sweep_cli_register

Archive = Annotated[str | None, typer.Argument(help="The archive; default: the one configured.")]
Yes = Annotated[bool, typer.Option("--yes", help="Ask nothing: download the model, take the disk.")]


def register(app: typer.Typer) -> None:
    """Add the trainer's commands to the front door."""
    dataset_cli_register(app)
    score_cli_register(app)
    app.command("train")(train)
    sweep_cli_register(app)
    app.command("compare")(compare)
    evaluate_cli_register(app)
    publish_cli_register(app)
    serve_cli_register(app)
    talk_cli_register(app)


def train(
    ctx: typer.Context,
    archive: Archive = None,
    name: Annotated[
        str, typer.Option(help="Name of the run; its folder is runs/NAME.")
    ] = "default",
    recipe: Annotated[
        str | None,
        typer.Option(help="sft, sft+text (the paper's own text too), dora or full (all weights)."),
    ] = None,
    researcher: Annotated[
        bool,
        typer.Option(
            "--researcher",
            help="As mlx_lm.lora trains by default: 16 layers, batch 4, 2 epochs, rate 1e-5.",
        ),
    ] = False,
    epochs: Annotated[int | None, typer.Option(help="Times that every row is seen.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    rank: Annotated[int | None, typer.Option(help="Width of the adapter.")] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Its strength; scaled by alpha / rank.")
    ] = None,
    layers: Annotated[int | None, typer.Option(help="Last layers tuned; 0: all.")] = None,
    batch: Annotated[int | None, typer.Option(help="Rows computed together.")] = None,
    accumulate: Annotated[int | None, typer.Option(help="Batches summed before a step.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the start and the order.")] = None,
    patience: Annotated[
        int | None, typer.Option(help="Validations without a lower loss before the end; 0: any.")
    ] = None,
    trunk_gb: Annotated[
        float | None,
        typer.Option(help="Disk for what the frozen layers give, if only upper ones are tuned."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Hub name or local folder.")] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw this run away and begin again.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what it takes: memory, time, disk, energy."),
    ] = False,
    yes: Yes = False,
) -> None:
    """Tune the model on the dataset; the same command goes on after Ctrl-C or a crash.

    Writes an adapter in mlx-lm's format, its best and last state, metrics and a summary. A few
    steps are measured first: what does not fit in memory is made to fit, or refused. Under
    `mlx.launch` several Macs share every batch.
    """
    from exchange.inference import openblas

    openblas.ensure()
    from rich.console import Console

    from exchange.inference.models import ModelSettings
    from trainer.console import TrainingScreen, print_summary
    from trainer.training.distributed import is_follower
    from trainer.training.recipes import RESEARCHER
    from trainer.training.settings import TrainSettings
    from trainer.training.signals import stop_on_signal
    from trainer.training.train import train as run_training

    project: Project = ctx.obj
    given = {
        "recipe": recipe,
        "epochs": epochs,
        "lr": lr,
        "rank": rank,
        "alpha": alpha,
        "layers": layers,
        "batch": batch,
        "accumulate": accumulate,
        "seed": seed,
        "patience": patience,
        "trunk_gb": trunk_gb,
    }
    preset = RESEARCHER if researcher else {}
    flags = {**preset, **{name: value for name, value in given.items() if value is not None}}
    settings = project.config.table("train", TrainSettings, flags)
    language_model = project.config.table("model", ModelSettings, {"name": model})
    console = Console(highlight=False, quiet=is_follower())
    with (
        TrainingScreen(console) as screen,
        stop_on_signal(lambda: screen.note("ending after this step; once more: at once")) as stop,
    ):
        outcome = run_training(
            project,
            archive,
            settings,
            name=name,
            restart=restart,
            dry_run=dry_run,
            watcher=screen,
            stop=stop,
            language_model=language_model,
            confirm=lambda text: yes or _asked(text),
        )
    if outcome.already:
        console.print(f"run {name!r} is finished already; --restart begins it again")
    if outcome.summary:
        project.entry.tell(
            run=name,
            steps=outcome.summary.steps,
            tokens=outcome.summary.tokens,
            validation_loss_before=outcome.summary.valid_before,
            validation_loss_after=outcome.summary.valid_after,
        )
        print_summary(console, outcome.run, outcome.summary)


def compare(
    ctx: typer.Context,
    archive: Archive = None,
    name: Annotated[str, typer.Option(help="The run whose adapter answers.")] = "default",
    best: Annotated[
        bool, typer.Option("--best", help="The checkpoint of the lowest validation loss.")
    ] = False,
    count: Annotated[int, typer.Option("-n", min=1, help="Questions of each split.")] = 20,
    questions: Annotated[
        Path | None, typer.Option(help="A file with questions of your own, one a line.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 128,
    model: Annotated[str | None, typer.Option(help="Hub name or local folder.")] = None,
    yes: Yes = False,
) -> None:
    """Ask the model with and without its adapter the same questions, side by side."""
    from exchange.inference import openblas

    openblas.ensure()
    from rich.console import Console

    from exchange.inference.models import ModelSettings
    from trainer.console import TrainingScreen, comparison_table, share_table
    from trainer.evaluate.compare import compare as ask_both
    from trainer.evaluate.compare import read_questions

    project: Project = ctx.obj
    asked = read_questions(questions) if questions else []
    console = Console(highlight=False)
    with TrainingScreen(console) as screen:
        found = ask_both(
            project,
            archive,
            run=name,
            checkpoint="best" if best else "last",
            count=count,
            questions=asked,
            max_tokens=max_tokens,
            watcher=screen,
            language_model=project.config.table("model", ModelSettings, {"name": model}),
            confirm=lambda text: yes or _asked(text),
        )
    console.print(comparison_table(found))
    if found.shares:
        console.print(share_table(found))
    folder = project.archive_dir(archive) / "runs" / name
    console.print(f"all of it in {folder / 'compare.md'}", soft_wrap=True)


def _asked(text: str) -> bool:
    """Nobody at the terminal has said no."""
    return sys.stdin.isatty() and typer.confirm(text)
