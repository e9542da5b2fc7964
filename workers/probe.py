"""`kkoracle work --probe`: generate a few open tasks, show them, and say how long all would take.

Nothing is written to the spool or to Redis; the tasks stay open. They are drawn by their ids, which
are hashes, so they are a fair sample and the same ones every time.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from exchange.display import format_duration, format_moments, format_range, progress_bar
from exchange.errors import OK, STOPPED, NotEnoughData
from exchange.inference.engine import Engine
from exchange.inference.speech import hear
from exchange.project import Project
from exchange.records import TOO_LONG, Completion, Pair, Result, Task
from exchange.settings import Config, PersonaSettings
from exchange.store.spool import Spool, open_tasks
from exchange.store.tasks import load_tasks
from workers.estimate import GenerationProbe, ProbedTask, save_figures
from workers.request_builder import RequestBuilder, share_prefix
from workers.verify.step import ROUND_TRIP

if TYPE_CHECKING:
    from rich.console import Console

SAMPLE_TASKS = 20  # enough to see what the pairs are like; their mean length is known to about 10 %
FORMLESS = ": this model does not follow the prompt; try another, or a prompt of your own"
NARROWEST = 60  # columns; below, two texts side by side cannot be read


def sample_tasks(
    directory: Path, archive: str, count: int = SAMPLE_TASKS
) -> tuple[list[Task], int]:
    """Open tasks to try, and how many there are.

    Raises:
        UserError: nothing was crawled yet, or no task is open.
    """
    spool = Spool.read(directory)
    try:
        where = "t.state IN ('new','queued') ORDER BY t.id LIMIT ?"
        tasks = list(load_tasks(spool, archive, where, (count,)))
        total = open_tasks(spool.counters())
    finally:
        spool.close()
    if not tasks:
        raise NotEnoughData(
            f"no task of {archive} is open: crawl more of it first (`kkoracle crawl {archive}`), "
            "or change [work] prompt or [model] and crawl again"
        )
    return sorted(tasks, key=lambda task: len(task.text)), total


def run_probe(
    engine: Engine,
    builder: RequestBuilder,
    tasks: list[Task],
    total: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> GenerationProbe:
    """Generate them all, as a worker does; Ctrl-C keeps what is finished."""
    probe = GenerationProbe(len(tasks), total, engine.describe())
    started = time.perf_counter()
    try:
        waiting = {}
        for task in tasks:
            try:
                waiting[builder.submit(engine, task)] = task
            except ValueError:
                failed = Result(task.id, task.archive, failed=TOO_LONG)
                probe.tried.append(ProbedTask(task, failed, 0.0))
        while waiting:
            for finished in engine.step():
                task = waiting.pop(finished.ticket)
                reply, tickets = builder.advance(engine, finished)
                waiting.update(dict.fromkeys(tickets, task))
                if reply is not None:
                    result, _ = builder.result(reply)
                    probe.tried.append(ProbedTask(task, result, reply.seconds))
                    probe.seconds = time.perf_counter() - started
                    progress(len(probe.tried), len(tasks))
    except KeyboardInterrupt:
        probe.stopped = True
    return probe


def run_command(project: Project, configs: Sequence[Config], *, as_json: bool) -> int:
    """Probe with each of these settings in turn and print what came; returns the exit code."""
    archive = project.archive()
    tasks, total = sample_tasks(project.archive_dir(), archive)
    logging.getLogger("workers").setLevel(logging.INFO)
    found: list[GenerationProbe] = []
    for config in configs:
        one = _probe_model(project, config, tasks, total)
        found.append(one)
        if as_json:
            sys.stdout.write(orjson.dumps(one.to_dict()).decode() + "\n")
        else:
            print_probe(one, archive, datetime.now())
        if one.stopped:
            return STOPPED
    save_figures(project.archive_dir(), found[0])
    if len(found) > 1 and not as_json:
        print_side_by_side(found)
    return OK


def _probe_model(
    project: Project, config: Config, tasks: list[Task], total: int
) -> GenerationProbe:
    from workers.open_engine import hold_gpu_share, open_engine
    from workers.settings import WorkSettings, prompt_registry

    work = config.table("work", WorkSettings)
    persona = config.table("persona", PersonaSettings)
    prompts = prompt_registry(config)
    language = project.language()
    prompt = prompts.prompt("chunk", language)
    with hold_gpu_share(config, work), closing(open_engine(config, work)) as engine:
        heard = hear(engine, language, [task.text for task in tasks])
        share_prefix(engine, prompt, persona.system)
        builder = RequestBuilder(work, prompts, engine.describe())
        with progress_bar("tasks tried") as progress:
            found = run_probe(engine, builder, tasks, total, progress)
    found.speech = heard
    return found


def print_side_by_side(found: Sequence[GenerationProbe]) -> None:
    """One line a model, all tried on the same tasks."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "model", "form", "kept", "read back", "tokens/s", "all open tasks", box=None, pad_edge=False
    )
    for probe in found:
        again = [score for score in map(_round_trip, probe.accepted) if score is not None]
        fast, slow = (3600 * hours for hours in probe.hours_left)
        table.add_row(
            probe.description.model,
            f"{probe.with_form} of {len(probe.tried)}",
            f"{len(probe.accepted)} of {probe.pairs}",
            f"{sum(again) / len(again):.0%}" if again else "(--verify)",
            f"{probe.tokens_per_s:,.0f}",
            format_range((fast, slow)),
        )
    Console(highlight=False).print(table)


