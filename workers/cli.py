"""The workers' part of the command line: `kkoracle work`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli.commands import add_command
from exchange.cli.fields import settings_options
from exchange.cli.options import Archive, ArchiveOption, Yes, confirmation
from exchange.project import Project
from workers import failed
from workers.batch import cli as batch
from workers.settings import WorkSettings, current_recipe


def register(app: typer.Typer) -> None:
    """Add the workers' commands to the front door."""
    add_command(
        app,
        work,
        "kkoracle work",
        "kkoracle work --probe",
        "kkoracle work --probe --verify --model mlx-community/A --model mlx-community/B",
        "kkoracle work --engine openai --width 64",
        "kkoracle work --batch-out batch/ --batch-size 10000",
        "kkoracle work --batch-in replies/*.jsonl",
        "kkoracle work --pause",
        panel="Pairs",
    )
    add_command(
        app,
        recheck,
        "kkoracle recheck",
        "kkoracle recheck --yes",
        "kkoracle recheck --fit",
        panel="Pairs",
    )
    batch.register(app)
    failed.register(app)


@settings_options("work", WorkSettings, "width", "engine", "url", "served_as", "verify")
def work(
    ctx: typer.Context,
    settings: WorkSettings,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="<str>",
            help="In place of `[model] name`; with --probe several, to put them side by side.",
        ),
    ] = None,
    burst: Annotated[bool, typer.Option("--burst", help="End when the queue is empty.")] = False,
    yes: Yes = False,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="Try 20 open tasks, show them and say when all are done; keep nothing."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="With --probe: one object.")] = False,
    pause: Annotated[
        bool | None,
        typer.Option(
            "--pause/--resume", help="Pause or resume all workers of this Redis, wherever they run."
        ),
    ] = None,
    batch_out: Annotated[
        Path | None,
        typer.Option(help="Write the open tasks as OpenAI batch files into this new folder, end."),
    ] = None,
    batch_in: Annotated[
        Path | None, typer.Option(help="Take the replies of such a file or folder, and end.")
    ] = None,
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="More of them.")
    ] = None,
    archive: ArchiveOption = None,
    batch_size: Annotated[
        int, typer.Option(min=1, max=50_000, help="Requests of a batch file.")
    ] = 50_000,
    batch_plain: Annotated[
        bool,
        typer.Option(
            "--batch-plain",
            help="Without `chat_template_kwargs`, which turns thinking off and OpenAI refuses.",
        ),
    ] = False,
) -> None:
    """Generate question/answer pairs from the queue, until stopped.

    Run it beside `kkoracle crawl`, on this machine or on others with the same Redis. Killed at
    any moment it loses nothing. First Ctrl-C: finish what is in flight (30 s at most), give the
    rest back; second: stop at the next token. `[work] quiet` names hours without new work.

    With --batch-out the archive's open tasks go into files that `vllm run-batch`, a provider's
    batch endpoint or `kkoracle batch run` answers; --batch-in judges and stores the replies, each
    task once, however often a file is given. Neither needs Redis; a daemon may run meanwhile.
    """
    import logging

    from exchange import logs, signals
    from exchange.errors import STOPPED, Stopped, UsageError
    from exchange.inference import models, openblas
    from exchange.lock import require_no_live
    from exchange.queue.redis_endpoint import redis_for
    from exchange.settings import Config
    from workers.queue.heartbeat import ANSWER_S, WorkerProgress, worker_metrics
    from workers.supervisor import Supervisor

    project: Project = ctx.obj
    run = logs.configure(project.config, logging.WARNING)
    project.require_place()
    if pause is not None:
        typer.echo(set_paused(project, pause))
        return
    if batch_out and batch_in:
        raise UsageError("--batch-out writes requests, --batch-in takes replies: choose one")
    if model and (batch_out or batch_in):
        raise UsageError("a batch is for the model of the archive's tasks: set [model] name")
    if more and not batch_in:
        raise UsageError(f"what is {str(more[0])!r} for? files go with --batch-in")
    if batch_out:
        batch.write_requests(
            project, archive, batch_out, settings, per_file=batch_size, plain=batch_plain
        )
        return
    if batch_in:
        batch.take_replies(project, archive, [batch_in, *(more or ())], settings, 0)
        return
    if settings.engine == "mlx" and not probe:
        parent = os.environ.get(signals.PARENT_VARIABLE, "")
        require_no_live(
            project.data,
            "it keeps a worker of its own, and another would keep its mornings waiting",
            but=int(parent) if parent.isdigit() else 0,
        )
    # A wrong prompt ends it before anything starts.
    current_recipe(project.config, project.language())
    flags: list[dict[str, Any]] = [{"name": name} for name in model or ()] or [{}]
    asked = [project.config.table("model", models.ModelSettings, flag) for flag in flags]
    if len(asked) > 1 and not probe:
        raise UsageError("a worker holds one model: several --model go with --probe alone")
    if settings.engine == "mlx":
        project.models.mkdir(parents=True, exist_ok=True)
        for one in asked:
            models.locate(one, project.models, confirmation(yes))
    variables: dict[str, Any] = {
        "KKORACLE_DATA": project.data,
        "KKORACLE_CONFIG": project.config.path.resolve() if project.config.path else "",
        "KKORACLE_WORK_WIDTH": settings.width,
        "KKORACLE_WORK_ENGINE": settings.engine,
        "KKORACLE_WORK_URL": settings.url,
        "KKORACLE_WORK_SERVED_AS": settings.served_as,
        "KKORACLE_WORK_VERIFY": settings.verify,
        "KKORACLE_MODEL_NAME": asked[0].name,
        "KKORACLE_LOG_RUN": run,
    }
    environment = {key: str(value) for key, value in variables.items()}
    if probe:
        from workers.probe import run_command

        openblas.ensure()
        configs = [
            Config(
                project.config.raw,
                project.config.path,
                {**os.environ, **environment, "KKORACLE_MODEL_NAME": one.name},
            )
            for one in asked
        ]
        raise typer.Exit(run_command(project, configs, as_json=json))
    with (
        redis_for(project) as redis,
        WorkerProgress(redis.connect(answer_s=ANSWER_S)) as progress,
    ):
        signals.end_with_parent()
        supervisor = Supervisor(
            redis.url,
            environment,
            burst=burst,
            grace_s=settings.grace_s,
        )
        connection = redis.connect()
        with project.background_services(
            "", lambda: worker_metrics(supervisor.worker_name, supervisor.restarts, connection)
        ):
            code = supervisor.run(progress.tick, progress.did_work)
    if code == STOPPED:
        raise Stopped("stopped, nothing is lost: the same command goes on")
    raise typer.Exit(code)


