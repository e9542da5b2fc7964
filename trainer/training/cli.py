"""`kkoracle train` and `kkoracle sweep`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from exchange.project import DEFAULT_RUN, Project
from exchange.signals import stop_on_signal

Archive = Annotated[str | None, typer.Argument(help="The archive; default: the one configured.")]
Yes = Annotated[bool, typer.Option("--yes", help="Ask nothing: download the model, take the disk.")]
ModelName = Annotated[str | None, typer.Option(help="Hub name or local folder.")]
Epochs = Annotated[int | None, typer.Option(help="Times that every row is seen.")]
Rank = Annotated[int | None, typer.Option(help="Width of the adapter.")]
Layers = Annotated[int | None, typer.Option(help="Last layers tuned; 0: all.")]
Batch = Annotated[int | None, typer.Option(help="Rows computed together.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the front door."""
    app.command("train")(train)
    app.command("sweep")(sweep)


def train(
    ctx: typer.Context,
    archive: Archive = None,
    name: Annotated[
        str, typer.Option(help="Name of the run; its folder is runs/NAME.")
    ] = DEFAULT_RUN,
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
    epochs: Epochs = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    rank: Rank = None,
    alpha: Annotated[
        float | None, typer.Option(help="Its strength; scaled by alpha / rank.")
    ] = None,
    layers: Layers = None,
    batch: Batch = None,
    accumulate: Annotated[int | None, typer.Option(help="Batches summed before a step.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the start and the order.")] = None,
    patience: Annotated[
        int | None, typer.Option(help="Validations without a lower loss before the end; 0: any.")
    ] = None,
    trunk_gb: Annotated[
        float | None,
        typer.Option(help="Disk for what the frozen layers give, if only upper ones are tuned."),
    ] = None,
    model: ModelName = None,
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
    from trainer.training.console import TrainingScreen, print_summary
    from trainer.training.distributed import is_follower
    from trainer.training.settings import RESEARCHER, TrainSettings
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
        stop_on_signal(lambda: screen.log("ending after this step; once more: at once")) as stop,
    ):
        outcome = run_training(
            project,
            archive,
            settings,
            name=name,
            restart=restart,
            dry_run=dry_run,
            callback=screen,
            stop=stop,
            language_model=language_model,
            confirm=lambda text: yes or _confirm(text),
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


def sweep(
    ctx: typer.Context,
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
    recipe: Annotated[str | None, typer.Option(help="sft, sft+text, dora or full.")] = None,
    layers: Layers = None,
    rank: Rank = None,
    epochs: Epochs = None,
    batch: Batch = None,
    model: ModelName = None,
    write: Annotated[
        bool, typer.Option("--write", help="Put the rate found into kkoracle.toml.")
    ] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Forget what was tried.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable, one object.")] = False,
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

    from exchange.inference.models import ModelSettings
    from trainer.training.settings import TrainSettings
    from trainer.training.sweep.output import (
        SweepScreen,
        advice_lines,
        sweep_dict,
        trials_table,
        write_rate,
    )
    from trainer.training.sweep.search import search_rate

    project: Project = ctx.obj
    flags = {"recipe": recipe, "layers": layers, "rank": rank, "epochs": epochs, "batch": batch}
    settings = project.config.table("train", TrainSettings, flags)
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
            language_model=project.config.table("model", ModelSettings, {"name": model}),
            confirm=lambda text: yes or typer.confirm(text, err=True),
        )
    if json:
        typer.echo(orjson.dumps(sweep_dict(found)).decode())
    else:
        console.print(trials_table(found))
        for line in advice_lines(found):
            console.print(line, markup=False)
    if write:
        console.print(f"written to {write_rate(project.config.path, found.rate)}", soft_wrap=True)


def _confirm(text: str) -> bool:
    """Ask at the terminal; without one the answer is no."""
    return sys.stdin.isatty() and typer.confirm(text)