def _round_trip(pair: Pair) -> float | None:
    return pair.scores.get(ROUND_TRIP)


def print_probe(found: GenerationProbe, archive: str, now: datetime) -> None:
    """The tasks one after the other, then the figures."""
    from rich.console import Console

    console = Console(highlight=False)
    for number, tried in enumerate(found.tried, start=1):
        _show_task(console, number, tried)
    for line in summary_lines(found, archive, now):
        console.print(line, markup=False)


def summary_lines(found: GenerationProbe, archive: str, now: datetime) -> list[str]:
    """The figures, a line each."""
    about = found.description
    lines = [
        f"{about.model} ({about.engine}, {about.quantisation}, width {about.width})",
        f"{len(found.tried)} of {found.asked} tasks in {format_duration(found.seconds)}"
        + (" (stopped)" if found.stopped else ""),
    ]
    if found.speech:
        lines.append(f"the model: {found.speech}")
    if not found.seconds:
        return [*lines, "nothing was finished, so nothing can be estimated"]
    (slow, fast), each = found.tasks_per_h, found.pairs_per_task
    left = (3600 * found.hours_left[0], 3600 * found.hours_left[1])
    at = now.timestamp()
    ends = format_moments(at + left[0], at + left[1], at)
    judged = ", ".join(f"{name} {count}" for name, count in found.verdicts.items())
    return [
        *lines,
        f"{found.with_form} of {len(found.tried)} replies had the form that was asked for"
        + ("" if 2 * found.with_form >= len(found.tried) else FORMLESS),
        f"as the checks judged: {judged}",
        f"{found.tokens_per_s:,.0f} tokens a second; {each:.1f} pairs kept a task",
        f"{slow:,.0f} to {fast:,.0f} tasks an hour, {slow * each:,.0f} to {fast * each:,.0f} pairs",
        f"all {found.open:,} open tasks of {archive}: {format_range(left)}, done {ends}",
        "(the first figure as measured, though a small sample lets the batch run empty at its "
        "end; the second with a full batch)",
    ]


def _show_task(console: Console, number: int, tried: ProbedTask) -> None:
    from rich.rule import Rule
    from rich.table import Table
    from rich.text import Text

    completion = tried.result.completion
    title = f"{number}. {tried.task.kind} {tried.task.id}"
    console.print(Rule(Text(title), align="left", style="dim"))
    reply = (completion.text if completion else "") or f"(nothing: {tried.result.failed})"
    request = f"{tried.task.header}\n{tried.task.text}".strip()
    if console.width < NARROWEST:
        console.print(Text(request), Text(reply, "dim"), sep="\n")
    else:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(ratio=1)
        table.add_column(ratio=1)
        table.add_row(Text("chunk", "bold"), Text(_completion_title(completion), "bold"))
        table.add_row(Text(request), Text(reply))
        console.print(table)
    for pair in tried.result.pairs:
        kept = pair.status == "accepted"
        verdict = Text(pair.kind if kept else pair.reason, "green" if kept else "yellow")
        mark = Text("+ " if kept else "- ", "green" if kept else "yellow")
        console.print(mark + verdict + Text(f": {pair.question} {pair.answer}"))
    if not tried.result.pairs:
        console.print(Text(f"- {tried.result.failed or 'no pair'}", "yellow"))
    console.print()


def _completion_title(completion: Completion | None) -> str:
    if completion is None:
        return "completion"
    return (
        f"completion ({completion.tokens_in} tokens in, {completion.tokens_out} out, "
        f"{completion.finish_reason})"
    )
