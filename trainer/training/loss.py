"""The loss: cross-entropy of the answers' tokens, no pad among them, logits only where it looks.

Where a teacher is given, its distribution is a part of the target of the rows that are learned.
Where a row rejects an answer, that one is to be less likely than the row's own (ORPO).

`Validator` measures it over whole fixed sets between two steps, and lets the model answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from exchange.inference.mlx.engine import generate_texts
from exchange.inference.mlx.scoring import split_head
from trainer.tokenization import TokenizedSample
from trainer.training import batches
from trainer.training.activation_cache import ActivationCache
from trainer.training.batches import TeacherTargets, TrainingBatch, TrainingData, make_batch
from trainer.training.callbacks import Callback, SampleAnswer, UnlearnedFact
from trainer.training.curriculum import RIGHT, ROUNDS, Curriculum
from trainer.training.distributed import ProcessGroup
from trainer.training.settings import TrainSettings
from trainer.training.teacher import Teacher

SMALLEST = 1e-6  # probability: what is left of 1 beside the teacher's tokens, in float32

Array = mx.array
ANSWERED = 200  # of the facts that were taught in vain: what the model says instead


class Loss:
    """Sums the cross-entropy over a batch's targets, in nats.

    The head (the widest product of all) runs only at the places that are looked at, where the
    model lets itself be taken apart; whether it does is tried once.
    """

    def __init__(
        self,
        model: Any,
        cache: ActivationCache | None = None,
        among: Sequence[int] | None = None,
        teacher: Teacher | None = None,
        preference: float = 0.0,
    ) -> None:
        """Look at a model; it may be changed by training, but not in its shape.

        Args:
            cache: holds every row of every batch; what is frozen is then not computed again.
            among: the only token ids that can be a target; the model chooses among these alone.
            teacher: what it says of a row is part of that row's target.
            preference: weight of a rejected answer beside the row's own.
        """
        self._preference = preference
        self.model, self._cache, self._teacher = model, cache, teacher
        self._among = mx.array(sorted(among)) if among else None
        self._parts = split_head(model)
        self.hits: list[Array] | None = None  # per target, where somebody wants to know
        self.preferred: list[Array] = []  # per pair that was learned: is its answer the likelier?

    @property
    def sparse(self) -> bool:
        """True when logits are computed only where the loss looks."""
        return self._parts is not None

    def batch(self, samples: Sequence[TokenizedSample], *, learned: bool = False) -> TrainingBatch:
        """Rows as this loss wants them.

        Args:
            learned: teacher and rejected answers count; what is only measured is the answers' own
                cross-entropy.
        """
        taught = self._teacher.targets(samples) if self._teacher and learned else None
        hidden = self._cache.hidden if self._cache else None
        return make_batch(samples, hidden, taught, paired=learned)

    def __call__(self, batch: TrainingBatch) -> Array:
        """The sum; divide by `batch.size` for a mean."""
        logits, targets = self.logits(batch), batch.targets
        if self._among is not None:
            logits = logits[:, self._among]
            targets = mx.argmax(targets[:, None] == self._among, axis=1)
        if self.hits is not None:
            hits = mx.argmax(mx.stop_gradient(logits), axis=1) == targets
            self.hits.append(hits[: batch.size])
        logits = logits.astype(mx.float32)
        if batch.pairs is not None:
            nats = nn.losses.cross_entropy(logits, targets, reduction="none")
            margin = batch.pairs.margins(nats)
            self.preferred.append(mx.stop_gradient(margin) > 0)
            apart = (batch.pairs.weights * nn.softplus(-margin)).sum()
            return nats[: batch.size].sum() + self._preference * apart
        if batch.taught is not None:
            return _mixed(logits, targets, batch.taught)
        return nn.losses.cross_entropy(logits, targets, reduction="sum")

    def logits(self, batch: TrainingBatch) -> Array:
        """(targets, vocabulary), in the model's own number type."""
        if self._cache is None or batch.hidden is None:
            return self._computed(batch)
        with self._cache.frozen.given(batch.hidden):
            return self._computed(batch)

    def _computed(self, batch: TrainingBatch) -> Array:
        if self._parts is None:
            logits = self.model(batch.inputs)
            return logits.reshape(-1, logits.shape[-1])[batch.places]
        body, head = self._parts
        hidden = body(batch.inputs)
        return head(hidden.reshape(-1, hidden.shape[-1])[batch.places])


def _mixed(logits: Array, targets: Array, taught: TeacherTargets) -> Array:
    """Cross-entropy, and in the teacher's share the divergence from the teacher to the student.

    Over the teacher's tokens and all others as one: both distributions sum to 1 over these.
    """
    whole = mx.logsumexp(logits, axis=-1, keepdims=True)
    plain = (whole - mx.take_along_axis(logits, targets[:, None], axis=-1))[:, 0]
    said = mx.take_along_axis(logits, taught.ids, axis=-1) - whole
    wanted = mx.exp(taught.logprobs)
    rest = mx.maximum(1 - wanted.sum(axis=-1), SMALLEST)
    others = mx.maximum(1 - mx.exp(said).sum(axis=-1), SMALLEST)
    apart = (wanted * (taught.logprobs - said)).sum(axis=-1) + rest * mx.log(rest / others)
    return ((1 - taught.share) * plain + taught.share * apart).sum()


