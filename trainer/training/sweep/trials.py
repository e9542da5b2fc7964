"""The trials of a search, one line of JSON each, and the rate that they point to.

With the lines the same command goes on where it was stopped. The rest is pure: a short run likes a
larger rate than a long one, since with a warm-up and a cosine to nothing it has fewer steps to get
anywhere. Two things keep that small here. Every trial goes through its whole schedule, and it sees
its rows as often as the run will see all of them, so what is remembered of each is the same. What
is left of the drift is measured, between the rounds, and carried on to the length of the run; a
drift upwards is noise and is not believed, and neither is a steep one.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import orjson

from exchange.files import write_atomic

FOLDER = "sweeps"
PLAN, TRIES = "sweep.json", "tries.jsonl"


@dataclass(frozen=True, slots=True)
class Trial:
    """One rate on one part of the rows. Losses are nats per answer token, one for each judge."""

    round: int  # counts from 0
    rate: float
    rows: int
    steps: int
    diverged: bool
    losses: tuple[float, ...]  # of the judging rows, in their order; empty when it diverged
    cpu_s: float
    seconds: float

    @property
    def loss(self) -> float:
        """The mean; infinite when it diverged."""
        return sum(self.losses) / len(self.losses) if self.losses else float("inf")


class TrialStore:
    """The folder of one search."""

    def __init__(self, archive_dir: Path, name: str) -> None:
        self.folder = archive_dir / FOLDER / name

    def begin(self, about: dict[str, Any], *, restart: bool) -> list[Trial]:
        """The tries of this very search so far; another search in this folder is thrown away.

        A search is cheap beside what it is for, so changed settings simply begin it again.
        """
        path = self.folder / PLAN
        stored = orjson.dumps(about, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
        if restart or not path.exists() or path.read_bytes() != stored:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            write_atomic(path, stored)
        return list(self._read())

    def _read(self) -> Iterator[Trial]:
        path = self.folder / TRIES
        for line in path.read_bytes().splitlines() if path.exists() else ():
            try:
                raw = orjson.loads(line)
                raw["losses"] = tuple(raw["losses"])
                yield Trial(**raw)
            except (ValueError, KeyError, TypeError):
                return  # cut short by a kill: it is tried again

    def append(self, tried: Trial) -> None:
        """Append one; what was cut short before it is dropped.

        Raises:
            UserError: the disk is full.
        """
        known = b"".join(_line(one) for one in self._read())
        write_atomic(self.folder / TRIES, known + _line(tried))

    def drop_runs(self) -> None:
        """The tries' own checkpoints are of no use to anybody."""
        shutil.rmtree(self.folder / "runs", ignore_errors=True)

    def finish(self, found: dict[str, Any]) -> Path:
        """Write what was found; returns where."""
        path = self.folder / "found.json"
        write_atomic(path, orjson.dumps(found, option=orjson.OPT_INDENT_2))
        return path


def _line(tried: Trial) -> bytes:
    return orjson.dumps(asdict(tried), option=orjson.OPT_APPEND_NEWLINE)


# The exponent of the best rate over the length of training, in pretraining where every step sees
# new text, is about -0.3 (Bjorck et al. 2024, arXiv 2409.19913): no drift here is believed beyond.
STEEPEST = -0.3


@dataclass(frozen=True, slots=True)
class RoundBest:
    """Where one round has its lowest loss."""

    steps: int
    rate: float
    tried: float  # the best of the rates that were really tried


def best_of(tries: Sequence[Trial]) -> RoundBest | None:
    """The lowest point of a parabola through the best try and its neighbours, in log rate.

    At an end of the grid, or beside a rate that diverged, the best try itself. None when all
    diverged.
    """
    ordered = sorted(tries, key=lambda one: one.rate)
    sound = [one for one in ordered if math.isfinite(one.loss)]
    if not sound:
        return None
    best = min(sound, key=lambda one: one.loss)
    at = ordered.index(best)
    rate = best.rate
    if 0 < at < len(ordered) - 1:
        left, right = ordered[at - 1], ordered[at + 1]
        if math.isfinite(right.loss) and math.isfinite(left.loss):
            rate = math.exp(_vertex(left, best, right))
    return RoundBest(best.steps, rate, best.rate)


def _vertex(left: Trial, middle: Trial, right: Trial) -> float:
    """The log rate of a parabola's lowest point, which is between the middles of the two sides.

    Losses are compared by their logarithms: beside the best one may be ten times as high, and a
    parabola through such losses would say only that.
    """
    (x0, y0), (x1, y1), (x2, y2) = (
        (math.log(one.rate), math.log(max(one.loss, 1e-9))) for one in (left, middle, right)
    )
    one, other = (x1 - x0) * (y1 - y2), (x1 - x2) * (y1 - y0)
    if one == other:  # all three alike
        return x1
    return x1 - 0.5 * ((x1 - x0) * one - (x1 - x2) * other) / (one - other)


def drift(found: Sequence[RoundBest]) -> float:
    """How the best rate falls with the length of training: an exponent from STEEPEST to 0."""
    moved = [
        math.log(later.rate / earlier.rate) / math.log(later.steps / earlier.steps)
        for earlier, later in pairwise(found)
        if later.steps > earlier.steps
    ]
    # The rounds see few rows, and none of them is sure: half of what they say is believed.
    return max(STEEPEST, min(0.0, fmean(moved) / 2)) if moved else 0.0


def choose_rate(found: Sequence[RoundBest], full_steps: int) -> float:
    """The rate for a run of `full_steps`, from the best of each round."""
    last = found[-1]
    rate = last.rate * (full_steps / last.steps) ** drift(found)
    return round_rate(rate)


def round_rate(rate: float) -> float:
    """Two significant digits: no search is sharper."""
    return float(f"{rate:.1e}")


def neighbouring_rates(
    rates: Sequence[float], best: float, count: int, ratio: float
) -> list[float]:
    """The rates of the next round: the best so far and those beside it, beyond the grid if need be.

    Args:
        ratio: of two neighbouring rates.
    """
    ordered = sorted(rates)
    at = ordered.index(best)
    chosen = [best]
    lower, upper = ordered[:at][::-1], ordered[at + 1 :]
    while len(chosen) < count:
        above = len(chosen) % 2 == 1
        side = upper if above else lower
        if side:
            chosen.append(side.pop(0))
        else:
            edge = max(chosen) * ratio if above else min(chosen) / ratio
            chosen.append(round_rate(min(edge, 1.0)))
    return sorted(set(chosen))
