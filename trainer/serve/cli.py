"""`kkoracle serve`: base and tuned model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

from typing import Annotated

import typer

from exchange.project import DEFAULT_RUN, Project

Archive = Annotated[str | None, typer.Argument(help="The archive; default: the one configured.")]


def register(app: typer.Typer) -> None:
    """Add the command to the front door."""
    app.command("serve")(serve)


def serve(
    ctx: typer.Context,
    archive: Archive = None,
    name: Annotated[str, typer.Option(help="The run to serve.")] = DEFAULT_RUN,
    best: Annotated[
        bool, typer.Option("--best", help="Its checkpoint of lowest validation loss.")
    ] = False,
    host: Annotated[
        str | None, typer.Option(help="Address; beyond this machine only with a key.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0: any that is free.")] = None,
    width: Annotated[int | None, typer.Option(help="Answers decoded together.")] = None,
    model: Annotated[str | None, typer.Option(help="The run's model: Hub name or folder.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Download the model without asking.")] = False,
) -> None:
    """Answer OpenAI's clients as two models, `base` and `tuned`, from one copy of the weights.

    Greedy unless a request says otherwise. Requests are decoded together as they come. Chat
    programs, scripts and `kkoracle work --engine openai` can use it:

    curl -s localhost:8080/v1/chat/completions -H 'Content-Type: application/json'
    -d '{"model": "tuned", "messages": [{"role": "user", "content": "..."}]}'

    KKORACLE_SERVE_API_KEY sets a key. Ctrl-C lets answers under way end, once more ends at once.
    """
    from exchange.inference import openblas

    openblas.ensure()
    from exchange.inference.models import ModelSettings
    from exchange.settings import PersonaSettings
    from trainer import tuned_model
    from trainer.serve.server import run_server as run
    from trainer.serve.settings import ServeSettings

    project: Project = ctx.obj
    flags = {"host": host, "port": port, "width": width}
    settings = project.config.table("serve", ServeSettings, flags)
    found = tuned_model.find_tuned_model(
        project,
        archive,
        name,
        "best" if best else "last",
        project.config.table("model", ModelSettings, {"name": model}),
        lambda text: yes or typer.confirm(text),
    )
    typer.echo(f"loading {found.name} with the adapter of run {name!r}")
    run(
        project,
        found,
        settings,
        system=project.config.table("persona", PersonaSettings).system,
        ready=lambda url: typer.echo(f"base and tuned answer on {url}; Ctrl-C ends it"),
    )
    typer.echo("endpoint stopped")
