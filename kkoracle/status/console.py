"""One look as one screen, or as one JSON object."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson

from exchange import signals
from exchange.display import (
    DAY_S,
    MIB,
    format_bytes,
    format_duration,
    format_moment,
    format_moments,
    format_range,
)
from kkoracle.status.records import DaemonState, LiveStatus, StageProgress, Status, WorkerStatus

if TYPE_CHECKING:
    from rich.console import RenderableType


TOP_REASONS = 4  # reasons named; `--json` has all
BAR_WIDTH = 18  # characters


def print_status(status: Status, *, as_json: bool = False) -> None:
    """Print it."""
    if as_json:
        print(to_json(status))  # noqa: T201
        return
    from rich.console import Console

    Console(soft_wrap=True, highlight=False).print(render_status(status))


def to_json(status: Status) -> str:
    """One line. `stages` have `left` in seconds: least, middle, most."""
    return orjson.dumps({**asdict(status), "exit_code": status.exit_code}).decode()


def render_status(status: Status) -> RenderableType:
    """What `show` prints; problems stand last, where the eye is when it scrolls."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for name, text in status_lines(status):
        grid.add_row(name, Text(text))
    if not status.problems:
        grid.add_row("", Text("no action needed", style="green"))
    for problem in status.problems:
        style = "yellow" if problem.code == "stopped" else "red"
        grid.add_row(Text("look", style=style), Text(problem.text, style=style))
    return grid


def status_lines(status: Status) -> Iterator[tuple[str, str]]:
    """What there is to say, by name; a line that goes on with the one before has none."""
    state = (
        f"running for {format_duration(status.crawl.running_s)}" if status.daemon else "not running"
    )
    yield "archive", f"{status.archive}, daemon {state}"
    if status.daemon:
        yield "crawl", _crawl_text(status.crawl)
    c, pages = status.counters, status.pages
    for name, more in (
        ("pages", _counts_text(pages, "pages.")),
        (
            "text",
            f"{c.get('stories', 0):,} stories, {c.get('chunks.live', 0):,} chunks"
            + _top_reasons(_with_prefix(c, "marks.")),
        ),
        (
            "tasks",
            f"{c.get('tasks.queued', 0):,} queued, {c.get('tasks.new', 0):,} waiting"
            + _failed_text(c),
        ),
    ):
        stage = status.stage(name)
        yield name, f"{_progress_bar(stage)}: {more}" if stage.total else more or "none yet"
        if stage.open:
            yield "", _pace_text(stage)
    yield "pairs", _pairs_text(status)
    yield "redis", _queue_text(status)
    for worker in status.queue.workers:
        yield "worker", _worker_text(worker)
    if status.training:
        yield "training", _training_text(status)
    if status.live:
        yield "live", _live_text(status.live)
    machine = status.machine
    free = format_bytes(machine.free_mb * MIB)
    yield (
        "machine",
        (
            f"{format_bytes(machine.disk_mb * 10**6)} of disk taken, {free} free; "
            f"{format_bytes(machine.memory_mb * 10**6)} of memory free"
        ),
    )


def _crawl_text(crawl: DaemonState) -> str:
    if crawl.hold:
        return f"holding: {crawl.hold}"
    if crawl.pause_s > 0:
        return (
            f"pausing {format_duration(crawl.pause_s)}, as the site asks or until it can be reached"
        )
    if crawl.next_look and not crawl.rate:
        at = format_moment(crawl.next_look)
        return f"following: looks for new issues at {at}"
    if not crawl.fetching:
        return "asks the newspaper nothing"
    allowed = f" of {crawl.allowed:.2f} allowed" if crawl.allowed else ""
    return f"{crawl.rate:.2f}{allowed} requests/s"


def _progress_bar(stage: StageProgress) -> str:
    share = stage.done / stage.total
    full = round(share * BAR_WIDTH)
    return f"{'━' * full}{'╌' * (BAR_WIDTH - full)} {share:4.0%} {stage.done:,} of {stage.total:,}"


def _pace_text(stage: StageProgress) -> str:
    pace = f"{stage.hour:,.0f} an hour now, {stage.day:,.0f} {_over(stage.seen_s)}"
    if stage.left is None:
        return f"{pace}; end unknown: {stage.note}"
    least, _, most = stage.left
    now = time.time()
    done = format_moments(now + least, now + most, now)
    return f"{pace}; {format_range((least, most))} left, done {done}"


