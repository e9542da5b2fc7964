"""One training run from the dataset to the summary: lock, model, preflight, loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.inference import models, runtime
from exchange.machine import PowerSettings
from exchange.project import DEFAULT_RUN, Project
from exchange.recipes.prompts import PromptTemplate
from trainer import tokenization
from trainer.dataset import DatasetRow, Manifest, read_chunks, read_split
from trainer.dataset.build import FOLDER
from trainer.tokenization import encode_rows, longest_row
from trainer.training import distributed, run_config
from trainer.training.callbacks import Callback
from trainer.training.open_book import OpenBook, passage_template
from trainer.training.plan import load_preflight
from trainer.training.preference import choose_pairs, with_rejected
from trainer.training.preflight import decide
from trainer.training.row_selection import (
    ContinuationRequest,
    choose_rows,
    load_adapter,
    require_model,
    select_rows,
)
from trainer.training.run_config import RunConfig
from trainer.training.runs import RunSummary, TrainingRun
from trainer.training.settings import TrainSettings

if TYPE_CHECKING:
    from trainer.training.batches import TrainingData
    from trainer.training.loop import TrainingLoop
    from trainer.training.plan import RunPlan


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A finished run; without a summary, one that was only planned (`dry_run`)."""

    run: TrainingRun
    summary: RunSummary | None
    already: bool = False  # it was finished before; nothing was done now
    plan: RunPlan | None = None  # of a run that was only planned


