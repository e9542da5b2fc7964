"""`kkoracle sweep`: find the learning rate."""

from __future__ import annotations

from typing import Annotated

import typer

from exchange.house import House


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
    from exchange import openblas

    openblas.ensure()
    import orjson
    from rich.console import Console

    from exchange.models import Model
    from trainer.settings import Train
    from trainer.stop import stoppable
    from trainer.sweep.search import search
    from trainer.sweep.show import SweepScreen, table, verdict
    from trainer.sweep.write import put, to_dict

    house: House = ctx.obj
    flags = {"recipe": recipe, "layers": layers, "rank": rank, "epochs": epochs, "batch": batch}
    settings = house.config.table("train", Train, flags)
    console = Console(highlight=False, stderr=json)
    with (
        SweepScreen(console) as screen,
        stoppable(lambda: screen.note("ending after this step; once more: at once")) as stop,
    ):
        found = search(
            house,
            archive,
            settings,
            low=low,
            high=high,
            count=rates,
            share=budget,
            restart=restart,
            watcher=screen,
            stop=stop,
            language_model=house.config.table("model", Model, {"name": model}),
            confirm=lambda text: yes or typer.confirm(text, err=True),
        )
    if json:
        typer.echo(orjson.dumps(to_dict(found)).decode())
    else:
        console.print(table(found))
        for line in verdict(found):
            console.print(line, markup=False)
    if write:
        console.print(f"written to {put(house.config.path, found.rate)}", soft_wrap=True)
