"""The training loop: every row in every epoch, exact to resume, the loss told as it is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
from mlx.utils import tree_map

from exchange.errors import Stopped, UserError
from trainer.tokenization import TokenizedSample
from trainer.training import adapter, batches, checkpoints, schedule
from trainer.training.activation_cache import ActivationCache
from trainer.training.callbacks import Callback, StepMetrics, ValidationMetrics
from trainer.training.data import TrainingData, plan_run
from trainer.training.distributed import ProcessGroup
from trainer.training.loss import Loss, loss_and_gradient, scalar
from trainer.training.optimizer import ClippedAdamW
from trainer.training.runs import RunConfig, RunSummary, TrainingRun
from trainer.training.settings import TrainSettings
from trainer.training.validation import Validator


class NonFiniteLoss(UserError):
    """The loss is not finite: the learning rate is too high, or the model is broken."""


class TrainingLoop:
    """One run over one model. Not to be used again after `fit`; the model may be."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        data: TrainingData,
        settings: TrainSettings,
        run: TrainingRun,
        watcher: Callback,
        stop: Callable[[], bool] = lambda: False,
        *,
        trunk: ActivationCache | None = None,
        among: Sequence[int] | None = None,
        group: ProcessGroup | None = None,
    ) -> None:
        """Attach an adapter and make the plan.

        Args:
            trunk: a cache of this model's frozen layers; rows that it lacks are computed first.
            among: the only token ids that answers consist of; the loss is over these alone.
            group: the processes that share every batch; default: this one alone.

        Raises:
            UsageError: settings that do not fit the model.
        """
        self.model, self.trunk = model, trunk
        self.data, self.settings, self.run = data, settings, run
        self.watcher, self.stop = watcher, stop
        self.group = group or ProcessGroup()
        self.parts, self.checkpoint = 1, settings.grad_checkpoint
        self.config = adapter.attach(model, settings)
        self.plan = plan_run(
            data, settings, model, self.config["num_layers"], trunk=trunk is not None
        )
        self.update = ClippedAdamW(model, settings)
        self.optimizer = self.update.optimizer
        self.loss = Loss(model, trunk, among)
        self.gradient = loss_and_gradient(self.loss)
        self.examiner = Validator(self.loss, tokenizer, data, settings, watcher, self.group)
        self.at = checkpoints.TrainingPosition()
        self._epoch: tuple[int, list[list[int]]] = (-1, [])
        self._made_of = ""

    def fit(self, begun: RunConfig) -> RunSummary:
        """Train to the end, from wherever the run's state is.

        Args:
            begun: what this run is made of; its state is of no use to another.

        Raises:
            UserError: stopped (exit code 3), the loss is no number, or the disk is full; what was
                saved before is intact, and the same call goes on from there.
        """
        self._made_of = begun.sha
        found = checkpoints.load_state(self.run.folder, self.model, self.optimizer, self._made_of)
        self.at = found or self.at
        self.run.rewind(self.at.step if found else -1)
        self.watcher.planned(self.plan, self.at.step)
        if self.trunk:
            self.trunk.fill([*self.data.train, *self.data.valid], self.watcher.caching, self.stop)
        self.model.train()  # loaded models do not drop out
        with adapter.gradient_checkpointing(self.model, self.checkpoint):
            if not found:
                self._begin()
            while self.at.step < self.plan.steps and not self._waited_enough:
                if self.group.any(self.stop()):
                    self._save()
                    raise Stopped(
                        f"stopped after step {self.at.step} of {self.plan.steps}: the same "
                        "command goes on from there",
                    )
                self._step()
            return self._end(begun)

    # -- the parts --------------------------------------------------------------------------

    def _begin(self) -> None:
        self.at.taught_before = self.examiner.taught()
        self._validate()
        self.at.valid_before = self.at.valid_last
        self._save()

    def _end(self, begun: RunConfig) -> RunSummary:
        summary = RunSummary(
            model=begun.model,
            model_sha=begun.model_sha,
            dataset=begun.dataset,
            valid_before=self.at.valid_before,
            valid_after=self.at.valid_last,
            taught_before=self.at.taught_before,
            taught_after=self.examiner.taught(),
            best_loss=self.at.best_loss,
            best_step=self.at.best_step,
            steps=self.at.step,
            epochs=self.settings.epochs,
            rows=self.plan.train_rows,
            tokens=self.at.tokens,
            targets=self.at.targets,
            padding=self.plan.padding,
            trainable=self.plan.trainable,
            parameters=self.plan.parameters,
            seconds=self.at.seconds,
            peak_bytes=mx.get_peak_memory(),
            bits_before=self.examiner.bits(self.at.valid_before),
            bits_after=self.examiner.bits(self.at.valid_last),
            early=self.at.step < self.plan.steps,
        )
        adapter.save(self.run.folder, self.model, self.config)
        self.run.finish(summary)
        (self.run.folder / checkpoints.FILE).unlink(missing_ok=True)
        return summary

    def _step(self) -> None:
        started = time.perf_counter()
        rate = schedule.learning_rate(
            self.at.step,
            self.plan.steps,
            self.settings.lr,
            schedule.warmup_steps(self.plan.steps, self.settings.warmup),
            self.settings.decay,
        )
        groups = [[self.data.train[i] for i in rows] for rows in self._groups()]
        targets = sum(sample.targets for rows in groups for sample in rows)
        nats, norm = self.train_step(self.mine(groups), targets, rate)
        if not math.isfinite(nats) or not math.isfinite(norm):
            raise NonFiniteLoss(
                f"the loss is no number at step {self.at.step + 1} (learning rate {rate:.2g}): "
                "lower [train] lr and start again with --restart; the last saved state is intact"
            )
        tokens = sum(sample.length for rows in groups for sample in rows)
        seconds = time.perf_counter() - started
        self.at.step += 1
        self.at.tokens += tokens
        self.at.targets += targets
        self.at.seconds += seconds
        done = StepMetrics(
            self.at.step, self._epochs(), nats / targets, rate, norm, tokens, seconds
        )
        self.run.record([done])
        self.watcher.on_step(done)
        self._after_step()

    def _after_step(self) -> None:
        every = self.settings.evaluate_every or self._steps_per_epoch
        last = self.at.step == self.plan.steps
        if last or self.at.step % every == 0:
            self._validate()
        if last or self._waited_enough or self.at.step % self.settings.save_every == 0:
            self._save()

    def compute(self, *, parts: int, checkpoint: bool) -> None:
        """Choose how to compute; the rows of each step, and what is learned, stay the same.

        Args:
            parts: in which a batch is computed, one after the other.
            checkpoint: compute activations twice.
        """
        self.parts, self.checkpoint = parts, checkpoint
        self.examiner.rows = -(-self.settings.batch // parts)

    def mine(self, groups: list[list[TokenizedSample]]) -> list[list[TokenizedSample]]:
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
        for rows in groups:
            part, grown = self.gradient(self.loss.batch(rows), 1 / targets)
            nats = nats + part
            gradients = tree_map(mx.add, gradients, grown) if gradients else grown
            if len(groups) > 1:  # or the graphs of all batches would be alive together
                mx.eval(nats, gradients)
        if gradients is None:  # more processes than rows
            gradients = tree_map(mx.zeros_like, self.model.trainable_parameters())
        nats, gradients = self.group.sum((nats, gradients))
        norm = self.update(gradients, rate)
        mx.eval(self.model.trainable_parameters(), self.optimizer.state, nats, norm)
        return scalar(nats), scalar(norm)

    def _validate(self) -> None:
        loss = self.examiner.valid()
        if not math.isfinite(loss):
            raise NonFiniteLoss(
                f"the validation loss is no number at step {self.at.step}: lower [train] lr and "
                "start again with --restart; the last saved state is intact"
            )
        best = self.at.step == 0 or loss < self.at.best_loss
        self.at.valid_last = loss
        self.at.waited = 0 if best else self.at.waited + 1
        if best:
            self.at.best_loss, self.at.best_step = loss, self.at.step
            adapter.save(self.run.best, self.model, self.config)
        done = ValidationMetrics(self.at.step, self._epochs(), loss, self.examiner.bits(loss), best)
        self.run.record([done])
        self.watcher.validated(done)
        if given := self.examiner.answers(self.at.step):
            self.run.record_answers(given)
            self.watcher.answered(given)

    def _save(self) -> None:
        adapter.save(self.run.folder, self.model, self.config)
        checkpoints.save_state(self.run.folder, self.model, self.optimizer, self.at, self._made_of)

    # -- where we are -----------------------------------------------------------------------

    @property
    def _waited_enough(self) -> bool:
        """Whether validation has not become better for as long as it may."""
        patience = self.settings.patience if self.data.early_stop else 0
        return 0 < patience <= self.at.waited

    @property
    def _steps_per_epoch(self) -> int:
        return self.plan.steps // self.settings.epochs

    def _epochs(self) -> float:
        return round(self.at.step / self._steps_per_epoch, 4)

    def _groups(self) -> list[list[int]]:
        """The row numbers of the batches of this step; the step alone decides them."""
        number, position = divmod(self.at.step, self._steps_per_epoch)
        if self._epoch[0] != number:
            lengths = [sample.length for sample in self.data.train]
            order = batches.epoch_batches(lengths, self.settings.batch, self.settings.seed, number)
            self._epoch = (number, order)
        first = position * self.settings.accumulate
        return self._epoch[1][first : first + self.settings.accumulate]
