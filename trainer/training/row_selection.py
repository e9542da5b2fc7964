"""Which rows a run teaches, and what it starts from.

A run may go on from another: its adapter is the start, its rows are those that one has not seen.

A model that is only ever taught what is new forgets what is old; shown a part of the old beside it,
it does not (experience replay; Rolnick et al. 2019, arXiv 1811.11682). Rows of the base's own
answers, refusals and corrections are shown again in their share too. Which old rows are shown
differs from run to run, so that all get their turn.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from exchange.errors import BadFile, ModelUnfit, NotEnoughData, UsageError
from exchange.files import write_atomic
from exchange.records import digest
from trainer.abstention import adapter_sha
from trainer.dataset import DatasetRow
from trainer.dataset.split import hash_fraction
from trainer.training.callbacks import Callback
from trainer.training.run_config import RunConfig
from trainer.training.runs import TAUGHT, TrainingRun
from trainer.training.settings import TrainSettings, fine_tune

NEW = "new.txt"  # in a run's folder: of the rows that it and those before it teach its own ones
LEAST_OLD = 512  # old rows that are shown beside however few new ones: they cost minutes


@dataclass(frozen=True, slots=True)
class ContinuationRequest:
    """What a run is asked to go on from."""

    run: str = ""  # the one whose adapter is the start; "" for the base
    replay: float = 3.0  # old rows for each new one
    without: frozenset[str] = frozenset()  # ids of rows, or of whole stories, that are not taught

    def words(self) -> list[str]:
        """The options of `kkoracle train` that ask for it; `without` is a file of the user's."""
        return [f"--continue={self.run}", f"--replay={self.replay:g}"] if self.run else []


@dataclass(frozen=True, slots=True)
class Continuation:
    """The rows of a run, and the adapter that it starts from."""

    new: list[DatasetRow]
    old: list[DatasetRow]
    seen: frozenset[str]  # by the run before
    adapter: Path | None
    sha: str  # of that adapter's weights
    rejected: Mapping[str, str] = field(default_factory=dict)  # by new row, see `preference`

    @property
    def rows(self) -> list[DatasetRow]:
        """All of them, in the dataset's order."""
        return sorted([*self.new, *self.old], key=lambda row: row.id)

    def described(self) -> str:
        """What makes this run another one than the next, in one line for `run.json`."""
        rows = digest(*(row.id for row in self.rows), *map(" ".join, sorted(self.rejected.items())))
        what = "pairs" if self.rejected else "new"
        return f"adapter {self.sha}, {len(self.new)} {what} and {len(self.old)} old rows ({rows})"

    def save(self, folder: Path) -> None:
        """Write down what this run teaches, and what all before it have."""
        own = sorted(row.id for row in self.new)
        _write_ids(folder / NEW, own)
        _write_ids(folder / TAUGHT, sorted(self.seen.union(own)))


def select_rows(
    rows: list[DatasetRow], settings: TrainSettings, callback: Callback
) -> list[DatasetRow]:
    """The rows of train that the recipe wants.

    Raises:
        UserError: it wants the paper's own text and the dataset has none, or nothing is left.
    """
    text = sum(row.kind == "text" for row in rows)
    if settings.recipe == "sft+text":
        if not text:
            raise NotEnoughData(
                "recipe sft+text wants the paper's own text, and the dataset holds none: set "
                "[dataset] text (0.2 is a good share) and run `kkoracle dataset build`"
            )
        return rows
    kept = [row for row in rows if row.kind != "text"]
    if text:
        callback.log(f"{text} rows of the paper's own text are left out: recipe sft+text has them")
    if not kept:
        raise NotEnoughData("the dataset teaches nothing but raw text: give --recipe sft+text")
    return kept


def choose_rows(
    archive_dir: Path, rows: Sequence[DatasetRow], asked: ContinuationRequest, name: str
) -> Continuation:
    """The rows that the run before was not taught, and old ones beside them.

    Args:
        rows: of train.
        name: of the run: another one shows other old rows.

    Raises:
        UserError: no such run or adapter, it has not said what it was taught, or nothing is new.
    """
    adapter, sha, seen = (
        continue_from(archive_dir, asked.run) if asked.run else (None, "none", frozenset[str]())
    )
    allowed = [row for row in rows if asked.without.isdisjoint((row.id, row.story))]
    new = [row for row in allowed if row.id not in seen]
    if not new:
        raise NotEnoughData(
            f"run {asked.run!r} was taught all {len(allowed):,} rows of train: build the dataset "
            "from more pairs (`kkoracle dataset build --new-cutoff`)"
        )
    known = [row for row in allowed if row.id in seen]
    return Continuation(new, replayed(known, len(new), asked.replay, name), seen, adapter, sha)


def continue_from(archive_dir: Path, run: str) -> tuple[Path, str, frozenset[str]]:
    """The adapter that a run goes on from, its sha, and the rows that it was taught.

    Raises:
        UserError: no such run or adapter.
    """
    adapter = TrainingRun(archive_dir, run).adapter("last").resolve()
    return adapter, adapter_sha(adapter), read_ids(adapter / TAUGHT)


def replayed(known: Sequence[DatasetRow], new: int, replay: float, name: str) -> list[DatasetRow]:
    """The old rows that are shown beside so many new ones, `replay` for each."""
    order = sorted(known, key=lambda row: (hash_fraction(row.id, name), row.id))
    return order[: max(round(replay * new), LEAST_OLD if replay else 0)]


def require_model(begun: RunConfig, run: str, sha: str, name: str) -> None:
    """Refuse another model than the one that a run was trained on.

    Args:
        begun: with what the run was.
        sha: of the model that is there, see `run_config.model_sha`.
        name: of that one, as the settings have it.

    Raises:
        ModelUnfit: it is another one.
    """
    if sha != begun.model_sha:
        raise ModelUnfit(
            f"run {run!r} was trained on {begun.model}, and [model] name is {name}: name the "
            "same model again"
        )


def load_adapter(
    model: Any, config: dict[str, Any], adapter: Path, settings: TrainSettings
) -> None:
    """Put the weights of another run's adapter into the layers that learn.

    Raises:
        UsageError: it has another form: rank, layers or recipe differ.
    """
    try:
        theirs = orjson.loads((adapter / "adapter_config.json").read_bytes())
        kinds = theirs["fine_tune_type"], theirs["num_layers"], theirs["lora_parameters"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadFile(f"{adapter} holds no adapter of ours ({error})") from None
    mine = fine_tune(settings.recipe), config["num_layers"], config["lora_parameters"]
    if kinds != mine:
        raise UsageError(
            f"run {adapter.name!r} has an adapter of another form ({kinds}) than [train] asks for "
            f"({mine}): set recipe, rank, alpha, layers and dropout as they were"
        )
    model.load_weights(str(adapter / "adapters.safetensors"), strict=False)


def read_ids(path: Path) -> frozenset[str]:
    """The ids of a file, one a line; none where there is no file."""
    try:
        return frozenset(path.read_text("utf-8").split())
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError) as error:
        raise BadFile(f"{path} cannot be read ({error})") from None


def _write_ids(path: Path, ids: Collection[str]) -> None:
    write_atomic(path, "".join(f"{one}\n" for one in ids))
