"""`kkoracle publish ...`: fuse, card, gguf, ollama, hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.display import format_bytes
from exchange.project import DEFAULT_RUN, Project

if TYPE_CHECKING:
    from rich.console import Console

    from trainer.publish.fuse import FusedModel
    from trainer.publish.publisher import Publisher

Archive = Annotated[str | None, typer.Argument(help="The archive; default: the one configured.")]
Name = Annotated[str, typer.Option(help="The run to publish.")]
Best = Annotated[bool, typer.Option("--best", help="Its checkpoint of lowest validation loss.")]
ModelName = Annotated[str | None, typer.Option(help="The run's model: Hub name or local folder.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the front door."""
    publish = typer.Typer(
        help="From a finished run to what others can use. Each step makes what it needs, and does "
        "nothing twice; nothing leaves this machine but by `hub`.",
        no_args_is_help=True,
    )
    for command in (fuse, card, gguf, ollama, hub):
        publish.command()(command)
    app.add_typer(publish, name="publish")


def fuse(
    ctx: typer.Context,
    archive: Archive = None,
    name: Name = DEFAULT_RUN,
    best: Best = False,
    bits: Annotated[
        int, typer.Option(help="Quantise the fused model to 4 or 8 bit, for mlx-lm; 0: not.")
    ] = 0,
    rows: Annotated[
        int | None, typer.Option(min=0, help="Rows of each split to measure it on; 0: none.")
    ] = None,
    model: ModelName = None,
    yes: Yes = False,
) -> None:
    """Write base and adapter as one model in Hugging Face layout, with its card.

    A base of 4 bit is dequantized first. The result is measured: the loss over the same rows before
    and after, with a warning when more than 1 % of what was gained is lost.
    """
    with _publisher(ctx, archive, name, best, model, yes, rows=rows) as (publisher, console):
        fused = publisher.fuse(bits)
        publisher.card(bits)
    _print_losses(console, fused)
    console.print(f"model in {publisher.artifacts.model(bits)}", soft_wrap=True)


def card(
    ctx: typer.Context,
    archive: Archive = None,
    name: Name = DEFAULT_RUN,
    best: Best = False,
    repository: Annotated[
        str, typer.Option("--repo", help="NAME/REPO that the examples on it should load.")
    ] = "",
    model: ModelName = None,
    yes: Yes = False,
) -> None:
    """Write the model card anew, with the newest results of the run.

    `kkoracle compare` before it puts the shares of right answers of base and tuned on it.
    """
    with _publisher(ctx, archive, name, best, model, yes) as (publisher, console):
        publisher.fuse()
        path = publisher.card(repository=repository)
    console.print(f"card in {path}", soft_wrap=True)


def gguf(
    ctx: typer.Context,
    llama_cpp: Annotated[
        Path, typer.Option("--llama-cpp", metavar="DIR", help="Your checkout of llama.cpp.")
    ],
    archive: Archive = None,
    name: Name = DEFAULT_RUN,
    best: Best = False,
    kind: Annotated[
        str, typer.Option("--type", help="Of its weights: auto (16 bit), f32, f16, bf16, q8_0.")
    ] = "auto",
    python: Annotated[
        Path | None, typer.Option(help="A Python with torch and transformers; default: this one.")
    ] = None,
    model: ModelName = None,
    yes: Yes = False,
) -> None:
    """Write a GGUF file with llama.cpp's own converter, and read it back before it counts."""
    with _publisher(ctx, archive, name, best, model, yes) as (publisher, console):
        path, facts = publisher.gguf(llama_cpp, kind, python)
    console.print(
        f"{facts.architecture}, {facts.tensors} tensors, {facts.tokens:,} tokens "
        f"({facts.scores or facts.merges:,} {'scores' if facts.scores else 'merges'}), "
        "with its chat template"
    )
    console.print(f"GGUF in {path} ({format_bytes(path.stat().st_size)})", soft_wrap=True)


def ollama(
    ctx: typer.Context,
    archive: Archive = None,
    name: Name = DEFAULT_RUN,
    best: Best = False,
    model: ModelName = None,
    yes: Yes = False,
) -> None:
    """Write an Ollama Modelfile: template, stop tokens and persona, beside the GGUF file."""
    with _publisher(ctx, archive, name, best, model, yes) as (publisher, console):
        path = publisher.modelfile()
    console.print(f"Modelfile in {path}", soft_wrap=True)
    console.print(f"ollama create {name} -f {path}", soft_wrap=True)


def hub(
    ctx: typer.Context,
    repository: Annotated[str, typer.Argument(metavar="NAME/REPO", help="On the Hub.")],
    archive: Archive = None,
    name: Name = DEFAULT_RUN,
    best: Best = False,
    public: Annotated[bool, typer.Option("--public", help="Everybody may see it.")] = False,
    with_gguf: Annotated[bool, typer.Option("--gguf", help="Send GGUF and Modelfile too.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")
    ] = False,
    model: ModelName = None,
    yes: Yes = False,
) -> None:
    """Send the fused model to the Hugging Face Hub, privately by default; asks first."""
    from exchange.errors import NotAllowed

    with _publisher(ctx, archive, name, best, model, yes) as (publisher, console):
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
    if dry_run:
        return
    if not yes and not typer.confirm("Have you the right to share what it learned? Send it?"):
        raise NotAllowed("nothing was sent")
    console.print(upload.send(), soft_wrap=True)


@contextmanager
def _publisher(
    ctx: typer.Context,
    archive: str | None,
    name: str,
    best: bool,
    model: str | None,
    yes: bool,
    rows: int | None = None,
) -> Iterator[tuple[Publisher, Console]]:
    """The run, found and checked, and where to print."""
    from exchange.inference import openblas

    openblas.ensure()
    from rich.console import Console

    from exchange.inference.models import ModelSettings
    from trainer.console import ProgressScreen
    from trainer.publish.publisher import Publisher
    from trainer.publish.settings import PublishSettings

    project: Project = ctx.obj
    console = Console(highlight=False)
    with ProgressScreen(console) as screen:
        publisher = Publisher(
            project,
            archive,
            name,
            "best" if best else "last",
            settings=project.config.table("publish", PublishSettings, {"rows": rows}),
            language_model=project.config.table("model", ModelSettings, {"name": model}),
            callback=screen,
            confirm=lambda text: yes or typer.confirm(text),
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