def _pairs_text(status: Status) -> str:
    pairs = status.pairs
    said = f"{pairs.accepted:,} kept, {pairs.rejected:,} rejected{_top_reasons(pairs.reasons)}"
    if pairs.kept is not None:
        day = f", {pairs.kept_day:.0%} {_over(pairs.seen_s)}" if pairs.kept_day is not None else ""
        said += f"; keeps {pairs.kept:.0%}{day}"
    if pairs.hour or pairs.day:
        said += f"; {pairs.hour:,.0f} an hour now, {pairs.day:,.0f} {_over(pairs.seen_s)}"
    return said


def _over(seen_s: float) -> str:
    """The time that a figure of the last day is over: no more than was seen."""
    return "over the day" if seen_s >= DAY_S else f"over the last {format_duration(seen_s)}"


def _queue_text(status: Status) -> str:
    queue = status.queue
    if not queue.up:
        return queue.redis
    oldest = (
        f", the next for {format_duration(queue.oldest_s)}" if queue.oldest_s is not None else ""
    )
    memory = (
        f"; {format_bytes(queue.used_mb * MIB)} of {format_bytes(queue.limit_mb * MIB)}"
        if queue.limit_mb
        else ""
    )
    paused = "; workers paused" if queue.paused else ""
    return f"{queue.redis}, {queue.waiting:,} jobs waiting{oldest}{memory}{paused}"


def _worker_text(worker: WorkerStatus) -> str:
    return (
        f"{worker.name}: {worker.state}, width {worker.width}, {worker.inflight} in flight, "
        f"{worker.done:,} done, {worker.tokens_per_s:,.0f} tokens/s"
    )


def _training_text(status: Status) -> str:
    run = status.training
    assert run is not None
    of = f" of {run.steps:,}" if run.steps else ""
    valid = f", validation {run.valid_loss:.3f}" if run.valid_loss is not None else ""
    known = f", {run.known:,} of {run.facts:,} facts known" if run.facts else ""
    said = f"run {run.run}: step {run.step:,}{of}, loss {run.loss:.3f}{valid}{known}"
    if run.finished:
        return f"{said}, finished"
    left = f", {format_range(run.left[::2])} left" if run.left else ""
    return f"{said}{left}, last step {format_duration(run.silent_s)} ago"


def _live_text(live: LiveStatus) -> str:
    reason = f": {live.reason}" if live.reason else ""
    last = f"morning {live.mornings} of {live.day} {live.outcome}{reason}"
    return (
        f"{'running' if live.running else 'not running'}; "
        f"{last if live.day else 'no morning yet'}; {live.answers or 'no run'} answers; "
        f"{live.new_pairs:,} new pairs, the next begins {live.next}"
    )


def _counts_text(counters: Mapping[str, int], prefix: str) -> str:
    found = _with_prefix(counters, prefix)
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in found.items())


def _failed_text(counters: Mapping[str, int]) -> str:
    failed = counters.get("tasks.failed", 0)
    return (
        f", {failed:,} failed" + _top_reasons(_with_prefix(counters, "failed.")) if failed else ""
    )


def _with_prefix(counters: Mapping[str, int], prefix: str) -> dict[str, int]:
    """The counters of a family without its name, the largest first."""
    found = [(n.removeprefix(prefix), c) for n, c in counters.items() if n.startswith(prefix)]
    return dict(sorted(found, key=lambda item: (-item[1], item[0])))


def _top_reasons(counts: Mapping[str, int]) -> str:
    return _in_brackets(f"{name} {count:,}" for name, count in list(counts.items())[:TOP_REASONS])


def _in_brackets(parts: Iterable[str]) -> str:
    said = ", ".join(parts)
    return f" ({said})" if said else ""


# `status --watch`: the same screen, again and again, until Ctrl-C.

REFRESH_S = 2.0


def watch_status(
    look: Callable[[], Status], *, as_json: bool = False, every_s: float = REFRESH_S
) -> int:
    """Look every few seconds; returns the exit code of the last look.

    On a terminal the screen is drawn over; elsewhere, and as JSON, each look is printed.

    Raises:
        UserError: nothing of the archive is there.
    """
    last = look()
    if sys.stdout.isatty() and not as_json:
        return _draw_live(last, look, every_s)
    with signals.until_interrupted():
        while True:
            print_status(last, as_json=as_json)
            sys.stdout.flush()
            time.sleep(every_s)
            last = look()
    return last.exit_code


def _draw_live(last: Status, look: Callable[[], Status], every_s: float) -> int:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    with (
        Live(console=console, screen=True, auto_refresh=False) as live,
        signals.until_interrupted(),
    ):
        while True:
            at = time.strftime("%H:%M:%S")
            foot = Text(f"\n{at}, every {every_s:.0f} s; Ctrl-C ends", style="dim")
            live.update(Group(render_status(last), foot), refresh=True)
            time.sleep(every_s)
            last = look()
    console.print(render_status(last))  # what stays when the screen is given back
    return last.exit_code