def train(
    project: Project,
    archive: str | None,
    settings: TrainSettings,
    *,
    name: str = DEFAULT_RUN,
    continues: ContinuationRequest | None = None,
    restart: bool = False,
    dry_run: bool = False,
    callback: Callback | None = None,
    language_model: models.ModelSettings | None = None,
    confirm: Callable[[str], bool] = lambda text: False,
    stop: Callable[[], bool] = lambda: False,
) -> TrainingResult:
    """Train an adapter on the archive's dataset, or go on with the run of this name.

    Call `exchange.inference.openblas.ensure()` first where the process may be replaced. Evaluates
    MLX: a process that called this must not fork. Started by `mlx.launch`, it is one of several
    that share every batch (`trainer.training.distributed`).

    Args:
        continues: start from the adapter of another run, and teach what that one was not.
        dry_run: only tell what the run would take; no run is begun.
        language_model: default: the one of the settings.
        confirm: asked before a model is downloaded, and before much disk is taken.
        stop: looked at before every step; true ends the run so that it can go on later.

    Raises:
        UserError: no dataset, no model, a run begun with other settings, the GPU in use, too
            little memory or disk, stopped, a loss that is not finite.
    """
    group = distributed.ProcessGroup.join()
    callback = callback if callback and group.leader else Callback()
    archive_dir = project.archive_dir(archive)
    manifest = Manifest.read(archive_dir / FOLDER)
    train_rows = select_rows(read_split(archive_dir / FOLDER, "train"), settings, callback)
    choose = choose_pairs if settings.recipe == "preference" else choose_rows
    chosen = choose(archive_dir, train_rows, continues or ContinuationRequest(), name)
    if continues:
        train_rows = chosen.rows
        callback.log(f"going on from {continues.run or 'the base'}: {chosen.described()}")
    valid_rows = read_split(archive_dir / FOLDER, "valid")
    language_model = language_model or project.config.table("model", models.ModelSettings)
    template = passage_template(project, archive, settings)
    run = TrainingRun(archive_dir, name)
    stored = None if restart else load_preflight(run.folder)
    if stored and stored.model:  # the 4-bit copy that this run began with
        language_model = language_model.model_copy(update={"name": stored.model})
    folder = models.locate(language_model, project.models, confirm)
    with distributed.group_gpu_lock(project.data, group):
        config_of = partial(
            run_config.make_run_config,
            dataset=manifest.sha,
            settings=settings,
            template=template,
            continues=chosen.described() if continues else "",
            continue_words=continues.words() if continues else (),
        )
        config = config_of(language_model.name, folder)
        if continues and continues.run:
            before = TrainingRun(archive_dir, continues.run).config()
            require_model(before, continues.run, config.model_sha, language_model.name)
        group.check_equal("model, dataset and settings", config.sha)
        finished = None
        if group.leader and not dry_run:
            finished = run.begin(config, restart=restart)
            if finished is None:
                chosen.save(run.folder)
        if group.any(finished is not None):
            return TrainingResult(run, finished, already=True)
        with distributed.follower_run(run, group) as own_run:
            builder = LoopBuilder(
                archive_dir=archive_dir,
                splits=(train_rows, valid_rows),
                settings=settings,
                run=own_run,
                group=group,
                template=template,
                callback=callback,
                confirm=confirm,
                stop=stop,
                # Held-out stories are not to be known, so their loss does not say when to stop.
                early_stop=not manifest.line["valid"],
                start=chosen.adapter,
                rejected=chosen.rejected,
            )
            watts = project.config.table("power", PowerSettings).watts
            plan = decide.check_weights(folder, settings, watts) if group.size == 1 else None
            if not plan:
                loop, tokenizer = builder.build(folder, config)
                plan = decide.decide_mode(loop, tokenizer, settings, stored, archive_dir, watts)
            if plan.mode.bits:
                reasons = plan.reasons
                folder = decide.quantized_copy(folder, project.models, reasons, callback.log)
                config = config_of(str(folder), folder)
                if not dry_run:
                    run.begin(config, restart=True)
                    chosen.save(run.folder)
                loop, tokenizer = builder.build(folder, config)
                plan = decide.decide_mode(loop, tokenizer, settings, None, archive_dir, watts)
                plan = replace(plan, model=str(folder), reasons=reasons + plan.reasons)
            loop.compute(parts=plan.mode.parts, checkpoint=plan.mode.checkpoint)
            callback.on_forecast(plan.left(loop.share_left()))
            if dry_run:
                callback.on_train_begin(loop.plan, 0)
                return TrainingResult(run, None, plan=loop.plan)
            if group.leader:
                plan.save(run.folder)
            return TrainingResult(run, loop.fit(config))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopBuilder:
    """All that a loop is made of but the model, so that one may be built after the other."""

    archive_dir: Path
    splits: tuple[list[DatasetRow], list[DatasetRow]]
    settings: TrainSettings
    run: TrainingRun
    group: distributed.ProcessGroup
    template: PromptTemplate | None  # how a chunk stands before a question; None: none does
    callback: Callback
    confirm: Callable[[str], bool]
    stop: Callable[[], bool]
    early_stop: bool
    start: Path | None = None  # an adapter whose weights are the first ones
    rejected: Mapping[str, str] = field(default_factory=dict)  # answers, by the row of train

    def build(self, folder: Path, config: RunConfig) -> tuple[TrainingLoop, Any]:
        """Load a model and attach an adapter; returns the loop and the tokenizer."""
        from trainer.training import activation_cache
        from trainer.training.loop import TrainingLoop
        from trainer.training.teacher_prompts import make_teacher

        settings, callback = self.settings, self.callback
        callback.log(f"loading {config.model}")
        model, tokenizer = runtime.load(folder)
        data = tokenize_splits(
            model, tokenizer, self.splits, settings, callback, early_stop=self.early_stop
        )
        if self.rejected:
            longest = data.longest_allowed
            train = with_rejected(data.train, self.splits[0], self.rejected, tokenizer, longest)
            data = replace(data, train=train)
            if left := len(self.rejected) - sum(row.rejected is not None for row in train):
                callback.log(f"{left} inventions are not rejected: longer than {longest} tokens")
        chunks = read_chunks(self.archive_dir / FOLDER) if self.template else {}
        if settings.open_book and self.template:
            book = OpenBook(self.splits[0], chunks, self.template, settings)
            longest = data.longest_allowed
            shown, left = encode_rows(
                tokenizer, book.rows(0), longest, callback.progress("encoding")
            )
            callback.log(
                f"{len(shown)} rows are asked under their text too"
                + (f"; {left} would be longer than [train] max_length" if left else "")
            )
            data = replace(
                data,
                train=[*data.train, *shown],
                redrawn=partial(book.encoded, tokenizer, shown, longest),
            )
        cache = None
        if settings.epochs > 1 and self.group.size == 1:
            cache = activation_cache.open_activation_cache(
                self.archive_dir,
                config.model_sha,
                model,
                settings,
                [*data.train, *data.valid],
                confirm=self.confirm,
                log=callback.log,
            )
        teacher = None
        if settings.recipe == "distil" and self.template:
            teacher = make_teacher(
                # The leader alone writes into the archive's folder.
                self.archive_dir if self.group.leader else self.run.folder,
                config.model_sha,
                model,
                tokenizer,
                settings,
                (self.splits[0], data.train),
                chunks,
                self.template,
                callback=callback,
                confirm=self.confirm,
            )
        if not self.group.leader:
            data = replace(data, prompts=[])  # one answers for all
        loop = TrainingLoop(
            model,
            tokenizer,
            data,
            settings,
            self.run,
            callback=callback,
            stop=self.stop,
            cache=cache,
            teacher=teacher,
            group=self.group,
        )
        if self.start:
            load_adapter(model, loop.adapter_config, self.start, settings)
        return loop, tokenizer


def tokenize_splits(
    model: Any,
    tokenizer: Any,
    splits: tuple[list[DatasetRow], list[DatasetRow]],
    settings: TrainSettings,
    callback: Callback,
    *,
    early_stop: bool = True,
) -> TrainingData:
    """Rows of train and valid as the loop reads them, within the model's context.

    Raises:
        UserError: no row of a split fits.
    """
    from trainer.training.batches import SamplePrompt, TrainingData

    longest = longest_row(model, settings.max_length)
    train, left = encode_rows(tokenizer, splits[0], longest, callback.progress("encoding"))
    valid, left_valid = encode_rows(tokenizer, splits[1], longest, callback.progress("encoding"))
    half = settings.samples // 2
    prompts = [
        SamplePrompt(
            name, row.question, row.answer, tokenization.prompt_tokens(tokenizer, row.asked())
        )
        for name, rows, count in (
            ("train", splits[0], settings.samples - half),
            ("valid", splits[1], half),
        )
        for row in rows[:count]
    ]
    return TrainingData(
        train=train,
        valid=valid,
        train_sample=train[: len(valid)],
        prompts=prompts,
        too_long=left + left_valid,
        longest_allowed=longest,
        early_stop=early_stop,
        facts={row.id: row for row in splits[0] if row.story and row.is_fact},
    )
