"""`kkoracle publish ...`: fuse, card, gguf, ollama, hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.cli.commands import add_command, add_group
from exchange.cli.fields import model_option, settings_options
from exchange.cli.options import (
    Archive,
    Best,
    DryRun,
    Json,
    RunName,
    Yes,
    checkpoint,
    confirmation,
    print_json,
    result_console,
)
from exchange.display import format_bytes
from exchange.inference.models import ModelSettings
from exchange.project import DEFAULT_RUN, Project
from trainer.publish.settings import PublishSettings

if TYPE_CHECKING:
    from rich.console import Console

    from trainer.publish.fuse import FusedModel
    from trainer.publish.publisher import Publisher


def register(app: typer.Typer) -> None:
    """Add the commands to the front door."""
    publish = add_group(
        app,
        "publish",
        "From a finished run to what others can use. Each step makes what it needs, and does "
        "nothing twice; nothing leaves this machine but by `hub`.",
        "Share",
    )
    add_command(
        publish, fuse, "kkoracle publish fuse", "kkoracle publish fuse --scale 0.75 --bits 4"
    )
    add_command(publish, card, "kkoracle publish card --repo me/paper-oracle")
    add_command(publish, gguf, "kkoracle publish gguf --llama-cpp ~/llama.cpp --type q8_0")
    add_command(publish, ollama, "kkoracle publish ollama")
    add_command(
        publish,
        hub,
        "kkoracle publish hub me/paper-oracle --dry-run",
        "kkoracle publish hub me/paper-oracle --gguf",
    )


@settings_options("publish", PublishSettings, "scale", "rows")
@model_option
def fuse(
    ctx: typer.Context,
    settings: PublishSettings,
    language_model: ModelSettings,
    archive: Archive = None,
    name: RunName = DEFAULT_RUN,
    best: Best = False,
    bits: Annotated[
        int, typer.Option(help="Quantise the fused model to 4 or 8 bit, for mlx-lm; 0: not.")
    ] = 0,
    json: Json = False,
    yes: Yes = False,
) -> None:
    """Write base and adapter as one model in Hugging Face layout, with its card.

    A base of 4 bit is dequantized first. The result is measured: the loss over the same rows before
    and after, with a warning when more than 1 % of what was gained is lost.
    """
    with _publisher(
        ctx.obj, settings, language_model, archive, name, best=best, yes=yes, json=json
    ) as (publisher, console):
        fused = publisher.fuse(bits)
        publisher.card(bits)
    if json:
        print_json({"folder": str(publisher.artifacts.model(bits)), **asdict(fused)})
    _print_losses(console, fused)
    console.print(f"model in {publisher.artifacts.model(bits)}", soft_wrap=True)


@settings_options("publish", PublishSettings, "scale")
@model_option
def card(
    ctx: typer.Context,
    settings: PublishSettings,
    language_model: ModelSettings,
    archive: Archive = None,
    name: RunName = DEFAULT_RUN,
    best: Best = False,
    repository: Annotated[
        str, typer.Option("--repo", help="NAME/REPO that the examples on it should load.")
    ] = "",
    json: Json = False,
    yes: Yes = False,
) -> None:
    """Write the model card anew, with the newest results of the run.

    `kkoracle compare` before it puts the shares of right answers of base and tuned on it.
    """
    with _publisher(
        ctx.obj, settings, language_model, archive, name, best=best, yes=yes, json=json
    ) as (publisher, console):
        publisher.fuse()
        path = publisher.card(repository=repository)
    if json:
        print_json({"card": str(path)})
    console.print(f"card in {path}", soft_wrap=True)


@settings_options("publish", PublishSettings, "scale")
@model_option
def gguf(
    ctx: typer.Context,
    settings: PublishSettings,
    language_model: ModelSettings,
    llama_cpp: Annotated[
        Path, typer.Option("--llama-cpp", metavar="DIR", help="Your checkout of llama.cpp.")
    ],
    archive: Archive = None,
    name: RunName = DEFAULT_RUN,
    best: Best = False,
    kind: Annotated[
        str, typer.Option("--type", help="Of its weights: auto (16 bit), f32, f16, bf16, q8_0.")
    ] = "auto",
    python: Annotated[
        Path | None, typer.Option(help="A Python with torch and transformers; default: this one.")
    ] = None,
    json: Json = False,
    yes: Yes = False,
) -> None:
    """Write a GGUF file with llama.cpp's own converter, and read it back before it counts."""

    with _publisher(
        ctx.obj, settings, language_model, archive, name, best=best, yes=yes, json=json
    ) as (publisher, console):
        path, facts = publisher.gguf(llama_cpp, kind, python)
    if json:
        print_json({"gguf": str(path), "bytes": path.stat().st_size, **asdict(facts)})
    console.print(
        f"{facts.architecture}, {facts.tensors} tensors, {facts.tokens:,} tokens "
        f"({facts.scores or facts.merges:,} {'scores' if facts.scores else 'merges'}), "
        "with its chat template"
    )
    console.print(f"GGUF in {path} ({format_bytes(path.stat().st_size)})", soft_wrap=True)


