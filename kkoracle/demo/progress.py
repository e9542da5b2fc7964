"""What a person sees of a demo: crawl and generation while they run, and what came of it all."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.status.report import read_counters
from exchange.errors import NotFound
from exchange.store.spool import Spool, open_tasks
from kkoracle.demo.children import ChildProcesses

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


from typing import Any

import orjson

from exchange.display import format_duration
from exchange.project import run_dir
from kkoracle.demo.plan import DemoPlan
from trainer.dataset.build import FOLDER
from trainer.dataset.rows import describe_valid
from trainer.evaluate.compare_records import HELD_OUT, TRAINED

POLL_S, PLAIN_S = 0.5, 5.0


def watch_generation(children: ChildProcesses, directory: Path) -> None:
    """Return when the daemon of the archive in `directory` has ended well.

    Raises:
        UserError: a child ended that should not have.
    """
    progress = _make_progress()
    bars = {name: progress.add_task(name, total=None, note="") for name in ("pages", "tasks")}
    next_plain = time.monotonic() + PLAIN_S
    with progress:
        while children.exit_code("daemon") is None:
            for name in ("newspaper", "worker"):
                if children.exit_code(name) is not None:
                    raise children.failure(name)
            line = _update_progress(progress, bars, directory)
            if not sys.stderr.isatty() and time.monotonic() >= next_plain:
                progress.console.print(line, highlight=False)
                next_plain = time.monotonic() + PLAIN_S
            time.sleep(POLL_S)
        _update_progress(progress, bars, directory)
    if children.exit_code("daemon") != 0:
        raise children.failure("daemon")


def spool_counters(directory: Path) -> dict[str, int]:
    """The spool's counters; {} while there is no spool."""
    try:
        spool = Spool.read(directory)
    except NotFound:  # or it is being made this very moment
        return {}
    try:
        return spool.counters()
    finally:
        spool.close()


def _make_progress() -> Progress:
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
    return Progress(
        TextColumn("{task.description:7}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    )


def _update_progress(progress: Progress, bars: dict[str, TaskID], directory: Path) -> str:
    pages, counters = read_counters(directory), spool_counters(directory)
    asked = sum(pages.get(f"pages.{state}", 0) for state in ("done", "failed", "left_out"))
    known = sum(count for name, count in pages.items() if name.startswith("pages."))
    closed = counters.get("tasks.done", 0) + counters.get("tasks.failed", 0)
    tasks = closed + open_tasks(counters)
    stories, kept = counters.get("stories", 0), counters.get("pairs.accepted", 0)
    progress.update(bars["pages"], completed=asked, total=known, note=f"{stories} stories")
    progress.update(bars["tasks"], completed=closed, total=tasks or None, note=f"{kept} pairs kept")
    return f"pages {asked}/{known}, stories {stories}, tasks {closed}/{tasks}, pairs kept {kept}"


def print_summary(directory: Path, plan: DemoPlan, seconds: dict[str, float]) -> None:
    """Print the figures of a finished demo from the files it left."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    archive = directory / "data" / "demo"
    console.print("\n[bold]== what came of it[/]")
    for name, text in summary_lines(archive, plan):
        console.print(f"[bold]{name:12}[/] ", end="")
        console.print(text, markup=False)
    times = ", ".join(f"{name} {format_duration(took)}" for name, took in seconds.items())
    console.print(f"[bold]{'time':12}[/] {format_duration(sum(seconds.values()))} ({times})")
    for name, path in (
        ("stories", archive / "spool.sqlite"),
        ("dataset", archive / "dataset"),
        ("adapter", run_dir(archive)),
        ("answers", run_dir(archive) / "compare.md"),
        ("messages", directory / "logs"),
    ):
        console.print(f"[bold]{name:12}[/] {path}")
    console.print(
        "Look around: `kkoracle status`, `kkoracle dashboard`, and `kkoracle evaluate` for proof "
        f"(a few minutes), in {directory}. For your own newspaper: `kkoracle init`."
    )


def summary_lines(archive: Path, plan: DemoPlan) -> list[tuple[str, str]]:
    """The figures as lines: a name and a sentence."""
    pages, spool = read_counters(archive), spool_counters(archive)
    rejected = {
        name.partition(".")[2]: count
        for name, count in spool.items()
        if name.startswith(("rejected.", "failed."))
    }
    reasons = ", ".join(
        f"{reason} {count}" for reason, count in sorted(rejected.items(), key=lambda item: -item[1])
    )
    tasks = spool.get("tasks.done", 0) + spool.get("tasks.failed", 0)
    run = _json(run_dir(archive) / "summary.json")
    compare = _json(run_dir(archive) / "compare.json")
    return [
        (
            "pages",
            f"{pages.get('pages.done', 0)} fetched, {pages.get('pages.failed', 0)} failed; "
            f"{pages.get('reason.left-out-section', 0)} TV listings left out",
        ),
        ("stories", f"{spool.get('stories', 0)} of the {plan.stories} printed"),
        ("chunks", f"{spool.get('chunks.live', 0)}, {tasks} given to the model"),
        ("pairs", f"{spool.get('pairs.accepted', 0)} kept; rejected or without a pair: {reasons}"),
        (
            "loss",
            f"taught rows {_change(run, 'taught')}, {describe_valid(archive / FOLDER)} "
            f"{_change(run, 'valid')} (per token, before -> after)",
        ),
        *((f"{part['group']}", _exact_shares(part)) for part in compare.get("shares", [])),
    ]


_ASKED = {TRAINED: "of taught rows", HELD_OUT: "of stories never taught"}


def _exact_shares(part: dict[str, Any]) -> str:
    return (
        f"{part['rows']} questions {_ASKED.get(part['group'], '')}: "
        f"{part['base_exact']:.0%} -> {part['tuned_exact']:.0%} of answers exact, "
        f"loss {part['base_loss']:.2f} -> {part['tuned_loss']:.2f} (base -> tuned)"
    )


def _change(run: dict[str, Any], name: str) -> str:
    return f"{_number(run, name + '_before')} -> {_number(run, name + '_after')}"


def _number(found: dict[str, Any], key: str) -> str:
    value = found.get(key)
    return f"{value:.3f}" if isinstance(value, int | float) else "?"


def _json(path: Path) -> dict[str, Any]:
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
