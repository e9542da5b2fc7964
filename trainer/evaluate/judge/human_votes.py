"""What people said of the same answers, and the judge's figures corrected by it.

Prediction-powered inference (Angelopoulos et al., 2023, arXiv 2301.09633): the judge's mean over
all its questions, plus the mean of (person - judge) over those that a person voted on. Unbiased
whatever the judge is like, if people voted on questions chosen without looking at the answers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from exchange.store.review import Vote
from trainer.evaluate.records import EvalItem, Preference

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
