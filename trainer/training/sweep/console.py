"""What a person sees of a search: one bar over all tries, then a table of them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from trainer.console import ProgressScreen
from trainer.evaluate.statistics import paired_difference
from trainer.training.sweep.search import SweepCallback, SweepResult
from trainer.training.sweep.search_space import SweepPlan, SweepRound
from trainer.training.sweep.trials import Trial

DRIFTED = -0.005  # an exponent so small moves nothing


class SweepScreen(ProgressScreen, SweepCallback):
    """Shows a search on a console; use it as a context."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("trying", total=1.0)

    def began(self, plan: SweepPlan, rates: Sequence[float], done: int) -> None:
        """See `SweepCallback`."""
        rounds = ", then ".join(
            f"{one.tries} rates on {one.rows:,} rows ({one.steps:,} steps each)"
            for one in plan.rounds
        )
        self.console.print(
            f"{len(rates)} rates from {rates[0]:g} to {rates[-1]:g}; {rounds}: {plan.share:.1%} of "
            f"the steps of {len(rates)} runs of {plan.full_steps:,}"
        )
        if done:
            self.note(f"going on after {done} tries")

    def trying(self, number: int, of: int, rate: float, part: SweepRound) -> None:
        """See `SweepCallback`."""
        self._bars.update(self._task, description=f"try {number} of {of}: {rate:g}")

    def moved(self, share: float) -> None:
        """See `SweepCallback`."""
        self._bars.update(self._task, completed=share)

    def tried(self, one: Trial) -> None:
        """See `SweepCallback`."""
        said = "diverged" if one.diverged else f"loss {one.loss:.4f}"
        self._bars.console.print(
            f"rate {one.rate:g} on {one.rows:,} rows: {said} ({one.seconds:.0f} s)"
        )


def trials_table(found: SweepResult) -> Table:
    """All tries; how much worse each is than the best of its round, paired by row."""
    shown = Table(title="Tries", title_justify="left")
    for name in ("rows", "steps", "rate", "loss", "worse than the best by", "±"):
        shown.add_column(name, justify="right")
    for number, clusters in enumerate(found.clusters):
        tries = sorted(
            (one for one in found.tries if one.round == number), key=lambda one: one.rate
        )
        best = min(tries, key=lambda one: one.loss)
        for one in tries:
            style = "[bold]" if one is best else ""
            cells = [f"{one.rows:,}", f"{one.steps:,}", f"{style}{one.rate:g}"]
            if one.diverged:
                shown.add_row(*cells, "diverged", "", "")
                continue
            paired = None if one is best else paired_difference(one.losses, best.losses, clusters)
            worse = f"{one.loss - best.loss:.4f}" if one is not best else ""
            error = f"{paired.gain.error:.4f}" if paired else ""
            shown.add_row(*cells, f"{style}{one.loss:.4f}", worse, error)
        shown.add_section()
    return shown


def advice_lines(found: SweepResult) -> list[str]:
    """What to do, and how far to trust it."""
    said = [
        f"lr = {found.rate:g} under [train] in kkoracle.toml"
        + (
            f" (the best rate falls with the length of a run: exponent {found.drift:.2f})"
            if found.drift < DRIFTED
            else ""
        )
    ]
    if found.edge:
        said.append(
            "note: the best rate is at an end of what was tried; search again around it "
            "(--from, --to)"
        )
    if not found.recall:
        said.append(
            "note: too few validation rows ask about what is taught, so rows that were taught "
            "judge: how well they are remembered, not how well in other words"
        )
    return said
