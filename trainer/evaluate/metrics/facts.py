"""Facts of the reference in the answer: dates, numbers and names, one by one and all at once."""

from __future__ import annotations

from trainer.evaluate.metrics import abstention, claims
from trainer.evaluate.metrics.base import FACT_SPLITS, EvalMetric, MetricInput
from trainer.evaluate.metrics.claims import ClaimKind
from trainer.evaluate.records import EvalItem, MetricInfo


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
        return bool(claims.claims_asked_for(item, kind))

    def value(seen: MetricInput) -> float | None:
        return float(claims.states_all(seen.text, claims.claims_asked_for(seen.item, kind)))

    info = MetricInfo(
        name, f"{name}|{signature}|v:1", about, "share", "higher", splits, primary=primary
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
    f"digits in one spelling|{_ALL_STAND}",
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
    "|declining is grounded|v:1",
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
    if abstention.declines(seen.text):
        return 1.0
    item = seen.item
    source = f"{item.header}\n{item.gold}\n{item.question}"
    if not claims.states_all(source, claims.claims_of(seen.text)):
        return 0.0
    said = claims.read_text(seen.text).stems
    return float(not said or len(said & claims.read_text(source).stems) / len(said) >= OVERLAP)


GROUNDEDNESS = EvalMetric(
    info=GROUNDEDNESS_INFO, applies=groundedness_applies, value=groundedness_value
)