@settings_options("publish", PublishSettings, "scale")
@model_option
def ollama(
    ctx: typer.Context,
    settings: PublishSettings,
    language_model: ModelSettings,
    archive: Archive = None,
    name: RunName = DEFAULT_RUN,
    best: Best = False,
    json: Json = False,
    yes: Yes = False,
) -> None:
    """Write an Ollama Modelfile: template, stop tokens and persona, beside the GGUF file."""
    with _publisher(
        ctx.obj, settings, language_model, archive, name, best=best, yes=yes, json=json
    ) as (publisher, console):
        path = publisher.modelfile()
    create = f"ollama create {name} -f {path}"
    if json:
        print_json({"modelfile": str(path), "create": create})
    console.print(f"Modelfile in {path}", soft_wrap=True)
    console.print(create, soft_wrap=True)


@settings_options("publish", PublishSettings, "scale")
@model_option
def hub(
    ctx: typer.Context,
    settings: PublishSettings,
    language_model: ModelSettings,
    repository: Annotated[str, typer.Argument(metavar="NAME/REPO", help="On the Hub.")],
    archive: Archive = None,
    name: RunName = DEFAULT_RUN,
    best: Best = False,
    public: Annotated[bool, typer.Option("--public", help="Everybody may see it.")] = False,
    with_gguf: Annotated[bool, typer.Option("--gguf", help="Send GGUF and Modelfile too.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
    yes: Yes = False,
) -> None:
    """Send the fused model to the Hugging Face Hub, privately by default; asks first."""
    from exchange.errors import NotAllowed

    with _publisher(
        ctx.obj, settings, language_model, archive, name, best=best, yes=yes, json=json
    ) as (publisher, console):
        upload = publisher.hub_upload(repository, public=public, with_gguf=with_gguf)
        publisher.card(repository=repository)
    files = upload.files()
    for file, size in files:
        console.print(f"{format_bytes(size):>12}  {file}", soft_wrap=True, markup=False)
    console.print(
        f"{len(files)} files, {format_bytes(sum(size for _, size in files))}, to {repository} "
        "on the "
        f"Hub ({'everybody may see it' if public else 'private'})",
        soft_wrap=True,
        markup=False,
    )
    sent = None
    if not dry_run:
        confirm = confirmation(yes, err=json)
        if not confirm("Have you the right to share what it learned? Send it?"):
            raise NotAllowed("nothing was sent")
        sent = upload.send()
        console.print(sent, soft_wrap=True)
    if json:
        listed = [{"file": str(file), "bytes": size} for file, size in files]
        print_json({"repository": repository, "public": public, "files": listed, "sent": sent})


@contextmanager
def _publisher(
    project: Project,
    settings: PublishSettings,
    language_model: ModelSettings,
    archive: str | None,
    run: str,
    *,
    best: bool,
    yes: bool,
    json: bool,
) -> Iterator[tuple[Publisher, Console]]:
    """The run, found and checked, and where to print."""
    from exchange.inference import openblas

    openblas.ensure()
    from trainer.console import ProgressScreen
    from trainer.publish.publisher import Publisher

    console = result_console(json)
    with ProgressScreen(console) as screen:
        publisher = Publisher(
            project,
            archive,
            run,
            checkpoint(best),
            settings=settings,
            language_model=language_model,
            callback=screen,
            confirm=confirmation(yes, err=json),
        )
        yield publisher, console


def _print_losses(console: Console, fused: FusedModel) -> None:
    from trainer.publish.fuse import WARN_ABOVE

    for split, one in fused.weighed.items():
        console.print(
            f"{split}, {one.rows} rows: loss {one.base:.4f} without, {one.tuned:.4f} with the "
            f"adapter, {one.fused:.4f} fused ({one.lost:.2%} of the gain lost)"
        )
    if fused.largest_loss() > WARN_ABOVE:
        remedy = "--bits 8 keeps more" if fused.bits == 4 else "serve the adapter beside its base"
        console.print(
            f"[yellow]warning:[/] fusing lost {fused.largest_loss():.1%} of what the training "
            f"gained, more than {WARN_ABOVE:.0%}: {remedy}",
            soft_wrap=True,
        )
