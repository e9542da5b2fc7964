"""Keep requests under way until nothing is due: claims in, outcomes out, in batches."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from crawler.fetch.client import HttpClient
from crawler.fetch.hosts import HostTable
from crawler.fetch.page_fetcher import PageFetcher
from crawler.fetch.politeness import HostThrottle
from crawler.fetch.throttle_pool import ThrottlePool
from crawler.frontier import pages
from crawler.frontier.clock import steady_time
from crawler.frontier.frontier import Frontier
from crawler.records import FetchOutcome, PageClaim
from crawler.scope import CrawlScope
from crawler.settings import CrawlSettings
from exchange.errors import NotFound, UserError

if TYPE_CHECKING:
    from crawler.discovery.follow import FollowSchedule

log = logging.getLogger(__name__)

BATCH = 32  # outcomes in one commit, or what one second brings: so much a crash asks for again
BATCH_S = 1.0
CLAIM = 16
POLL_S = 0.25
STOP_S = 30.0  # requests under way may finish this long after a stop


class FetchLoop:
    """The fetching part of the daemon.

    Every claimed page is in exactly one place: `_claims` (not begun), `_tasks` (being fetched)
    or `_outcomes` (not yet written). `stop` leaves none behind: what was not finished goes back
    to the frontier.
    """

    def __init__(
        self,
        frontier: Frontier,
        client: HttpClient,
        site: CrawlScope,
        settings: CrawlSettings,
        schedule: FollowSchedule | None = None,
    ) -> None:
        self.throttles = ThrottlePool(client, HostTable.of(frontier), settings)
        self.hold_reason = ""  # why nothing new is begun, "" when it is
        self.finished = False
        self.schedule = schedule  # with it there is always a next check, and never an end
        self._frontier = frontier
        self._site = site
        frontier.restrict(captures=site.from_captures)
        self._fetcher = PageFetcher(client, site, self.throttles.get, self._acquire, settings)
        self._concurrency = settings.concurrency
        self._claims: deque[PageClaim] = deque()
        self._tasks: dict[asyncio.Task[FetchOutcome], PageClaim] = {}
        self._in_flight: set[asyncio.Task[Any]] = set()
        self._outcomes: list[FetchOutcome] = []
        self._oldest_at = 0.0
        self._indexes = 0  # pages of this run that had links, and the new ones among those
        self._found = 0
        self._wall_at = 0.0
        self._stop = asyncio.Event()

    @property
    def links_per_index(self) -> float:
        """New pages that an index led to, on average over this run."""
        return self._found / self._indexes if self._indexes else 0.0

    def stop(self) -> None:
        """Begin nothing new; `run` returns when what is under way has ended."""
        self._stop.set()

    def heed_walls(self) -> None:
        """Pause the hosts that were asked, when their pages have turned out to be a wall."""
        at = self._frontier.yields.wall_at
        if at > self._wall_at:
            self._wall_at = at
            for throttle in self.throttles.in_use():
                throttle.on_refusal(None, at)

    async def run(self) -> None:
        """Fetch until `stop`; `finished` tells when every known page has its outcome.

        Raises:
            UserError: the site cannot be reached at all, a web archive has nothing of it, or the
                disk is full.
        """
        try:
            while not self._stop.is_set():
                self._fill()
                self.finished = self.finished and not self._tasks
                if self._tasks:
                    await self._collect(POLL_S)
                elif self._outcomes:
                    self._flush()
                elif not await self._wait_for_due():
                    self._require_captures()
                    self.finished = True
                if self._outcomes and (
                    len(self._outcomes) >= BATCH or time.monotonic() - self._oldest_at >= BATCH_S
                ):
                    self._flush()
            await self._wind_down()
        finally:
            await self._give_back()

    def _require_captures(self) -> None:
        if not self._site.from_captures:
            return
        why = pages.why_no_captures(self._frontier.db)
        if why is None:
            return
        hosts = ", ".join(sorted(self._site.hosts))
        raise NotFound(
            f"what the web archive has of {hosts} cannot be had ({why}): try again later"
            if why
            else f"the web archive has no page of {hosts} that the profile knows: look at base, "
            "hosts and kinds of the profile, and at since and captured_until"
        )

    def _fill(self) -> None:
        if self.hold_reason:
            return
        if self.schedule is not None:
            self.schedule.check_if_due()
        while len(self._tasks) < self._concurrency:
            if not self._claims:
                self._claims.extend(self._frontier.claim(CLAIM))
            if not self._claims and self._outcomes and not self._tasks:
                self._flush()  # what they discovered may be all there is to do
                self._claims.extend(self._frontier.claim(CLAIM))
            if not self._claims:
                return
            claim = self._claims.popleft()
            self._tasks[asyncio.create_task(self._fetcher.fetch(claim))] = claim

    async def _collect(self, timeout: float) -> None:
        done, _ = await asyncio.wait(
            self._tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            self._finish(task)

    def _finish(self, task: asyncio.Task[FetchOutcome]) -> None:
        outcome = _outcome_of(task, self._tasks[task])  # may raise: the claim is then given back
        del self._tasks[task]
        self._in_flight.discard(task)
        if not self._outcomes:
            self._oldest_at = time.monotonic()
        self._outcomes.append(outcome)

    async def _wait_for_due(self) -> bool:
        """Sleep until a retry or a check is due; false when nothing waits at all."""
        due = self._frontier.next_due()
        waits = [] if due is None else [due - steady_time()]
        if self.schedule is not None:
            waits.append(self.schedule.next_at - time.time())
        if not waits:
            await self._pause(POLL_S)  # what pages turn out to be may make more due
            return False
        pause = min(max(min(waits), 0.01), POLL_S)
        if self.hold_reason:
            pause = POLL_S
        await self._pause(pause)
        return True

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def _wind_down(self) -> None:
        """Let requests under way end, for a while; give back what still waits for its host."""
        for task in set(self._tasks) - self._in_flight:
            task.cancel()
        deadline = time.monotonic() + STOP_S
        while self._tasks and time.monotonic() < deadline:
            for task in [task for task in self._tasks if task.cancelled()]:
                self._claims.append(self._tasks.pop(task))
            if self._tasks:
                await self._collect_finished()

    async def _collect_finished(self) -> None:
        await asyncio.wait(self._tasks, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in self._tasks if task.done() and not task.cancelled()]:
            self._finish(task)

    async def _give_back(self) -> None:
        """Write what ended, give back what did not. Runs on every way out."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        left = [*self._claims, *self._tasks.values()]
        self._tasks.clear()
        self._claims.clear()
        self._flush()
        if left:
            self._frontier.release(left)

    def _flush(self) -> None:
        if self._outcomes:
            batch, self._outcomes = self._outcomes, []
            self._found += self._frontier.store(batch)
            self._indexes += sum(bool(outcome.links) for outcome in batch)

    async def _acquire(self, throttle: HostThrottle) -> float:
        task = asyncio.current_task()
        assert task is not None
        self._in_flight.discard(task)
        started = await throttle.acquire()
        self._in_flight.add(task)
        return started


def _outcome_of(task: asyncio.Task[FetchOutcome], claim: PageClaim) -> FetchOutcome:
    """What a task yields. Errors of ours are a page's failure; a full disk is everybody's."""
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, UserError):
        raise error
    log.error("fetching %s failed inside kkoracle", claim.key, exc_info=error)
    return FetchOutcome(claim.id, "failed", "internal")
