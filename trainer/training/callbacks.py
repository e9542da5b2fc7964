"""What happens in a run, as plain records, and the callback that receives them.

The loop knows nothing of screens; the command line brings a callback that draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.console import ProgressCallback
from trainer.training.plan import PreflightPlan, RunPlan

ASKING = "asking the base"  # the teacher of recipe distil about every row, before the first step


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
    preferred: float | None = None  # share of its pairs whose answer was likelier than the other

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
class KnownMetrics:
    """Which of the taught facts were known in an epoch, each as it was shown the last time."""

    step: int
    epoch: float
    known: int
    facts: int
    learned: int  # known now and not an epoch before
    lost: int  # the other way round


Metrics = StepMetrics | ValidationMetrics | KnownMetrics


@dataclass(frozen=True, slots=True)
class UnlearnedFact:
    """What was taught again and again and is not known at the end."""

    id: str  # of the row
    rounds: int  # epochs in a row in which it was shown, and not known
    question: str
    reference: str
    answer: str  # of the model; "" beyond the first few hundred
    loss: float  # nats per answer token


@dataclass(frozen=True, slots=True)
class SampleAnswer:
    """One sample answer given while training."""

    step: int
    split: str
    question: str
    reference: str
    answer: str


class Callback(ProgressCallback):
    """Hears what happens in a run; every method does nothing until it is overridden."""

    def on_forecast(self, preflight: PreflightPlan) -> None:
        """The preflight is done: what the run will take, and how it is computed."""

    def on_train_begin(self, plan: RunPlan, resumed_at: int) -> None:
        """The run is about to start, or to go on after step `resumed_at`."""

    def on_step(self, step: StepMetrics) -> None:
        """A step is done."""

    def on_validation(self, validation: ValidationMetrics) -> None:
        """The whole validation set is done."""

    def on_known(self, known: KnownMetrics) -> None:
        """An epoch of a run with `until_learned` is done."""

    def on_samples(self, answers: Sequence[SampleAnswer]) -> None:
        """The sample questions are answered."""
