"""What a person sees of a run: bars on a terminal, plain lines where there is none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from trainer.dataset import Manifest
from trainer.evaluate.compare_records import BaseTunedComparison
from trainer.training.callbacks import (
    Callback,
    RunPlan,
    SampleAnswer,
    StepMetrics,
    ValidationMetrics,
)
from trainer.training.console import forecast_lines, plot_losses
from trainer.training.preflight.plan import PreflightPlan
from trainer.training.runs import RunSummary, TrainingRun

# Bars on a console that live as long as a context, and lines that are said above them.


class ProgressScreen:
    """The part that all screens share; who inherits it makes the bars."""

    _bars: Progress

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        """See `Callback`."""
        self._bars.console.print(f"[dim]{escape(text)}[/dim]")


PLAIN_EVERY_S = 10.0  # seconds between two lines where nobody watches a bar


class TrainingScreen(ProgressScreen, Callback):
    """Shows a run on a console; use it as a context."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._said = 0.0
        self._steps = 0
        self._speed = 0.0
        self._started = (0.0, 0)
        self._foreseen: list[tuple[str, str]] = []

    def report(self, what: str, done: int, total: int) -> None:
        """Any work with a count; `total` 0 where nobody knows it."""
        self._bar(what, done, total)

    def encoding(self, done: int, total: int) -> None:
        """See `Callback`."""
        self._bar("encoding", done, total)

    def caching(self, done: int, total: int) -> None:
        """See `Callback`."""
        self._bar("computing the frozen layers", done, total)

    def validating(self, done: int, total: int) -> None:
        """See `Callback`."""
        self._bar("validating", done, total)

    def answering(self, done: int, total: int) -> None:
        """See `Callback`."""
        self._bar("answering", done, total)

    def foreseen(self, ready: PreflightPlan, plan: RunPlan) -> None:
        """See `Callback`. Shown with the plan; what had to be changed is said at once."""
        self._foreseen = list(forecast_lines(ready, datetime.now()))
        for reason in ready.reasons:
            self._bars.console.print(f"[yellow]note:[/] {escape(reason)}", soft_wrap=True)

    def planned(self, plan: RunPlan, resumed_at: int) -> None:
        """See `Callback`."""
        self._steps = plan.steps
        self._started = (time.monotonic(), resumed_at)
        self.console.print(plan_table(plan, self._foreseen))
        if plan.too_long:
            self.note(
                f"{plan.too_long} rows are longer than {plan.longest_allowed} tokens and "
                "are left out ([train] max_length)"
            )
        if resumed_at:
            self.note(f"going on after step {resumed_at} of {plan.steps}")

    def on_step(self, step: StepMetrics) -> None:
        """See `Callback`. The speed is smoothed over about ten steps."""
        self._speed = step.speed if not self._speed else 0.9 * self._speed + 0.1 * step.speed
        said = f"loss {step.loss:.3f}  {self._speed:,.0f} tokens/s"
        self._bar("training", step.step, self._steps, said)

    def validated(self, validation: ValidationMetrics) -> None:
        """See `Callback`."""
        self._bars.console.print(
            f"step {validation.step}: validation loss {validation.valid_loss:.4f} "
            f"({validation.bits:.3f} bits per character)"
            + (", the best so far" if validation.best and validation.step else "")
        )

    def answered(self, answers: list[SampleAnswer]) -> None:
        """See `Callback`. One of each split: the others are in samples.jsonl."""
        for split in ("train", "valid"):
            first = next((one for one in answers if one.split == split), None)
            if first:
                self._bars.console.print(
                    f"  [dim]{split}[/dim] {_short(first.question)} [dim]->[/dim] "
                    f"{_short(first.answer)}"
                )

    def _bar(self, name: str, done: int, total: int, said: str = "") -> None:
        if self.console.is_terminal:
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=total, said="")
            self._bars.update(self._tasks[name], completed=done, total=total, said=said)
            if done >= total and name != "training":
                self._bars.remove_task(self._tasks.pop(name))
            return
        if time.monotonic() - self._said >= PLAIN_EVERY_S or (done == total and said):
            self._said = time.monotonic()
            self.console.print(f"{name} {done}/{total} {said}{self._left(name, done, total)}")

    def _left(self, name: str, done: int, total: int) -> str:
        """The time still needed, in words, for plain lines."""
        began, first = self._started
        if name != "training" or done <= first or done >= total:
            return ""
        seconds = (time.monotonic() - began) / (done - first) * (total - done)
        return f"  {seconds / 60:.0f} min left" if seconds > 90 else f"  {seconds:.0f} s left"


