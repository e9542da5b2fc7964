"""The folder of one run: what it was begun with, its metrics, its checkpoints, its summary."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import orjson

from exchange.errors import BadFile, CannotWrite, NotFound, UsageError
from exchange.files import write_atomic
from exchange.project import run_dir
from trainer.training.callbacks import Metrics, SampleAnswer, UnlearnedFact
from trainer.training.run_config import RunConfig

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
RECORD, STATE, SUMMARY = "run.json", "state.safetensors", "summary.json"
UNLEARNED = "unlearned.jsonl"
TAUGHT = "taught.txt"  # ids of the rows that it, or a run before it, teaches, one a line
CheckpointName = Literal["last", "best"]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """How a run ended. Losses are nats per answer token."""

    model: str
    model_sha: str
    dataset: str
    valid_before: float
    valid_after: float
    taught_before: float  # over a fixed part of the training rows
    taught_after: float
    best_loss: float
    best_step: int
    steps: int
    epochs: int
    rows: int
    tokens: int
    targets: int
    padding: float
    trainable: int
    parameters: int
    seconds: float
    peak_bytes: int
    bits_before: float = 0.0  # of the validation rows, per character
    bits_after: float = 0.0
    early: bool = False  # ended by [train] patience, before its last step
    facts: int = 0  # rows that say what was printed, where [train] until_learned looked at them
    known: int = 0  # of them at the end
    unlearned: int = 0  # of them that the last rounds could not teach: unlearned.jsonl

    @classmethod
    def read(cls, folder: Path) -> RunSummary | None:
        """The summary of a finished run; None while there is none.

        Raises:
            UserError: there is one, but not of this version: days of training are not to be
                begun again unasked.
        """
        path = folder / SUMMARY
        try:
            return cls(**orjson.loads(path.read_bytes())) if path.exists() else None
        except (OSError, ValueError, TypeError) as error:
            raise BadFile(f"{path} is unusable ({error}): give --restart") from None


class TrainingRun:
    """One run's folder. Only the process that holds the GPU's lock writes it."""

    def __init__(self, archive_dir: Path, name: str) -> None:
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name for a run: lower-case letters, digits, . - _")
        self.name = name
        self.folder = run_dir(archive_dir, name)
        self.best = self.folder / "best"

    @classmethod
    def at(cls, folder: Path) -> TrainingRun:
        """The run in a folder that may stand anywhere, such as one that was copied."""
        run = cls.__new__(cls)
        run.name = folder.name
        run.folder = folder
        run.best = folder / "best"
        return run

    def begin(self, config: RunConfig, *, restart: bool) -> RunSummary | None:
        """Prepare the folder: new, or to go on.

        Returns:
            The summary when this very run is finished already.

        Raises:
            UsageError: the folder holds another run that has begun to train; the differences are
                named. Or it is no run but the link to the promoted one.
        """
        if self.folder.is_symlink():
            raise UsageError(f"{self.name!r} is a link to the promoted run: give another --name")
        if restart:
            shutil.rmtree(self.folder, ignore_errors=True)
        path = self.folder / RECORD
        trained = any((self.folder / name).exists() for name in (STATE, SUMMARY))
        if path.exists() and (trained or self.config() == config):
            different = self.config().differences(config)
            if different:
                raise UsageError(
                    f"run {self.name!r} was begun otherwise ({'; '.join(different)}): give "
                    "another --name, or --restart to throw it away"
                )
            return RunSummary.read(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, orjson.dumps(asdict(config), option=orjson.OPT_INDENT_2))
        return None

    def config(self) -> RunConfig:
        """What this run was begun with.

        Raises:
            UserError: there is no such run, or its record is damaged.
        """
        path = self.folder / RECORD
        try:
            return RunConfig(**orjson.loads(path.read_bytes()))
        except FileNotFoundError:
            raise NotFound(f"no run {self.name!r} yet: `kkoracle train` makes it") from None
        except (OSError, ValueError, TypeError) as error:
            raise BadFile(f"{path} is unusable ({error}): give --restart") from None

    def state_names(self, config: RunConfig) -> set[str]:
        """What the state of a run that goes on with `config` may say that it is made of.

        That of one that began under an earlier version is named by what stands in its record.
        """
        begun = self.config() if (self.folder / RECORD).exists() else config
        return {config.sha, begun.sha, begun.first_sha}

    def rewind(self, step: int) -> None:
        """Forget what was written after `step`: it is going to happen again."""
        for name in ("metrics.jsonl", "samples.jsonl"):
            path = self.folder / name
            if path.exists():
                write_atomic(
                    path,
                    b"".join(
                        line
                        for line in path.read_bytes().splitlines(keepends=True)
                        if _step(line) <= step
                    ),
                )

    def record(self, entries: Iterable[Metrics]) -> None:
        """Append to metrics.jsonl."""
        self._append("metrics.jsonl", entries)

    def record_answers(self, answers: Iterable[SampleAnswer]) -> None:
        """Append to samples.jsonl."""
        self._append("samples.jsonl", answers)

    def list_unlearned(self, facts: Iterable[UnlearnedFact]) -> None:
        """Write unlearned.jsonl, for the operator."""
        lines = (orjson.dumps(asdict(f), option=orjson.OPT_APPEND_NEWLINE) for f in facts)
        write_atomic(self.folder / UNLEARNED, b"".join(lines))

    def _append(self, name: str, entries: Iterable[Metrics | SampleAnswer]) -> None:
        lines = b"".join(orjson.dumps(asdict(e), option=orjson.OPT_APPEND_NEWLINE) for e in entries)
        try:
            with (self.folder / name).open("ab") as file:
                file.write(lines)
        except OSError as error:
            raise CannotWrite(
                f"cannot write {name} of run {self.name!r} ({error.strerror}): free some space, "
                "then run the same command again"
            ) from None

    def metrics(self) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
        """Training and validation losses by step, for the curve; a line being written waits."""
        steps: list[tuple[int, float]] = []
        valid: list[tuple[int, float]] = []
        path = self.folder / "metrics.jsonl"
        for line in path.read_bytes().split(b"\n")[:-1] if path.exists() else []:
            entry = orjson.loads(line)
            if "valid_loss" in entry:
                valid.append((entry["step"], entry["valid_loss"]))
            elif "loss" in entry:
                steps.append((entry["step"], entry["loss"]))
        return steps, valid

    def finish(self, summary: RunSummary) -> None:
        """Write summary.json: from now on the run counts as done."""
        write_atomic(
            self.folder / SUMMARY, orjson.dumps(asdict(summary), option=orjson.OPT_INDENT_2)
        )

    def adapter(self, checkpoint: CheckpointName) -> Path:
        """The folder of a checkpoint's adapter.

        Raises:
            UserError: there is none yet.
        """
        folder = self.best if checkpoint == "best" else self.folder
        if not (folder / "adapters.safetensors").exists():
            raise NotFound(f"run {self.name!r} has no {checkpoint} adapter: run `kkoracle train`")
        return folder


def _step(line: bytes) -> int:
    """The step of a metrics line; a line cut short by a kill counts as after everything."""
    try:
        return int(orjson.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return 2**62
