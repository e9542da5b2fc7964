"""The training loop: every row in every epoch, exact to resume, the loss without pads."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
from mlx.utils import tree_map

from exchange.errors import Stopped, UserError
from trainer.tokenization import TokenizedSample
from trainer.training import adapter, batches, checkpoints
from trainer.training.activation_cache import ActivationCache
from trainer.training.batches import TrainingData, plan_run
from trainer.training.callbacks import ASKING, Callback, StepMetrics, ValidationMetrics
from trainer.training.curriculum import Curriculum
from trainer.training.distributed import ProcessGroup
from trainer.training.loss import Loss, Validator, loss_and_gradient, scalar
from trainer.training.optimizer import ClippedAdamW, rate_of_step
from trainer.training.run_config import RunConfig
from trainer.training.runs import RunSummary, TrainingRun
from trainer.training.settings import TrainSettings
from trainer.training.teacher import Teacher


class NonFiniteLoss(UserError):
    """The loss is not finite: the learning rate is too high, or the model is broken."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"{found}: lower [train] lr and start again with --restart; the last saved state is "
            "intact"
        )


class TrainingLoop:
    """One run over one model. Not to be used again after `fit`; the model may be."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        data: TrainingData,
        settings: TrainSettings,
        run: TrainingRun,
        *,
        callback: Callback | None = None,
        stop: Callable[[], bool] = lambda: False,
        cache: ActivationCache | None = None,
        among: Sequence[int] | None = None,
        teacher: Teacher | None = None,
        group: ProcessGroup | None = None,
    ) -> None:
        """Attach an adapter and make the plan.

        Args:
            stop: asked before every step; true ends the run so that it can go on later.
            cache: of this model's frozen layers; rows that it lacks are computed first.
            among: the only token ids that answers consist of; the loss is over these alone.
            teacher: what it says of a row is part of the row's target; what it has not said yet
                is computed first.
            group: the processes that share every batch; default: this one alone.

        Raises:
            UsageError: settings that do not fit the model.
        """
        self.model, self.cache, self.teacher = model, cache, teacher
        self.data, self.settings, self.run = data, settings, run
        self.callback, self.stop = callback or Callback(), stop
        self.group = group or ProcessGroup()
        self.parts, self.checkpoint = 1, settings.grad_checkpoint
        self.adapter_config = adapter.attach(model, settings)
        self.plan = plan_run(
            data,
            settings,
            model,
            self.adapter_config["num_layers"],
            cached=cache is not None,
            teacher=(teacher.rows, teacher.total_bytes) if teacher else (0, 0),
        )
        self.update = ClippedAdamW(model, settings)
        self.optimizer = self.update.optimizer
        self.loss = Loss(model, cache, among, teacher, settings.preference_weight)
        self.gradient = loss_and_gradient(self.loss)
        self.validator = Validator(
            self.loss, tokenizer, data, settings, callback=self.callback, group=self.group
        )
        self.curriculum = Curriculum(data, settings)
        self._steps_per_epoch = self.curriculum.steps_per_epoch
        self.position = checkpoints.TrainingPosition()
        self._hits: list[bool] = []  # of the last step's targets: the model's first choice?
        self._preferred: float | None = None  # share of its pairs whose answer was the likelier
        self._config_sha = ""

    def fit(self, config: RunConfig) -> RunSummary:
        """Train to the end, from wherever the run's state is.

        Args:
            config: what this run is made of; its state is of no use to another.

        Raises:
            UserError: stopped (exit code 3), the loss is not finite, or the disk is full; what was
                saved before is intact, and the same call goes on from there.
        """
        self._config_sha = config.sha
        names, state = self.run.state_names(config), (self.model, self.optimizer)
        found = checkpoints.load_state(self.run.folder, *state, names, self.curriculum)
        self.position = found or self.position
        self.run.rewind(self.position.step if found else -1)
        self.callback.on_train_begin(self.plan, self.position.step)
        if self.cache:
            rows = [*self.data.train, *self.data.valid]
            self.cache.fill(rows, self.callback.progress("computing the frozen layers"), self.stop)
        if self.teacher:
            asking = self.callback.progress(ASKING)
            self.teacher.fill_together(self.data.train, self.group, asking, self.stop)
        self.model.train()  # loaded models do not drop out
        with adapter.gradient_checkpointing(self.model, self.checkpoint):
            if not found:
                self._begin()
            while self.position.step < self.plan.steps and not self._patience_spent:
                if self.group.any(self.stop()):
                    self._save()
                    raise Stopped(
                        f"stopped after step {self.position.step} of {self.plan.steps}: the same "
                        "command goes on from there",
                    )
                self._step()
            return self._end(config)

    def share_left(self) -> float:
        """How much of the run is still to be done, 1 before its first step."""
        return 1 - checkpoints.saved_step(self.run.folder) / self.plan.steps

    def _begin(self) -> None:
        self.position.taught_before = self.validator.train_loss()
        self._validate()
        self.position.valid_before = self.position.valid_last
        self._save()

    def _end(self, config: RunConfig) -> RunSummary:
        facts, known, unlearned = self.validator.facts_known(self.curriculum)
        if facts:
            self.run.list_unlearned(unlearned)
        summary = RunSummary(
            model=config.model,
            model_sha=config.model_sha,
            dataset=config.dataset,
            valid_before=self.position.valid_before,
            valid_after=self.position.valid_last,
            taught_before=self.position.taught_before,
            taught_after=self.validator.train_loss(),
            best_loss=self.position.best_loss,
            best_step=self.position.best_step,
            steps=self.position.step,
            epochs=self.settings.epochs,
            rows=self.plan.train_rows,
            tokens=self.position.tokens,
            targets=self.position.targets,
            padding=self.plan.padding,
            trainable=self.plan.trainable,
            parameters=self.plan.parameters,
            seconds=self.position.seconds,
            peak_bytes=mx.get_peak_memory(),
            bits_before=self.validator.bits(self.position.valid_before),
            bits_after=self.validator.bits(self.position.valid_last),
            early=self.position.step < self.plan.steps,
            facts=facts,
            known=known,
            unlearned=len(unlearned),
        )
        adapter.save(self.run.folder, self.model, self.adapter_config)
        self.run.finish(summary)
        (self.run.folder / checkpoints.FILE).unlink(missing_ok=True)
        return summary

    def _step(self) -> None:
        started = time.perf_counter()
        rate = rate_of_step(self.position.step, self.plan.steps, self.settings)
        groups = self.curriculum.samples_of_step(self.position.step)
        local = self.local_rows(groups)
        targets = sum(sample.targets for rows in groups for sample in rows)
        nats, norm = self.train_step(local, targets, rate)
        if not math.isfinite(nats) or not math.isfinite(norm):
            raise NonFiniteLoss(
                f"the loss is not finite at step {self.position.step + 1} "
                f"(learning rate {rate:.2g})"
            )
        if self.curriculum.active:
            shown, computed = ([s for rows in some for s in rows] for some in (groups, local))
            self.curriculum.observe(shown, computed, self._hits, self.group.totals)
        tokens = sum(sample.length for rows in groups for sample in rows)
        seconds = time.perf_counter() - started
        self.position.step += 1
        self.position.tokens += tokens
        self.position.targets += targets
        self.position.seconds += seconds
        at = self.position.step, self._epochs()
        done = StepMetrics(*at, nats / targets, rate, norm, tokens, seconds, self._preferred)
        self.run.record([done])
        self.callback.on_step(done)
        self._after_step()

    def _after_step(self) -> None:
        every = self.settings.evaluate_every or self._steps_per_epoch
        last = self.position.step == self.plan.steps
        if self.curriculum.active and self.position.step % self._steps_per_epoch == 0:
            known = self.curriculum.end_epoch(self.position.growth, self.position.step)
            self.run.record([known])
            self.callback.on_known(known)
        if last or self.position.step % every == 0:
            self._validate()
        if last or self._patience_spent or self.position.step % self.settings.save_every == 0:
            self._save()

    def compute(self, *, parts: int, checkpoint: bool) -> None:
        """Choose how to compute; the rows of each step, and what is learned, stay the same.

        Args:
            parts: in which a batch is computed, one after the other.
            checkpoint: compute activations twice.
        """
        self.parts, self.checkpoint = parts, checkpoint
        self.validator.batch = -(-self.settings.batch // parts)

    def local_rows(self, groups: list[list[TokenizedSample]]) -> list[list[TokenizedSample]]:
        """What this process computes of a step's batches, in as many parts as memory asks for."""
        return [
            part
            for rows in groups
            for part in batches.split_rows(self.group.share(rows), self.parts)
        ]

    def train_step(
        self, groups: list[list[TokenizedSample]], targets: int, rate: float
    ) -> tuple[float, float]:
        """One optimizer step; returns the loss's sum in nats and the gradient's norm.

        Args:
            groups: rows that are computed together, of this process.
            targets: of the whole step, those of the other processes included.
        """
        nats, gradients = mx.array(0.0), None
        self.loss.hits, self.loss.preferred = [] if self.curriculum.active else None, []
        for rows in groups:
            part, gradient = self.gradient(self.loss.batch(rows, learned=True), 1 / targets)
            nats = nats + part
            gradients = tree_map(mx.add, gradients, gradient) if gradients else gradient
            if len(groups) > 1:  # or the graphs of all batches would be alive together
                mx.eval(nats, gradients)
        if gradients is None:  # more processes than rows
            gradients = tree_map(mx.zeros_like, self.model.trainable_parameters())
        nats, gradients = self.group.sum((nats, gradients))
        norm = self.update(gradients, rate)
        marks: Any = self.loss.hits or [], self.loss.preferred
        self.loss.hits = None
        mx.eval(self.model.trainable_parameters(), self.optimizer.state, nats, norm, marks)
        self._hits, own = ([bool(one) for some in each for one in some.tolist()] for each in marks)
        if self.plan.pairs:
            right, count = self.group.totals([float(sum(own)), float(len(own))])
            self._preferred = right / count if count else None
        return scalar(nats), scalar(norm)

    def _validate(self) -> None:
        loss = self.validator.valid_loss()
        if not math.isfinite(loss):
            raise NonFiniteLoss(f"the validation loss is not finite at step {self.position.step}")
        best = self.position.step == 0 or loss < self.position.best_loss
        self.position.valid_last = loss
        self.position.waited = 0 if best else self.position.waited + 1
        if best:
            self.position.best_loss, self.position.best_step = loss, self.position.step
            adapter.save(self.run.best, self.model, self.adapter_config)
        bits = self.validator.bits(loss)
        done = ValidationMetrics(self.position.step, self._epochs(), loss, bits, best)
        self.run.record([done])
        self.callback.on_validation(done)
        if answers := self.validator.answers(self.position.step):
            self.run.record_answers(answers)
            self.callback.on_samples(answers)

    def _save(self) -> None:
        adapter.save(self.run.folder, self.model, self.adapter_config)
        state = (self.run.folder, self.model, self.optimizer, self.position)
        checkpoints.save_state(*state, self._config_sha, self.curriculum)

    @property
    def _patience_spent(self) -> bool:
        """Whether it has not become better for as long as it may: validation, or what is known."""
        if self.curriculum.active:
            return 0 < self.settings.patience <= self.position.growth.waited
        patience = self.settings.patience if self.data.early_stop else 0
        return 0 < patience <= self.position.waited

    def _epochs(self) -> float:
        return round(self.position.step / self._steps_per_epoch, 4)
