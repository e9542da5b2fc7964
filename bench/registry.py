"""The benches by name. A bench is a module with a docstring, `options` and `run`."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Protocol, cast

Figures = dict[str, Any]
Log = Callable[[str], None]  # progress, for people


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """The settings that all benches share."""

    quick: bool
    log: Log


class Bench(Protocol):
    """What a bench's module holds."""

    __doc__: str | None
    SEED: int
    NOT_FOR_JUDGING: tuple[str, ...]
    """Patterns of the figures that `--quick` measures on too little work to judge anything by."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        """Add the bench's own options."""

    def run(self, args: argparse.Namespace, settings: BenchSettings) -> Figures:
        """Measure, and return the figures by name."""


NAMES = (
    "batch",
    "checks",
    "crawl",
    "dataset",
    "demo",
    "eta",
    "faults",
    "generate",
    "grading",
    "kill",
    "learn",
    "live",
    "pages",
    "pairs",
    "politeness",
    "preflight",
    "rag",
    "scale",
    "scorer",
    "serve",
    "statistics",
    "status",
    "studio",
    "sweep",
    "teach",
    "text",
    "train",
)


def not_for_judging(bench: Bench, figures: Figures) -> list[str]:
    """The figures of a quick run that are not for judging."""
    return [
        name
        for name in figures
        if any(fnmatchcase(name, pattern) for pattern in bench.NOT_FOR_JUDGING)
    ]


def load(name: str) -> Bench:
    """The module of a bench; importing one imports nothing heavy."""
    return cast(Bench, importlib.import_module(f"bench.{name}"))


def summary(bench: Bench) -> str:
    """The first sentence of what it measures."""
    return (bench.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")
