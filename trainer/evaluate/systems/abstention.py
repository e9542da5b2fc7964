"""A tuned model that withholds what it is not sure of: its threshold, fitted before it is asked.

It is fitted on `valid`, where that holds taught facts in other words: the same sort of question as
`test_recall`, about other facts, so no test question has a say. In a small archive `valid` holds
whole stories that were never taught, and of those the model knows nothing: a threshold fitted there
would be one between two sorts of guesses. Then the asked questions of `test_recall` are halved by
story, and each half is judged by the threshold of the other (cross-fitting): no answer's own mark
decides whether it is given. Such a pair of thresholds is measured, and not kept for use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from exchange.records import digest
from trainer.abstention import AnswerThreshold, adapter_sha, fit_threshold, refusal_text
from trainer.dataset import Manifest, read_split
from trainer.dataset.split import Split
from trainer.evaluate.metrics import MetricInput, is_right
from trainer.evaluate.metrics.wording import declines
from trainer.evaluate.records import EvalAnswer, EvalItem
from trainer.evaluate.systems.system import Abstention, EvalSystem

KIND = "tuned+abstain"
LEAST = 20  # questions that a threshold is fitted on; with fewer it is chance
VALID: Split = "valid"
CROSS = "test_recall"  # halved where `VALID` holds too few


def abstaining(
    systems: Sequence[EvalSystem],
    asked: Sequence[EvalItem],
    dataset: Path,
    adapter: Path | None,
    scale: float,
    note: Callable[[str], None],
) -> list[EvalSystem]:
    """The systems, those that may say "I do not know" with their thresholds.

    A threshold that was fitted on `valid` is kept beside the adapter, for chat and serve.

    Args:
        asked: the items of the evaluation, for cross-fitting.
        scale: strength of the adapter that answers.
    """
    ready = []
    for system in systems:
        if system.kind == KIND and adapter is not None:
            language = next((item.language for item in asked), "")
            described = AnswerThreshold(
                0.0, adapter_sha(adapter), scale, Manifest.read(dataset).sha, VALID, 0, 0, 0, 0
            )
            threshold, kept, about = _thresholds(
                system, _validation_items(dataset, language), asked, described, note
            )
            system = replace(
                system, abstention=Abstention(refusal_text(language), threshold, about)
            )
            if kept:
                kept.write(adapter)
        ready.append(system)
    return ready


def _validation_items(dataset: Path, language: str) -> list[EvalItem]:
    """The questions of `valid` that ask for what was taught, in other words."""
    if not Manifest.read(dataset).splits.get(VALID, {}).get("rows"):
        return []
    return [
        EvalItem(
            row.id,
            VALID,
            row.question,
            row.answer,
            row.cluster or row.id,
            row.system,
            row.kind,
            language=language,
        )
        for row in read_split(dataset, VALID)
        if row.rephrase_of and row.kind != "refusal"
    ]


def _thresholds(
    system: EvalSystem,
    valid: Sequence[EvalItem],
    asked: Sequence[EvalItem],
    described: AnswerThreshold,
    note: Callable[[str], None],
) -> tuple[Callable[[EvalItem], float], AnswerThreshold | None, str]:
    """The threshold of each item, the one of all where it was fitted on `valid`, and a line."""
    if len(valid) >= LEAST:
        note(f"asking {system.name} what it knows of {VALID}: where may it say that it does not?")
        kept = _fit(system, valid, described)
        about = f"withheld under {kept.threshold:.4f} a token, by {kept.questions} of {VALID}"
        return lambda _: kept.threshold, kept, about
    halves: tuple[list[EvalItem], list[EvalItem]] = ([], [])
    for item in asked:
        if item.split == CROSS and item.reference:
            halves[_half(item)].append(item)
    if min(map(len, halves)) < LEAST:
        note(f"{system.name} withholds nothing: too few questions to fit a threshold on")
        return lambda _: -math.inf, None, "nothing withheld"
    note(f"asking {system.name}: {VALID} holds too few taught facts, so each half fits the other's")
    of_other = [_fit(system, half, described).threshold for half in halves[::-1]]
    under = " or ".join(f"{one:.4f}" for one in of_other)
    about = f"withheld under {under} a token, each half of {CROSS} by the other"
    return lambda item: of_other[_half(item)], None, about


def _half(item: EvalItem) -> int:
    """By story, so that no half knows anything of the other's stories."""
    return int(digest("half", item.cluster, size=1), 16) % 2


def _fit(
    system: EvalSystem, items: Sequence[EvalItem], described: AnswerThreshold
) -> AnswerThreshold:
    plain = replace(system, abstention=Abstention("", lambda _: -math.inf))
    return fit(items, plain.answer(items, lambda: None), described)


def fit(
    items: Sequence[EvalItem], answers: Sequence[EvalAnswer], described: AnswerThreshold
) -> AnswerThreshold:
    """The threshold for answers to these items.

    Those that decline by themselves have no say: they are none to withhold, and a model that is
    sure of them would have all others withheld with them.
    """
    marked = [
        (answer.likelihood, is_right(MetricInput(item, answer)) == 1)
        for item, answer in zip(items, answers, strict=True)
        if answer.likelihood is not None and not declines(answer.text)
    ]
    sure, right = [sure for sure, _ in marked], [right for _, right in marked]
    threshold = fit_threshold(sure, right) if marked else 0.0
    given = [mark for value, mark in marked if value >= threshold]
    return described.replace(
        threshold=threshold,
        questions=len(marked),
        right=sum(right),
        answered=len(given),
        right_answered=sum(given),
    )
