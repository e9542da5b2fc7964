"""What a person sees of a demo: crawl and generation while they run, and what came of it all."""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from crawler.status.report import read_counters
from exchange.display import format_duration
from exchange.errors import NotFound
from exchange.machine import typed_program
from exchange.project import run_dir
from exchange.store.spool import Spool, open_tasks
from kkoracle.children import ChildProcesses
from kkoracle.demo.newspaper.vocabulary import read_glosses
from kkoracle.demo.plan import DemoPlan
from trainer.dataset.build import FOLDER
from trainer.dataset.rows import describe_valid
from trainer.evaluate.compare_records import HELD_OUT, TRAINED

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

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


WIDTH, NAME_WIDTH = 80, 12  # columns of the summary, and of the names at its left
STATUS = "one screen: how far, how fast, what needs you"
SHOWN_REASONS = 3  # of rejections; `status --json` has all


def print_summary(directory: Path, plan: DemoPlan, seconds: dict[str, float]) -> None:
    """Print the figures of a finished demo from the files it left, and what to type next."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    archive = directory / "data" / "demo"
    times = ", ".join(f"{name} {format_duration(took)}" for name, took in seconds.items())
    lines = [
        *summary_lines(archive, plan),
        *example_lines(directory),
        ("time", f"{format_duration(sum(seconds.values()))} ({times})"),
        ("files", f"in {_from_here(directory)}"),
        ("", f"{(archive / 'spool.sqlite').relative_to(directory)}: stories, chunks, pairs"),
        ("", f"{(archive / FOLDER).relative_to(directory)}: what was taught, what was held out"),
        ("", f"{run_dir(archive).relative_to(directory)}: the adapter; compare.md: all answers"),
        ("", "logs: what each process said"),
    ]
    for name, text in lines:
        folded = textwrap.wrap(text, WIDTH - NAME_WIDTH - 1, break_on_hyphens=False)
        for number, line in enumerate(folded):
            console.print(f"[bold]{'' if number else name:{NAME_WIDTH}}[/] ", end="")
            console.print(line, markup=False)
    program, folder = typed_program(directory), _from_here(directory)
    console.print("\n[bold]Next[/], as it is typed here:")
    for command, about in (
        (f"cd {folder}", ""),
        (f"{program} status", STATUS),
        (f"{program} evaluate", "is it worth having? a few minutes, one page"),
        (f"{program} ui", "all of it in a browser"),
    ):
        console.print(f"  {command}{about and f'  # {about}'}", markup=False)
    console.print("For your own newspaper, in a folder of its own:")
    learn = "archive learn https://paper.example --contact you@example.org"
    console.print(f"  {typed_program(None)} {learn}", markup=False)


def _from_here(path: Path) -> str:
    """A path as it is typed in this folder: the shorter of its two forms."""
    return shlex.quote(min(os.path.relpath(path), str(path), key=len))


def example_lines(directory: Path) -> list[tuple[str, str]]:
    """A taught question and one of a story that was held out, each with what was answered."""
    glosses = read_glosses()
    truth = _json(directory / "truth.json").get("stories", [])
    frames = {
        asked: fact["frame"]
        for story in truth
        for fact in story["facts"]
        for asked in (fact["question"], *fact["rephrasings"])
    }
    rows = _json(run_dir(directory / "data" / "demo") / "compare.json").get("rows", [])
    lines, shown = [], ""
    for group, name in ((TRAINED, "taught"), (HELD_OUT, "not taught")):
        known = [row for row in rows if row["group"] == group and row["question"] in frames]
        known.sort(key=lambda row: (frames[row["question"]] == shown, not row["tuned_exact"]))
        for row in known[:1]:
            shown = frames[row["question"]]
            lines.append((name, row["question"]))
            if gloss := glosses.get(shown):
                lines.append(("", f"({gloss})"))
            answers = f"Base: {row['base']} Tuned: {row['tuned']} Printed: {row['reference']}"
            lines.append(("", answers))
    return lines


def summary_lines(archive: Path, plan: DemoPlan) -> list[tuple[str, str]]:
    """The figures as lines: a name and a sentence."""
    pages, spool = read_counters(archive), spool_counters(archive)
    rejected = {
        name.partition(".")[2]: count
        for name, count in spool.items()
        if name.startswith(("rejected.", "failed."))
    }
    reasons = sorted(rejected.items(), key=lambda item: -item[1])
    said = ", ".join(f"{reason} {count}" for reason, count in reasons[:SHOWN_REASONS])
    if len(reasons) > SHOWN_REASONS:
        said += f", {len(reasons) - SHOWN_REASONS} more (docs/reference.md has them all)"
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
        ("chunks", f"{spool.get('chunks.live', 0)}; the model was given {tasks} tasks about them"),
        (
            "pairs",
            f"{spool.get('pairs.accepted', 0)} kept, {sum(rejected.values())} rejected or none: "
            f"{said}",
        ),
        (
            "loss",
            f"per token, before -> after: taught rows {_change(run, 'taught')}, "
            f"{describe_valid(archive / FOLDER)} {_change(run, 'valid')}",
        ),
        *((f"{part['group']}", _exact_shares(part)) for part in compare.get("shares", [])),
    ]


_ASKED = {TRAINED: "of taught rows", HELD_OUT: "of stories never taught"}


def _exact_shares(part: dict[str, Any]) -> str:
    return (
        f"{part['rows']} questions {_ASKED.get(part['group'], '')}, base -> tuned: "
        f"{part['base_exact']:.0%} -> {part['tuned_exact']:.0%} of answers exact, "
        f"loss {part['base_loss']:.2f} -> {part['tuned_loss']:.2f}"
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
