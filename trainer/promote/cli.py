"""`kkoracle promote`: let a run answer in place of the one before, if it has earned it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated

import typer

from exchange.cli.commands import add_command
from exchange.cli.fields import model_option, settings_options
from exchange.cli.options import Archive, Json, Yes, confirmation, print_json, result_console
from exchange.inference.models import ModelSettings
from exchange.project import DEFAULT_RUN, Project
from trainer.promote.settings import PromoteSettings


def register(app: typer.Typer) -> None:
    """Add the command to the front door."""
    add_command(
        app,
        promote,
        "kkoracle promote --name second",
        "kkoracle promote --name second --force",
        "kkoracle promote --rollback",
        panel="Model",
    )


@settings_options("promote", PromoteSettings, "questions", "allowed")
@model_option
def promote(
    ctx: typer.Context,
    settings: PromoteSettings,
    language_model: ModelSettings,
    archive: Archive = None,
    name: Annotated[str, typer.Option("--name", help="The run that is to answer.")] = DEFAULT_RUN,
    force: Annotated[
        bool, typer.Option("--force", help="Let it answer, whatever the questions showed.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Go back to the run that answered before.")
    ] = False,
    json: Json = False,
    yes: Yes = False,
) -> None:
    """Hold a run against the promoted one on fixed questions; it answers only if it passes.

    Asked are facts that earlier runs were taught, what this one was taught anew, general questions,
    and some that nobody can answer. New facts must be gained, nothing old may be lost, nothing
    invented; else the one before stays, and it is said why (exit code 1).

    `runs/live` is a link to the promoted run, replaced at once: `kkoracle serve --follow` takes it
    without a pause, `kkoracle chat --name live` before the next question.
    """
    from exchange.inference import openblas
    from trainer.promote import versions

    project: Project = ctx.obj
    archive_dir = project.archive_dir(archive)
    console = result_console(json)
    if rollback:
        left, now = versions.roll_back(archive_dir)
        project.journal.add_figures(rolled_back=left, answers_now=now)
        if json:
            print_json({"rolled_back": left, "promoted": now})
        console.print(f"{now} answers again, in place of {left}", markup=False)
        return
    openblas.ensure()

    from exchange.errors import FAILED
    from exchange.signals import stop_on_signal
    from trainer.console import ProgressScreen
    from trainer.promote import gate
    from trainer.promote.questions import GateHooks

    with (
        ProgressScreen(console) as screen,
        stop_on_signal(lambda: screen.log("ending after this token; once more: at once")) as stop,
    ):
        decided = gate.judge_run(
            project,
            archive,
            name,
            settings,
            language_model=language_model,
            hooks=GateHooks(screen.log, screen.on_progress, confirmation(yes, err=json), stop),
        )
    if force and not decided.passed:
        decided = replace(decided, passed=True, harmful=False, reason=f"forced: {decided.reason}")
        decided.save(archive_dir / "runs" / name)
    answers = gate.promote_run(archive_dir, decided)
    project.journal.add_figures(run=name, promoted=answers, why=decided.reason)
    if json:
        print_json({**asdict(decided), "known": len(decided.known)})
    for check in decided.checks:
        console.print(f"{check.outcome:12} {check.why}", markup=False, soft_wrap=True)
    console.print(
        f"{name} answers from now on" if answers else f"the one before stays: {decided.reason}",
        markup=False,
        soft_wrap=True,
    )
    if not answers:
        raise typer.Exit(FAILED)
