"""What it takes: hours and energy of the training, tokens and seconds of an answer."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.evaluate.records import Evaluation
from trainer.runs import Summary

WATTS = 60.0  # of a Mac mini with an M4 Pro while its GPU works; the energy is no measurement


@dataclass(frozen=True, slots=True)
class Training:
    """One run, once."""

    hours: float
    kwh: float
    watts: float  # that `kwh` was computed with
    tokens: int
    steps: int
    peak_gb: float


@dataclass(frozen=True, slots=True)
class Answering:
    """One system's answers; means over all of them."""

    system: str
    answers: int
    tokens_in: float
    tokens_out: float
    seconds: float  # an answer, its share of the batch it was computed in
    kwh: float  # a thousand answers
    cut: int  # ended by the limit of tokens
    failed: int


def training(summary: Summary | None, watts: float) -> Training | None:
    """The run's costs; None for a run that has not ended."""
    if summary is None:
        return None
    hours = summary.seconds / 3600
    return Training(
        hours, hours * watts / 1000, watts, summary.tokens, summary.steps, summary.peak_bytes / 1e9
    )


def answering(evaluation: Evaluation, watts: float) -> list[Answering]:
    """One line a system that answered anything."""
    found = []
    for system in evaluation.systems:
        answers = list(evaluation.answers.get(system.name, {}).values())
        if not answers:
            continue
        count = len(answers)
        seconds = sum(answer.seconds for answer in answers) / count
        found.append(
            Answering(
                system.name,
                count,
                sum(answer.tokens_in for answer in answers) / count,
                sum(answer.tokens_out for answer in answers) / count,
                seconds,
                seconds * 1000 / 3600 * watts / 1000,
                sum(answer.finish_reason == "length" for answer in answers),
                sum(answer.finish_reason == "error" for answer in answers),
            )
        )
    return found
