"""`kkoracle train` and `kkoracle sweep`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.commands import add_command
from exchange.cli.fields import model_option, settings_options
from exchange.cli.options import (
    Archive,
    DryRun,
    Json,
    Restart,
    RunName,
    Yes,
    confirmation,
    print_json,
)
from exchange.inference.models import ModelSettings
from exchange.project import DEFAULT_RUN, Project
from exchange.signals import stop_on_signal
from trainer.training.settings import RESEARCHER, TrainSettings

OPTIONS = (  # the settings that a flag may say otherwise
    "recipe",
    "epochs",
    "open_book",
    "lr",
    "rank",
    "alpha",
    "layers",
    "batch",
    "accumulate",
    "seed",
    "patience",
    "until_learned",
    "trunk_gb",
)


def register(app: typer.Typer) -> None:
    """Add the commands to the front door."""
    add_command(
        app,
        train,
        "kkoracle train",
        "kkoracle train --dry-run",
        "kkoracle train --name small --rank 8 --epochs 2",
        "kkoracle train --name learned --until-learned --epochs 12",
        "kkoracle train --name second --continue first",
        "kkoracle train --name surer --continue first --recipe preference",
        panel="Model",
    )
    add_command(app, sweep, "kkoracle sweep", "kkoracle sweep --rates 4 --write", panel="Model")


@settings_options(
    "train",
    TrainSettings,
    *OPTIONS,
    presets={"researcher": RESEARCHER},
)
@model_option
def train(
    ctx: typer.Context,
    settings: TrainSettings,
    language_model: ModelSettings,
    archive: Archive = None,
    name: RunName = DEFAULT_RUN,
    continues: Annotated[
        str,
        typer.Option(
            "--continue",
            metavar="RUN",
            help="Start from that run's adapter; teach what it was not, and some old rows again.",
        ),
    ] = "",
    replay: Annotated[
        float, typer.Option(min=0, max=100, help="With --continue: old rows for each new one.")
    ] = 3.0,
    without: Annotated[
        Path | None,
        typer.Option(help="A file with ids of rows or stories to leave out, one a line."),
    ] = None,
    researcher: Annotated[
        bool,
        typer.Option(
            "--researcher",
            help="As mlx_lm.lora trains by default: 16 layers, batch 4, 2 epochs, rate 1e-5.",
        ),
    ] = False,
    restart: Restart = False,
    dry_run: DryRun = False,
    json: Json = False,
    yes: Yes = False,
) -> None:
    """Tune the model on the dataset; the same command goes on after Ctrl-C or a crash.

    Writes an adapter in mlx-lm's format, its best and last state, metrics and a summary. A few
    steps are measured first: what does not fit in memory is made to fit, or refused. Under
    `mlx.launch` several Macs share every batch.

    With --continue it goes on from what another run has learned: its adapter is the start, the
    rows that it was not taught are new, and --replay old ones for each stand beside them. Recipe
    preference goes on from a run that `kkoracle boundary` has asked: new is what it invented.
    """
    from exchange.inference import openblas

    openblas.ensure()
    from rich.console import Console

    from trainer.dataset.build import FOLDER
    from trainer.dataset.rows import describe_valid
    from trainer.training.console import TrainingScreen, print_summary
    from trainer.training.distributed import is_follower
    from trainer.training.row_selection import ContinuationRequest, read_ids
    from trainer.training.train import train as run_training

    project: Project = ctx.obj
    asked = None
    if continues or without:
        kept_out = read_ids(without) if without else frozenset[str]()
        asked = ContinuationRequest(continues, replay, kept_out)
    console = Console(highlight=False, quiet=is_follower(), stderr=json)
    with (
        TrainingScreen(console) as screen,
        stop_on_signal(lambda: screen.log("ending after this step; once more: at once")) as stop,
    ):
        outcome = run_training(
            project,
            archive,
            settings,
            name=name,
            continues=asked,
            restart=restart,
            dry_run=dry_run,
            callback=screen,
            stop=stop,
            language_model=language_model,
            confirm=confirmation(yes, at_terminal=True, err=json),
        )
    if json and not is_follower():
        print_json(
            {
                "run": name,
                "folder": str(outcome.run.folder),
                "finished_before": outcome.already,
                "summary": asdict(outcome.summary) if outcome.summary else None,
                "plan": asdict(outcome.plan) if outcome.plan else None,
            }
        )
    if outcome.already:
        console.print(f"run {name!r} is finished already; --restart begins it again")
    if outcome.summary:
        project.journal.add_figures(
            run=name,
            steps=outcome.summary.steps,
            tokens=outcome.summary.tokens,
            validation_loss_before=outcome.summary.valid_before,
            validation_loss_after=outcome.summary.valid_after,
        )
        valid = describe_valid(project.archive_dir(archive) / FOLDER)
        behind = project.archive_words(archive)
        print_summary(console, outcome.run, outcome.summary, valid, behind)


@settings_options("train", TrainSettings, "recipe", "layers", "rank", "epochs", "batch")
@model_option
def sweep(
    ctx: typer.Context,
    settings: TrainSettings,
    language_model: ModelSettings,
    archive: Archive = None,
    low: Annotated[
        float | None, typer.Option("--from", help="Lowest rate; default: [train] lr / 8.")
    ] = None,
    high: Annotated[
        float | None, typer.Option("--to", help="Highest rate; default: [train] lr * 4.")
    ] = None,
    rates: Annotated[int, typer.Option(help="Rates from one to the other.")] = 6,
    budget: Annotated[
        float,
        typer.Option(
            min=0.01, max=1.0, help="Share of what training with all of them in full would cost."
        ),
    ] = 0.10,
    write: Annotated[
        bool, typer.Option("--write", help="Put the rate found into kkoracle.toml.")
    ] = False,
    restart: Restart = False,
    json: Json = False,
    yes: Yes = False,
) -> None:
    """Find the learning rate for a tenth of what trying it in full would cost.

    Rates on a geometric grid are tried on a part of the rows, with the run's own layers, recipe,
    batch and epochs; the best and its neighbours again on more rows, twice. Every try is judged on
    the same questions. The same command goes on after Ctrl-C.
    """
    from exchange.inference import openblas

    openblas.ensure()
    import orjson
    from rich.console import Console

    from trainer.training.sweep.output import (
        SweepScreen,
        advice_lines,
        sweep_dict,
        trials_table,
        write_rate,
    )
    from trainer.training.sweep.search import search_rate

    project: Project = ctx.obj
    console = Console(highlight=False, stderr=json)
    with (
        SweepScreen(console) as screen,
        stop_on_signal(lambda: screen.log("ending after this step; once more: at once")) as stop,
    ):
        found = search_rate(
            project,
            archive,
            settings,
            low=low,
            high=high,
            count=rates,
            share=budget,
            restart=restart,
            callback=screen,
            stop=stop,
            language_model=language_model,
            confirm=confirmation(yes, err=True),
        )
    if json:
        typer.echo(orjson.dumps(sweep_dict(found)).decode())
    else:
        console.print(trials_table(found))
        for line in advice_lines(found):
            console.print(line, markup=False)
    if write:
        console.print(f"written to {write_rate(project.config.path, found.rate)}", soft_wrap=True)