def set_paused(project: Project, paused: bool) -> str:
    """Pause or resume all workers of this Redis; returns what the operator sees.

    It is one key, at which every worker looks, on whatever machine it runs.
    """
    from redis.exceptions import NoPermissionError

    from exchange.errors import RedisUnfit
    from exchange.queue import keys
    from exchange.queue.redis_endpoint import redis_for

    with redis_for(project, keep_alive=False) as handle:
        redis = handle.connect()
        try:
            if paused:
                redis.set(keys.CONTROL, keys.PAUSE)
            else:
                redis.delete(keys.CONTROL)
        except NoPermissionError:
            raise RedisUnfit(
                "a worker may not pause the others: run this on the machine whose Redis it is"
            ) from None
    if not paused:
        return "resumed: workers take new work"
    return (
        "paused: no worker takes new work; what is in flight ends. `kkoracle work --resume` goes on"
    )


def recheck(
    ctx: typer.Context,
    name: Archive = None,
    processes: Annotated[int, typer.Option(min=0, help="0: one for each core.")] = 0,
    fit: Annotated[
        bool,
        typer.Option(
            "--fit", help="First fit what verification asks of a pair, on the labels of a review."
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Take the new verdicts without asking.")
    ] = False,
) -> None:
    """Judge the stored replies anew, with the parser and the checks of today.

    Generates nothing. Shows what each rule gains and loses, and asks before anything changes. A
    label that a person gave is never overruled. A running daemon is asked to take the new
    verdicts over; Ctrl-C before that leaves the old ones whole.
    """
    from exchange.display import progress_bar
    from exchange.errors import NotFound
    from exchange.lock import RECHECK_LOCK, FileLock
    from exchange.store import requests
    from workers.checks import VERSION
    from workers.recheck import fit_verification, print_changes
    from workers.recheck import recheck as judge_anew

    project: Project = ctx.obj
    archive = project.archive(name)
    directory = project.archive_dir(archive)
    if not directory.is_dir():
        raise NotFound(f"nothing of {archive} yet: `kkoracle crawl {archive}` begins")
    with FileLock(directory / RECHECK_LOCK):
        if fit:
            typer.echo(str(fit_verification(directory)))
        with progress_bar("tasks judged") as progress:
            staged = judge_anew(directory, archive, processes=processes, progress=progress)
        try:
            found = staged.changes()
            print_changes(found, staged.count(), VERSION)
            if not (yes or typer.confirm("Take these verdicts over?")):
                typer.echo("nothing was changed")
                return
            changed = requests.submit_request(directory, staged.path.name)
        finally:
            staged.discard()
    project.journal.add_figures(new_verdicts=changed)
    typer.echo(f"{archive}: {changed:,} pairs have a new verdict")
