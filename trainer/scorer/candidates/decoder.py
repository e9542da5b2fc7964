"""A language model that reads the labels: the score is what its logits say where the label comes.

Base or tuned, it makes no difference here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from exchange.inference import runtime
from exchange.inference.engine import BASE, TUNED
from exchange.inference.models import read_config
from trainer.scorer import calibration
from trainer.scorer.calibration import LevelPrediction
from trainer.scorer.candidates import Progress, no_progress
from trainer.scorer.encode import (
    DIGITS,
    LabelHead,
    Shot,
    check_architecture,
    encode_to_fit,
    find_label_head,
)
from trainer.scorer.items import ScoreItem, ScorePrompt

ROWS = 32  # prompts computed together, if they are short
UNLIMITED = 1 << 30


@dataclass(slots=True)
class DecoderCandidate:
    """A model with the prompt that it is asked by; uncalibrated at a temperature of 1."""

    kind: ClassVar[str] = "decoder"
    model: Any
    head: LabelHead
    prompt: ScorePrompt
    temperature: float = 1.0

    def logits(
        self,
        items: Sequence[ScoreItem],
        shots: Sequence[Shot] = (),
        progress: Progress = no_progress,
    ) -> tuple[Any, list[bool]]:
        """The labels' logits, (items, labels), and which items had to be cut.

        Memory stays bounded however many and long the items are.
        """
        from exchange.inference.mlx.scoring import choice_logits

        longest = runtime.context_length(self.model) or UNLIMITED
        fitted = [encode_to_fit(self.head, self.prompt, item, longest, shots) for item in items]
        prompts = [tokens for tokens, _ in fitted]
        found = choice_logits(
            self.model, prompts, self.head.ids, ROWS, progress, advice="shorter guides"
        )
        return found, [cut for _, cut in fitted]

    def read(self, logits: Any, items: Sequence[ScoreItem]) -> list[LevelPrediction]:
        """Each item's levels, by this temperature; of a finer scale than its labels the nearest."""
        most = len(self.head.ids) - 1
        return [
            calibration.predict_level(row, min(item.scale.top, most), self.temperature).on_top(
                item.scale.top
            )
            for row, item in zip(logits, items, strict=True)
        ]

    def predict(
        self,
        items: Sequence[ScoreItem],
        progress: Progress = no_progress,
        shots: Sequence[Shot] = (),
    ) -> list[LevelPrediction]:
        """Each item's levels.

        Args:
            shots: examples, as turns before each question.
        """
        if not items:
            return []
        logits, cut = self.logits(items, shots, progress)
        found = self.read(logits, items)
        return [replace(one, cut=short) for one, short in zip(found, cut, strict=True)]


def load_decoder(
    folder: Path, prompt: ScorePrompt, adapter: Path | None = None, count: int = len(DIGITS)
) -> DecoderCandidate:
    """A model as a scorer, uncalibrated.

    Args:
        count: marks of the finest scale.

    Raises:
        UserError: a model whose head or tokenizer gives no digits, or that cannot be loaded.
    """
    check_architecture(read_config(folder))
    from exchange.inference.mlx.base_and_adapter import load_models

    loaded = load_models(folder, adapter)
    model = loaded.models[TUNED if adapter else BASE]
    return DecoderCandidate(model, find_label_head(loaded.tokenizer, count), prompt)
