"""A scorer that is a sum of regressions: one view of the answer, or several blended.

Each view makes numbers of an answer, each number is put on a common scale, and ridge regression
makes one of them; several views are averaged, each in units of its own spread over answers left
out. What it is kept as is one file of JSON and one of arrays: no pickle.
"""

from __future__ import annotations

import json  # orjson knows no infinity, which a curve may hold
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from exchange.errors import BadFile
from exchange.files import write_atomic
from trainer.scorer.calibration import LevelPrediction
from trainer.scorer.candidates import Progress, no_progress
from trainer.scorer.candidates.embeddings import (
    CosinesView,
    EmbeddingsView,
    TextEmbedder,
    mean_of_texts,
)
from trainer.scorer.candidates.heads import MarkCurve, RidgeHead
from trainer.scorer.candidates.similarity import SimilarityView, TextCounts, WordsView
from trainer.scorer.items import ScoreItem

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FILE, ARRAYS = "candidate.json", "candidate.npz"
LARGEST = 4.0  # standard deviations: what is farther off counts as that far
BLOCK = 512  # answers whose features are held at once
LABEL_FREE = (SimilarityView, WordsView)
OF_AN_EMBEDDER = (CosinesView, EmbeddingsView)


class AnswerView(Protocol):
    """What makes numbers of answers; nothing of it depends on a label."""

    kind: ClassVar[str]
    penalty: ClassVar[float]  # of ridge regression
    weight: ClassVar[float]  # of the numbers beside the vectors

    @property
    def counts(self) -> TextCounts:
        """What it knows of the taught texts."""

    def features(self, items: Sequence[ScoreItem]) -> tuple[Array, Array]:
        """Numbers, which need a common scale, and vectors, which have one."""


@dataclass(frozen=True, slots=True)
class FeatureScale:
    """Mean and deviation of each number over the taught answers."""

    mean: Array
    spread: Array

    @classmethod
    def of(cls, numbers: Array) -> Self:
        """That of these rows; a number that never varies keeps its unit."""
        import numpy as np

        spread = numbers.std(axis=0)
        return cls(numbers.mean(axis=0), np.where(spread > 1e-9, spread, 1.0))

    def apply(self, view: AnswerView, numbers: Array, vectors: Array) -> Array:
        """All features of a view, ready for regression."""
        import numpy as np

        scaled = np.clip((numbers - self.mean) / self.spread, -LARGEST, LARGEST)
        return np.hstack([scaled * view.weight, vectors])


@dataclass(frozen=True, slots=True)
class RegressionPart:
    """A fitted view."""

    view: AnswerView
    scale: FeatureScale
    head: RidgeHead
    middle: float  # of what it says of answers left out
    spread: float

    def numbers(self, items: Sequence[ScoreItem]) -> Array:
        """One an item, in units of its spread."""
        raw = self.head(self.scale.apply(self.view, *self.view.features(items)))
        found: Array = (raw - self.middle) / self.spread
        return found


@dataclass(frozen=True, slots=True)
class RegressionCandidate:
    """One part, or the mean of several, and the curve that makes marks of it."""

    kind: ClassVar[str] = "regression"
    parts: tuple[RegressionPart, ...]
    curve: MarkCurve

    def predict(
        self, items: Sequence[ScoreItem], progress: Progress = no_progress
    ) -> list[LevelPrediction]:
        """Each item's marks, in order."""
        import numpy as np

        found: list[LevelPrediction] = []
        for first in range(0, len(items), BLOCK):
            block = items[first : first + BLOCK]
            numbers = np.mean([part.numbers(block) for part in self.parts], axis=0)
            found += self.curve.read(numbers, block)
            progress(len(found), len(items))
        return found

    def write(self, folder: Path) -> None:
        """Keep it; the embedder is named by whoever keeps the folder."""
        import io

        import numpy as np

        arrays: dict[str, Array] = {}
        parts = []
        for number, part in enumerate(self.parts):
            arrays |= {
                f"{number}.mean": part.scale.mean,
                f"{number}.spread": part.scale.spread,
                f"{number}.centre": part.head.centre,
                f"{number}.weights": part.head.weights,
                f"{number}.vector": getattr(part.view, "centre", np.zeros(0)),
            }
            parts.append(
                {
                    "view": part.view.kind,
                    "offset": part.head.offset,
                    "middle": part.middle,
                    "spread": part.spread,
                }
            )
        counts = self.parts[0].view.counts
        raw = {
            "kind": self.kind,
            "parts": parts,
            "curve": asdict(self.curve),
            "counts": {
                "texts": counts.texts,
                "stems": dict(counts.stems),  # `asdict` would count a Counter's pairs
                "trigrams": dict(counts.trigrams),
            },
        }
        folder.mkdir(parents=True, exist_ok=True)
        held = io.BytesIO()
        np.savez_compressed(held, **arrays)  # type: ignore[arg-type]
        write_atomic(folder / ARRAYS, held.getvalue())
        write_atomic(folder / FILE, json.dumps(raw, ensure_ascii=False).encode())

    @classmethod
    def read(cls, folder: Path, embedder: TextEmbedder | None) -> Self:
        """What `write` wrote.

        Raises:
            BadFile: it is missing or damaged.
        """
        import numpy as np

        try:
            raw = json.loads((folder / FILE).read_bytes())
            with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
                counts = TextCounts(
                    raw["counts"]["texts"],
                    Counter(raw["counts"]["stems"]),
                    Counter(raw["counts"]["trigrams"]),
                )
                parts = tuple(
                    RegressionPart(
                        make_view(part["view"], counts, embedder, arrays[f"{number}.vector"]),
                        FeatureScale(arrays[f"{number}.mean"], arrays[f"{number}.spread"]),
                        RidgeHead(
                            arrays[f"{number}.centre"], arrays[f"{number}.weights"], part["offset"]
                        ),
                        part["middle"],
                        part["spread"],
                    )
                    for number, part in enumerate(raw["parts"])
                )
            told = raw["curve"]
            curve = MarkCurve(
                tuple(told["shares"]), tuple(told["cuts"]), told["slope"], tuple(told["shown"])
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadFile(f"{folder / FILE} is unusable ({error}): train it again") from None
        return cls(parts, curve)


def make_view(
    kind: str, counts: TextCounts, embedder: TextEmbedder | None, centre: Array | None = None
) -> AnswerView:
    """A view by its name.

    Raises:
        ValueError: there is none, or it needs an embedder.
    """
    for view in LABEL_FREE:
        if view.kind == kind:
            return view(counts)
    for other in OF_AN_EMBEDDER:
        if other.kind == kind and embedder is not None and centre is not None:
            return other(counts, embedder, centre)
    raise ValueError(f"no view {kind!r}")


def views_of(items: Sequence[ScoreItem], embedder: TextEmbedder | None) -> list[AnswerView]:
    """All that can be had, knowing the texts of the items and none of their labels."""
    counts = TextCounts.of(items)
    found: list[AnswerView] = [view(counts) for view in LABEL_FREE]
    if embedder is not None:
        centre = mean_of_texts(embedder, items)
        found += [view(counts, embedder, centre) for view in OF_AN_EMBEDDER]
    return found
