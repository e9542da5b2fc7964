"""Base and tuned model asked closed book, from one copy of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.demo.questions import HELD_OUT, TAUGHT, ClosedBookQuestion, ClosedBookTest
from bench.demo.results import DemoResults, folded_words
from bench.registry import Figures, Log
from trainer.statistics import ClusteredEstimate, clustered_mean, difference

MAX_TOKENS = 48  # the truth's answers are shorter


@dataclass(frozen=True, slots=True)
class SystemMarks:
    """For one system and every question: 1.0 or 0.0."""

    choice: list[float]  # the true answer is the most probable of the four
    exact: list[float]  # the greedy answer has the truth's words


def ask(printed: DemoResults, held: ClosedBookTest, log: Log) -> tuple[SystemMarks, SystemMarks]:
    """The marks of base and tuned, the last checkpoint. Evaluates MLX: do not fork after it."""
    from exchange.inference.mlx import base_and_adapter
    from trainer.training.runs import TrainingRun

    loaded = base_and_adapter.load(
        printed.model, TrainingRun(printed.archive, "default").adapter("last")
    )
    base_model, tuned_model, tokenizer = loaded
    tuned = _marks(tuned_model, tokenizer, held)
    log("tuned has answered")
    base = _marks(base_model, tokenizer, held)
    return base, tuned


def figures(held: ClosedBookTest, marks: tuple[SystemMarks, SystemMarks]) -> Figures:
    """Shares of both, gains with their intervals, and the difference of the gains."""
    base, tuned = marks
    found: Figures = {}
    for ours, theirs, taught, unseen, beyond in (
        (base.choice, tuned.choice, "recall_", "unseen_", "recall_minus_unseen"),
        (base.exact, tuned.exact, "exact_", "unseen_exact_", "exact_minus_unseen"),
    ):
        one = _gain(found, taught, TAUGHT, held.items, ours, theirs)
        other = _gain(found, unseen, HELD_OUT, held.items, ours, theirs)
        _put(found, beyond, difference(one, other) if one and other else None)
    return found


def _marks(model: Any, tokenizer: Any, held: ClosedBookTest) -> SystemMarks:
    from exchange.inference import chat_template
    from exchange.inference.mlx.generate import generate_texts
    from exchange.inference.mlx.scoring import loglikelihood
    from trainer import tokenization
    from trainer.evaluate.metrics import likelihood

    asked = [tokenization.chat_messages(item.question, held.system) for item in held.items]
    rows = [
        chat_template.encode_conversation(
            tokenizer, [*turns, {"role": "assistant", "content": text}]
        )
        for turns, item in zip(asked, held.items, strict=True)
        for text in item.answers
    ]
    values = iter(loglikelihood(model, rows))
    chosen = []
    for item in held.items:
        true, *wrong = (next(values).mean for _ in item.answers)
        chosen.append(likelihood.is_most_probable(true, wrong))
    prompts = [tokenization.prompt_tokens(tokenizer, turns) for turns in asked]
    said = generate_texts(model, tokenizer, prompts, MAX_TOKENS)
    exact = [
        float(folded_words(text) == folded_words(item.answers[0]))
        for text, item in zip(said, held.items, strict=True)
    ]
    return SystemMarks(chosen, exact)


def _gain(
    found: Figures,
    name: str,
    split: str,
    items: Sequence[ClosedBookQuestion],
    base: list[float],
    tuned: list[float],
) -> ClusteredEstimate | None:
    chosen = [index for index, item in enumerate(items) if item.split == split]
    clusters = [items[index].cluster for index in chosen]
    for system, marks in (("base", base), ("tuned", tuned)):
        right = sum(marks[index] for index in chosen)
        found[f"{name}{system}"] = round(right / len(chosen), 4) if chosen else None
    gain = None
    if len(set(clusters)) > 1:
        gain = clustered_mean([tuned[index] - base[index] for index in chosen], clusters)
    _put(found, f"{name}gain", gain)
    return gain


def _put(found: Figures, name: str, estimate: ClusteredEstimate | None) -> None:
    for end, value in (
        ("", estimate.mean if estimate else None),
        ("_low", estimate.low if estimate else None),
        ("_high", estimate.high if estimate else None),
    ):
        found[name + end] = None if value is None else round(value, 4)
