"""`kkoracle serve`: base and tuned model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

from typing import Annotated

import typer

from exchange.cli.commands import add_command
from exchange.cli.fields import model_option, settings_options
from exchange.cli.options import Archive, Best, RunName, Yes, checkpoint, confirmation
from exchange.inference.models import ModelSettings
from exchange.project import DEFAULT_RUN, Project
from trainer.serve.settings import ServeSettings


def register(app: typer.Typer) -> None:
    """Add the command to the front door."""
    add_command(
        app,
        serve,
        "kkoracle serve",
        "kkoracle serve --best --port 8081",
        "kkoracle serve --follow",
        "KKORACLE_SERVE_API_KEY=secret kkoracle serve --host 0.0.0.0",
        panel="Share",
        journal=False,
    )


@settings_options("serve", ServeSettings, "host", "port", "width", "scale", "abstain")
@model_option
def serve(
    ctx: typer.Context,
    settings: ServeSettings,
    language_model: ModelSettings,
    archive: Archive = None,
    name: RunName = DEFAULT_RUN,
    best: Best = False,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", help="As the model that `kkoracle live` promoted last, day after day."
        ),
    ] = False,
    yes: Yes = False,
) -> None:
    """Answer OpenAI's clients as two models, `base` and `tuned`, from one copy of the weights.

    Greedy unless a request says otherwise. Requests are decoded together as they come. Chat
    programs, scripts and `kkoracle work --engine openai` can use it:

    curl -s localhost:8080/v1/chat/completions -H 'Content-Type: application/json'
    -d '{"model": "tuned", "messages": [{"role": "user", "content": "..."}]}'

    With "sources": 3 in a request the answer names the three stories that it can be read in.

    With --follow a newer adapter is taken without a pause, answers under way end as they began,
    and training is not kept from the GPU: both then need their memory, and share its time.

    KKORACLE_SERVE_API_KEY sets a key. Ctrl-C lets answers under way end, once more ends at once.
    """
    from exchange.inference import openblas

    openblas.ensure()

    from exchange.errors import NotFound
    from exchange.settings import PersonaSettings
    from trainer import tuned_model
    from trainer.promote import versions
    from trainer.serve.server import run_server as run

    project: Project = ctx.obj
    if follow:
        name = versions.PROMOTED
        if versions.promoted(project.archive_dir(archive)) is None:
            raise NotFound("nothing was promoted yet: `kkoracle live` or `kkoracle promote` does")
    found = tuned_model.find_tuned_model(
        project,
        archive,
        name,
        checkpoint(best),
        language_model,
        confirmation(yes),
    )
    typer.echo(f"loading {found.name} with the adapter of run {name!r}")
    run(
        project,
        found,
        settings,
        archive=archive,
        system=project.config.table("persona", PersonaSettings).system,
        language=project.language(archive),
        follow=follow,
        ready=lambda url: typer.echo(f"base and tuned answer on {url}; Ctrl-C ends it"),
    )
    typer.echo("endpoint stopped")
