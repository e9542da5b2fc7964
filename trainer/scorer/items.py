"""What is scored: a question, a guide, an answer; the scale of its score; and how it is asked.

The prompts are versioned files, one a language and style: `full` says what is wanted, for models
that were never taught to score; `brief` only names the parts, which is enough for a tuned one and
a third shorter.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import orjson

from exchange.errors import UsageError
from exchange.recipes import prompts
from exchange.records import digest
from exchange.text.fold import fold

FINEST = 1000  # marks of a scale at most; a teacher's quarters up to 100 are 400
_PARTS = 1000  # of a point, to which scores are told apart


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """Scores from 0 to `maximum`, as levels from 0 to `top`.

    A level is a mark: 0 to 20 in whole points has 21, up to 5 in halves 11, and every score that
    was given is one of them.
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
    """The scale of a maximum: its step is the greatest common divisor of the scores given.

    Without scores it counts in whole points, or in the greatest part of one that fits it.
    What needs more than a thousand marks gets a thousand: the nearest stands for it.
    """
    most = round(maximum * _PARTS)
    given = [round(score * _PARTS) for score in scores]
    step = math.gcd(most, *given) if any(given) else math.gcd(most, _PARTS)
    return ScoreScale(maximum, min(FINEST, most // step) if step else FINEST)


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
        """The same for all answers to one question, whatever its guide and however it is typed."""
        return digest(comparable(self.question))

    @property
    def said(self) -> str:
        """The same for all answers that say the same to one question."""
        return f"{self.group} {comparable(self.answer)}"

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


def comparable(text: str) -> str:
    """A question or an answer as it is compared: without case, marks and what ends it.

    >>> comparable("Which  Colour? ") == comparable("which colour")
    True
    """
    folded = fold(text)
    end = len(folded)
    while end and (folded[end - 1] == " " or _ends(folded[end - 1])):
        end -= 1
    return folded[:end] or folded  # an answer of a question mark alone is one


def _ends(character: str) -> bool:
    return unicodedata.category(character)[0] == "P" and character not in _MEANT


_MEANT = "%‰+#*/"  # behind a number or a letter they are part of what is said
_PLACEHOLDERS = frozenset({"question", "guide", "answer", "top"})
_FIELD = re.compile(r"\{(question|guide|answer|top)\}")
_KIND = "scoring-"


@dataclass(frozen=True, slots=True)
class ScorePrompt:
    """One style in all its languages."""

    style: str
    texts: dict[str, str]  # by language

    @property
    def sha(self) -> str:
        """Over the texts of all languages."""
        return digest(*self._parts, size=prompts.PROMPT_SHA_BYTES)

    def is_of(self, sha: str) -> bool:
        """Whether these are the texts of a stored hash: a scorer is only asked as it was taught.

        Scorers of before version 0.2 hold 12 hex digits of a sha256.
        """
        return sha in (self.sha, sha256("\0".join(self._parts).encode()).hexdigest()[:12])

    def fill(self, item: ScoreItem) -> str:
        """The text that ends just before the label.

        Each part becomes one line, so that no answer can pass for the next part. One pass, so
        that an answer with "{guide}" in it is not filled in turn.
        """
        parts = {
            "question": item.question,
            "guide": item.guide,
            "answer": item.answer,
            "top": str(item.scale.top),
        }
        text = self.texts.get(item.language, self.texts[prompts.FALLBACK])
        return _FIELD.sub(lambda match: " ".join(parts[match[1]].split()), text)

    @property
    def _parts(self) -> list[str]:
        return [part for pair in sorted(self.texts.items()) for part in pair]


def score_prompt_languages() -> tuple[str, ...]:
    """The languages with prompts of their own; all others are asked in English."""
    return tuple(load_score_prompt("brief").texts)


def load_score_prompt(style: str) -> ScorePrompt:
    """A style by name.

    Raises:
        UsageError: there is none of this name.
    """
    found = prompts.templates_by_language(_KIND + style, _PLACEHOLDERS)
    if prompts.FALLBACK not in found:
        names = (name.partition("/")[2] for name in prompts.prompt_names(_PLACEHOLDERS))
        known = sorted({name.removeprefix(_KIND) for name in names})
        raise UsageError(f"[score] prompt = {style!r}: known are {', '.join(known)}")
    return ScorePrompt(style, {language: one.text for language, one in found.items()})
