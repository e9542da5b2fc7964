"""The daemon of one archive: fetch, extract, feed and collect, until nothing is left to do.

It holds `daemon.lock` and alone writes `pages.sqlite` and `spool.sqlite`. Killed at any moment
it loses nothing: the same command goes on where it was.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import logging
import shutil
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from crawler import profiles
from crawler.discovery.wayback import scope_for
from crawler.extract.forecast import forecast_re_extraction
from crawler.extract.thread import ExtractionThread
from crawler.extract.versions import reopen_lost, settle_extraction
from crawler.fetch.client import client_for
from crawler.fetch.hosts import HostTable
from crawler.fetch.loop import FetchLoop
from crawler.frontier.frontier import Frontier
from crawler.language import ENOUGH_PAGES, settle_language, with_language
from crawler.scope import CrawlScope
from crawler.settings import CrawlSettings
from crawler.status.snapshots import CrawlSnapshot, SnapshotMaker
from exchange import signals
from exchange.display import format_bytes
from exchange.errors import Stopped
from exchange.lock import daemon_lock
from exchange.project import Project
from exchange.settings import DEFAULT_LANGUAGE
from exchange.signals import BackgroundThread
from exchange.store.spool import Spool, open_tasks

if TYPE_CHECKING:
    from crawler.discovery.follow import FollowSchedule
    from exchange.queue.pump import QueuePump
    from exchange.recipes.recipe import Recipe

log = logging.getLogger(__name__)

POLL_S = 0.2
DISK_EVERY_S = 5.0
SnapshotCallback = Callable[[CrawlSnapshot], None]


async def run_daemon(
    project: Project,
    archive: str,
    settings: CrawlSettings,
    *,
    fetch: bool = True,
    new_recipe: bool = False,
    re_extract: bool = False,
    follow: bool = False,
    retry_failed: bool = False,
    extract: bool = True,
    generate: bool = True,
    on_snapshot: SnapshotCallback | None = None,
) -> None:
    """Run the daemon until all is done.

    Args:
        fetch: ask the newspaper; without it only what is stored is extracted and generated.
        new_recipe: accept a changed prompt or model: every chunk is generated anew.
        re_extract: accept a changed profile: every stored page is extracted anew.
        retry_failed: ask once more for every page that was given up.
        extract: make stories of what is stored; without it a later run does.
        follow: never end, but look for new issues every `settings.every` seconds.
        generate: feed tasks and collect results through Redis, and wait until none is open.
        on_snapshot: called a few times a second with where things stand.

    Raises:
        Stopped: before all was done; the same call goes on.
        UserError: another daemon runs, the site cannot be reached at all, the disk is full.
        UsageError: no contact, no profile, or one of the changes above is not accepted.
    """
    profile = profiles.load(settings, archive, imported=not fetch)
    client = client_for(profile, settings) if fetch else None
    directory = project.archive_dir(archive)
    async with AsyncExitStack() as stack:
        gc.freeze()  # what was imported stays; to look through it over and over costs a tenth
        stack.enter_context(daemon_lock(directory))
        frontier = Frontier.open(directory, by_year=settings.by_year, budgets=profile.budgets)
        stack.callback(frontier.close)
        spool = Spool.open(directory)
        stack.callback(spool.close)
        reopen_lost(frontier.db, spool, archive)
        site = scope_for(profile, settings)
        if client is not None:
            await stack.enter_async_context(client)
            frontier.seed(site.seeds(dt.date.today()))
            if retry_failed:
                log.warning("%d failed pages are asked for again", frontier.retry_failed())
        settle = partial(settle_language, profile, settings, project, archive, spool)
        if not settle() and client is not None:
            first = Daemon(archive, directory, frontier, spool, None, None, settings, on_snapshot)
            await first.run(FetchLoop(frontier, client, site, settings), until=_has_first_pages)
        # Where no page tells it there is next to nothing to read either.
        profile = with_language(profile, settle(frontier.db) or DEFAULT_LANGUAGE)
        version = settle_extraction(
            frontier.db,
            spool,
            profile,
            archive,
            accept=re_extract,
            forecast=partial(forecast_re_extraction, directory, archive, profile, settings),
        )
        pump = None
        if generate:
            from exchange.planning.planner import adopt_recipe

            wanted = project.recipe_for(profile.language)
            adopt_recipe(spool, wanted, archive, adopt=new_recipe)
            pump = _queue_pump(
                stack, project, directory, archive, wanted, profile.language, settings.share
            )
        extraction = None
        if extract:
            extraction = ExtractionThread(
                directory, archive, profile, settings, version, frontier.yields if fetch else None
            )
        daemon = Daemon(
            archive, directory, frontier, spool, pump, extraction, settings, on_snapshot
        )
        if client is None:
            await daemon.run(None)
            return
        schedule = _follow_schedule(frontier, site, settings, directory) if follow else None
        await daemon.run(FetchLoop(frontier, client, site, settings, schedule))


class Daemon:
    """Watches over fetching, extraction and pump; ends when none has anything left to do."""

    def __init__(
        self,
        archive: str,
        directory: Path,
        frontier: Frontier,
        spool: Spool,
        pump: QueuePump | None,
        extraction: ExtractionThread | None,
        settings: CrawlSettings,
        on_snapshot: SnapshotCallback | None,
    ) -> None:
        self._archive, self._directory = archive, directory
        self._frontier = frontier
        self._spool = spool
        self._pump = pump
        self._extraction = extraction
        self._settings = settings
        self._on_snapshot = on_snapshot
        self._stopping = False
        self._snapshots = SnapshotMaker(archive, directory, frontier, spool)
        self._disk_at = 0.0

    async def run(
        self, crawling: FetchLoop | None, *, until: Callable[[Frontier], bool] | None = None
    ) -> None:
        """Start everything, wait, stop everything; in that order on every way out.

        Args:
            until: ends it before all is done.

        Raises:
            Stopped: by a signal, before all was done.
        """
        fetching = asyncio.create_task(crawling.run()) if crawling else None

        def stop() -> None:
            log.warning("stopping: what is under way may finish (30 s at most; again: at once)")
            self._stopping = True

        with signals.stop_on_signal_in_loop(stop):
            try:
                for thread in self._background_threads():
                    thread.start()
                while not self._stopping and not self._finished(crawling, fetching):
                    self._hold_on_low_disk(crawling)
                    if crawling is not None:
                        crawling.heed_walls()
                    self._report(crawling, fetching)
                    if until is not None and until(self._frontier):
                        break
                    await asyncio.sleep(POLL_S)
            finally:
                if crawling is not None and fetching is not None:
                    crawling.stop()
                    await asyncio.wait([fetching])
                await asyncio.to_thread(self._stop_threads)
            self._raise_errors(fetching)
            self._report(crawling, fetching)
        if self._stopping and not self._finished(crawling, fetching):
            raise Stopped(f"stopped, nothing is lost: `kkoracle crawl {self._archive}` goes on")

    def _finished(self, crawling: FetchLoop | None, fetching: asyncio.Task[None] | None) -> bool:
        """Nothing to extract, nothing to fetch, no task open: looked at in this order, as what
        pages turn out to be may have some asked for again."""
        self._raise_errors(fetching)
        if crawling is not None and not crawling.finished:
            return False
        if self._extraction is not None and self._frontier.counters().get("text.waiting"):
            return False
        if crawling is not None and self._frontier.next_due() is not None:
            return False
        if self._pump is None:
            return True
        counters = self._spool.counters()
        return not open_tasks(counters) and self._pump.is_idle(counters)

    def _raise_errors(self, fetching: asyncio.Task[None] | None) -> None:
        if fetching is not None and fetching.done() and (error := fetching.exception()):
            raise error
        for thread in self._background_threads():
            if thread.error is not None:
                raise thread.error

    def _stop_threads(self) -> None:
        for thread in self._background_threads():
            thread.stop()

    def _background_threads(self) -> list[BackgroundThread]:
        """What works in threads of its own."""
        return [thread for thread in (self._extraction, self._pump) if thread is not None]

    def _hold_on_low_disk(self, crawling: FetchLoop | None) -> None:
        """Hold fetching while the disk is low; extraction and results need little and go on."""
        if crawling is None or time.monotonic() < self._disk_at:
            return
        self._disk_at = time.monotonic() + DISK_EVERY_S
        free = shutil.disk_usage(self._directory).free
        low = free < self._settings.min_free_mb * 2**20
        if low and not crawling.hold_reason:
            log.warning(
                "only %s of disk are free (min_free_mb is %d): fetching waits until there is room",
                format_bytes(free),
                self._settings.min_free_mb,
            )
        crawling.hold_reason = f"{format_bytes(free)} of disk free" if low else ""

    def _report(self, crawling: FetchLoop | None, fetching: asyncio.Task[None] | None) -> None:
        if self._on_snapshot is not None:
            busy = fetching is not None and not fetching.done()
            self._on_snapshot(self._snapshots.take(crawling, busy))


def _follow_schedule(
    frontier: Frontier, site: CrawlScope, settings: CrawlSettings, directory: Path
) -> FollowSchedule:
    from crawler.discovery.follow import FollowSchedule
    from crawler.optout.confirm import require_still_confirmed

    def allowed() -> None:
        require_still_confirmed(
            directory, site, HostTable(frontier.db).load(site.origin).robots or ""
        )

    return FollowSchedule(frontier, site, settings.every, allowed=allowed)


def _has_first_pages(frontier: Frontier) -> bool:
    """Whether enough pages with a text are here to tell the newspaper's language."""
    return frontier.counters().get("text.waiting", 0) >= ENOUGH_PAGES


def _queue_pump(
    stack: AsyncExitStack,
    project: Project,
    directory: Path,
    archive: str,
    wanted: Recipe,
    language: str,
    share: float,
) -> QueuePump:
    from exchange.planning.planner import Planner, PlanSettings
    from exchange.queue.pump import QueuePump
    from exchange.queue.redis_endpoint import redis_for

    questions = project.questions(language) if project.questions else ()
    planner = Planner(archive, wanted, project.config.table("plan", PlanSettings), questions)
    handle = stack.enter_context(redis_for(project))
    return QueuePump(
        directory,
        archive,
        wanted,
        handle.connect,
        reconcile_s=project.redis.reconcile_s,
        planner=planner,
        share=share,
    )
