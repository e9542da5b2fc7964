"""What a run tells while it works: plain records, and a watcher that may look at them.

The loop knows nothing of screens; the command line brings a watcher that draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.training.preflight import PreflightPlan


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
    trunk_bytes: int  # what the activations below the tuned layers would take on disk; 0: none
    trunk: bool  # they are used

    @property
    def trunk_saves(self) -> float:
        """Share of an epoch's computing that the trunk cache saves, or would save.

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
    """Looks at a run. Every method may stay as it is."""

    def note(self, text: str) -> None:
        """Something is going on that takes a while, or is worth a line."""

    def report(self, what: str, done: int, total: int) -> None:
        """Any work with a count; `total` 0 where nobody knows it."""

    def encoding(self, done: int, total: int) -> None:
        """Rows turned into tokens."""

    def caching(self, done: int, total: int) -> None:
        """Rows whose frozen layers are computed and kept."""

    def foreseen(self, ready: PreflightPlan, plan: RunPlan) -> None:
        """What the run will take, before it starts."""

    def planned(self, plan: RunPlan, resumed_at: int) -> None:
        """The run is about to start, or to go on after step `resumed_at`."""

    def validating(self, done: int, total: int) -> None:
        """Rows of the validation set done."""

    def validated(self, validation: ValidationMetrics) -> None:
        """The validation set is done."""

    def on_step(self, step: StepMetrics) -> None:
        """A step is done."""

    def answered(self, answers: list[SampleAnswer]) -> None:
        """Sample answers."""

    def answering(self, done: int, total: int) -> None:
        """Answers given, of those that a comparison needs."""
