"""Keeps crawler and worker going, and begins a morning when it is time.

Crawler and worker are the same commands that a person gives. The crawler goes on while a morning
is under way; the worker lets go of the GPU for it, unless an endpoint generates.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from exchange.errors import FAILED, OK, NotFound
from exchange.lock import LIVE_LOCK, MORNING_LOCK, FileLock
from exchange.project import Project
from exchange.store.spool import Spool, open_tasks
from kkoracle.children import ChildProcesses, front_options
from kkoracle.live import page
from kkoracle.live.morning import LIVE_DIR, MorningSteps
from kkoracle.live.record import LiveRecord, MorningRecord
from kkoracle.settings import LiveSettings
from trainer.promote import versions
from workers.settings import WorkSettings, is_quiet

LOOK_S = 1.0  # between two looks at the spool
TELL_S = 30.0  # between two lines that say where it is
FLOOD = 100  # times as many pairs as begin a morning: then it does not wait for the rest
CRAWL, WORK = "crawl", "work"  # the children that go on day and night
DAY = dt.timedelta(days=1)
AGAIN_S = 15.0  # before a child that ended is started again
LIVED_S = 60.0  # one that ended sooner than that was not well
SHORT_LIVES = 5  # in a row: then somebody must look


@dataclass(frozen=True, slots=True)
class SpoolState:
    """What the spool says of how far reading and generating are."""

    stories: int = 0
    pairs: int = 0  # accepted
    open: int = 0  # tasks

    @classmethod
    def read(cls, archive_dir: Path) -> SpoolState:
        """As it is now; nothing while there is no spool."""
        try:
            spool = Spool.read(archive_dir)
        except NotFound:
            return cls()
        try:
            counters = spool.counters()
        finally:
            spool.close()
        return cls(
            counters.get("stories", 0), counters.get("pairs.accepted", 0), open_tasks(counters)
        )


def why_now(
    settings: LiveSettings,
    new: int,
    open_: int,
    still_s: float,
    since: float,
    now: dt.datetime,
) -> str:
    """Why a morning begins at this moment; "" while none does.

    Args:
        new: pairs since the last one began.
        open_: tasks that are open.
        still_s: seconds since the last change.
        since: epoch seconds of the last moment at which nothing waited for a morning: one began,
            or nothing was new.
        now: local time.

    An hour that passed meanwhile counts, if it was yesterday's: the machine slept, or quiet hours
    held the morning back. Hours are compared as a clock on the wall shows them, so that a day on
    which it is set for summer or winter has one morning; a moment further ahead than a day was
    noted by a clock that was wrong, and holds back none.
    """
    if new <= 0 or is_quiet(settings.quiet, now.time()):
        return ""
    if settings.at:
        idle, wall = dt.datetime.fromtimestamp(since), now.replace(tzinfo=None)
        due = dt.datetime.combine(wall.date(), dt.time.fromisoformat(settings.at))
        if due > wall:
            due -= DAY
        if idle < due or idle > wall + DAY:
            return f"it is {settings.at}, and {new:,} pairs are new"
    if settings.pairs and new >= settings.pairs:
        if not open_ and still_s >= settings.settle:
            return f"{new:,} pairs are new, and nothing more comes"
        if new >= FLOOD * settings.pairs:
            return f"{new:,} pairs are new, and more come"
    return ""


def run_live(
    project: Project,
    archive: str,
    settings: LiveSettings,
    *,
    once: bool,
    say: Callable[[str], None],
    ended: Callable[[MorningRecord], None] = lambda morning: None,
) -> int:
    """Read, generate and learn, morning after morning; returns the exit code.

    Args:
        once: take what is there, one morning, and end.
        ended: hears of each morning that has ended.

    Raises:
        Busy: another one runs for this archive.
        ProgramFailed: a command ended again and again.
        Stopped: a step was stopped.
        UsageError: it stands for several archives.
    """
    archive_dir = project.newspaper_dir(archive)
    folder = archive_dir / LIVE_DIR
    with (
        FileLock(archive_dir / LIVE_LOCK),
        closing(LiveRecord.open(archive_dir)) as record,
        ChildProcesses(folder, Path.cwd()) as children,
    ):
        steps = MorningSteps(project, archive, settings, record, children, say)
        loop = LiveLoop(steps, ended)
        loop.finish_begun()
        return loop.once() if once else loop.follow()


class LiveLoop:
    """The long run of one archive."""

    def __init__(self, steps: MorningSteps, ended: Callable[[MorningRecord], None]) -> None:
        self._steps, self._ended = steps, ended
        self._say, self._children = steps.say, steps.children
        self._shared = steps.project.config.table("work", WorkSettings).engine == "openai"
        self._following = False  # the crawler stays, and takes new issues
        self._begun: dict[str, float] = {}  # when a child was started
        self._short: dict[str, int] = {}  # times in a row that it ended soon

    def finish_begun(self) -> None:
        """Go on with a morning that was killed or stopped."""
        last = self._steps.record.last()
        if last and not last.ended:
            self._say(f"morning {last.number} goes on after {last.outcome!r}")
            with self._morning_lock():
                self._finish(last)

    def once(self) -> int:
        """Crawl and generate until nothing is open, then one morning of what is new."""
        self._start(CRAWL)
        self._start(WORK)
        while self._children.running(CRAWL):
            self._keep_up(WORK)
            time.sleep(LOOK_S / 5)
        code = self._children.exit_code(CRAWL)
        if code != OK:  # what was read is learned all the same
            self._say(f"the crawler says: {self._children.last_line(CRAWL)}")
        if not self._shared:
            self._children.stop(WORK)
        now = SpoolState.read(self._steps.archive_dir)
        if now.pairs > self._pairs_before():
            self._take(now)
        else:
            self._say("no new pairs: no morning")
        return OK if code == OK else FAILED

    def follow(self) -> int:
        """For ever; a Ctrl-C ends it."""
        self._following = True
        self._start(CRAWL)
        self._start(WORK)
        state, still_since, told_at, told = SpoolState(), time.monotonic(), 0.0, ""
        last = self._steps.record.last()
        idle_at = last.began if last else time.time()  # nothing waited for a morning then
        while True:
            self._keep_up(CRAWL)
            self._keep_up(WORK)
            now = SpoolState.read(self._steps.archive_dir)
            if now != state:
                state, still_since = now, time.monotonic()
            new = now.pairs - self._pairs_before()
            if new <= 0:
                idle_at = time.time()
            why = why_now(
                self._steps.settings,
                new,
                now.open,
                time.monotonic() - still_since,
                idle_at,
                dt.datetime.now().astimezone(),
            )
            if why:
                self._say(why)
                if not self._shared:
                    self._children.stop(WORK)
                idle_at = time.time()
                self._take(now)
                self._start(WORK)
                still_since = time.monotonic()
            elif time.monotonic() - told_at >= TELL_S:
                told_at, before = time.monotonic(), told
                told = (
                    f"{now.stories:,} stories, {now.pairs:,} pairs ({max(0, new):,} new), "
                    f"{now.open:,} tasks open"
                )
                if told != before:  # a week without news is no reason to fill a disk with lines
                    self._say(told)
            time.sleep(LOOK_S)

    def _take(self, now: SpoolState) -> None:
        """One morning from its beginning to its end."""
        with self._morning_lock():
            self._finish(self._steps.begin(now.pairs, now.stories))

    @contextmanager
    def _morning_lock(self) -> Iterator[None]:
        """While it is held, nobody rolls back."""
        with FileLock(self._steps.archive_dir / MORNING_LOCK).waiting():
            versions.require_whole(self._steps.archive_dir)
            yield

    def _finish(self, morning: MorningRecord) -> None:
        done = self._steps.finish(morning)
        self._say(f"morning {done.number}: {done.outcome}: {done.reason}")
        self._ended(done)

    def _pairs_before(self) -> int:
        last = self._steps.record.last()
        return int(last.about("begun").get("pairs", 0)) if last else 0

    def _start(self, name: str) -> None:
        if self._children.running(name):
            return
        follow = ["--follow"] if name == CRAWL and self._following else []
        archive = [self._steps.archive] if name == CRAWL else []
        self._begun[name] = time.monotonic()
        options = front_options(self._steps.project)
        self._children.start(name, "kkoracle", *options, name, *archive, *follow)

    def _keep_up(self, name: str) -> None:
        """Start a child again that has ended; one that ends at once for the fifth time is told.

        Raises:
            ProgramFailed: it does not stay up.
        """
        if self._children.running(name):
            return
        lived = time.monotonic() - self._begun[name]
        if lived < AGAIN_S and self._short.get(name, 0):
            return  # not at once
        self._short[name] = self._short.get(name, 0) + 1 if lived < LIVED_S else 1
        if self._short[name] >= SHORT_LIVES:
            raise self._children.failure(name)
        self._say(f"`kkoracle {name}` ended ({self._children.last_line(name)}): once more")
        self._start(name)


def roll_back(project: Project, archive: str) -> tuple[str, str]:
    """Let the run before answer again; what the other was taught anew is not taught again.

    Returns:
        The run that answered until now, and the one that does from now on.

    Raises:
        NotFound: there is none to go back to.
        Busy: a morning is under way.
    """
    archive_dir = project.archive_dir(archive)
    with (
        FileLock(archive_dir / MORNING_LOCK),
        closing(LiveRecord.open(archive_dir)) as record,
    ):
        left, now = versions.roll_back(archive_dir)
        children = ChildProcesses(archive_dir / LIVE_DIR)
        settings = project.config.table("live", LiveSettings)
        MorningSteps(project, archive, settings, record, children, lambda text: None).set_aside(
            left
        )
        for morning in record.mornings():
            if morning.run == left:
                record.add(morning.number, "rolled back", to=now)
        page.write_page(archive_dir, archive)
    return left, now
