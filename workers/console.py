"""What the workers' commands print."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from exchange.queue import keys
from exchange.store.verdicts import VerdictChange

if TYPE_CHECKING:
    from redis import Redis


PLAIN_LINE_S = 5.0  # between two lines where there is no terminal


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with rate and time left on a terminal, else a line now and then."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_progress(what)
        return
    bar = Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain_progress(what: str) -> Callable[[int, int], None]:
    started = said = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal said
        now = time.monotonic()
        if done and now - said >= PLAIN_LINE_S:
            left = (now - started) / done * (total - done)
            print(f"{done:,} of {total:,} {what}, {left:.0f} s left", file=sys.stderr)  # noqa: T201
            said = now

    return show


def print_changes(found: Sequence[VerdictChange], count: int, rules: str) -> None:
    """Pairs gained and lost by rule."""
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True, highlight=False)
    gained, lost = (sum(getattr(change, side) for change in found) for side in ("gained", "lost"))
    console.print(f"{count:,} pairs judged by rule set {rules}: {gained:,} gained, {lost:,} lost")
    if not found:
        return
    table = Table("rule", "gained", "lost", box=None, pad_edge=False)
    for change in found:
        table.add_row(change.reason or "(new pairs)", f"{change.gained:,}", f"{change.lost:,}")
    console.print(table)


def printable(text: str) -> str:
    """A page's or a model's words without what a terminal would obey."""
    return "".join(letter for letter in text if letter.isprintable() or letter == "\n")


# What an operator sees while a worker runs: one live line on a terminal, else one every 10 s.

LOOK_S, PLAIN_S = 1.0, 10.0


class WorkerProgress:
    """Reads the worker's heartbeat from Redis and shows it."""

    def __init__(self, redis: Redis) -> None:
        from rich.console import Console

        self._redis = redis
        self._console = Console(stderr=True)
        self._live = self._console.status("starting the worker") if sys.stderr.isatty() else None
        self._look = time.monotonic() + LOOK_S
        self._tell = time.monotonic() + PLAIN_S
        self._last = ""
        self._worked = ""  # the last worker that was seen to have finished a job

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()
        self._redis.close()

    def tick(self, worker: str) -> None:
        """Show the state now, if it is time to."""
        moment = time.monotonic()
        if moment < self._look:
            return
        self._look = moment + LOOK_S
        line = self._line(worker)
        if self._live:
            self._live.update(line)
        elif moment >= self._tell and line != self._last:
            self._tell = moment + PLAIN_S
            self._console.print(line, highlight=False)
            self._last = line

    def did_work(self, worker: str) -> bool:
        """True when the worker had finished a job, well or badly.

        Redis may have been emptied since, so what it showed while the worker lived counts too.
        """
        from redis.exceptions import RedisError

        if worker == self._worked:
            return True
        try:
            counts = self._redis.hmget(
                f"rq:worker:{worker}", "successful_job_count", "failed_job_count"
            )
        except RedisError:
            return False
        return any(int(count or 0) for count in counts)

    def _line(self, worker: str) -> str:
        from redis.exceptions import RedisError

        try:
            beat = {
                k.decode(): v.decode()
                for k, v in self._redis.hgetall(keys.heartbeat(worker)).items()
            }
            waiting = self._redis.llen(f"rq:queue:{keys.QUEUE}")
        except RedisError as error:
            return f"Redis is away ({type(error).__name__}); waiting, nothing is lost"
        if not beat:
            return "loading the model"
        if int(beat["done"]):
            self._worked = worker
        rate, state = float(beat["tokens_per_s"]), beat["state"]
        return (
            f"{worker}: {beat['done']} tasks done, {beat['inflight']} in flight (width "
            f"{beat['width']}), {waiting} waiting, {rate:.0f} tokens/s"
            + ("" if state == "working" else f" ({state})")
        )
