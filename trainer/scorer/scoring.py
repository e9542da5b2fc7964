"""A loaded scorer: items in, scores out, each with how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exchange.inference import runtime
from exchange.inference.engine import BASE, TUNED
from exchange.inference.models import read_config
from trainer.scorer import calibration
from trainer.scorer.calibration import LevelPrediction
from trainer.scorer.encode import (
    DigitHead,
    Progress,
    Shot,
    check_architecture,
    encode_to_fit,
    find_digit_head,
)
from trainer.scorer.items import ScoreItem, ScorePrompt
from trainer.scorer.metrics import LabelledPrediction

ROWS = 32  # prompts computed together, if they are short
UNLIMITED = 1 << 30


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """What the scorer says about one item."""

    id: str
    score: float  # points, expected
    maximum: float
    level: int
    top: int
    confidence: float
    abstained: bool  # the score is there, but better ask a person
    cut: bool  # it did not fit the model's context whole
    probabilities: tuple[float, ...]


@dataclass(slots=True)
class Scorer:
    """A model that reads the digits; base or tuned, it makes no difference here.

    One object belongs to one thread: MLX's streams do.
    """

    model: Any
    head: DigitHead
    prompt: ScorePrompt
    temperature: float = 1.0
    threshold: float = 0.0

    def logits(
        self,
        items: Sequence[ScoreItem],
        shots: Sequence[Shot] = (),
        progress: Progress = lambda done, total: None,
    ) -> tuple[Any, list[bool]]:
        """The ten digits' logits, (items, 10), and which items had to be cut.

        Memory stays bounded however many and long the items are.
        """
        from exchange.inference.mlx.scoring import choice_logits

        longest = runtime.context_length(self.model) or UNLIMITED
        fitted = [encode_to_fit(self.head, self.prompt, item, longest, shots) for item in items]
        prompts = [tokens for tokens, _ in fitted]
        found = choice_logits(
            self.model, prompts, self.head.digits, ROWS, progress, advice="shorter guides"
        )
        return found, [cut for _, cut in fitted]

    def read(self, logits: Any, items: Sequence[ScoreItem]) -> list[LevelPrediction]:
        """Each item's levels, by this scorer's temperature."""
        return [
            calibration.predict_level(row, item.scale.top, self.temperature)
            for row, item in zip(logits, items, strict=True)
        ]

    def score(
        self, items: Sequence[ScoreItem], progress: Progress = lambda done, total: None
    ) -> list[ScoreResult]:
        """A score for every item, in order."""
        if not items:
            return []
        logits, cut = self.logits(items, progress=progress)
        return [
            ScoreResult(
                item.id,
                round(item.scale.score(reading.expected), 4),
                item.scale.maximum,
                reading.level,
                item.scale.top,
                round(reading.confidence, 4),
                short or reading.confidence < self.threshold,
                short,
                tuple(round(value, 4) for value in reading.probabilities),
            )
            for item, reading, short in zip(items, self.read(logits, items), cut, strict=True)
        ]

    def outcomes(
        self,
        items: Sequence[ScoreItem],
        shots: Sequence[Shot] = (),
        progress: Progress = lambda done, total: None,
    ) -> list[LabelledPrediction]:
        """Scored items beside their true levels."""
        if not items:
            return []
        logits, _ = self.logits(items, shots, progress)
        return [
            LabelledPrediction(item.scale, item.level, reading)
            for item, reading in zip(items, self.read(logits, items), strict=True)
        ]


def load_base(folder: Path, prompt: ScorePrompt, adapter: Path | None = None) -> Scorer:
    """A model as a scorer, uncalibrated.

    Raises:
        UserError: a model whose head or tokenizer gives no digits, or that cannot be loaded.
    """
    check_architecture(read_config(folder))
    from exchange.inference.mlx.base_and_adapter import load_models

    loaded = load_models(folder, adapter)
    model = loaded.models[TUNED if adapter else BASE]
    return Scorer(model, find_digit_head(loaded.tokenizer), prompt)
