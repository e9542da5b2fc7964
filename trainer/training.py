"""One training run, held together: dataset, model, lock, preflight, loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange import mlx_runtime, models
from exchange.errors import UserError
from exchange.house import House
from exchange.power import Power
from trainer import chat, preflight, runs, several
from trainer.dataset import Manifest, Row, read_split
from trainer.dataset.build import FOLDER
from trainer.encode import context, encode
from trainer.runs import Begun, Run, Summary
from trainer.settings import Train
from trainer.watch import Watcher

if TYPE_CHECKING:
    from trainer.lora.data import Data
    from trainer.lora.group import Group
    from trainer.lora.loop import Loop


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run; without a summary, one that was only looked at (`dry_run`)."""

    run: Run
    summary: Summary | None
    already: bool = False  # it was finished before; nothing was done now


def train(
    house: House,
    archive: str | None,
    settings: Train,
    *,
    name: str = "default",
    restart: bool = False,
    dry_run: bool = False,
    watcher: Watcher | None = None,
    language_model: models.Model | None = None,
    confirm: Callable[[str], bool] = lambda text: False,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train an adapter on the archive's dataset, or go on with the run of this name.

    Call `exchange.openblas.ensure()` first where the process may be replaced. Evaluates MLX: a
    process that called this must not fork. Started by `mlx.launch`, it is one of several that share
    every batch (`trainer.several`).

    Args:
        dry_run: only say what the run would take; no run is begun.
        language_model: default: the one of the settings.
        confirm: asked before a model is downloaded, and before much disk is taken.
        stop: looked at before every step; true ends the run so that it can go on later.

    Raises:
        UserError: no dataset, no model, a run begun otherwise, the GPU in use, too little memory
            or disk, stopped, a loss that is no number.
    """
    group = _group()
    watcher = watcher if watcher and group.leader else Watcher()
    archive_dir = house.archive_dir(archive)
    dataset = archive_dir / FOLDER
    manifest = Manifest.read(dataset)
    splits = taught(read_split(dataset, "train"), settings, watcher), read_split(dataset, "valid")
    language_model = language_model or house.config.table("model", models.Model)
    run = Run(archive_dir, name)
    stored = None if restart else preflight.recall(run.folder)
    if stored and stored.model:  # the 4-bit copy that this run began with
        language_model = language_model.model_copy(update={"name": stored.model})
    folder = models.locate(language_model, house.models, confirm)
    with several.held(house.data, group):
        begun = runs.begun(language_model.name, folder, manifest.sha, settings)
        group.agree("model, dataset and settings", begun.sha)
        finished = None
        if group.leader and not dry_run:
            finished = run.begin(begun, restart=restart)
        if group.any(finished is not None):
            return Outcome(run, finished, already=True)
        with several.followed(run, group) as mine:
            # Held-out stories are not to be known, so their loss does not say when to stop.
            desk = Desk(
                archive_dir,
                splits,
                settings,
                mine,
                group,
                watcher,
                confirm,
                stop,
                early_stop=not manifest.line["valid"],
            )
            watts = house.config.table("power", Power).watts
            ready = preflight.weigh(folder, settings, watts) if group.size == 1 else None
            if not ready:
                loop, tokenizer = desk.open(folder, begun)
                ready = preflight.settle(loop, tokenizer, settings, stored, archive_dir, watts)
            if ready.way.bits:
                reasons = ready.reasons
                folder = preflight.smaller(folder, house.models, reasons, watcher.note)
                begun = runs.begun(str(folder), folder, manifest.sha, settings)
                if not dry_run:
                    run.begin(begun, restart=True)
                loop, tokenizer = desk.open(folder, begun)
                ready = preflight.settle(loop, tokenizer, settings, None, archive_dir, watts)
                ready = replace(ready, model=str(folder), reasons=reasons + ready.reasons)
            loop.compute(parts=ready.way.parts, checkpoint=ready.way.checkpoint)
            watcher.foreseen(ready, loop.plan)
            if dry_run:
                watcher.planned(loop.plan, 0)
                return Outcome(run, None)
            if group.leader:
                ready.save(run.folder)
            return Outcome(run, loop.fit(begun))


def _group() -> Group:
    from trainer.lora.group import Group

    return Group.join()


@dataclass(frozen=True, slots=True)
class Desk:
    """All that a loop is made of but the model, so that one may be opened after the other."""

    archive_dir: Path
    splits: tuple[list[Row], list[Row]]
    settings: Train
    run: Run
    group: Group
    watcher: Watcher
    confirm: Callable[[str], bool]
    stop: Callable[[], bool]
    early_stop: bool

    def open(self, folder: Path, begun: Begun) -> tuple[Loop, Any]:
        """Load a model and attach an adapter; returns the loop and the tokenizer."""
        from trainer.lora import adapter, trunk
        from trainer.lora.loop import Loop

        settings, watcher = self.settings, self.watcher
        watcher.note(f"loading {begun.model}")
        model, tokenizer = mlx_runtime.load(folder)
        data = make_data(
            model, tokenizer, self.splits, settings, watcher, early_stop=self.early_stop
        )
        kept = (
            trunk.open_trunk(
                self.archive_dir / trunk.FOLDER,
                begun.model_sha,
                model,
                adapter.tuned_layers(model, settings),
                [*data.train, *data.valid],
                settings.trunk_gb,
                self.confirm,
                watcher.note,
            )
            if settings.epochs > 1 and self.group.size == 1
            else None
        )
        if not self.group.leader:
            data = replace(data, asked=[])  # one answers for all
        loop = Loop(
            model,
            tokenizer,
            data,
            settings,
            self.run,
            watcher,
            self.stop,
            trunk=kept,
            group=self.group,
        )
        return loop, tokenizer


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
            ("train", splits[0], settings.samples - half),
            ("valid", splits[1], half),
        )
        for row in rows[:count]
    ]
    return Data(
        train=train,
        valid=valid,
        taught=train[: len(valid)],
        asked=asked,
        too_long=left + left_valid,
        longest_allowed=longest,
        early_stop=early_stop,
    )
