"""`kkoracle work --probe`: what a person sees of it."""

from __future__ import annotations

import logging
import sys
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

from exchange.display import format_moments, format_range, progress_bar
from exchange.errors import OK, STOPPED
from exchange.inference.engine import PrefixSharing
from exchange.project import Project
from exchange.records import Completion
from exchange.settings import Config, PersonaSettings
from workers.probe import trial
from workers.probe.trial import GenerationProbe, ProbedTask

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST = 60  # columns; below, two texts side by side cannot be read


def run_command(project: Project, config: Config, *, as_json: bool) -> int:
    """Run the probe and print it; returns the exit code."""
    from workers import recipe
    from workers.open_engine import hold_gpu_share, open_engine
    from workers.request_builder import RequestBuilder
    from workers.settings import WorkSettings

    archive = project.archive()
    tasks, total = trial.sample_tasks(project.archive_dir(), archive)
    work = config.table("work", WorkSettings)
    persona = config.table("persona", PersonaSettings)
    prompts = recipe.prompt_registry(config)
    prompt = prompts.prompt("chunk", persona.language)
    logging.getLogger("workers").setLevel(logging.INFO)
    with hold_gpu_share(config, work), closing(open_engine(config, work)) as engine:
        if isinstance(engine, PrefixSharing):
            engine.share_prefix(*(prompt.messages(c, c, persona.system) for c in ("α", "1")))
        builder = RequestBuilder(work, prompts, engine.describe())
        with progress_bar("tasks tried") as progress:
            found = trial.run_probe(engine, builder, tasks, total, progress)
    trial.save_figures(project.archive_dir(), found)
    if as_json:
        import orjson

        sys.stdout.write(orjson.dumps(found.to_dict()).decode() + "\n")
    else:
        print_probe(found, archive, datetime.now())
    return STOPPED if found.stopped else OK


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
        f"{len(found.tried)} of {found.asked} tasks in {found.seconds:.1f} s"
        + (" (stopped)" if found.stopped else ""),
    ]
    if not found.seconds:
        return [*lines, "nothing was finished, so nothing can be estimated"]
    (slow, fast), each = found.tasks_per_h, found.pairs_per_task
    left = (3600 * found.hours_left[0], 3600 * found.hours_left[1])
    at = now.timestamp()
    ends = format_moments(at + left[0], at + left[1], at)
    return [
        *lines,
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
    said = (completion.text if completion else "") or f"(nothing: {tried.result.failed})"
    asked = f"{tried.task.header}\n{tried.task.text}".strip()
    if console.width < NARROWEST:
        console.print(Text(asked), Text(said, "dim"), sep="\n")
    else:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(ratio=1)
        table.add_column(ratio=1)
        table.add_row(Text("chunk", "bold"), Text(_completion_title(completion), "bold"))
        table.add_row(Text(asked), Text(said))
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
