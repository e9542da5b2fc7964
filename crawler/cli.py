"""The crawler's part of the command line: `kkoracle crawl`; the rest is in `archive_cli`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from crawler import archive_cli
from crawler.settings import CrawlSettings
from exchange.cli.commands import add_command
from exchange.cli.fields import settings_options
from exchange.cli.options import Archives
from exchange.project import Project

if TYPE_CHECKING:
    from crawler.status.snapshots import CrawlSnapshot


def register(app: typer.Typer) -> None:
    """Add the crawler's commands to the front door."""
    add_command(
        app,
        crawl,
        "kkoracle crawl",
        "kkoracle crawl rizospastis --delay 2",
        "kkoracle crawl --follow --every 30m",
        "kkoracle crawl rizospastis --source wayback",
        "kkoracle crawl my-files --no-fetch",
        "kkoracle crawl phoni vima kairos",
        panel="Archive",
    )
    archive_cli.register(app)


@settings_options(
    "crawl",
    CrawlSettings,
    "contact",
    "delay",
    "base_url",
    "profile",
    "language",
    "source",
    "every",
    "share",
)
def crawl(
    ctx: typer.Context,
    settings: CrawlSettings,
    names: Archives = None,
    no_fetch: Annotated[
        bool, typer.Option("--no-fetch", help="Ask the newspaper nothing; do the rest.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Never end: look for new issues again and again.")
    ] = False,
    new_recipe: Annotated[
        bool, typer.Option("--new-recipe", help="The prompt or model changed: generate anew.")
    ] = False,
    re_extract: Annotated[
        bool, typer.Option("--re-extract", help="The profile changed: extract anew, from disk.")
    ] = False,
    accept_opt_outs: Annotated[
        bool,
        typer.Option("--accept-opt-outs", help="Confirm what the site says on training, unseen."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before --re-extract; no other question.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask once more for pages that were given up.")
    ] = False,
) -> None:
    """Crawl an archive and carry it through generation, until nothing is left to do.

    Run `kkoracle work` beside it. Killed at any moment it loses nothing: the same command goes
    on. First Ctrl-C: finish what is under way (30 s at most); second: at once.

    Before the first page it shows what the site says against training models (robots.txt,
    X-Robots-Tag, tdm-reservation) and asks you to confirm that once; it asks again on a change.

    With --follow it stays: each --every it asks whether the feeds, sitemaps, start pages and the
    latest issue have changed, takes what is new, and says when it will look next.

    With --source wayback it asks the Wayback Machine for what the site does not give (gone, behind
    a paywall) or for all of a site that is no more. Pages that are here are not asked for again.

    Several archives are crawled side by side, each by the profile of its name or NAME.toml here:
    those of one host share its pace, and all share the queue.
    """
    import logging

    from crawler import profiles
    from crawler.optout.confirm import confirm_opt_outs
    from exchange import logs, signals
    from exchange.errors import Busy, Unreachable, UsageError

    if retry_failed and no_fetch:
        raise UsageError("--retry-failed asks for pages again, --no-fetch for none: choose one")
    if follow and no_fetch:
        raise UsageError("--follow asks for new issues, --no-fetch for none: choose one")
    if follow and settings.source == "wayback":
        raise UsageError("--follow asks for new issues, --source wayback for old ones: choose one")
    project: Project = ctx.obj
    logs.configure(project.config, logging.WARNING)
    archives = list(dict.fromkeys(project.archive(name) for name in names or [""]))
    for archive in archives:
        project.newspaper_dir(archive)  # refuses what stands for several
    several = len(archives) > 1
    if several:
        from crawler.fetch.side_by_side import check_settings

        check_settings(settings, re_extract=re_extract)
    if project.redis.url:
        from exchange.queue import redis_client

        redis_client.check_redis(project.redis.url)  # the newspaper is asked nothing in vain
    signals.end_with_parent()  # a site that does not answer is waited for, too
    for archive in archives if not no_fetch else ():
        try:
            confirm_opt_outs(
                project.archive_dir(archive),
                archive,
                profiles.load(settings, archive),
                settings,
                accept=accept_opt_outs,
                say=typer.echo,
            )
        except (Busy, Unreachable):
            if not several:
                raise  # else its own crawl says so, and the others go on
    flags = {
        "--no-fetch": no_fetch,
        "--follow": follow,
        "--new-recipe": new_recipe,
        "--retry-failed": retry_failed,
        "--accept-opt-outs": accept_opt_outs,
    }
    if several:
        from crawler.fetch.side_by_side import crawl_side_by_side

        crawl_side_by_side(project, archives, settings, [name for name, on in flags.items() if on])
        return
    if re_extract:
        _confirm_re_extraction(project, archives[0], settings, imported=no_fetch, accept=yes)
    _crawl_one(
        project,
        archives[0],
        settings,
        fetch=not no_fetch,
        new_recipe=new_recipe,
        re_extract=re_extract,
        follow=follow,
        retry_failed=retry_failed,
    )


def _confirm_re_extraction(
    project: Project, archive: str, settings: CrawlSettings, *, imported: bool, accept: bool
) -> None:
    from crawler.extract.forecast import confirm_re_extraction, forecast_re_extraction
    from crawler.language import settled_profile
    from crawler.status.console import StepProgressBar
    from exchange.errors import Stopped

    bar = StepProgressBar("extracting a sample", " pages")
    extraction = settled_profile(project, archive, settings, imported=imported)
    directory = project.archive_dir(archive)
    found = forecast_re_extraction(directory, archive, extraction, settings, bar)
    bar.close()
    if not confirm_re_extraction(found, accept=accept):
        raise Stopped("nothing was extracted anew")


def _crawl_one(
    project: Project,
    archive: str,
    settings: CrawlSettings,
    *,
    fetch: bool,
    follow: bool,
    **options: bool,
) -> None:
    """Run the daemon of an archive beside its display, and say what came of it."""
    import asyncio

    from crawler.daemon import run_daemon
    from crawler.status.console import CrawlConsole
    from crawler.status.losses import find_losses
    from crawler.status.report import HeartbeatWriter
    from exchange.errors import NotEnoughData, Stopped

    directory = project.archive_dir(archive)
    heartbeat = HeartbeatWriter(directory)
    with CrawlConsole() as console, project.background_services(archive):

        def on_snapshot(now: CrawlSnapshot) -> None:
            console(now)
            heartbeat(now)

        work = run_daemon(
            project,
            archive,
            settings,
            fetch=fetch,
            follow=follow,
            on_snapshot=on_snapshot,
            **options,
        )
        try:
            asyncio.run(work)
        except Stopped:
            flag = " --follow" if follow else "" if fetch else " --no-fetch"
            flag += " --source wayback" if settings.source == "wayback" else ""
            again = f"kkoracle crawl {archive}{flag}"
            raise Stopped(f"stopped, nothing is lost: `{again}` goes on") from None
    scope = partial(archive_cli.scope_of, project, archive, settings)
    lost = find_losses(directory, archive, scope)
    project.journal.add_figures(result=console.summary())
    if lost:
        raise NotEnoughData(f"{archive}: {'; '.join(loss.says for loss in lost)}")
    typer.echo(f"{archive}: {console.summary(project.archive_words(archive))}")
