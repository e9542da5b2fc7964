"""What happens in a run, as plain records, and the callback that receives them.

The loop knows nothing of screens; the command line brings a callback that draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from trainer.training.preflight.plan import PreflightPlan


@dataclass(frozen=True, slots=True)
class RunPlan:
    """All that is known before the first step; printed before the long work starts."""

    train_rows: int
    valid_rows: int
    too_long: int  # rows left out because they exceed `longest_allowed`
    longest_allowed: int  # tokens
    longest: int  # tokens, of the rows that are trained
    tokens: int  # true tokens of one epoch
    targets: int  # of them looked at by the loss
    computed: int  # with pads
    epochs: int
    steps: int
    trainable: int  # parameters
    parameters: int
    layers: int
    all_layers: int
    cache_bytes: int  # what the activations below the tuned layers would take on disk; 0: none
    cached: bool  # they are used

    @property
    def cache_saves(self) -> float:
        """Share of an epoch's computing that the activation cache saves, or would save.

        A layer costs as much forward as backward (frozen weights need no gradient of their own),
        and only the tuned ones are gone through backward.
        """
        return (self.all_layers - self.layers) / (self.all_layers + self.layers)

    @property
    def padding(self) -> float:
        """Share of the computed tokens that are pads."""
        return 1 - self.tokens / self.computed if self.computed else 0.0


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """One optimizer step."""

    step: int  # counts from 1
    epoch: float
    loss: float  # nats per answer token, of this step's rows before the step
    lr: float
    norm: float  # of the gradient, before clipping
    tokens: int
    seconds: float

    @property
    def speed(self) -> float:
        """True tokens a second."""
        return self.tokens / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class ValidationMetrics:
    """The loss over the whole fixed validation set."""

    step: int
    epoch: float
    valid_loss: float  # nats per answer token
    bits: float  # per character of the answers, comparable between tokenizers
    best: bool


@dataclass(frozen=True, slots=True)
class SampleAnswer:
    """One sample answer given while training."""

    step: int
    split: str
    question: str
    reference: str
    answer: str


class Callback:
    """Hears what happens in a run; every method does nothing until it is overridden."""

    def log(self, text: str) -> None:
        """A line worth reading: something takes a while, or is done in another way."""

    def on_progress(self, what: str, done: int, total: int) -> None:
        """Work that can be counted; `total` is 0 where nobody knows it."""

    def progress(self, what: str) -> Callable[[int, int], None]:
        """`on_progress` of one work, for a function that counts and knows no callback."""
        return partial(self.on_progress, what)

    def on_forecast(self, preflight: PreflightPlan) -> None:
        """The preflight is done: what the run will take, and how it is computed."""

    def on_train_begin(self, plan: RunPlan, resumed_at: int) -> None:
        """The run is about to start, or to go on after step `resumed_at`."""

    def on_step(self, step: StepMetrics) -> None:
        """A step is done."""

    def on_validation(self, validation: ValidationMetrics) -> None:
        """The whole validation set is done."""

    def on_samples(self, answers: Sequence[SampleAnswer]) -> None:
        """The sample questions are answered."""
