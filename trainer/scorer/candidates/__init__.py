"""What can be taught to score: each kind in a file of its own, chosen among by `selection`.

A candidate is fitted to labelled items and then says of any item how probable each mark of its
scale is. It is kept in a folder that names its kind, so that a saved scorer is read back without
knowing how it was chosen. `heads` turns one number an answer into probabilities of marks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from trainer.scorer.calibration import LevelPrediction
from trainer.scorer.items import ScoreItem

Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Nobody is told."""


class ScoreCandidate(Protocol):
    """A fitted one. It belongs to the thread that made it: MLX's streams do."""

    kind: ClassVar[str]

    def predict(
        self, items: Sequence[ScoreItem], progress: Progress = no_progress
    ) -> list[LevelPrediction]:
        """Each item's marks, in order.

        Args:
            progress: called with items done and items in all.
        """
