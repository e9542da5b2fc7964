"""A loaded scorer: items in, scores out, each with how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.scorer.candidates import Progress, ScoreCandidate, no_progress
from trainer.scorer.guards import predict_guarded
from trainer.scorer.items import ScoreItem
from trainer.scorer.metrics import LabelledPrediction, label


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """What the scorer says about one item."""

    id: str
    score: float  # points: a mark of the scale
    maximum: float
    level: int  # the mark's number, from 0
    top: int
    confidence: float  # probability of this mark
    abstained: bool  # the score is there, but better ask a person
    cut: bool  # it did not fit the model's context whole
    probabilities: tuple[float, ...]  # of the marks
    expected: float  # points: the mean over them


@dataclass(slots=True)
class Scorer:
    """What was chosen, and the confidence below which it abstains.

    One object belongs to one thread: MLX's streams do.
    """

    candidate: ScoreCandidate
    threshold: float = 0.0

    def score(
        self, items: Sequence[ScoreItem], progress: Progress = no_progress
    ) -> list[ScoreResult]:
        """A score for every item, in order."""
        return [
            ScoreResult(
                item.id,
                round(item.scale.score(found.level), 4),
                item.scale.maximum,
                found.level,
                item.scale.top,
                round(found.confidence, 4),
                doubtful or found.cut or found.confidence < self.threshold,
                found.cut,
                tuple(round(value, 4) for value in found.probabilities),
                round(item.scale.score(found.expected), 4),
            )
            for item, (found, doubtful) in zip(
                items, predict_guarded(self.candidate, items, progress), strict=True
            )
        ]

    def outcomes(
        self, items: Sequence[ScoreItem], progress: Progress = no_progress
    ) -> list[LabelledPrediction]:
        """Scored items beside their true levels."""
        guarded = predict_guarded(self.candidate, items, progress)
        return label(items, (found for found, _ in guarded))
