"""The peers: what anybody would try first, by scikit-learn, as good as it gets without tuning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from exchange.errors import MissingExtra
from exchange.machine import install_command
from trainer.scorer.items import ScoreItem
from trainer.scorer.metrics import quadratic_kappa

if TYPE_CHECKING:
    from trainer.scorer.candidates.embeddings import TextEmbedder

FEW = 6  # marks, up to which each is a class of its own
Features = Callable[[Sequence[ScoreItem]], Any]
Test = Callable[[Sequence[ScoreItem]], float]


def fit(rows: Sequence[ScoreItem], embedder: TextEmbedder | None) -> dict[str, Test]:
    """Both peers, or one where there is no encoder: each gives the kappa on labelled items.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    found = {"tfidf": _fit(_tfidf(rows), rows)}
    if embedder is not None:
        found["encoder"] = _fit(_vectors(embedder), rows)
    return found


def _fit(features: Features, rows: Sequence[ScoreItem]) -> Test:
    import numpy as np
    from sklearn.linear_model import LogisticRegression, Ridge

    shares = np.array([item.level / item.scale.top for item in rows])
    marks = np.unique(shares)
    if len(marks) < 2:
        return lambda items: 0.0
    if len(marks) <= FEW:
        classes = LogisticRegression(max_iter=3000)
        classes.fit(features(rows), [str(share) for share in shares])
        return lambda items: _kappa(items, classes.predict(features(items)).astype(float))
    line = Ridge(1.0).fit(features(rows), shares)
    return lambda items: _kappa(
        items, marks[np.abs(line.predict(features(items))[:, None] - marks).argmin(axis=1)]
    )


def _kappa(items: Sequence[ScoreItem], read: Any) -> float:
    return quadratic_kappa([item.level / item.scale.top for item in items], read.tolist())


def _tfidf(rows: Sequence[ScoreItem]) -> Features:
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError:
        raise MissingExtra(f"the peers need scikit-learn: {install_command('dev')}") from None
    from scipy.sparse import hstack

    counted = TfidfVectorizer(sublinear_tf=True)
    counted.fit([item.answer for item in rows] + [item.guide for item in rows])

    def features(items: Sequence[ScoreItem]) -> Any:
        answer = counted.transform([item.answer for item in items])
        guide = counted.transform([item.guide for item in items])
        both = answer.multiply(guide)
        return hstack([answer, guide, abs(answer - guide), both, both.sum(axis=1)]).tocsr()

    return features


def _vectors(embedder: TextEmbedder) -> Features:
    def features(items: Sequence[ScoreItem]) -> Any:
        import numpy as np

        answer = embedder.embed([item.answer for item in items])
        guide = embedder.embed([item.guide for item in items])
        return np.hstack([answer, guide, np.abs(answer - guide), answer * guide])

    return features
