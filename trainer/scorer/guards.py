"""What must not earn points: nothing said, no guide to say it to, and asking for points.

An answer is scored again without its sentences about the marking ("Score: 1", "ignore the guide");
the lower score stands, and where the two lie apart a person is asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from exchange.text.fold import WORD, fold
from exchange.text.language import every
from trainer.scorer.calibration import LevelPrediction
from trainer.scorer.candidates import Progress, ScoreCandidate, no_progress
from trainer.scorer.items import ScoreItem

APART = 0.05  # of the scale; what a sentence about the marking may change at most
_SENTENCE = re.compile(r"[^.!?;·\n。！？]+[.!?;·\n。！？]*")
_MARKUP = re.compile(r"<\|?/?\w+\|?>|\[/?\w+\]|^\s*#{2,}|[{}]|```", re.MULTILINE)


@lru_cache(maxsize=1)
def _asking() -> re.Pattern[str]:
    """Words about the marking, of all languages, in folded text."""
    return re.compile(rf"\b(?:{every().pattern('about_marking')})")


def without_requests(answer: str) -> str:
    """The answer without its sentences about the marking, and without marks of a conversation."""
    kept = [
        part
        for part in _SENTENCE.findall(answer)
        if not _asking().search(fold(part)) and not _MARKUP.search(part)
    ]
    return "".join(kept).strip() if len(kept) < len(_SENTENCE.findall(answer)) else answer


def is_empty(answer: str) -> bool:
    """Whether it holds no letter and no digit."""
    return WORD.search(answer) is None


def predict_guarded(
    candidate: ScoreCandidate, items: Sequence[ScoreItem], progress: Progress = no_progress
) -> list[tuple[LevelPrediction, bool]]:
    """Each item's marks, and whether a person must be asked whatever the confidence."""
    plain = [replace(item, answer=without_requests(item.answer)) for item in items]
    changed = [new.answer != old.answer for new, old in zip(plain, items, strict=True)]
    asked = [*items, *(new for new, other in zip(plain, changed, strict=True) if other)]
    found = candidate.predict(asked, progress)
    second = iter(found[len(items) :])
    given = []
    for item, new, other, first in zip(items, plain, changed, found, strict=False):
        bare = next(second) if other else first
        if is_empty(item.answer):
            given.append((_nothing(item), False))
            continue
        if is_empty(new.answer):
            bare = _nothing(item)
        lower = min(first, bare, key=lambda one: one.level)
        apart = abs(first.level - bare.level) > APART * item.scale.top
        given.append((lower, apart or is_empty(item.guide)))
    return given


def _nothing(item: ScoreItem) -> LevelPrediction:
    """Nothing said earns nothing, surely."""
    top = item.scale.top
    return LevelPrediction(0, 0.0, 1.0, (1.0, *([0.0] * top)))
