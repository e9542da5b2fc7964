"""What a run is known to have achieved, from the files that it has left: rows of one table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

_GROUPS = {"trained": "questions that were taught", "held out": "stories that were never taught"}


@dataclass(frozen=True, slots=True)
class Result:
    """One measure of base and tuned model."""

    on: str  # what was asked
    measure: str
    base: float
    tuned: float
    rows: int = 0  # 0: not recorded
    percent: bool = False

    def shown(self, value: float) -> str:
        """As a table gives it."""
        return f"{value:.1%}" if self.percent else f"{value:.3f}"


def read(run: Path) -> list[Result]:
    """All results found in a run's folder; a file that is missing or damaged adds none."""
    return [*_compared(_load(run / "compare.json")), *_summed(_load(run / "summary.json"))]


def _compared(raw: dict[str, Any]) -> Iterator[Result]:
    for share in raw.get("shares", ()):
        on, rows = _GROUPS.get(share["group"], share["group"]), share["rows"]
        yield Result(on, "answers equal word for word", share["base_exact"],
                     share["tuned_exact"], rows, percent=True)  # fmt: skip
        yield Result(on, "overlap of words (F1)", share["base_overlap"],
                     share["tuned_overlap"], rows)  # fmt: skip


def _summed(raw: dict[str, Any]) -> Iterator[Result]:
    for on, key in (("taught rows", "taught"), ("validation rows", "valid")):
        if f"{key}_before" in raw and f"{key}_after" in raw:
            yield Result(on, "loss, nats per answer token", raw[f"{key}_before"],
                         raw[f"{key}_after"])  # fmt: skip


def _load(path: Path) -> dict[str, Any]:
    try:
        raw = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}
