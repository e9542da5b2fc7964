"""What is scored: a question, a guide, an answer; and the scale of its score."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from exchange.records import digest
from exchange.text.fold import fold

HIGHEST = 9  # the highest level: one digit is one token in every tokenizer we know
_STEPS = (1.0, 0.5)  # what people count in: whole points, then halves


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """Scores from 0 to `maximum`, as levels from 0 to `top`.

    A maximum up to 9 in whole points (or up to 4.5 in halves) keeps every score apart. Anything
    else is divided into ten equal steps: 0 to 20 in whole points becomes levels of 20/9 points,
    and a score is read back as the expected level's number of points, not as a multiple of them.
    """

    maximum: float
    top: int

    def level(self, score: float) -> int:
        """The nearest level; halfway, the higher one."""
        return min(self.top, max(0, math.floor(score / self.maximum * self.top + 0.5)))

    def score(self, level: float) -> float:
        """The points that a level, or an expected level, stands for."""
        return level / self.top * self.maximum


def scale_of(maximum: float, scores: Iterable[float] = ()) -> ScoreScale:
    """The scale of a maximum; with scores, one that keeps them apart where ten levels can."""
    known = list(scores)
    for step in _STEPS:
        top = maximum / step
        if top <= HIGHEST and top.is_integer() and all((s / step).is_integer() for s in known):
            return ScoreScale(maximum, int(top))
    return ScoreScale(maximum, HIGHEST)


@dataclass(frozen=True, slots=True)
class ScoreItem:
    """One answer to one question. `score` is None where nobody has scored it."""

    id: str
    question: str
    guide: str  # a scoring guide, or a reference answer
    answer: str
    scale: ScoreScale
    score: float | None = None
    language: str = "el"

    @property
    def group(self) -> str:
        """The same for all answers to one question under one guide."""
        return digest(fold(self.question), fold(self.guide))

    @property
    def level(self) -> int:
        """The label.

        Raises:
            ValueError: nobody has scored it.
        """
        if self.score is None:
            raise ValueError(f"{self.id} has no score")
        return self.scale.level(self.score)

    def to_line(self) -> bytes:
        """One line of JSON with its newline."""
        return orjson.dumps(asdict(self), option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_line(cls, line: bytes) -> ScoreItem:
        """Raises KeyError, ValueError or TypeError when the line is not one of ours."""
        raw: dict[str, Any] = orjson.loads(line)
        return cls(**{**raw, "scale": ScoreScale(**raw["scale"])})
