"""Two reports side by side: each figure with its interval, and how far the two are apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import msgspec

from exchange.errors import BadFile, NotFound
from trainer.evaluate.report.comparisons import SystemComparison
from trainer.evaluate.report.tables import MetricCell
from trainer.evaluate.report.verdict import GateCheck
from trainer.evaluate.report.write import FIGURES

CellKey = tuple[str, str, str]  # metric, split, system


@dataclass(frozen=True, slots=True)
class ReportFigures:
    """What is read again of a `report.json`."""

    sentence: str
    passed: bool  # the gate
    warnings: list[str]
    gate: list[GateCheck]
    declared: list[SystemComparison]
    cells: list[MetricCell]
    about: dict[str, Any]  # of the evaluation: run, model, dataset, when, its metrics

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The figures in an evaluation's folder.

        Raises:
            NotFound: there are none.
            BadFile: they are damaged, or of another version.
        """
        path = folder / FIGURES
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            raise NotFound(f"no report in {folder}: `kkoracle evaluate` writes it") from None
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            raise BadFile(f"{path} is unusable ({error}): run `kkoracle evaluate` again") from None

    def metric(self, name: str, key: str) -> str:
        """What the evaluation says of a metric (`unit`, `better`); "" where it does not."""
        for one in self.about.get("metrics", ()):
            if one.get("name") == name:
                return str(one.get(key, ""))
        return ""


@dataclass(frozen=True, slots=True)
class FigureDifference:
    """One figure in two reports; the difference is that of the second from the first."""

    metric: str
    split: str
    system: str
    unit: str
    one: MetricCell | None
    other: MetricCell | None
    difference: float | None = None
    low: float | None = None  # of its 95 % interval
    high: float | None = None
    says: Literal["better", "worse", "unclear", ""] = ""  # the second against the first


def compare_reports(one: ReportFigures, other: ReportFigures) -> list[FigureDifference]:
    """Every figure that one of them measured, in the first one's order.

    An interval is that of two samples which know nothing of each other: half its width is the
    root of the sum of both halves squared. Where the same questions were asked it is too wide
    rather than too narrow, since what is easy for one is easy for the other.
    """
    firsts, seconds = _by_key(one), _by_key(other)
    found = []
    for key in dict.fromkeys([*firsts, *seconds]):
        metric = key[0]
        unit = one.metric(metric, "unit") or other.metric(metric, "unit")
        better = one.metric(metric, "better") or other.metric(metric, "better")
        found.append(_difference(key, unit, better, firsts.get(key), seconds.get(key)))
    return found


def _by_key(report: ReportFigures) -> dict[CellKey, MetricCell]:
    return {
        (cell.metric, cell.split, cell.system): cell
        for cell in report.cells
        if cell.mean is not None
    }


def _difference(
    key: CellKey, unit: str, better: str, one: MetricCell | None, other: MetricCell | None
) -> FigureDifference:
    if not one or not other or one.mean is None or other.mean is None:
        return FigureDifference(*key, unit, one, other)
    gap = other.mean - one.mean
    halves = [_half(cell) for cell in (one, other)]
    if None in halves:
        return FigureDifference(*key, unit, one, other, gap)
    half = math.hypot(*(half for half in halves if half is not None))
    low, high = gap - half, gap + half
    if low <= 0 <= high or better not in ("higher", "lower"):
        return FigureDifference(*key, unit, one, other, gap, low, high, "unclear")
    gained = (gap > 0) == (better == "higher")
    return FigureDifference(*key, unit, one, other, gap, low, high, "better" if gained else "worse")


def _half(cell: MetricCell) -> float | None:
    """Half the width of a figure's interval."""
    return None if cell.low is None or cell.high is None else (cell.high - cell.low) / 2
