"""What was tried: one line of JSON a try, so that the same command goes on where it was stopped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
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
        told = orjson.dumps(about, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
        if restart or not path.exists() or path.read_bytes() != told:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            write_atomic(path, told)
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

    def keep(self, tried: Trial) -> None:
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
