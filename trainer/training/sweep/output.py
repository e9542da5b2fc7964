"""What comes out of a search: a bar and a table on the console, JSON, a line of the config file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import TextColumn
from rich.table import Table

from exchange.display import format_duration
from exchange.errors import UsageError
from exchange.files import parse_toml, write_atomic
from trainer.console import ProgressScreen
from trainer.statistics import paired_difference
from trainer.training.sweep.search_space import SweepCallback, SweepPlan, SweepResult, SweepRound
from trainer.training.sweep.trials import Trial

DRIFTED = -0.005  # an exponent so small moves nothing
_TABLE = re.compile(r"^\s*\[\s*train\s*\]\s*(#.*)?$", re.M)
_NEXT = re.compile(r"^\s*\[", re.M)
_LR = re.compile(r"^([ \t]*)(?:#[ \t]*)?lr[ \t]*=.*$", re.M)


class SweepScreen(ProgressScreen, SweepCallback):
    """Shows a search on a console; use it as a context."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, TextColumn("{task.percentage:.0f} %"))
        self._task = self._bars.add_task("trying", total=1.0)

    def on_sweep_begin(self, plan: SweepPlan, rates: Sequence[float], done: int) -> None:
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
            self.log(f"going on after {done} tries")

    def on_trial_begin(self, number: int, of: int, rate: float, part: SweepRound) -> None:
        """See `SweepCallback`."""
        self._bars.update(self._task, description=f"try {number} of {of}: {rate:g}")

    def on_sweep_progress(self, share: float) -> None:
        """See `SweepCallback`."""
        self._bars.update(self._task, completed=share)

    def on_trial_end(self, one: Trial) -> None:
        """See `SweepCallback`."""
        outcome = "diverged" if one.diverged else f"loss {one.loss:.4f}"
        self._bars.console.print(
            f"rate {one.rate:g} on {one.rows:,} rows: {outcome} ({format_duration(one.seconds)})"
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
    lines = [
        f"lr = {found.rate:g} under [train] in kkoracle.toml"
        + (
            f" (the best rate falls with the length of a run: exponent {found.drift:.2f})"
            if found.drift < DRIFTED
            else ""
        )
    ]
    if found.edge:
        lines.append(
            "note: the best rate is at an end of what was tried; search again around it "
            "(--from, --to)"
        )
    if not found.recall:
        lines.append(
            "note: too few validation rows ask about what is taught, so rows that were taught "
            "judge: how well they are remembered, not how well in other words"
        )
    return lines


def write_rate(path: Path | None, rate: float) -> Path:
    """Set `lr` under [train], and leave every other line as it is.

    Raises:
        UsageError: there is no config file, or the result would not say what it should.
    """
    if path is None:
        raise UsageError("there is no kkoracle.toml to write to: `kkoracle init` makes one")
    text = path.read_text("utf-8")
    line = f"lr = {rate!r}"
    found = _TABLE.search(text)
    if found is None:
        changed = f"{text.rstrip()}\n\n[train]\n{line}\n"
    else:
        following = _NEXT.search(text, found.end())
        end = following.start() if following else len(text)
        body = text[found.end() : end]
        kept, count = _LR.subn(line, body, count=1)
        changed = text[: found.end()] + (kept if count else f"\n{line}{body}") + text[end:]
    if _rate(changed) != rate:
        raise UsageError(f"{path} is written in a way that cannot be changed safely: set {line}")
    write_atomic(path, changed)
    return path


def _rate(text: str) -> Any:
    try:
        return parse_toml(text).get("train", {}).get("lr")
    except ValueError:
        return None


def sweep_dict(found: SweepResult) -> dict[str, Any]:
    """Everything but the losses of single rows, for `--json`."""
    return {
        "lr": found.rate,
        "drift": round(found.drift, 4),
        "recall": found.recall,
        "edge": found.edge,
        "share_of_steps": round(found.plan.share, 4),
        "rounds": [asdict(best) for best in found.bests],
        "tries": [
            {
                "rate": one.rate,
                "rows": one.rows,
                "steps": one.steps,
                "diverged": one.diverged,
                "loss": None if one.diverged else round(one.loss, 5),
                "cpu_s": one.cpu_s,
            }
            for one in found.tries
        ],
    }
