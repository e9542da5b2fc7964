"""Facts of the reference in the answer: dates, numbers and names, one by one and all at once.

And whether an answer keeps to the chunk that its question was made from, or invents.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from exchange.text.stems import is_same_word
from exchange.text.tokens import TokenizedText
from trainer.evaluate.metrics.base import EvalMetric, MetricInput
from trainer.evaluate.metrics.wording import declines
from trainer.evaluate.records import FACT_SPLITS, EvalItem, MetricInfo

ClaimKind = Literal["dates", "numbers", "names"]


@dataclass(frozen=True, slots=True)
class Claims:
    """What of a text can be checked word by word."""

    dates: frozenset[str]  # ISO
    numbers: frozenset[str]  # by value; of a whole date its year
    names: frozenset[str]  # folded

    def __bool__(self) -> bool:
        return bool(self.dates or self.numbers or self.names)


_NONE = Claims(frozenset(), frozenset(), frozenset())


@lru_cache(maxsize=1 << 12)  # several metrics look at the same texts
def read_text(text: str, language: str) -> TokenizedText:
    """A text cut into words, once for all metrics."""
    return TokenizedText(text, language)


def claims_of(text: str, language: str) -> Claims:
    """All claims of a text."""
    reading = read_text(text, language)
    names = frozenset(word.folded for word in reading.names if not word.month)
    return Claims(reading.dates, reading.numbers, names)


def claims_asked_for(item: EvalItem, only: ClaimKind | None = None) -> Claims:
    """What the reference says, of one sort or of all, and the question has not said already."""
    told = claims_of(item.reference, item.language)
    known = claims_of(item.question, item.language)
    said = [word.folded for word in read_text(item.question, item.language).words]
    asked = Claims(
        told.dates - known.dates,
        told.numbers - known.numbers,
        frozenset(name for name in told.names if not has_name(name, said)),
    )
    return replace(_NONE, **{only: getattr(asked, only)}) if only else asked


def has_name(name: str, words: Iterable[str]) -> bool:
    """Whether a name stands among folded words, in whatever case."""
    return any(is_same_word(name, word) for word in words)


def states_all(text: str, wanted: Claims, language: str) -> bool:
    """Whether a text states all of these."""
    reading = read_text(text, language)
    words = {word.folded for word in reading.words}
    return (
        wanted.dates <= reading.dates
        and wanted.numbers <= reading.numbers_held
        and all(has_name(name, words) for name in wanted.names)
    )


def _fact_metric(
    name: str,
    signature: str,
    about: str,
    kind: ClaimKind | None = None,
    *,
    splits: tuple[str, ...] = FACT_SPLITS,
    primary: bool = False,
) -> EvalMetric:
    def applies(item: EvalItem) -> bool:
        return bool(claims_asked_for(item, kind))

    def value(seen: MetricInput) -> float | None:
        return float(states_all(seen.text, claims_asked_for(seen.item, kind), seen.item.language))

    info = MetricInfo(
        name, f"{name}|{signature}|v:2", about, "share", "higher", splits, primary=primary
    )
    return EvalMetric(info=info, applies=applies, value=value)


_ALL_STAND = "those of the question left out|all must stand in the answer"
FACTS = _fact_metric(
    "facts",
    f"dates, numbers and names|{_ALL_STAND}",
    "Every date, number and name that the reference adds to the question stands in the answer.",
    primary=True,
)
DATES = _fact_metric(
    "dates",
    f"full dates as ISO, worded or in digits|{_ALL_STAND}",
    "Every date that the reference adds to the question stands in the answer.",
    "dates",
)
NUMBERS = _fact_metric(
    "numbers",
    f"numbers by value, words too|{_ALL_STAND}",
    "Every number that the reference adds to the question stands in the answer.",
    "numbers",
)
NAMES = _fact_metric(
    "names",
    f"capitalised words, folded, in any case|{_ALL_STAND}",
    "Every name that the reference adds to the question stands in the answer.",
    "names",
)
ROBUSTNESS = _fact_metric(
    "robustness",
    "ways:bare, capitals, typos (2 swaps)|all facts of the reference in the answer",
    "The same facts stand in the answer when the question is typed carelessly.",
    splits=("disturbed",),
)

# Whether an answer keeps to the chunk that its question was made from, or invents.
#
# The rules of the checks that accept pairs: every number, date and name of the answer stands in the
# chunk, its header or the question, and of its other words at least 40 % do.

OVERLAP = 0.40  # share of the answer's stems of four letters; the checks' own threshold
GROUNDEDNESS_INFO = MetricInfo(
    "groundedness",
    f"groundedness|claims in chunk, header or question|stems of 4 letters >= {OVERLAP}"
    "|declining is grounded|v:2",
    "The answer claims nothing that its chunk does not say.",
    "share",
    "higher",
    FACT_SPLITS,
)


def groundedness_applies(item: EvalItem) -> bool:
    return bool(item.gold)


def groundedness_value(seen: MetricInput) -> float | None:
    if not seen.text:
        return None
    if declines(seen.text):
        return 1.0
    item = seen.item
    source = f"{item.header}\n{item.gold}\n{item.question}"
    if not states_all(source, claims_of(seen.text, item.language), item.language):
        return 0.0
    said = read_text(seen.text, item.language).stems
    held = read_text(source, item.language).stems
    return float(not said or len(said & held) / len(said) >= OVERLAP)


GROUNDEDNESS = EvalMetric(
    info=GROUNDEDNESS_INFO, applies=groundedness_applies, value=groundedness_value
)
