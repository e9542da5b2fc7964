"""`kkoracle live`: one long command that reads the paper and learns it, morning after morning."""

from __future__ import annotations

from typing import Annotated

import typer

from exchange.cli.commands import add_command
from exchange.cli.fields import settings_options
from exchange.cli.options import Archive, Json, print_json, result_console
from exchange.project import Project
from kkoracle.settings import LiveSettings


def register(app: typer.Typer) -> None:
    """Add the command to the front door."""
    add_command(
        app,
        live,
        "kkoracle live",
        "kkoracle live --at 05:00 --quiet 08:00-20:00",
        "kkoracle live --once",
        "kkoracle live --status",
        "kkoracle live --rollback",
        panel="Model",
    )


@settings_options("live", LiveSettings, "pairs", "at", "settle", "quiet", "replay", "keep")
def live(
    ctx: typer.Context,
    settings: LiveSettings,
    archive: Archive = None,
    once: Annotated[
        bool, typer.Option("--once", help="Read and generate what is there, one morning, and end.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Only say what came of the mornings so far.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Let the run before answer again.")
    ] = False,
    json: Json = False,
) -> None:
    """Read each day's paper, and teach the model each morning what is new.

    It keeps `kkoracle crawl --follow` and `kkoracle work` going. When enough pairs are new, or at
    an hour, a morning begins: the dataset is built (no row ever changes its split), training goes
    on from the model that answers, with old rows beside the new ones, and the result is asked old
    and new facts, general questions and such that nobody can answer. Only if it has gained and
    lost nothing it answers from then on; else yesterday's stays, and the page says why.

    `kkoracle serve --follow` takes each new model without a pause. Worker and training take the GPU
    by turns. Run `kkoracle crawl` once by hand before, until it fetches: what it asks, this cannot
    answer.

    Kill it at any moment: the same command goes on with the morning that had begun. --status and
    live.html in the archive's folder say day by day what was read, learned and refused.
    """
    from exchange.errors import OK
    from kkoracle.live import page
    from kkoracle.live.record import read_mornings
    from kkoracle.live.run import roll_back, run_live

    project: Project = ctx.obj
    name = project.archive(archive)
    archive_dir = project.archive_dir(archive)
    console = result_console(json)

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    if rollback:
        left, now = roll_back(project, name)
        project.journal.add_figures(rolled_back=left, answers_now=now)
        if json:
            print_json({"rolled_back": left, "promoted": now})
        say(f"{now} answers again, in place of {left}; what that was taught is set aside")
        return
    if status:
        mornings = read_mornings(archive_dir)
        if json:
            print_json({"archive": name, "mornings": [one.as_dict() for one in mornings]})
        for line in page.morning_lines(mornings)[::-1]:
            read = f"read {line.read}; taught {line.taught}"
            say(f"{line.number:>4}  {line.day}  {line.outcome:11}  {read}; {line.reason}")
        if mornings:
            say(f"page in {page.write_page(archive_dir)}")
        else:
            say(f"no morning of {name} yet: `kkoracle live` begins")
        return
    code = run_live(
        project,
        name,
        settings,
        once=once,
        say=say,
        ended=lambda morning: print_json(morning.as_dict()) if json else None,
    )
    project.journal.add_figures(mornings=len(read_mornings(archive_dir)))
    if code != OK:
        raise typer.Exit(code)
