"""Batch files on the command line: `kkoracle batch run`, and two options of `kkoracle work`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exchange.cli.commands import add_command, add_group
from exchange.cli.fields import model_option, settings_options
from exchange.cli.options import Yes, confirmation
from exchange.project import Project
from workers.settings import WorkSettings

if TYPE_CHECKING:
    from workers.batch.judge import BatchIntake


def register(app: typer.Typer) -> None:
    """Add the group to the front door."""
    batch = add_group(
        app,
        "batch",
        "Files of requests in OpenAI's batch format, through our own engine.\n\n"
        "`kkoracle work --batch-out` writes such files, `kkoracle work --batch-in` takes the "
        "replies; `vllm run-batch` and the batch endpoints of providers stand between as well.",
        "Pairs",
    )
    add_command(
        batch,
        run,
        "kkoracle batch run batch/requests-00000.jsonl replies/00000.jsonl",
        "kkoracle batch run batch replies --width 32",
    )


@model_option
@settings_options("work", WorkSettings, "width", "engine", "url", "served_as")
def run(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file of requests, or a folder.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The replies' file, or folder.")],
    settings: WorkSettings,
    language_model: Any,
    yes: Yes = False,
) -> None:
    """Answer the requests of a file with the model of these settings, many at a time.

    Killed at any moment it goes on where it was: run the same command again. First Ctrl-C: what is
    under way may finish (30 s at most); second: at once. A request that asks for what the engine
    does not do (tools, pictures) is answered with an error, and the others go on.
    """
    import logging
    from contextlib import closing

    from exchange import logs, signals
    from exchange.display import progress_bar
    from exchange.errors import NotFound
    from exchange.inference import models, openblas
    from workers.batch.run import run_batch
    from workers.open_engine import hold_gpu_share, open_engine

    project: Project = ctx.obj
    logs.configure(project.config, logging.WARNING)
    if not source.exists():
        raise NotFound(f"no file or folder {source}")
    files = sorted(source.glob("*.jsonl")) if source.is_dir() else [source]
    if not files:
        raise NotFound(f"{source} holds no .jsonl file")
    if settings.engine == "mlx":
        project.models.mkdir(parents=True, exist_ok=True)
        models.locate(language_model, project.models, confirmation(yes))
        openblas.ensure()
    names = frozenset({language_model.name, settings.served_as or language_model.name})
    with (
        hold_gpu_share(project.config, settings),
        closing(open_engine(project.config, settings)) as engine,
        signals.stop_on_signal() as stop,
        progress_bar("bytes of requests") as progress,
    ):
        for path in files:
            out = target / path.name if source.is_dir() else target
            if out.exists():
                typer.echo(f"{out} is there already")
                continue
            done = run_batch(
                engine, path, out, names, grace_s=settings.grace_s, stop=stop, progress=progress
            )
            before = f" ({done.before:,} of them before)" if done.before else ""
            refused = f"; {done.refused:,} refused" if done.refused else ""
            typer.echo(f"{out}: {done.answered + done.before:,} replies{before}{refused}")


def write_requests(
    project: Project,
    archive: str | None,
    folder: Path,
    work: WorkSettings,
    *,
    per_file: int,
    plain: bool,
) -> None:
    """`kkoracle work --batch-out`."""
    from workers.batch.requests import write_batch
    from workers.settings import prompt_registry

    name = project.archive(archive)
    found = write_batch(
        project, name, folder, work, prompt_registry(project.config), per_file=per_file, plain=plain
    )
    total = sum(found.requests.values())
    project.journal.add_figures(requests=total)
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in found.requests.items())
    typer.echo(f"{name}: {total:,} requests in {len(found.files):,} files of {folder} ({kinds})")
    typer.echo("the tasks stay open; `kkoracle work --batch-in REPLIES` closes those it brings")


def take_replies(
    project: Project, archive: str | None, files: list[Path], work: WorkSettings, processes: int
) -> None:
    """`kkoracle work --batch-in`."""
    from exchange.display import progress_bar
    from exchange.errors import NotEnoughData
    from workers.batch.replies import collect_batch
    from workers.settings import prompt_registry

    name = project.archive(archive)
    with progress_bar("bytes of replies") as progress:
        found = collect_batch(
            project,
            name,
            files,
            work,
            prompt_registry(project.config),
            processes=processes,
            progress=progress,
        )
    project.journal.add_figures(tasks_closed=found.closed, lines_set_aside=found.lost)
    for line in _summary(name, found):
        typer.echo(line)
    if 2 * found.lost > found.lines:
        raise NotEnoughData(
            f"most of {found.lines:,} lines held no reply to an open task of {name}: their tasks "
            "stay open; are these the replies to its own requests, with these settings?"
        )


def _summary(archive: str, found: BatchIntake) -> list[str]:
    from exchange.text.controls import printable

    told = [
        f"{archive}: {found.closed:,} tasks closed by {found.lines:,} lines; of their pairs "
        f"{found.accepted:,} passed the checks and {found.rejected:,} did not"
    ]
    if found.read_back:
        told.append(
            f"{found.read_back:,} pairs read back by the round trip; the contrast needs "
            "likelihoods, which no batch gives"
        )
    if found.models:
        names = ", ".join(printable(one) for one in sorted(found.models))
        told.append(f"answered, by its own word, by {names}")
    if found.set_aside.total():
        codes = ", ".join(f"{code} {count:,}" for code, count in found.set_aside.most_common())
        told.append(f"set aside: {codes}")
    return told
