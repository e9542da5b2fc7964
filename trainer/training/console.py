"""What a person sees of a training run: the plan, its progress, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from exchange.display import format_bytes, format_duration, format_moment
from exchange.project import DEFAULT_RUN
from trainer.console import ProgressScreen, one_line
from trainer.training.callbacks import (
    ASKING,
    Callback,
    KnownMetrics,
    SampleAnswer,
    StepMetrics,
    ValidationMetrics,
)
from trainer.training.curriculum import ROUNDS
from trainer.training.plan import PreflightPlan, RunPlan
from trainer.training.runs import UNLEARNED, RunSummary, TrainingRun


class TrainingScreen(ProgressScreen, Callback):
    """Shows a run on a console; use it as a context."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._steps = 0
        self._tokens_per_s = 0.0
        self._started = (0.0, 0)  # when, and after which step
        self._asked: tuple[float, int] | None = None  # when asking began, and after how many rows
        self._forecast: list[tuple[str, str]] = []

    def on_forecast(self, preflight: PreflightPlan) -> None:
        """See `Callback`. Shown with the plan; what had to be changed is printed at once."""
        self._forecast = forecast_lines(preflight, datetime.now())
        for reason in preflight.reasons:
            self._bars.console.print(f"[yellow]note:[/] {escape(reason)}", soft_wrap=True)

    def on_train_begin(self, plan: RunPlan, resumed_at: int) -> None:
        """See `Callback`."""
        self._steps = plan.steps
        self._started = (time.monotonic(), resumed_at)
        self.console.print(plan_table(plan, self._forecast))
        if plan.too_long:
            self.log(
                f"{plan.too_long} rows are longer than {plan.longest_allowed} tokens and "
                "are left out ([train] max_length)"
            )
        if resumed_at:
            self.log(f"going on after step {resumed_at} of {plan.steps}")

    def on_progress(self, what: str, done: int, total: int) -> None:
        """See `ProgressCallback`. What may take hours says how fast it is and how long it takes."""
        if what != ASKING or done >= total:
            super().on_progress(what, done, total)
            return
        now = time.monotonic()
        began, before = self._asked = self._asked or (now, done)
        if now == began:
            return
        pace = (done - before) / (now - began)
        left = f"  {format_duration((total - done) / pace)} left" if pace else ""
        self.show_progress(what, done, total, f"{pace:,.1f} rows/s", left)

    def on_step(self, step: StepMetrics) -> None:
        """See `Callback`. The speed is smoothed over about ten steps."""
        last = self._tokens_per_s or step.speed
        self._tokens_per_s = 0.9 * last + 0.1 * step.speed
        detail = f"loss {step.loss:.3f}  {self._tokens_per_s:,.0f} tokens/s"
        if step.preferred is not None:
            detail += f"  right answer likelier in {step.preferred:.0%} of the pairs"
        left = self._time_left(step.step)
        self.show_progress("training", step.step, self._steps, detail, left)

    def on_validation(self, validation: ValidationMetrics) -> None:
        """See `Callback`."""
        self._bars.console.print(
            f"step {validation.step}: validation loss {validation.valid_loss:.4f} "
            f"({validation.bits:.3f} bits per character)"
            + (", the best so far" if validation.best and validation.step else "")
        )

    def on_known(self, known: KnownMetrics) -> None:
        """See `Callback`."""
        self._bars.console.print(
            f"epoch {known.epoch:.0f}: {known.known:,} of {known.facts:,} facts known "
            f"({known.known / known.facts:.1%}); {known.learned:,} new, {known.lost:,} lost"
        )

    def on_samples(self, answers: Sequence[SampleAnswer]) -> None:
        """See `Callback`. One of each split: the others are in samples.jsonl."""
        for split in ("train", "valid"):
            first = next((one for one in answers if one.split == split), None)
            if first:
                self._bars.console.print(
                    f"  [dim]{split}[/dim] {one_line(first.question)} [dim]->[/dim] "
                    f"{one_line(first.answer)}"
                )

    def _time_left(self, step: int) -> str:
        started, first = self._started
        if not first < step < self._steps:
            return ""
        seconds = (time.monotonic() - started) / (step - first) * (self._steps - step)
        return f"  {format_duration(seconds)} left"


def plan_table(plan: RunPlan, forecast: Sequence[tuple[str, str]] = ()) -> Table:
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
        ("activation cache", _cache_note(plan)),
        *(
            [("teacher", f"{plan.teacher_rows:,} rows; {format_bytes(plan.teacher_bytes)}")]
            if plan.teacher_rows
            else []
        ),
        *([("pairs", f"{plan.pairs:,} inventions are rejected")] if plan.pairs else []),
        *forecast,
    ):
        table.add_row(name, value)
    return table


def _cache_note(plan: RunPlan) -> str:
    """Whether the frozen layers are computed once, and what it costs that they are not."""
    size = format_bytes(plan.cache_bytes)
    if plan.cached:
        return f"{size}; saves about {plan.cache_saves:.0%} of an epoch's computing"
    if plan.layers < plan.all_layers and not plan.cache_bytes:
        return "off: the layers of this model cannot be run apart"
    if plan.layers < plan.all_layers:
        return (
            f"off; {size} of disk would save about {plan.cache_saves:.0%} of an epoch's computing"
        )
    # Half the layers cost a half forward and a half backward, once the others are kept.
    return "off: every layer is tuned; an epoch of only the upper half would cost about half"


