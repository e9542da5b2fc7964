"""`kkoracle ui`."""

from __future__ import annotations

from typing import Annotated

import typer

from exchange.house import House


def register(app: typer.Typer) -> None:
    """Add it to the front door."""
    app.command()(ui)


def ui(
    ctx: typer.Context,
    archive: Annotated[str | None, typer.Argument(help="Default: the config's.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Look at all of it in a browser: status and plots, review, compare, score, report.

    What you say there (labels, edits, votes) is stored at once beside the archive. Beyond this
    machine it wants a password: KKORACLE_UI_PASSWORD.
    """
    from exchange import openblas

    openblas.ensure()
    from kkoracle.studio.serve import serve
    from kkoracle.studio.settings import Ui

    house: House = ctx.obj
    settings = house.config.table("ui", Ui, {"host": host, "port": port})
    serve(house, house.archive(archive), settings)
