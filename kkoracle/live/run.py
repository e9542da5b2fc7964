"""Keeps crawler and worker going, and begins a morning when it is time.

Crawler and worker are the same commands that a person gives. The crawler goes on while a morning
is under way; the worker lets go of the GPU for it, unless an endpoint generates.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from exchange import journal
from exchange.errors import FAILED, OK, USAGE, Busy, UsageError
from exchange.lock import (
    GPU_LOCK,
    FileLock,
    daemon_lock,
    live_lock,
    morning_lock,
    require_no_live,
)
from exchange.project import Project
from kkoracle.children import ChildProcesses, front_options
from kkoracle.live import page
from kkoracle.live.morning import MorningSteps
from kkoracle.live.record import LiveRecord, MorningRecord
from kkoracle.live.schedule import SpoolState, what_begins, why_now
from kkoracle.live.set_aside import LIVE_DIR, SetAside
from kkoracle.settings import LiveSettings
from trainer.promote import versions
from workers.settings import WorkSettings

LOOK_S = 1.0  # between two looks at the spool
TELL_S = 30.0  # between two lines that say where it is
CRAWL, WORK = "crawl", "work"  # the children that go on day and night
AGAIN_S = 15.0  # before a child that ended is started again
LIVED_S = 60.0  # one that ended sooner than that was not well
SHORT_LIVES = 5  # in a row: then somebody must look


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
        Busy: another one runs, or what it would start itself: crawl, work.
        ProgramFailed: a command ended again and again.
        Stopped: a step was stopped.
        UsageError: it stands for several archives.
    """
    archive_dir = project.newspaper_dir(archive)
    folder = archive_dir / LIVE_DIR
    with (
        live_lock(archive_dir),
        closing(LiveRecord.open(archive_dir)) as record,
        ChildProcesses(folder, Path.cwd()) as children,
    ):
        _require_alone(project, archive_dir)
        steps = MorningSteps(project, archive, settings, record, children, say)
        loop = LiveLoop(steps, ended)
        try:
            loop.finish_begun()
            return loop.once() if once else loop.follow()
        except KeyboardInterrupt:
            say("stopping: what is under way may finish (a minute at most; again: at once)")
            raise


def _require_alone(project: Project, archive_dir: Path) -> None:
    """Refuse to begin beside what it keeps going by itself, once nothing of an earlier one is left.

    Raises:
        Busy: crawl or work was started by hand, or it has the model for another newspaper.
    """
    with daemon_lock(archive_dir):
        pass
    if _asks_endpoint(project):
        return
    require_no_live(
        project.data,
        "teach one newspaper after the other (`kkoracle live ARCHIVE --once`)",
        but=os.getpid(),
    )
    gpu = FileLock(project.data / GPU_LOCK)
    if gpu.is_free() or not gpu.is_free(shared=True):
        return  # training lets go of it when it is done
    for pid, words in journal.running_commands(project.data).items():
        if words[:1] == ["work"]:
            raise Busy(
                f"`kkoracle work` (pid {pid}) runs on this machine, and `kkoracle live` keeps one "
                "of its own, which lets each morning have the model: stop that one first (Ctrl-C "
                "in its terminal, or `kkoracle uninstall-service` where it is a service)"
            )


def _asks_endpoint(project: Project) -> bool:
    """Whether the pairs are generated elsewhere than on this machine's GPU."""
    return project.config.table("work", WorkSettings).engine == "openai"


class LiveLoop:
    """The long run of one archive."""

    def __init__(self, steps: MorningSteps, ended: Callable[[MorningRecord], None]) -> None:
        self._steps, self._ended = steps, ended
        self._say, self._children = steps.say, steps.children
        self._shared = _asks_endpoint(steps.project)
        self._gpu = FileLock(steps.project.data / GPU_LOCK)
        self._told_training = False  # that the worker waits for one
        self._following = False  # the crawler stays, and takes new issues
        self._begun: dict[str, float] = {}  # when a child was started
        self._short: dict[str, int] = {}  # times in a row that it ended soon

    def finish_begun(self) -> None:
        """Go on with a morning that was killed or stopped."""
        last = self._steps.record.last()
        if last and not last.ended:
            self._say(f"morning {last.number} goes on: {last.so_far}")
            with self._morning_lock():
                self._finish(last)

    def once(self) -> int:
        """Crawl and generate until nothing is open, then one morning of what is new."""
        self._say(
            "reading and generating what is there, then one morning of it (messages of each "
            f"command: {self._children.logs}; Ctrl-C ends all of it in order)"
        )
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
        self._say(
            f"reading and generating, day and night; a morning begins "
            f"{what_begins(self._steps.settings)} (messages of each command: "
            f"{self._children.logs}; Ctrl-C ends all of it in order)"
        )
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
        with morning_lock(self._steps.archive_dir).waiting():
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
        if self._children.running(name) or (name == WORK and self._training()):
            return
        follow = ["--follow"] if name == CRAWL and self._following else []
        archive = [self._steps.archive] if name == CRAWL else []
        self._begun[name] = time.monotonic()
        options = front_options(self._steps.project)
        self._children.start(name, "kkoracle", *options, name, *archive, *follow)

    def _training(self) -> bool:
        """Whether somebody trains on this machine: a worker would end at once."""
        training = not self._shared and not self._gpu.is_free(shared=True)
        if training:
            self._begun.pop(WORK, None)
            if not self._told_training:
                self._say(
                    f"training runs on this machine (pid {self._gpu.holder() or 'unknown'}): pairs "
                    "are generated when it is done"
                )
        self._told_training = training
        return training

    def _keep_up(self, name: str) -> None:
        """Start a child again that has ended; one that ends at once for the fifth time is told.

        Raises:
            ProgramFailed: it does not stay up.
            UsageError: it was refused: a person has to say or set something first.
        """
        if self._children.running(name):
            return
        if name not in self._begun:  # it waits for a training
            self._start(name)
            return
        if self._children.exit_code(name) == USAGE:  # it would only say the same again
            said = self._children.last_line(name).removeprefix("kkoracle: ")
            raise UsageError(f"`kkoracle {name}` does not begin: {said}")
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
        morning_lock(archive_dir),
        closing(LiveRecord.open(archive_dir)) as record,
    ):
        left, now = versions.roll_back(archive_dir)
        SetAside(archive_dir).add_run(left)
        for morning in record.mornings():
            if morning.run == left:
                record.add(morning.number, "rolled back", to=now)
        page.write_page(archive_dir)
    return left, now
