"""How an answer is worded: whether it declines, and how near it comes to the reference's words."""

from __future__ import annotations

import re
from collections import Counter

from exchange.text.fold import fold, words
from exchange.text.language import every
from exchange.text.similarity import is_stop_word, question_signature
from trainer.evaluate.metrics.base import EvalMetric, MetricInput
from trainer.evaluate.records import FACT_SPLITS, EvalItem, MetricInfo

ORDER, BETA = 6, 2
CHRF_INFO = MetricInfo(
    "chrf",
    f"chrF{BETA}|nc:{ORDER}|nw:0|space:no|folded:yes|v:1",
    "Characters in common with the reference: how far the wording drifts.",
    "0-100",
    "neither",
    FACT_SPLITS,
)


def chrf_applies(item: EvalItem) -> bool:
    return bool(item.reference)


def chrf_value(seen: MetricInput) -> float | None:
    return chrf_score(seen.text, seen.item.reference)


def chrf_score(text: str, reference: str) -> float:
    """0 to 100. Orders that neither text is long enough for are left out."""
    said, told = fold(text).replace(" ", ""), fold(reference).replace(" ", "")
    precision, recall, orders = 0.0, 0.0, 0
    for n in range(1, ORDER + 1):
        mine, theirs = _character_ngrams(said, n), _character_ngrams(told, n)
        if not mine and not theirs:
            continue
        common = (mine & theirs).total()
        orders += 1
        precision += common / mine.total() if mine else 0.0
        recall += common / theirs.total() if theirs else 0.0
    if not precision or not recall:
        return 0.0
    weight = BETA**2
    return 100 * (1 + weight) * precision * recall / (weight * precision + recall) / orders


def _character_ngrams(text: str, n: int) -> Counter[str]:
    return Counter(text[at : at + n] for at in range(len(text) - n + 1))


# The reference word for word, accents, case and punctuation aside: rewards its wording too.

EXACT_INFO = MetricInfo(
    "exact",
    "exact|folded words equal, in order|v:1",
    "The answer has the reference's words.",
    "share",
    "higher",
    FACT_SPLITS,
)


def exact_applies(item: EvalItem) -> bool:
    return True


def exact_value(seen: MetricInput) -> float | None:
    return float(words(seen.text) == words(seen.item.reference))


# General knowledge that tuning must not cost: what of the reference's words is still said.

FORGETTING_INFO = MetricInfo(
    "forgetting",
    "forgetting|test_general|share of the reference's stems in the answer|v:1",
    "Of the words that a general question is answered with, how many the answer has.",
    "share",
    "higher",
    ("test_general",),
)


def forgetting_applies(item: EvalItem) -> bool:
    return bool(_stems(item.reference))


def forgetting_value(seen: MetricInput) -> float | None:
    wanted = _stems(seen.item.reference)
    return len(wanted & _stems(seen.text)) / len(wanted)


def _stems(text: str) -> frozenset[str]:
    """Stems without small words; of an answer of small words alone, such as «Ναι», nothing."""
    return question_signature(text).stems


# Words of the answer for each word of the reference: a tuned model often grows terse.

LENGTH_INFO = MetricInfo(
    "length",
    "length|words of the answer / words of the reference|v:1",
    "How long the answer is beside the reference; 1 is as long.",
    "ratio",
    "neither",
    FACT_SPLITS,
)


def length_applies(item: EvalItem) -> bool:
    return bool(words(item.reference))


def length_value(seen: MetricInput) -> float | None:
    return len(words(seen.text)) / len(words(seen.item.reference))


# How far an answer's manner is from the reference's, whatever it says.
#
# The mean distance of four features, each between 0 and 1: share of small words, share of words
# with a capital, marks of punctuation a word, and mean length of words. It shows drift; it is no
# verdict.

LONGEST_MEAN_WORD = 12  # letters of a mean word that count as 1
STYLE_INFO = MetricInfo(
    "style",
    f"style|small words, capitals, marks, letters a word up to {LONGEST_MEAN_WORD}"
    "|mean distance|v:1",
    "How far the manner of the answer is from the reference's; 0 is the same.",
    "distance",
    "neither",
    FACT_SPLITS,
)
_STYLE_WORD = re.compile(r"[^\W\d_]+")
_MARK = re.compile(r"[^\w\s]")


def style_applies(item: EvalItem) -> bool:
    return bool(_STYLE_WORD.search(item.reference))


def style_value(seen: MetricInput) -> float | None:
    if not _STYLE_WORD.search(seen.text):
        return None
    both = zip(_style_features(seen.text), _style_features(seen.item.reference), strict=True)
    distances = [abs(one - other) for one, other in both]
    return sum(distances) / len(distances)


def _style_features(text: str) -> tuple[float, ...]:
    found = _STYLE_WORD.findall(text)
    count = len(found)
    return (
        sum(map(is_stop_word, found)) / count,
        sum(word[0].isupper() for word in found) / count,
        min(1.0, len(_MARK.findall(text)) / count),
        min(1.0, sum(map(len, found)) / count / LONGEST_MEAN_WORD),
    )


CHRF = EvalMetric(info=CHRF_INFO, applies=chrf_applies, value=chrf_value)
EXACT = EvalMetric(info=EXACT_INFO, applies=exact_applies, value=exact_value)
FORGETTING = EvalMetric(info=FORGETTING_INFO, applies=forgetting_applies, value=forgetting_value)
LENGTH = EvalMetric(info=LENGTH_INFO, applies=length_applies, value=length_value)
STYLE = EvalMetric(info=STYLE_INFO, applies=style_applies, value=style_value)


# Tell an answer that says it does not know from one that answers.

_DECLINES = re.compile(every().pattern("declines"))


def declines(text: str) -> bool:
    """Whether the text says that it does not know, in Greek or English, any accents and case."""
    return bool(_DECLINES.search(" ".join(words(text))))


ABSTENTION_INFO = MetricInfo(
    "abstention",
    "abstention|questions with a coined name, and refusals of the test split|by phrase|v:1",
    "Asked about what is not in the archive, it says that it does not know.",
    "share",
    "higher",
    ("absent",),
)


def abstention_applies(item: EvalItem) -> bool:
    return True


def abstention_value(seen: MetricInput) -> float | None:
    return float(declines(seen.text))


# The price of abstention: questions that have an answer, and were declined.

DECLINED_INFO = MetricInfo(
    "declined",
    "declined|by phrase|v:1",
    "It says that it does not know although the archive does.",
    "share",
    "lower",
    FACT_SPLITS,
)


def declined_applies(item: EvalItem) -> bool:
    return not declines(item.reference)


def declined_value(seen: MetricInput) -> float | None:
    return float(declines(seen.text))


ABSTENTION = EvalMetric(info=ABSTENTION_INFO, applies=abstention_applies, value=abstention_value)
DECLINED = EvalMetric(info=DECLINED_INFO, applies=declined_applies, value=declined_value)
