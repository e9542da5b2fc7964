"""Two answers to one item, in both orders: what stands first has an advantage with most judges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from trainer.evaluate.records import EvalItem, Preference


@dataclass(frozen=True, slots=True)
class JudgeCase:
    """Two answers as they are laid before a judge, A first."""

    item: EvalItem
    first: str
    second: str


class Judge(Protocol):
    """Attributes: name, who it is; signature, how it is asked, in one line."""

    name: str
    signature: str

    def prefer(
        self, contests: Sequence[JudgeCase], progress: Callable[[], None] = lambda: None
    ) -> list[float]:
        """The probability given to A being better, for each contest."""


def prefer_both_orders(
    judge: Judge,
    pairs: Iterable[tuple[EvalItem, str, str, str, str]],
    progress: Callable[[], None] = lambda: None,
) -> list[Preference]:
    """Ask in both orders; an answer is better only if it is preferred in both.

    Args:
        pairs: item, two systems and what each of them said. Equal answers are not asked: neither
            is better.
    """
    kept = list(pairs)
    different = [row for row in kept if row[3].strip() != row[4].strip()]
    contests = [
        contest
        for item, _, _, said, other in different
        for contest in (JudgeCase(item, said, other), JudgeCase(item, other, said))
    ]
    values = iter(judge.prefer(contests, progress))
    found = []
    for item, one, other, said, against in kept:
        if said.strip() == against.strip():
            first = second = 0.5
        else:
            first, second = next(values), 1 - next(values)
        found.append(Preference(item.id, one, other, first, second, _value(first, second)))
    return found


def _value(first: float, second: float) -> float:
    if first > 0.5 and second > 0.5:
        return 1.0
    return 0.0 if first < 0.5 and second < 0.5 else 0.5
