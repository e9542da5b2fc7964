"""The benches by name. A bench is a module with a docstring, `options` and `run`."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

Figures = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """What every bench is told."""

    quick: bool
    say: Say  # progress, for people


class Bench(Protocol):
    """What a bench's module holds."""

    __doc__: str | None
    SEED: int

    def options(self, parser: argparse.ArgumentParser) -> None:
        """Add the bench's own options."""

    def run(self, given: argparse.Namespace, settings: BenchSettings) -> Figures:
        """Measure, and return the figures by name."""


NAMES = (
    "checks",
    "crawl",
    "dataset",
    "demo",
    "eta",
    "faults",
    "generate",
    "kill",
    "politeness",
    "preflight",
    "rag",
    "scorer",
    "serve",
    "statistics",
    "status",
    "sweep",
    "text",
    "train",
)


def load(name: str) -> Bench:
    """The module of a bench; importing one imports nothing heavy."""
    return cast(Bench, importlib.import_module(f"bench.{name}"))


def summary(bench: Bench) -> str:
    """The first sentence of what it measures."""
    return (bench.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")
