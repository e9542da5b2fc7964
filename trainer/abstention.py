"""When the tuned model says that it does not know: a threshold on its own answer's likelihood.

What a model makes up it finds less likely than what it has learned. The likelihood of an answer is
the mean log-probability a token that the model gives to its own greedy answer, end mark included:
whoever asks gets the same number by a second pass over question and answer. Where it lies under
the threshold the answer is withheld, and the archive's own words for not knowing are given.

The threshold is the one at which the answers given on the fitted questions are most in the right:
as many right ones less wrong ones as possible, so that an answer is given where it is more often
right than not. It stands beside the adapter that it was fitted with, and is refused for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from exchange.errors import BadFile, BadRecord, ModelUnfit, NotFound
from exchange.files import sha256_of, write_atomic
from exchange.records import Record
from exchange.text.language import texts_in

FILE = "abstention.json"  # beside the adapter
FORMAT = 1
SHA_DIGITS = 12  # hex digits that name an adapter
CURE = "run `kkoracle evaluate`, which fits one"


class AnswerThreshold(Record, frozen=True):
    """The threshold, and what it was fitted on."""

    threshold: float  # mean log-probability a token; an answer under it is withheld
    adapter: str  # sha of its weights
    scale: float  # strength of the adapter
    dataset: str  # the manifest's sha
    split: str  # whose questions it was fitted on
    questions: int
    right: int  # of these
    answered: int  # of these, at the threshold
    right_answered: int  # of those that were answered
    format: int = FORMAT

    def withholds(self, likelihood: float) -> bool:
        """Whether an answer of this mean log-probability is not given."""
        return likelihood < self.threshold

    def write(self, adapter: Path) -> None:
        """Put it beside the adapter.

        Raises:
            UserError: the disk is full, or the folder cannot be written.
        """
        write_atomic(adapter / FILE, self.to_json() + b"\n")

    @classmethod
    def read(cls, adapter: Path, scale: float = 1.0) -> Self:
        """What stands beside an adapter.

        Raises:
            UserError: nothing, or it was fitted for other weights or another strength.
        """
        path = adapter / FILE
        try:
            found = cls.from_json(path.read_bytes())
        except FileNotFoundError:
            raise NotFound(
                f"no threshold for saying 'I do not know' in {adapter}: {CURE}"
            ) from None
        except (OSError, BadRecord) as error:
            raise BadFile(f"{path} is unusable ({error}): {CURE}") from None
        if found.format != FORMAT or found.adapter != adapter_sha(adapter):
            raise ModelUnfit(f"{path} was fitted for another adapter: {CURE}")
        if found.scale != scale:
            raise ModelUnfit(
                f"{path} was fitted at strength {found.scale:g} of the adapter, not {scale:g}: "
                f"likelihoods differ, so give --scale {found.scale:g}"
            )
        return found


def adapter_sha(adapter: Path) -> str:
    """What names an adapter's weights."""
    return sha256_of(adapter / "adapters.safetensors")[:SHA_DIGITS]


def fit_threshold(likelihoods: Sequence[float], right: Sequence[bool]) -> float:
    """The threshold at which right answers less wrong ones are most; of several the lowest.

    It lies half way between the last answer given and the first withheld. Where none is withheld it
    is the least likely answer that was seen, and 0 where none is worth giving.

    Raises:
        ValueError: no answers, or not one mark each.
    """
    marked = sorted(zip(likelihoods, right, strict=True), reverse=True)
    if not marked:
        raise ValueError("no answers to fit a threshold on")
    best, balance, threshold = 0, 0, 0.0
    for number, (likelihood, is_right) in enumerate(marked):
        balance += 1 if is_right else -1
        following = marked[number + 1][0] if number + 1 < len(marked) else likelihood
        if balance >= best and (following < likelihood or number + 1 == len(marked)):
            best, threshold = balance, (likelihood + following) / 2
    return threshold


def refusal_text(language: str) -> str:
    """What is said in place of an answer, in the archive's language."""
    return texts_in(language)["unknown_answer"]
