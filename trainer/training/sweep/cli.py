"""`kkoracle sweep`: find the learning rate."""

from __future__ import annotations

from typing import Annotated

import typer

from exchange.project import Project


def register(app: typer.Typer) -> None:
    """Add the command to the front door."""
    app.command("sweep")(sweep)


def sweep(
    ctx: typer.Context,
    archive: Annotated[
        str | None, typer.Argument(help="The archive; default: the one configured.")
    ] = None,
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
    layers: Annotated[int | None, typer.Option(help="Last layers tuned; 0: all.")] = None,
    rank: Annotated[int | None, typer.Option(help="Width of the adapter.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Times that every row is seen.")] = None,
    batch: Annotated[int | None, typer.Option(help="Rows computed together.")] = None,
    model: Annotated[str | None, typer.Option(help="Hub name or local folder.")] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Put the rate found into kkoracle.toml.")
    ] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Forget what was tried.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable, one object.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing: download the model, take the disk.")
    ] = False,
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
    from trainer.training.signals import stop_on_signal
    from trainer.training.sweep.config_file import sweep_dict, write_rate
    from trainer.training.sweep.console import SweepScreen, advice_lines, trials_table
    from trainer.training.sweep.search import search_rate

    project: Project = ctx.obj
    flags = {"recipe": recipe, "layers": layers, "rank": rank, "epochs": epochs, "batch": batch}
    settings = project.config.table("train", TrainSettings, flags)
    console = Console(highlight=False, stderr=json)
    with (
        SweepScreen(console) as screen,
        stop_on_signal(lambda: screen.note("ending after this step; once more: at once")) as stop,
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
            watcher=screen,
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
