"""One training run, held together: dataset, model, lock, loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exchange import gpu, mlx_runtime, models
from exchange.errors import UserError
from exchange.house import House
from trainer import chat, runs
from trainer.dataset import Manifest, Row, read_split
from trainer.dataset.build import FOLDER
from trainer.encode import context, encode
from trainer.runs import Run, Summary
from trainer.settings import Train
from trainer.watch import Watcher

if TYPE_CHECKING:
    from trainer.lora.data import Data


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run."""

    run: Run
    summary: Summary
    already: bool = False  # it was finished before; nothing was done now


def train(
    house: House,
    archive: str | None,
    settings: Train,
    *,
    name: str = "default",
    restart: bool = False,
    watcher: Watcher | None = None,
    language_model: models.Model | None = None,
    confirm: Callable[[str], bool] = lambda text: False,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train an adapter on the archive's dataset, or go on with the run of this name.

    Call `exchange.openblas.ensure()` first where the process may be replaced. Evaluates MLX: a
    process that called this must not fork.

    Args:
        language_model: default: the one of the settings.
        confirm: asked before a model is downloaded, and before much disk is taken.
        stop: looked at before every step; true ends the run so that it can go on later.

    Raises:
        UserError: no dataset, no model, a run begun otherwise, the GPU in use, stopped, a loss
            that is no number, a full disk.
    """
    watcher = watcher or Watcher()
    archive_dir = house.archive_dir(archive)
    dataset = archive_dir / FOLDER
    manifest = Manifest.read(dataset)
    splits = taught(read_split(dataset, "train"), settings, watcher), read_split(dataset, "valid")
    language_model = language_model or house.config.table("model", models.Model)
    folder = models.locate(language_model, house.models, confirm)
    run = Run(archive_dir, name)
    with gpu.held(house.data):
        begun = runs.begun(language_model.name, folder, manifest.sha, settings)
        finished = run.begin(begun, restart=restart)
        if finished:
            return Outcome(run, finished, already=True)
        watcher.note(f"loading {language_model.name}")
        model, tokenizer = mlx_runtime.load(folder)
        from trainer.lora import adapter, trunk
        from trainer.lora.loop import Loop

        # Held-out stories are not to be known, so their loss does not say when to stop.
        data = make_data(model, tokenizer, splits, settings, watcher,
                         early_stop=not manifest.line["valid"])  # fmt: skip
        kept = trunk.open_trunk(
            archive_dir / trunk.FOLDER, begun.model_sha, model,
            adapter.tuned_layers(model, settings), [*data.train, *data.valid], settings.trunk_gb,
            confirm, watcher.note,
        ) if settings.epochs > 1 else None  # fmt: skip
        loop = Loop(model, tokenizer, data, settings, run, watcher, stop, trunk=kept)
        summary = loop.fit(begun)
    return Outcome(run, summary)


def taught(rows: list[Row], settings: Train, watcher: Watcher) -> list[Row]:
    """The rows of train that the recipe wants.

    Raises:
        UserError: it wants the paper's own text and the dataset has none, or nothing is left.
    """
    text = sum(row.kind == "text" for row in rows)
    if settings.recipe == "sft+text":
        if not text:
            raise UserError(
                "recipe sft+text wants the paper's own text, and the dataset holds none: set "
                "[dataset] text (0.2 is a good share) and run `kkoracle dataset build`"
            )
        return rows
    kept = [row for row in rows if row.kind != "text"]
    if text:
        watcher.note(f"{text} rows of the paper's own text are left out: recipe sft+text has them")
    if not kept:
        raise UserError("the dataset teaches nothing but raw text: give --recipe sft+text")
    return kept


def make_data(
    model: Any,
    tokenizer: Any,
    splits: tuple[list[Row], list[Row]],
    settings: Train,
    watcher: Watcher,
    *,
    early_stop: bool = True,
) -> Data:
    """Rows of train and valid as the loop reads them, within the model's context.

    Raises:
        UserError: no row of a split fits.
    """
    from trainer.lora.data import Asked, Data

    limit = context(model)
    longest = min(settings.max_length, limit) if limit else settings.max_length
    train, left = encode(tokenizer, splits[0], longest, watcher.encoding)
    valid, left_valid = encode(tokenizer, splits[1], longest, watcher.encoding)
    half = settings.samples // 2
    asked = [
        Asked(name, row.question, row.answer, chat.prompt_tokens(tokenizer, row.asked()))
        for name, rows, count in (
            ("train", splits[0], settings.samples - half), ("valid", splits[1], half)
        )
        for row in rows[:count]
    ]  # fmt: skip
    return Data(
        train=train,
        valid=valid,
        taught=train[: len(valid)],
        asked=asked,
        too_long=left + left_valid,
        longest_allowed=longest,
        early_stop=early_stop,
    )