def forecast_lines(preflight: PreflightPlan, now: datetime) -> list[tuple[str, str]]:
    """The forecast for `plan_table`: names and values."""
    forecast, mode = preflight.forecast, preflight.mode
    end = now.timestamp() + forecast.ahead.seconds
    ahead, whole = forecast.ahead, forecast.total
    energy = f"{forecast.kwh:.2g}" if forecast.kwh >= 0.01 else "under 0.01"
    rows = {
        "memory": f"{format_bytes(forecast.peak_bytes)} at the peak, "
        f"{format_bytes(forecast.limit_bytes)} may be "
        f"used; the whole process {format_bytes(forecast.process_bytes)}",
        "time": f"{format_duration(ahead.seconds)} at most, until "
        f"{format_moment(end, now.timestamp())} "
        f"({preflight.tokens_per_s:,.0f} tokens/s)",
        "processor time": f"{format_duration(ahead.cpu_s)}; {format_duration(whole.cpu_s)} with "
        "what was spent so far",
        "energy": f"{energy} kWh at {forecast.watts:g} W",
        "disk": f"{format_bytes(forecast.disk_bytes)} at most",
    }
    if mode.checkpoint:
        rows["activations"] = "computed twice"
    if mode.parts > 1:
        rows["each batch"] = f"in {mode.parts} parts"
    if preflight.model:
        rows["tuned instead"] = (
            f"{preflight.model}: give --model with it to the commands that follow"
        )
    return list(rows.items())


Point = tuple[int, float]  # step, loss
TRAIN, VALID = "·", "o"


def plot_losses(
    train: Sequence[Point], valid: Sequence[Point], width: int = 64, height: int = 10
) -> str:
    """A small plot: train as a mean per column, validations as rings; "" without a point.

    Args:
        width: columns of the plot, its axis not counted.
    """
    if not train and not valid:
        return ""
    last = max(step for step, _ in [*train, *valid])
    columns = [(step * (width - 1) // max(1, last), loss) for step, loss in train]
    means: dict[int, float] = {}
    for column in sorted({column for column, _ in columns}):
        losses = [loss for at, loss in columns if at == column]
        means[column] = sum(losses) / len(losses)
    rings = [(step * (width - 1) // max(1, last), loss) for step, loss in valid]
    values = [*means.values(), *(loss for _, loss in rings)]
    low, high = min(values), max(values)
    grid = [[" "] * width for _ in range(height)]
    for mark, points in ((TRAIN, list(means.items())), (VALID, rings)):
        for column, loss in points:
            part = (high - loss) / (high - low) if high > low else 0.0
            grid[round(part * (height - 1))][column] = mark
    labels = {0: f"{high:.2f}", height - 1: f"{low:.2f}"}
    lines = [
        f"{labels.get(number, ''):>7} |{''.join(row).rstrip()}" for number, row in enumerate(grid)
    ]
    lines.append(" " * 8 + "+" + "-" * width)
    lines.append(f"{'':9}step 0{f'step {last}':>{width - 6}}")
    lines.append(f"{'':9}{TRAIN} training loss   {VALID} validation loss (nats per answer token)")
    return "\n".join(lines)


def print_summary(
    console: Console, run: TrainingRun, summary: RunSummary, valid: str, behind: str
) -> None:
    """The end of a run: its curve, its losses, where things are.

    Args:
        valid: what the rows are that it was validated on.
        behind: see `Project.archive_words`.
    """
    console.print(
        plot_losses(*run.metrics(), width=max(20, min(80, console.width - 12))), markup=False
    )
    console.print(
        f"validation loss ({valid}) {summary.valid_before:.4f} -> {summary.valid_after:.4f} "
        f"({summary.bits_before:.3f} -> {summary.bits_after:.3f} bits per character; "
        f"best {summary.best_loss:.4f} at step {summary.best_step}), "
        f"on taught rows {summary.taught_before:.4f} -> {summary.taught_after:.4f}",
        soft_wrap=True,
    )
    if summary.facts:
        console.print(
            f"{summary.known:,} of {summary.facts:,} facts known "
            f"({summary.known / summary.facts:.1%}); "
            f"{summary.unlearned:,} could not be taught in {ROUNDS} rounds or more"
            + (f": {run.folder / UNLEARNED}" if summary.unlearned else ""),
            soft_wrap=True,
        )
    if summary.early:
        what, where = (
            ("the share of known facts has not grown", "")
            if summary.facts
            else ("validation has not become better", "; the best state is in best/")
        )
        console.print(
            f"ended early: {what} for as long as [train] patience allows{where}", soft_wrap=True
        )
    console.print(
        f"{summary.steps:,} steps, {summary.tokens:,} tokens in {format_duration(summary.seconds)} "
        f"({summary.tokens / max(summary.seconds, 1e-9):,.0f} tokens/s), "
        f"peak memory {format_bytes(summary.peak_bytes)}"
    )
    named = behind if run.name == DEFAULT_RUN else f"{behind} --name {run.name}"
    console.print(f"adapter in {run.folder}; next: `kkoracle evaluate{named}`", soft_wrap=True)
