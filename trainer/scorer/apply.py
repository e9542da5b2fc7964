"""Score an archive's pairs into `review.sqlite`, where the dataset build looks for scores.

Each pair is held against the text of its own chunks. What the scorer is not sure of gets no
score, and rows without one stay in the dataset: better a doubtful fact than none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from exchange.store.corpus import SpoolCorpus
from exchange.store.review import Review
from trainer.console import StageProgress
from trainer.scorer.folder import ScorerInfo
from trainer.scorer.items import ScoreItem, ScoreScale
from trainer.scorer.scoring import Scorer

BATCH_PAIRS = 64  # pairs scored, then stored in one transaction: what a kill can cost


@dataclass(slots=True)
class ApplyResult:
    """What came of it."""

    maximum: float
    scored: int = 0
    abstained: int = 0
    before: int = 0  # scored by this very scorer in an earlier call
    by_level: dict[int, int] = field(default_factory=dict)


def score_pairs(
    archive_dir: Path,
    scorer: Scorer,
    about: ScorerInfo,
    language: str,
    report: StageProgress = lambda what, done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> ApplyResult:
    """Score every accepted pair that this scorer has not scored yet.

    Args:
        stop: looked at between two transactions; the same call goes on from there.

    Raises:
        UserError: nothing was crawled yet.
    """
    scale = about.usual_scale
    applied = ApplyResult(scale.maximum, by_level=dict.fromkeys(range(scale.top + 1), 0))
    review = Review.open(archive_dir)
    try:
        known = review.scores(about.key)
        items = list(_pairs(archive_dir, scale, language))
        todo = [item for item in items if item.id not in known]
        applied.before = len(items) - len(todo)
        for first in range(0, len(todo), BATCH_PAIRS):
            if stop():
                break
            block = scorer.score(todo[first : first + BATCH_PAIRS])
            sure = [one for one in block if not one.abstained]
            review.add_scores(about.key, ((one.id, one.score) for one in sure))
            applied.scored += len(sure)
            applied.abstained += len(block) - len(sure)
            for one in sure:
                applied.by_level[one.level] += 1
            report("scoring", first + len(block), len(todo))
    finally:
        review.close()
    return applied


def _pairs(archive_dir: Path, scale: ScoreScale, language: str) -> Iterator[ScoreItem]:
    with SpoolCorpus(archive_dir) as corpus:
        texts = {chunk.id: chunk.text for chunk in corpus.chunks()}
        for stored in corpus.pairs():
            pair = stored.pair
            guide = "\n".join(texts[chunk] for chunk in pair.chunk_ids if chunk in texts)
            if pair.status == "accepted" and guide:
                yield ScoreItem(pair.id, pair.question, guide, pair.answer, scale, None, language)
