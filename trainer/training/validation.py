"""How far a run is: the loss over whole fixed sets, and what the model answers now."""

from __future__ import annotations

import math
from typing import Any

from exchange.inference.mlx.engine import generate_texts
from trainer.tokenization import TokenizedSample
from trainer.training.batches import TrainingData
from trainer.training.callbacks import Callback, SampleAnswer
from trainer.training.distributed import ProcessGroup
from trainer.training.loss import Loss, summed_loss
from trainer.training.settings import TrainSettings


class Validator:
    """Looks at a model between two steps, and leaves it as it was."""

    def __init__(
        self,
        loss: Loss,
        tokenizer: Any,
        data: TrainingData,
        settings: TrainSettings,
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

    def _mean(self, samples: list[TokenizedSample], *, shown: bool) -> float:
        progress = self._callback.progress("validating") if shown else lambda done, rows: None
        nats = summed_loss(self._loss, self._group.share(samples), self.batch, progress)
        nats = self._group.total(nats)
        return nats / sum(sample.targets for sample in samples)