def loss_and_gradient(loss: Loss) -> Callable[[TrainingBatch, float], tuple[Array, Any]]:
    """A function of a batch and a weight: the loss's plain sum, and the weighted gradient.

    With the weight 1 / (targets of the whole step) the gradients of several batches add up to
    that of their mean over tokens, whichever way the rows were grouped.
    """

    def weighted(batch: TrainingBatch, weight: float) -> tuple[Array, Array]:
        nats = loss(batch)
        return nats * weight, nats

    both = nn.value_and_grad(loss.model, weighted)

    def compute(batch: TrainingBatch, weight: float) -> tuple[Array, Any]:
        (_, nats), gradients = both(batch, weight)
        return nats, gradients

    return compute


def summed_loss(
    loss: Loss,
    samples: Sequence[TokenizedSample],
    size: int,
    progress: Callable[[int, int], None] = lambda done, rows: None,
) -> float:
    """The sum of the loss over a whole fixed set, in nats; dropout is off meanwhile."""
    loss.model.eval()
    done, nats = 0, 0.0
    for chosen in batches.fixed_batches([sample.length for sample in samples], size):
        nats += scalar(loss(loss.batch([samples[i] for i in chosen])))
        done += len(chosen)
        progress(done, len(samples))
    loss.model.train()
    return nats


def row_losses(loss: Loss, samples: Sequence[TokenizedSample], size: int) -> list[float]:
    """The mean loss of every row over its own targets, in their order; dropout is off meanwhile."""
    return [nats for nats, _ in judge_rows(loss, samples, size)]


def judge_rows(
    loss: Loss, samples: Sequence[TokenizedSample], size: int
) -> list[tuple[float, float]]:
    """Of every row the mean loss over its targets, and the share of them that are first choices."""
    loss.model.eval()
    found = [(0.0, 0.0)] * len(samples)
    for chosen in batches.fixed_batches([sample.length for sample in samples], size):
        batch = loss.batch([samples[i] for i in chosen])
        logits = loss.logits(batch).astype(mx.float32)
        nats: Any = nn.losses.cross_entropy(logits, batch.targets, reduction="none").tolist()
        hits: Any = (mx.argmax(logits, axis=1) == batch.targets).tolist()
        at = 0
        for i in chosen:
            count = samples[i].targets
            mean = math.fsum(nats[at : at + count]) / count
            found[i] = mean, sum(hits[at : at + count]) / count
            at += count
    loss.model.train()
    return found


def scalar(array: Array) -> float:
    """The one value of a real scalar."""
    value: Any = array.item()
    return float(value)


class Validator:
    """Looks at a model between two steps, and leaves it as it was."""

    def __init__(
        self,
        loss: Loss,
        tokenizer: Any,
        data: TrainingData,
        settings: TrainSettings,
        *,
        callback: Callback,
        group: ProcessGroup,
    ) -> None:
        self._loss, self._tokenizer = loss, tokenizer
        self._data, self._settings, self._callback = data, settings, callback
        self._group = group
        self.batch = settings.batch  # rows computed together
        self._targets = sum(sample.targets for sample in data.valid)
        self._characters = max(1, sum(sample.characters for sample in data.valid))

    def valid_loss(self) -> float:
        """Nats per answer token over the validation rows, all of them."""
        return self._mean(self._data.valid, shown=True)

    def train_loss(self) -> float:
        """The same over the fixed part of the training rows."""
        return self._mean(self._data.train_sample, shown=False)

    def bits(self, loss: float) -> float:
        """The validation loss in bits per character, which two tokenizers have in common."""
        return loss * self._targets / math.log(2) / self._characters

    def answers(self, step: int) -> list[SampleAnswer]:
        """Greedy answers to the sample questions."""
        prompts = self._data.prompts
        if not prompts:
            return []
        model = self._loss.model
        texts = generate_texts(
            model, self._tokenizer, [one.prompt for one in prompts], self._settings.sample_tokens
        )
        model.train()
        return [
            SampleAnswer(step, one.split, one.question, one.reference, text)
            for one, text in zip(prompts, texts, strict=True)
        ]

    def facts_known(self, curriculum: Curriculum) -> tuple[int, int, list[UnlearnedFact]]:
        """Of a run until learned: the facts, how many are known now, and what was taught in vain.

        That is what is not known and was not in the last rounds either, the least likely first.
        """
        if not curriculum.active:
            return 0, 0, []
        facts, group = curriculum.facts(self._data.train), self._group
        losses, shares = [0.0] * len(facts), [0.0] * len(facts)
        numbers = group.share(range(len(facts)))
        own = judge_rows(self._loss, [facts[n][1] for n in numbers], self.batch)
        for number, (nats, share) in zip(numbers, own, strict=True):
            losses[number], shares[number] = nats, share
        losses, shares = group.totals(losses), group.totals(shares)
        missed = [
            number
            for number, share in enumerate(shares)
            if share < RIGHT and facts[number][0] >= min(ROUNDS, self._settings.epochs)
        ]
        missed.sort(key=lambda number: -losses[number])
        texts = [""] * len(missed)
        if group.leader and missed:
            prompts = [facts[n][1].tokens[: facts[n][1].start] for n in missed[:ANSWERED]]
            tokens = self._settings.sample_tokens
            texts[:ANSWERED] = generate_texts(self._loss.model, self._tokenizer, prompts, tokens)
        found = []
        for number, text in zip(missed, texts, strict=True):
            rounds, sample = facts[number]
            row = self._data.facts[sample.id]
            found.append(
                UnlearnedFact(row.id, rounds, row.question, row.answer, text, losses[number])
            )
        return len(facts), sum(share >= RIGHT for share in shares), found

    def _mean(self, samples: list[TokenizedSample], *, shown: bool) -> float:
        progress = self._callback.progress("validating") if shown else lambda done, rows: None
        nats = summed_loss(self._loss, self._group.share(samples), self.batch, progress)
        nats = self._group.total(nats)
        return nats / sum(sample.targets for sample in samples)
