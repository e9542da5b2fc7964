"""What a run is known to have achieved, from the files that it has left: rows of one table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from trainer.evaluate.report import strings

_GROUPS = {"trained": "questions that were taught", "held out": "stories that were never taught"}


@dataclass(frozen=True, slots=True)
class CardResult:
    """One measure of base and tuned model."""

    on: str  # what was asked
    measure: str
    base: float
    tuned: float
    rows: int = 0  # 0: not recorded
    percent: bool = False
    interval: tuple[float, float] | None = None  # of tuned, 95 %, clustered by story

    def shown(self, value: float) -> str:
        """As a table gives it."""
        return f"{value:.1%}" if self.percent else f"{value:.3f}"

    @property
    def tuned_shown(self) -> str:
        """With its interval, where it is known."""
        if self.interval is None:
            return self.shown(self.tuned)
        low, high = (self.shown(value) for value in self.interval)
        return f"{self.shown(self.tuned)} ({low} to {high})"


@dataclass(frozen=True, slots=True)
class CardResults:
    """A table, and the sentence that an evaluation ended with."""

    rows: tuple[CardResult, ...] = ()
    verdict: str = ""


def read_results(run: Path) -> CardResults:
    """All results found in a run's folder; a file that is missing or damaged adds none.

    Where the run was evaluated, that stands instead of the quicker comparison.
    """
    report = _load(run / "evaluation" / "report.json")
    evaluated = _tried(_evaluated, report)
    rows = evaluated or _tried(_compared, _load(run / "compare.json"))
    rows += _tried(_summed, _load(run / "summary.json"))
    return CardResults(tuple(rows), str(report.get("sentence", "")) if evaluated else "")


def _evaluated(raw: dict[str, Any]) -> Iterator[CardResult]:
    """Base and tuned model in an evaluation's report."""
    english = strings.load("en")
    kinds = {system["kind"]: system["name"] for system in raw["about"]["systems"]}
    cells = {(cell["metric"], cell["split"], cell["system"]): cell for cell in raw["cells"]}
    for metric in raw["about"]["metrics"]:
        for split in dict.fromkeys(cell["split"] for cell in raw["cells"]):
            base, tuned = (
                cells.get((metric["name"], split, kinds.get(kind))) for kind in ("base", "tuned")
            )
            if not base or not tuned or base["mean"] is None or tuned["mean"] is None:
                continue
            name = english["metrics"].get(metric["name"], metric["name"])
            yield CardResult(
                english["splits"].get(split, split),
                f"{name}, {metric['unit']}",
                base["mean"],
                tuned["mean"],
                tuned["questions"],
                metric["unit"] == "share",
                (tuned["low"], tuned["high"]) if tuned["low"] is not None else None,
            )


def _compared(raw: dict[str, Any]) -> Iterator[CardResult]:
    for share in raw["shares"]:
        on, rows = _GROUPS.get(share["group"], share["group"]), share["rows"]
        yield CardResult(
            on,
            "answers equal word for word",
            share["base_exact"],
            share["tuned_exact"],
            rows,
            percent=True,
        )
        yield CardResult(
            on, "overlap of words (F1)", share["base_overlap"], share["tuned_overlap"], rows
        )


def _summed(raw: dict[str, Any]) -> Iterator[CardResult]:
    for on, key in (("taught rows", "taught"), ("validation rows", "valid")):
        yield CardResult(
            on, "loss, nats per answer token", raw[f"{key}_before"], raw[f"{key}_after"]
        )


def _tried(read_rows: Any, raw: dict[str, Any]) -> list[CardResult]:
    try:
        return list(read_rows(raw))
    except (KeyError, TypeError, ValueError):
        return []


def _load(path: Path) -> dict[str, Any]:
    try:
        raw = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}
