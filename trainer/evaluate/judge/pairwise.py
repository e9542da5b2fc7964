"""Two answers to one item, in both orders: what stands first has an advantage with most judges.

What people said of the same answers corrects the judge by prediction-powered inference
(Angelopoulos et al., 2023, arXiv 2301.09633): the judge's mean over all its questions, plus the
mean of (person - judge) over those that a person voted on. Unbiased whatever the judge is like, if
people voted on questions chosen without looking at the answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from exchange.store.review import Vote
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

    def missing(self, contests: Sequence[JudgeCase]) -> int:
        """How many of them are still to be judged; the others are stored."""


Contested = tuple[EvalItem, str, str, str, str]  # item, two systems, what each of them said


def contests_of(pairs: Iterable[Contested]) -> list[JudgeCase]:
    """Both orders of every two answers that differ."""
    return [
        contest
        for item, _, _, said, other in pairs
        if said.strip() != other.strip()
        for contest in (JudgeCase(item, said, other), JudgeCase(item, other, said))
    ]


def prefer_both_orders(
    judge: Judge,
    pairs: Iterable[Contested],
    progress: Callable[[], None] = lambda: None,
) -> list[Preference]:
    """Ask in both orders; an answer is better only if it is preferred in both.

    Args:
        pairs: item, two systems and what each of them said. Equal answers are not asked: neither
            is better.
    """
    kept = list(pairs)
    values = iter(judge.prefer(contests_of(kept), progress))
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


MIN_VOTES = 20  # votes on a pair of systems; fewer correct nothing
_Z = 1.96  # both terms are means of many independent votes


def correct_by_votes(
    items: Iterable[EvalItem], said: Sequence[Preference], votes: Sequence[Vote], run: str
) -> dict[str, Any]:
    """Agreement and corrected shares by pair of systems; {} where too few voted.

    Args:
        votes: only blind ones of this run count.
    """
    questions = {item.id: item.question.strip() for item in items}
    by_pair: dict[tuple[str, str], list[Preference]] = {}
    for preference in said:
        by_pair.setdefault((preference.one, preference.other), []).append(preference)
    counted = [vote for vote in votes if vote.blind and vote.run == run]
    found = {}
    for (one, other), preferences in by_pair.items():
        human = {
            vote.question.strip(): _vote_value(vote, one, other)
            for vote in counted
            if {one, other} <= set(vote.systems)
        }
        both = [
            (preference.value, human[questions[preference.item]])
            for preference in preferences
            if questions.get(preference.item) in human
        ]
        if len(both) >= MIN_VOTES:
            found[f"{one} - {other}"] = _corrected(
                [preference.value for preference in preferences], both
            )
    return found


def _vote_value(vote: Vote, one: str, other: str) -> float:
    """1 for `one`, 0 for `other`, 0.5 for neither."""
    return 1.0 if vote.best == one else 0.0 if vote.best == other else 0.5


def _corrected(judge: Sequence[float], both: Sequence[tuple[float, float]]) -> dict[str, float]:
    errors = [person - machine for machine, person in both]
    value = _mean(judge) + _mean(errors)
    half = _Z * math.sqrt(_variance(judge) / len(judge) + _variance(errors) / len(errors))
    agreed = sum(machine == person for machine, person in both) / len(both)
    return {
        "votes": len(both),
        "agreement": agreed,
        "value": value,
        "low": value - half,
        "high": value + half,
    }


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.fsum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)
