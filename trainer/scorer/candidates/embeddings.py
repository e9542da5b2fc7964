"""An answer beside its guide as a frozen model sees them: two vectors, and how near they lie.

The vectors are those of an encoder (`exchange.inference.encoder`), or the mean of a language
model's own hidden states, so that a machine that has one needs no second model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from exchange.inference.encoder import SentenceEncoder
from trainer.scorer.candidates import Progress, no_progress
from trainer.scorer.candidates.similarity import SimilarityView, TextCounts
from trainer.scorer.items import ScoreItem

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

LONGEST = 512  # tokens of a text that a language model reads


class TextEmbedder(Protocol):
    """Whatever makes vectors of texts."""

    def embed(self, texts: Sequence[str], progress: Progress = no_progress) -> Array:
        """(texts, size), of length 1."""


class RememberedEmbedder:
    """An embedder that reads each text once, however many candidates ask for it."""

    def __init__(self, embedder: TextEmbedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Array] = {}

    def embed(self, texts: Sequence[str], progress: Progress = no_progress) -> Array:
        """(texts, size), of length 1."""
        import numpy as np

        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._embedder.embed(new, progress), strict=True))
        return np.array([self._known[text] for text in texts])


class HiddenStates:
    """The mean of a language model's last hidden states over a text."""

    def __init__(self, folder: Path) -> None:
        """Load the model.

        Raises:
            UserError: MLX is not installed, or the model cannot be loaded.
        """
        from exchange.inference import runtime

        self._model, self._tokenizer = runtime.load(folder)

    def embed(self, texts: Sequence[str], progress: Progress = no_progress) -> Array:
        """(texts, size), of length 1; of a long text its beginning."""
        from exchange.inference.control_tokens import of
        from exchange.inference.mlx.scoring import mean_states

        encode = of(self._tokenizer).encode_text
        rows = [encode(text or " ")[:LONGEST] for text in texts]
        return mean_states(self._model, rows, progress=progress)


def load_embedder(folder: Path) -> TextEmbedder:
    """By what the folder holds.

    Raises:
        UserError: it can be read as neither.
    """
    from exchange.inference.encoder import KINDS
    from exchange.inference.models import read_config

    if read_config(folder).get("model_type") in KINDS:
        return RememberedEmbedder(SentenceEncoder(folder))
    return RememberedEmbedder(HiddenStates(folder))


class CosinesView:
    """The similarity numbers, and the cosines of answer, guide and question."""

    kind: ClassVar[str] = "cosines"
    penalty: ClassVar[float] = 30.0
    weight: ClassVar[float] = 1.0

    def __init__(self, counts: TextCounts, embedder: TextEmbedder, centre: Array) -> None:
        self.counts, self.centre = counts, centre
        self._similarity, self._embedder = SimilarityView(counts), embedder

    def features(self, items: Sequence[ScoreItem]) -> tuple[Array, Array]:
        """(items, 22), not scaled; no vectors."""
        import numpy as np

        return self._features(items)[0], np.zeros((len(items), 0))

    def _features(self, items: Sequence[ScoreItem]) -> tuple[Array, Array]:
        import numpy as np

        texts = [part for item in items for part in (item.answer, item.guide, item.question)]
        found = self._embedder.embed(texts) - self.centre
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
        answer, guide, question = found[::3], found[1::3], found[2::3]
        met, asked = (answer * guide).sum(axis=1), (answer * question).sum(axis=1)
        cosines = np.column_stack([met, asked, (guide * question).sum(axis=1), met - asked])
        numbers = np.hstack([self._similarity.features(items)[0], cosines])
        return numbers, np.hstack([answer, guide, np.abs(answer - guide), answer * guide])


class EmbeddingsView(CosinesView):
    """The vectors of answer and guide, their difference and product; those numbers a little."""

    kind: ClassVar[str] = "embeddings"
    penalty: ClassVar[float] = 0.5
    weight: ClassVar[float] = 0.1

    def features(self, items: Sequence[ScoreItem]) -> tuple[Array, Array]:
        """(items, 22), not scaled; (items, four times the embedder's size)."""
        return self._features(items)


def mean_of_texts(embedder: TextEmbedder, items: Sequence[ScoreItem]) -> Array:
    """The way in which all of a model's vectors point alike.

    Taking it off helps hidden states, whose cosines are all near 1 otherwise, and harms no encoder
    (Mu and Viswanath 2018, All-but-the-Top, arXiv 1702.01417).
    """
    texts = dict.fromkeys(part for i in items for part in (i.answer, i.guide, i.question))
    found: Array = embedder.embed(list(texts)).mean(axis=0)
    return found