def plan_table(plan: RunPlan, foreseen: Sequence[tuple[str, str]] = ()) -> Table:
    """The derived numbers, before the long work starts."""
    table = Table(title="This run", show_header=False, title_justify="left")
    for name, value in (
        ("rows to train on, to validate", f"{plan.train_rows:,}, {plan.valid_rows:,}"),
        ("tokens an epoch", f"{plan.tokens:,} ({plan.targets:,} of them answers)"),
        ("padding", f"{plan.padding:.1%}"),
        ("longest row", f"{plan.longest:,} tokens"),
        ("epochs, steps", f"{plan.epochs}, {plan.steps:,}"),
        (
            "trainable parameters",
            f"{plan.trainable:,} of {plan.parameters:,} ({plan.trainable / plan.parameters:.1%})",
        ),
        ("layers tuned", f"{plan.layers} of {plan.all_layers}"),
        ("trunk cache", _trunk(plan)),
        *foreseen,
    ):
        table.add_row(name, value)
    return table


def _trunk(plan: RunPlan) -> str:
    """Whether the frozen layers are computed once, and what it costs that they are not."""
    size = f"{plan.trunk_bytes / 1e9:.2f} GB"
    if plan.trunk:
        return f"{size}; saves about {plan.trunk_saves:.0%} of an epoch's computing"
    if plan.layers < plan.all_layers and not plan.trunk_bytes:
        return "off: this model cannot be taken apart below its tuned layers"
    if plan.layers < plan.all_layers:
        return (
            f"off; {size} of disk would save about {plan.trunk_saves:.0%} of an epoch's computing"
        )
    # Half the layers cost a half forward and a half backward, once the others are kept.
    return "off: every layer is tuned; an epoch of only the upper half would cost about half"


def manifest_table(manifest: Manifest) -> Table:
    """What a dataset holds."""
    table = Table(title=f"Dataset of {manifest.archive} ({manifest.sha})", title_justify="left")
    for name in ("split", "rows", "stories", "clusters", "characters"):
        table.add_column(name, justify="left" if name == "split" else "right")
    for split, counts in manifest.splits.items():
        table.add_row(
            split, *(f"{counts[key]:,}" for key in ("rows", "stories", "clusters", "characters"))
        )
    return table


def comparison_table(comparison: BaseTunedComparison, rows: int = 10) -> Table:
    """The first questions of each group, base beside tuned."""
    table = Table(title="Base and tuned", title_justify="left", show_lines=True)
    for name in ("", "question", "reference", "base", "tuned"):
        table.add_column(name, overflow="fold")
    for group in dict.fromkeys(row.group for row in comparison.rows):
        for row in [row for row in comparison.rows if row.group == group][:rows]:
            style = "[green]" if row.tuned_exact else ""
            table.add_row(
                row.group,
                _short(row.question),
                _short(row.reference),
                _short(row.base),
                style + _short(row.tuned),
            )
    return table


def share_table(comparison: BaseTunedComparison) -> Table:
    """Shares of exact answers, overlap and loss, by group."""
    table = Table(title="Shares, base -> tuned", title_justify="left")
    for name in ("questions", "number", "exact", "overlap", "loss"):
        table.add_column(name, justify="left" if name == "questions" else "right")
    for s in comparison.shares:
        table.add_row(
            s.group,
            str(s.rows),
            f"{s.base_exact:.0%} -> {s.tuned_exact:.0%}",
            f"{s.base_overlap:.2f} -> {s.tuned_overlap:.2f}",
            f"{s.base_loss:.3f} -> {s.tuned_loss:.3f}",
        )
    return table


def print_summary(console: Console, run: TrainingRun, summary: RunSummary) -> None:
    """The end of a run: its curve, its losses, where things are."""
    console.print(
        plot_losses(*run.metrics(), width=max(20, min(80, console.width - 12))), markup=False
    )
    console.print(
        f"validation loss {summary.valid_before:.4f} -> {summary.valid_after:.4f} "
        f"({summary.bits_before:.3f} -> {summary.bits_after:.3f} bits per character; "
        f"best {summary.best_loss:.4f} at step {summary.best_step}), "
        f"on taught rows {summary.taught_before:.4f} -> {summary.taught_after:.4f}"
    )
    if summary.early:
        console.print(
            "ended early: validation has not become better for as long as [train] "
            "patience allows; the best state is in best/",
            soft_wrap=True,
        )
    console.print(
        f"{summary.steps:,} steps, {summary.tokens:,} tokens in {summary.seconds:,.0f} s "
        f"({summary.tokens / max(summary.seconds, 1e-9):,.0f} tokens/s), "
        f"peak memory {summary.peak_bytes / 1e9:.2f} GB"
    )
    console.print(f"adapter in {run.folder}", soft_wrap=True)


def _short(text: str, longest: int = 160) -> str:
    """One line that is safe to print: no control characters, no markup."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return escape(line if len(line) <= longest else line[: longest - 1] + "…")
