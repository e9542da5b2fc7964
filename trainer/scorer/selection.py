"""Which candidate scores best on answers left out, how far it may be trusted; that one is taught.

Every candidate predicts each answer twice: from a fit that saw no answer to its question, and from
one that saw others, since both will be asked of it. The best on both together is chosen, the
simplest of those that chance may have put behind it, and fitted again to all rows. What is said of
it is said of questions that it never saw.

It must be clearly better than length and the mean of the question, which need no reading; else it
knows nothing and always abstains.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainer.scorer.baselines import BASELINES, BaselineKind, fit_baseline, predict_left_out
from trainer.scorer.calibration import NEVER, fit_threshold
from trainer.scorer.candidates.embeddings import TextEmbedder
from trainer.scorer.candidates.heads import MarkCurve
from trainer.scorer.candidates.regression import (
    RegressionCandidate,
    views_of,
)
from trainer.scorer.items import ScoreItem
from trainer.scorer.left_out import (
    LeftOutView,
    cluster_names,
    draw,
    fit_part,
    fold_numbers,
    leave_out,
    read_left_out,
    standard,
)
from trainer.scorer.metrics import (
    FigureInterval,
    LabelledPrediction,
    compare,
    measure_with_doubt,
    qwk_score,
)

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BEHIND = 1.0  # standard errors that the simplest may lie behind the best
CHANCE = 0.005  # of calling a scorer that knows nothing better than chance
# All that are tried where their views can be had, the simplest first.
CANDIDATES = (
    ("similarity",),
    ("cosines",),
    ("similarity", "words"),
    ("words",),
    ("cosines", "embeddings"),
    ("embeddings",),
    ("cosines", "words"),
    ("cosines", "embeddings", "words"),
)


@dataclass(frozen=True, slots=True)
class CandidateTrial:
    """What one candidate did on the answers left out."""

    name: str
    rows: int = 0
    figures: dict[str, FigureInterval] | None = None  # of unseen questions; None: not tried
    known_questions: float = 0.0  # kappa, where other answers to the question were seen
    seconds: float = 0.0  # of processor time
    reason: str = ""  # why it was not tried


@dataclass(frozen=True, slots=True)
class ScorerSelection:
    """What was chosen, and all that is known of it."""

    name: str
    candidate: RegressionCandidate
    items: list[ScoreItem]
    outcomes: list[LabelledPrediction]  # of the answers left out, their questions unseen
    trials: list[CandidateTrial]  # the chosen one first
    baselines: list[CandidateTrial]
    gain: FigureInterval  # of kappa, over the better of length and the mean of the question
    knows: bool  # the gain is no chance
    threshold: float


@dataclass(slots=True)
class _Tried:
    """A candidate with its predictions."""

    trial: CandidateTrial
    parts: tuple[str, ...]
    numbers: Array
    outcomes: list[LabelledPrediction]
    both: list[LabelledPrediction]  # of unseen questions, then of unseen answers


def select(
    items: Sequence[ScoreItem],
    agreement: float,
    *,
    embedder: TextEmbedder | None = None,
    key: str = "kkoracle",
) -> ScorerSelection:
    """Try all regressions, choose, and fit the best to all rows.

    Args:
        items: labelled ones.
        agreement: the share that must be exactly right among the answers it does not abstain from.
        embedder: makes the candidates with vectors possible.
        key: seed of the folds.

    Raises:
        MissingExtra: scipy is not installed.
    """
    import numpy as np

    items = draw(items, key)
    shares = np.array([item.level / item.scale.top for item in items])
    folds = [fold_numbers(items, key), fold_numbers(items, key, by_question=False)]
    clusters = cluster_names(items)
    held = {}
    for view in views_of(items, embedder):
        held[view.kind] = leave_out(view, items, shares, folds)
    tried = [
        _try(parts, held, items, folds, clusters)
        for parts in CANDIDATES
        if all(kind in held for kind in parts)
    ]
    chosen = choose(tried, clusters)
    baselines, least = predict_baselines(items, folds[0], clusters)
    gain = compare(chosen.outcomes, least, clusters)
    knows = is_no_chance(chosen.outcomes, gain, clusters)
    candidate = RegressionCandidate(
        tuple(fit_part(held[kind], shares) for kind in chosen.parts),
        MarkCurve.fit(chosen.numbers, items),
    )
    threshold = NEVER
    if knows:
        levels = [outcome.level for outcome in chosen.outcomes]
        read = [outcome.reading for outcome in chosen.outcomes]
        threshold = fit_threshold(read, levels, agreement, clusters)
    others = sorted((one.trial for one in tried if one is not chosen), key=lambda t: -kappa_of(t))
    return ScorerSelection(
        chosen.trial.name,
        candidate,
        items,
        chosen.outcomes,
        [chosen.trial, *others],
        baselines,
        gain,
        knows,
        threshold,
    )


def choose(tried: Sequence[_Tried], clusters: Sequence[str]) -> _Tried:
    """The simplest that is at most one standard error behind the best (Breiman et al. 1984)."""
    twice = [*clusters, *clusters]
    best = max(tried, key=lambda one: round(qwk_score(one.both), 4))
    for one in tried:
        behind = compare(best.both, one.both, twice)
        if one is best or behind.value <= behind.error * BEHIND:
            return one
    return best


def is_no_chance(
    outcomes: Sequence[LabelledPrediction], gain: FigureInterval, clusters: Sequence[str]
) -> bool:
    """Whether it is better than the baseline, and than one that says the same of all answers.

    The second since a baseline that happened to do worse than nothing would be beaten by nothing.
    """
    alone = measure_with_doubt(outcomes, clusters)["qwk"]
    return max(gain.p_above, alone.p_above) < CHANCE


def predict_baselines(
    items: Sequence[ScoreItem], folds: Sequence[int], clusters: Sequence[str]
) -> tuple[list[CandidateTrial], list[LabelledPrediction]]:
    """What needs no reading, left out in the same way, and the one to be clearly better than."""
    return _measure_baselines(predict_left_out(items, folds), clusters)


def predict_untaught(
    taught: Sequence[ScoreItem], items: Sequence[ScoreItem], clusters: Sequence[str]
) -> tuple[list[CandidateTrial], list[LabelledPrediction]]:
    """The same of other items than those that are taught."""
    given = {kind: fit_baseline(taught, kind).outcomes(items) for kind in BASELINES}
    return _measure_baselines(given, clusters)


def _measure_baselines(
    given: Mapping[BaselineKind, list[LabelledPrediction]], clusters: Sequence[str]
) -> tuple[list[CandidateTrial], list[LabelledPrediction]]:
    found = []
    least: tuple[float, list[LabelledPrediction]] | None = None
    for kind, outcomes in given.items():
        trial = CandidateTrial(
            BASELINES[kind], len(outcomes), measure_with_doubt(outcomes, clusters)
        )
        found.append(trial)
        if kind in ("question", "length") and (least is None or kappa_of(trial) > least[0]):
            least = kappa_of(trial), outcomes
    assert least is not None
    return found, least[1]


def kappa_of(trial: CandidateTrial) -> float:
    """Quadratic weighted kappa on unseen questions; -1 where it was not tried."""
    return trial.figures["qwk"].value if trial.figures else -1.0


def _try(
    parts: tuple[str, ...],
    held: dict[str, LeftOutView],
    items: Sequence[ScoreItem],
    folds: Sequence[Sequence[int]],
    clusters: Sequence[str],
) -> _Tried:
    import numpy as np

    started = time.process_time()
    numbers = [
        np.mean([standard(held[kind].numbers[way]) for kind in parts], axis=0)
        for way in range(len(folds))
    ]
    outcomes, seen = (read_left_out(n, items, f) for n, f in zip(numbers, folds, strict=True))
    seconds = time.process_time() - started + sum(held[kind].seconds for kind in parts)
    trial = CandidateTrial(
        "+".join(parts),
        len(items),
        measure_with_doubt(outcomes, clusters),
        round(qwk_score(seen), 4),
        round(seconds, 2),
    )
    return _Tried(trial, parts, numbers[0], outcomes, [*outcomes, *seen])
